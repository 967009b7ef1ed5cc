"""How much each patch matters to a transformer's output, read off all of its attention.

Chefer, Gur & Wolf 2021, "Generic Attention-model Explainability for Interpreting Bi-Modal and
Encoder-Decoder Transformers", ICCV, equations 5 and 6 for self-attention.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from trainables.fine_tuning import FineTunedNetwork
from trainables.network import GalaxyNetwork


def attention_relevance(
    network: GalaxyNetwork, images: Tensor, outputs: Callable[[Tensor], Tensor]
) -> Tensor | None:
    """Relevance [B, h, w] >= 0 of each patch of images [B, 3, S, S] to the `outputs` [B, 1].

    `outputs` calls the network. None if the rule does not apply: it wants tokens that keep
    their number from the first block to the last, so every attention must be [B, heads, N, N]
    over the same N tokens, a square grid of patches behind any class and register tokens.
    Windowed (swin), pooled, linear and channel-wise attention (xcit) are of other shapes.

    A network of our own is read at the row of its class token. A timm backbone is read at its
    patches' rows, since they are what our head pools. Pooling is one more attention, of the
    output to the last tokens x_j, so by equation 5 row j counts with g_j, the positive part of
    x_j times its gradient. R's identity then gives patch j a share g_j of its own, kept only as
    far as it exceeds the median: what most patches have tells nothing of where, and can be far
    more than all attention gives.
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
    patches = row[:, num_prefix:].detach().clamp_min(0)  # against rounding
    side = math.isqrt(patches.shape[1])
    return patches.unflatten(1, (side, side))


def accumulated(attention: Sequence[Tensor], gradients: Sequence[Tensor]) -> Tensor:
    """R [B, N, N] for each block's attention and its gradient, both [B, heads, N, N].

    R begins as I; each block adds A R, with A the mean over heads of the positive part of
    gradient times attention.
    """
    size = attention[0].shape
    relevance = torch.eye(size[-1]).to(attention[0]).expand(size[0], -1, -1)
    for weights, gradient in zip(attention, gradients):
        relevance = relevance + (gradient * weights.detach()).clamp_min(0).mean(dim=1) @ relevance
    return relevance


def _is_attention(module: nn.Module) -> bool:
    return hasattr(module, "fused_attn") and isinstance(
        getattr(module, "attn_drop", None), nn.Module
    )


@contextmanager
def _watched(layers: Sequence[nn.Module]) -> Iterator[list[Tensor]]:
    """Collects the attention of each layer as it runs; fused kernels, which hide it, are off."""
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
    """Collects the tokens [B, N, C] that a timm model puts out; nothing where it is a map."""
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
    if not isinstance(network, FineTunedNetwork):
        return None
    model: nn.Module | None = getattr(network.backbone, "model", None)
    return model


def _num_prefix_tokens(network: GalaxyNetwork) -> int:
    """Class and register tokens before the patches; a network of our own has one."""
    model = _timm_model(network)
    return 1 if model is None else int(getattr(model, "num_prefix_tokens", 0))


def _same_tokens(
    attention: Sequence[Tensor], last: Sequence[Tensor], batch: int, num_prefix: int
) -> bool:
    """Whether all attention is [B, heads, N, N], last tokens [B, N, C], N - prefix a square."""
    if not attention or any(a.ndim != 4 for a in attention):
        return False
    shapes = {(a.shape[0], a.shape[2], a.shape[3]) for a in attention}
    shapes |= {(tokens.shape[0], tokens.shape[1], tokens.shape[1]) for tokens in last}
    num_patches = attention[0].shape[-1] - num_prefix
    square = num_patches > 0 and math.isqrt(num_patches) ** 2 == num_patches
    return square and shapes == {(batch, num_patches + num_prefix, num_patches + num_prefix)}
