"""The student project's vision transformer: 64 patches, twelve blocks, a class token.

1,821,477 parameters as published, 64 of them a position row that nothing uses.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from search_spaces.vision_transformer import Config
from trainables.decision_tree import NUM_ANSWERS
from trainables.dropout import Dropout
from trainables.keras_layers import initialise_as_keras
from trainables.network import IMAGE_SIDE, GalaxyNetwork, scaled, vote_fractions

SOURCE = "student project, VisionTransformer_B16.ipynb, after Dosovitskiy et al. 2021"
_CHANNELS = 64
_LAYER_NORM_EPSILON = 1e-6  # as in the notebook; Keras has 1e-3, torch 1e-5
_POSITION_RANGE = 0.05  # Keras draws embeddings uniformly within this


class Attention(nn.Module):
    """Self-attention whose heads are each as wide as the tokens, as Keras' key_dim=64 made it.

    `fused_attn` and `attn_drop` bear timm's names: explanations turn the one off and watch the
    other in both.
    """

    def __init__(self, channels: int, num_heads: int, dropout: float) -> None:
        """Tokens [B, N, channels]; the inner width is num_heads x channels."""
        super().__init__()
        inner = num_heads * channels
        self.num_heads, self.head_width = num_heads, channels
        self.query, self.key, self.value = (nn.Linear(channels, inner) for _ in range(3))
        self.output = nn.Linear(inner, channels)
        self.attn_drop = Dropout(dropout)
        self.fused_attn = True

    def _heads(self, tokens: Tensor) -> Tensor:
        return tokens.unflatten(2, (self.num_heads, self.head_width)).transpose(1, 2)

    def forward(self, tokens: Tensor) -> Tensor:
        """Map tokens [B, N, C] to [B, N, C]."""
        query, key, value = (
            self._heads(layer(tokens)) for layer in (self.query, self.key, self.value)
        )  # each [B, heads, N, C]
        # PyTorch's own on a CPU drops out and goes backwards at a quarter of the speed of this
        if self.fused_attn and not (self.training and tokens.device.type == "cpu"):
            dropout = self.attn_drop.p if self.training else 0.0
            mixed = F.scaled_dot_product_attention(query, key, value, dropout_p=dropout)
        else:
            mixed = self._mixed(query.contiguous(), key.contiguous(), value.contiguous())
        joined: Tensor = self.output(mixed.transpose(1, 2).flatten(2))
        return joined

    def _mixed(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        scores = (query / self.head_width**0.5) @ key.transpose(2, 3)  # [B, heads, N, N]
        mixed: Tensor = self.attn_drop(scores.softmax(dim=3)) @ value
        return mixed


class Block(nn.Module):
    """A pre-norm transformer block: tokens [B, N, C] -> [B, N, C]."""

    def __init__(self, channels: int, config: Config) -> None:
        """The hidden layer is twice as wide as the tokens."""
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
        """Map [B, N, C] to [B, N, C]."""
        tokens = tokens + self.attention(self.norms[0](tokens))
        hidden = self.dropout(F.gelu(self.dense[0](self.norms[1](tokens))))
        mixed = self.dense[1](hidden)
        return tokens + self.dropout(F.gelu(mixed) if self.ends_in_gelu else mixed)


class VisionTransformer(GalaxyNetwork):
    """Map images [B, 3, 64, 64] in 0..1 to vote fractions [B, 37]."""

    class_token: Tensor

    def __init__(self, config: Config) -> None:
        """Channels are the published 64 times `config.width`."""
        super().__init__()
        channels = scaled(_CHANNELS, config.width)
        self.patch_side = config.patch_side
        num_patches = (IMAGE_SIDE // config.patch_side) ** 2
        self.projection = nn.Linear(3 * config.patch_side**2, channels)
        # the notebook asks for one row more than there are patches and class token
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
        self.output = nn.Linear(channels, NUM_ANSWERS)
        initialise_as_keras(self)
        nn.init.uniform_(self.positions, -_POSITION_RANGE, _POSITION_RANGE)

    def _patches(self, images: Tensor) -> Tensor:
        """Map [B, 3, 64, 64] to patches [B, N, 3 x side^2], each in (row, column, channel)."""
        side = self.patch_side
        grid = images.unflatten(3, (-1, side)).unflatten(2, (-1, side))  # [B, 3, h, side, w, side]
        return grid.permute(0, 2, 4, 3, 5, 1).flatten(3).flatten(1, 2)

    def forward(self, images: Tensor) -> Tensor:
        """Map [B, 3, 64, 64] to [B, 37]."""
        patches = self.projection(self._patches(images))  # [B, N, C]
        tokens = torch.cat([self.class_token.expand(len(images), -1, -1), patches], dim=1)
        tokens = self.blocks(tokens + self.positions[: tokens.shape[1]])
        features = self.norm(tokens[:, 0])
        for layer in self.dense:
            features = self.dropout(F.gelu(layer(features)))
        return vote_fractions(self.output, features)


def build(config: Config) -> VisionTransformer:
    """The untrained network."""
    return VisionTransformer(config)
