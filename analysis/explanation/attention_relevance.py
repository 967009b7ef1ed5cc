"""The relevance of each image patch to a transformer's output, from the attention of all blocks.

The method is that of Chefer, Gur & Wolf 2021, "Generic Attention-model Explainability for
Interpreting Bi-Modal and Encoder-Decoder Transformers", ICCV, equations 5 and 6 for
self-attention.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from trainables.backbones import FineTunedNetwork
from trainables.layers import GalaxyNetwork


def attention_relevance(
    network: GalaxyNetwork, images: Tensor, outputs: Callable[[Tensor], Tensor]
) -> Tensor | None:
    """Return the relevance [B, h, w] >= 0 of each image patch to the outputs, or None.

    network: the network, in evaluation mode. images: images [B, 3, S, S] in 0..1 that require
    gradients, because all weights may be frozen; PyTorch raises RuntimeError if gradients are
    off. outputs: a function that maps the images through the network to the outputs [B, 1] to
    explain. The result has no gradient; h = w.

    None is returned if the method does not apply to the network. The method needs tokens whose
    number is the same from the first block to the last block: each attention must be
    [B, heads, N, N] over the same N tokens. The tokens must be a square grid of patches after any
    class and register tokens. Windowed attention (swin), pooled, linear and channel-wise attention
    (xcit) have other shapes. A network without attention layers gives None too.

    In galaxytune's VisionTransformer, the relevance is the row of the class token in the matrix R
    of `accumulated`. In a timm backbone, the relevance comes from the rows of the patches, because
    galaxytune's head pools the patches. The pooling counts as one more attention, from the output
    to the last tokens x_j. By equation 5, row j is therefore multiplied by g_j, the positive part
    of x_j times its gradient. The identity in R would add g_j to the relevance of patch j. In
    place of g_j, only the excess of g_j over the median of all patches is added, if the excess is
    positive. The median part is common to most patches, so the median part carries no information
    on position, and the median part can be much larger than the relevance that comes from
    attention.
    """
    layers = [module for module in network.modules() if _is_attention(module)]
    if not layers:
        return None
    with _watched(layers) as attention, _last_tokens(network) as last:
        output = outputs(images)
    num_prefix = _num_prefix_tokens(network)
    if isinstance(network, FineTunedNetwork) and not last:
        return None
    if not _same_tokens(attention, last, len(images), num_prefix):
        return None
    gradients = torch.autograd.grad(output.sum(), [*attention, *last])
    relevance = accumulated(attention, gradients[: len(attention)])
    if last:
        pooled = (last[0] * gradients[-1]).sum(dim=2).clamp_min(0)  # [B, N], 0 at prefix tokens
        own = pooled - pooled[:, num_prefix:].median(dim=1, keepdim=True).values
        row = (pooled[:, None] @ relevance)[:, 0] - pooled + own.clamp_min(0)
    else:
        row = relevance[:, 0]
    patches = row[:, num_prefix:].detach().clamp_min(0)  # rounding can give values below 0
    side = math.isqrt(patches.shape[1])
    return patches.unflatten(1, (side, side))


def accumulated(attention: Sequence[Tensor], gradients: Sequence[Tensor]) -> Tensor:
    """Return the matrix R [B, N, N] of the relevance of each token (column) to each token (row).

    attention: attention [B, heads, N, N] of each block, the first block first, at least one.
    gradients: the gradient of the output with respect to each attention, of the same shapes.

    R is at first the identity I. Each block adds A R, where A is the mean over heads of the
    positive part of gradient times attention.
    """
    size = attention[0].shape
    relevance = torch.eye(size[-1]).to(attention[0]).expand(size[0], -1, -1)
    for weights, gradient in zip(attention, gradients):
        relevance = relevance + (gradient * weights.detach()).clamp_min(0).mean(dim=1) @ relevance
    return relevance


def _is_attention(module: nn.Module) -> bool:
    """Return whether a module has `fused_attn` and a module `attn_drop`, as timm's attention has.

    galaxytune's VisionTransformer has such layers too.
    """
    return hasattr(module, "fused_attn") and isinstance(
        getattr(module, "attn_drop", None), nn.Module
    )


@contextmanager
def _watched(layers: Sequence[nn.Module]) -> Iterator[list[Tensor]]:
    """Record the attention of each layer in every forward pass within the context.

    layers: layers for which `_is_attention` is True. The value of the context is an empty list, to
    which a pass adds the output of each layer's `attn_drop`, which is the attention, usually
    [B, heads, N, N], in the order of the computation. Fused kernels are off within the context,
    because fused kernels do not expose the attention.
    """
    seen: list[Tensor] = []
    fused = [layer.fused_attn for layer in layers]
    drops: list[nn.Module] = [layer.attn_drop for layer in layers]  # type: ignore[misc]
    hooks = [d.register_forward_hook(lambda _, __, output: seen.append(output)) for d in drops]
    try:
        for layer in layers:
            layer.fused_attn = False  # type: ignore[assignment]
        yield seen
    finally:
        for layer, was in zip(layers, fused):
            layer.fused_attn = was
        for hook in hooks:
            hook.remove()


@contextmanager
def _last_tokens(network: GalaxyNetwork) -> Iterator[list[Tensor]]:
    """Record the last tokens of a timm backbone in every forward pass within the context.

    The value of the context is an empty list, to which a pass adds the output [B, N, C] of the
    timm model. The list stays empty for a network without a timm model, for a timm model whose
    output is not [B, N, C], and for a timm model that is not called as a module.
    """
    tokens: list[Tensor] = []
    model = _timm_model(network)
    if model is None:
        yield tokens
        return
    hook = model.register_forward_hook(
        lambda _, __, output: tokens.extend([output] if output.ndim == 3 else [])
    )
    try:
        yield tokens
    finally:
        hook.remove()


def _timm_model(network: GalaxyNetwork) -> nn.Module | None:
    """Return the timm model inside a network, or None if the network has no timm model."""
    if not isinstance(network, FineTunedNetwork):
        return None
    model: nn.Module | None = getattr(network.backbone, "model", None)
    return model


def _num_prefix_tokens(network: GalaxyNetwork) -> int:
    """Return how many tokens, such as class and register tokens, stand before the patch tokens.

    A network with a timm backbone has as many as timm's `num_prefix_tokens` says, or 0 if timm
    says nothing. For every other network 1 is returned, the class token of galaxytune's
    VisionTransformer.
    """
    model = _timm_model(network)
    return 1 if model is None else int(getattr(model, "num_prefix_tokens", 0))


def _same_tokens(
    attention: Sequence[Tensor], last: Sequence[Tensor], batch: int, num_prefix: int
) -> bool:
    """Return whether all tensors have the same N tokens, with a square number of patches.

    attention: the attention of each block, which must be [B, heads, N, N]; False is returned for
    an empty sequence. last: last tokens, each [B, N, C]; may be empty. batch: B, the number of
    images. num_prefix: number of tokens before the patches, so N - num_prefix must be a square
    number above 0.
    """
    if not attention or any(a.ndim != 4 for a in attention):
        return False
    shapes = {(a.shape[0], a.shape[2], a.shape[3]) for a in attention}
    shapes |= {(tokens.shape[0], tokens.shape[1], tokens.shape[1]) for tokens in last}
    num_patches = attention[0].shape[-1] - num_prefix
    square = num_patches > 0 and math.isqrt(num_patches) ** 2 == num_patches
    return square and shapes == {(batch, num_patches + num_prefix, num_patches + num_prefix)}
