"""Dropout whose chance costs little on a CPU: 16 random bits a value, not a whole draw."""

import numpy as np
import torch
from torch import Tensor, nn

_LEVELS = 1 << 16  # what 16 bits can tell apart: a rate is kept to within half a 65,536th
_LOWEST = -(1 << 15)


class Dropout(nn.Dropout):
    """nn.Dropout to whoever uses it; a sixth of its time on a CPU, where its draws are serial."""

    def forward(self, values: Tensor) -> Tensor:
        """Map values of any shape to the same, each 0 at the rate `p`, the others 1 / (1 - p)."""
        if not self.training or self.p == 0 or values.device.type != "cpu":
            return super().forward(values)
        return values * _factors(values, self.p)


def _factors(values: Tensor, rate: float) -> Tensor:
    """0 at the rate, else 1 / (1 - rate), in the shape, strides and type of `values`."""
    dropped = min(round(rate * _LEVELS), _LEVELS - 1)
    factor = _LEVELS / (_LEVELS - dropped)
    last = _LOWEST + dropped - 1  # of the values that are dropped
    kept = _sixteen_bits(values).clamp_(last, last + 1).sub_(last)  # 0 or 1
    if values.dtype == torch.bfloat16:  # its bits times 0 or 1: no conversion, which is slow
        return kept.mul_(_bits_of(factor)).view(torch.bfloat16)
    return kept.to(values.dtype).mul_(factor)


def _sixteen_bits(values: Tensor) -> Tensor:
    """A random int16 for each of `values`, in their shape and strides."""
    strides = torch.empty_like(values, device="meta").stride()
    num = values.numel()
    # four share a draw of 64 bits, whose whole range only `random_` from the lowest number gives
    drawn = torch.empty(-(-num // 4), dtype=torch.int64).random_(-(2**63), None)
    return drawn.view(torch.int16)[:num].as_strided(values.shape, strides)


def _bits_of(number: float) -> int:
    """The 16 bits of the bfloat16 nearest to a positive number: the upper half of a float32's."""
    return (int(np.float32(number).view(np.uint32)) + (1 << 15)) >> 16
