"""Dropout whose random draws are cheap on a CPU: 16 random bits for each value."""

import numpy as np
import torch
from torch import Tensor, nn

_LEVELS = 1 << 16  # how many numbers 16 bits hold; a rate is exact to half a 65,536th
_LOWEST = -(1 << 15)


class Dropout(nn.Dropout):
    """A replacement of nn.Dropout that takes a sixth of nn.Dropout's time on a CPU.

    PyTorch's draws on a CPU are serial, one whole draw for each value. On other devices nn.Dropout
    itself is used. The arguments are those of nn.Dropout: `p`, the dropout rate, and `inplace`,
    which has no effect while a network trains on a CPU.
    """

    def forward(self, values: Tensor) -> Tensor:
        """Map values of any shape to values of the same shape, dropped at random in training.

        Each value becomes 0 with the probability `p`, and is otherwise multiplied by 1 / (1 - p).
        The draws come from torch's global random state. On a CPU the rate is `p` rounded to a
        multiple of 1 / 65,536, and always below 1. In evaluation mode, or if `p` is 0, the values
        are unchanged.
        """
        if not self.training or self.p == 0 or values.device.type != "cpu":
            return super().forward(values)
        return values * _factors(values, self.p)


def _factors(values: Tensor, rate: float) -> Tensor:
    """Return factors with the shape, strides and type of `values`: 0 or 1 / (1 - rate).

    A factor is 0 with the probability `rate`, 0..1, which is rounded as `Dropout.forward` says.
    values: a tensor of floats on the CPU.
    """
    dropped = min(round(rate * _LEVELS), _LEVELS - 1)
    if dropped == 0:
        return torch.ones_like(values)
    factor = _LEVELS / (_LEVELS - dropped)
    last = _LOWEST + dropped - 1  # the largest int16 that means 0
    kept = _sixteen_bits(values).clamp_(last, last + 1).sub_(last)  # 0 or 1
    if values.dtype == torch.bfloat16:  # the factor's bits times 0 or 1: conversion is slow
        return kept.mul_(_bits_of(factor)).view(torch.bfloat16)
    return kept.to(values.dtype).mul_(factor)


def _sixteen_bits(values: Tensor) -> Tensor:
    """Return an int16 tensor, uniformly random over all 65,536 numbers, one for each value.

    The tensor has the shape of `values`, and their strides if each value has its own memory.
    """
    strides = torch.empty_like(values, device="meta").stride()
    num = values.numel()
    # Four values share a draw of 64 bits. Only `random_` from the lowest int64 draws all 64 bits.
    drawn = torch.empty(-(-num // 4), dtype=torch.int64).random_(-(2**63), None)
    return drawn.view(torch.int16)[:num].as_strided(values.shape, strides)


def _bits_of(number: float) -> int:
    """Return the 16 bits of the bfloat16 nearest to a positive number, as an integer from 0 on.

    The bits are the upper half of the bits of the rounded float32.
    """
    return (int(np.float32(number).view(np.uint32)) + (1 << 15)) >> 16
