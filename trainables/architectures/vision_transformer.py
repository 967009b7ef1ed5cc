"""The student project's vision transformer: by default 64 patches, 12 blocks, a class token.

The published network has 1,821,477 parameters, 64 of them a position row that nothing uses.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from search_spaces.vision_transformer import Config
from trainables.layers import (
    Dropout,
    GalaxyNetwork,
    VoteLayer,
    initialise_as_keras,
    scaled,
)

SOURCE = "student project, VisionTransformer_B16.ipynb, after Dosovitskiy et al. 2021"
_CHANNELS = 64
_LAYER_NORM_EPSILON = 1e-6  # as in the notebook; the default is 1e-3 in Keras and 1e-5 in torch
_POSITION_RANGE = 0.05  # Keras draws embeddings uniformly within +- this value


class Attention(nn.Module):
    """A self-attention layer that maps tokens [B, N, C] to [B, N, C].

    Each head is as wide as the tokens, as with key_dim=64 in the notebook's Keras layer.

    num_heads: the number of heads. head_width: C, the width of a head. attn_drop: the dropout of
    the attention weights; its output [B, heads, N, N] holds the weights in use. fused_attn: True
    to use PyTorch's fused kernel, in which the attention weights cannot be read and `attn_drop` is
    not called; training on a CPU never uses the fused kernel. The last two names are those of
    timm's layers, because explanations read `attn_drop` and switch `fused_attn` off in both.
    """

    def __init__(self, channels: int, num_heads: int, dropout: float) -> None:
        """Build the untrained layers.

        channels: C, width of a token and of each head. num_heads: number of heads, so that the
        inner width is num_heads x channels. dropout: dropout rate of the attention weights.
        """
        super().__init__()
        inner = num_heads * channels
        self.num_heads, self.head_width = num_heads, channels
        self.query, self.key, self.value = (nn.Linear(channels, inner) for _ in range(3))
        self.output = nn.Linear(inner, channels)
        self.attn_drop = Dropout(dropout)
        self.fused_attn = True

    def _heads(self, tokens: Tensor) -> Tensor:
        """Map [B, N, heads x C] to a view [B, heads, N, C]."""
        return tokens.unflatten(2, (self.num_heads, self.head_width)).transpose(1, 2)

    def forward(self, tokens: Tensor) -> Tensor:
        """Map tokens [B, N, C] to [B, N, C]."""
        query, key, value = (
            self._heads(layer(tokens)) for layer in (self.query, self.key, self.value)
        )  # each [B, heads, N, C]
        # On a CPU PyTorch's kernel with dropout trains at a quarter of the speed of `_mixed`.
        if self.fused_attn and not (self.training and tokens.device.type == "cpu"):
            dropout = self.attn_drop.p if self.training else 0.0
            mixed = F.scaled_dot_product_attention(query, key, value, dropout_p=dropout)
        else:
            mixed = self._mixed(query.contiguous(), key.contiguous(), value.contiguous())
        joined: Tensor = self.output(mixed.transpose(1, 2).flatten(2))
        return joined

    def _mixed(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Return the attention's output [B, heads, N, C] without PyTorch's fused kernel.

        query, key, value: tensors [B, heads, N, C].
        """
        scores = (query / self.head_width**0.5) @ key.transpose(2, 3)  # [B, heads, N, N]
        mixed: Tensor = self.attn_drop(scores.softmax(dim=3)) @ value
        return mixed


class Block(nn.Module):
    """A pre-norm transformer block that maps tokens [B, N, C] to [B, N, C]."""

    def __init__(self, channels: int, config: Config) -> None:
        """Build the untrained layers; the hidden layer is twice as wide as the tokens.

        channels: C, width of a token. config: its `num_heads`, `attention_dropout`,
        `dense_dropout` and `output_activation` are used.
        """
        super().__init__()
        self.norms = nn.ModuleList(
            [nn.LayerNorm(channels, eps=_LAYER_NORM_EPSILON) for _ in range(2)]
        )
        self.attention = Attention(channels, config.num_heads, config.attention_dropout)
        self.dense = nn.ModuleList(
            [nn.Linear(channels, 2 * channels), nn.Linear(2 * channels, channels)]
        )
        self.dropout = Dropout(config.dense_dropout)
        self.ends_in_gelu = config.output_activation == "gelu"

    def forward(self, tokens: Tensor) -> Tensor:
        """Map tokens [B, N, C] to [B, N, C]."""
        tokens = tokens + self.attention(self.norms[0](tokens))
        hidden = self.dropout(F.gelu(self.dense[0](self.norms[1](tokens))))
        mixed = self.dense[1](hidden)
        return tokens + self.dropout(F.gelu(mixed) if self.ends_in_gelu else mixed)


class VisionTransformer(GalaxyNetwork):
    """A network that maps images [B, 3, S, S] in 0..1 to vote fractions [B, 37].

    image_side: S, the config's `input_side`. patch_side: width and height of a patch, in pixels.
    border: the black pixels before the first column and row, and those behind the last, by which
    a whole number of patches covers the image; (0, 0) if a whole number covers it anyway.
    class_token: the first token [1, 1, C]; if `as_published` is True in the config, a constant
    zero that is not in the state_dict, otherwise a parameter. positions: the parameter [N + 1, C]
    that is added to the class token and the N patches; as published there is one more row, which
    nothing reads. `explained_layer` raises IndexError, because the network has no nn.Conv2d.
    """

    class_token: Tensor

    def __init__(self, config: Config) -> None:
        """Build the untrained layers with C channels, `config.width` times the published 64.

        The weights are drawn from torch's global random state.
        """
        super().__init__()
        channels = scaled(_CHANNELS, config.width)
        self.patch_side = config.patch_side
        self.image_side = config.input_side
        missing = -self.image_side % self.patch_side
        self.border = (missing // 2, missing - missing // 2)
        num_patches = ((self.image_side + missing) // self.patch_side) ** 2
        self.projection = nn.Linear(3 * config.patch_side**2, channels)
        # the notebook has one row more than patches and class token need
        self.positions = nn.Parameter(
            torch.empty(num_patches + (2 if config.as_published else 1), channels)
        )
        zero = torch.zeros(1, 1, channels)
        if config.as_published:
            self.register_buffer("class_token", zero, persistent=False)
        else:
            self.class_token = nn.Parameter(zero)
        self.blocks = nn.Sequential(*(Block(channels, config) for _ in range(config.depth)))
        self.norm = nn.LayerNorm(channels, eps=_LAYER_NORM_EPSILON)
        self.dense = nn.ModuleList([nn.Linear(channels, channels) for _ in range(2)])
        self.dropout = Dropout(config.dense_dropout)
        self.output = VoteLayer(channels, config.head)
        initialise_as_keras(self)
        nn.init.uniform_(self.positions, -_POSITION_RANGE, _POSITION_RANGE)

    def _patches(self, images: Tensor) -> Tensor:
        """Map images [B, 3, S, S] to N patches [B, N, 3 x side^2].

        The patches are in the order (row, column), the values of a patch in the order (row,
        column, channel). side: the config's `patch_side`, in pixels; N = ceil(S / side)^2.
        """
        side = self.patch_side
        if any(self.border):
            images = F.pad(images, (*self.border, *self.border))
        grid = images.unflatten(3, (-1, side)).unflatten(2, (-1, side))  # [B, 3, h, side, w, side]
        return grid.permute(0, 2, 4, 3, 5, 1).flatten(3).flatten(1, 2)

    def forward(self, images: Tensor) -> Tensor:
        """Map images [B, 3, S, S] in 0..1 to vote fractions [B, 37] in 0..1."""
        patches = self.projection(self._patches(images))  # [B, N, C]
        tokens = torch.cat([self.class_token.expand(images.shape[0], -1, -1), patches], dim=1)
        tokens = self.blocks(tokens + self.positions[: tokens.shape[1]])
        features = self.norm(tokens[:, 0])
        for layer in self.dense:
            features = self.dropout(F.gelu(layer(features)))
        votes: Tensor = self.output(features)
        return votes


def build(config: Config) -> VisionTransformer:
    """Return the untrained network of a config, with weights from torch's global random state."""
    return VisionTransformer(config)
