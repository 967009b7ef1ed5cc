"""ReLU of the maximum of every 2 x 2 values, in a third of the time that PyTorch takes on a core.

PyTorch keeps 8 bytes for each maximum to say where it stood, and fills the gradient with zeros
before it scatters into it; here that is a byte, and the gradient is written once.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor
from torch.autograd.function import once_differentiable

# What a floating-point number's bits are read as, and those of infinity and of the last NaN: of
# numbers that are not negative, the greater has the greater bits.
_BITS = {
    torch.bfloat16: (torch.int16, np.int16(0x7F80), np.int16(0x7FFF)),
    torch.float32: (torch.int32, np.int32(0x7F800000), np.int32(0x7FFFFFFF)),
}


def rectified_maximum(maps: Tensor) -> Tensor:
    """Map [B, C, H, W] to [B, C, H // 2, W // 2], as F.relu(F.max_pool2d(maps, 2)) does.

    Bit by bit the same numbers and gradients, unless several of four are NaN. On a CPU in one
    thread the channels come last in memory, whatever their order was.
    """
    if _is_for_kernel(maps):
        maximum: Tensor = _RectifiedMaximum.apply(maps)[0]
        return maximum
    return F.relu(F.max_pool2d(maps, 2))


def _is_for_kernel(maps: Tensor) -> bool:
    """Whether the kernel knows such numbers, and this process has one core, as trials have.

    Where it has more, PyTorch's own threads keep them busy for a while after each operation, and
    others beside them gain nothing.
    """
    is_known = maps.device.type == "cpu" and maps.dtype in _BITS
    return is_known and torch.get_num_threads() == 1


class _RectifiedMaximum(torch.autograd.Function):
    """The maxima, and from which of the four each came: 0 to 3, or 4 where ReLU made it 0."""

    @staticmethod
    def forward(maps: Tensor) -> tuple[Tensor, Tensor]:
        images, channels, height, width = maps.shape
        shape = images, channels, height // 2, width // 2
        maximum = torch.empty(shape, dtype=maps.dtype, memory_format=torch.channels_last)
        origin = torch.empty(shape, dtype=torch.uint8, memory_format=torch.channels_last)
        _, infinity, nan = _BITS[maps.dtype]
        kernel = _kernels()[0]
        last = maps.contiguous(memory_format=torch.channels_last)
        kernel(_bits(last), _bits(maximum), _bits(origin), infinity, nan)
        return maximum, origin

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor], output: tuple[Tensor, Tensor]) -> None:
        ctx.shape = inputs[0].shape
        ctx.mark_non_differentiable(output[1])
        ctx.save_for_backward(output[1])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, by_maximum: Tensor, _: Tensor) -> Tensor:
        (origin,) = ctx.saved_tensors
        given = by_maximum.contiguous(memory_format=torch.channels_last)
        gradient = torch.empty(ctx.shape, dtype=given.dtype, memory_format=torch.channels_last)
        kernel = _kernels()[1]
        kernel(_bits(gradient), _bits(given), _bits(origin))
        return gradient

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int], maps: Tensor) -> tuple[Any, tuple[int, int]]:
        """Of stacked networks: their images one after the other."""
        folded = maps.movedim(in_dims[0], 0).flatten(0, 1)
        found = _RectifiedMaximum.apply(folded)
        return tuple(part.unflatten(0, (info.batch_size, -1)) for part in found), (0, 0)


def _bits(maps: Tensor) -> NDArray[Any]:
    """The bits of [B, C, H, W] in their order in memory, [B, H, W, C]."""
    read_as = _BITS[maps.dtype][0] if maps.dtype in _BITS else maps.dtype
    bits: NDArray[Any] = maps.detach().permute(0, 2, 3, 1).view(read_as).numpy()
    return bits


@cache
def _kernels() -> tuple[Callable[..., None], Callable[..., None]]:
    from trainables.rectified_maximum_kernels import backward, forward  # a tenth of a second

    return forward, backward
