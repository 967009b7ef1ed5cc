"""ReLU of the maximum of every 2 x 2 values, in a third of PyTorch's time on one CPU core.

PyTorch keeps 8 bytes for each maximum to store its position, and fills the gradient with zeros
before it scatters values into the gradient. Here the position takes 1 byte, and the gradient is
written once.
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

# For each float type: the integer type as which its bits are read, the bits of infinity, and the
# bits of the largest NaN. Of two floats that are not negative, the greater has the greater bits.
_BITS = {
    torch.bfloat16: (torch.int16, np.int16(0x7F80), np.int16(0x7FFF)),
    torch.float32: (torch.int32, np.int32(0x7F800000), np.int32(0x7FFFFFFF)),
}


def rectified_maximum(maps: Tensor) -> Tensor:
    """Map [B, C, H, W] to [B, C, H // 2, W // 2], as F.relu(F.max_pool2d(maps, 2)) does.

    Numbers and gradients equal those of PyTorch bit by bit, unless several of four values are NaN.
    On a CPU in one thread the result of float32 or bfloat16 maps has the channels-last memory
    format, whatever the format of `maps`; there the gradient cannot be differentiated again. H and
    W must be at least 2. The first such call imports numba and may compile the loops.
    """
    if _is_for_kernel(maps):
        maximum: Tensor = _RectifiedMaximum.apply(maps)[0]
        return maximum
    return F.relu(F.max_pool2d(maps, 2))


def _is_for_kernel(maps: Tensor) -> bool:
    """Return whether the compiled loops, the kernel, are used for `maps`.

    The kernel is used if PyTorch has one thread in this process. Trials have one thread by
    default. The kernel computes float32 and bfloat16 on a CPU. The kernel is not used with more
    threads: PyTorch's own threads keep the cores busy for a while after each operation, so other
    threads beside them gain nothing. The kernel is not used while `torch.export` writes the
    network to a file, because the file cannot hold the kernel.
    """
    is_known = maps.device.type == "cpu" and maps.dtype in _BITS
    return is_known and torch.get_num_threads() == 1 and not torch.compiler.is_exporting()


class _RectifiedMaximum(torch.autograd.Function):
    """The autograd function that returns the maxima and the origin of each maximum.

    The origin of a maximum is its position in the 2 x 2 values: 0 to 3, row by row, or 4 if the
    ReLU made the maximum 0.
    """

    @staticmethod
    def forward(maps: Tensor) -> tuple[Tensor, Tensor]:
        """Map [B, C, H, W] to maxima and origins (uint8), both [B, C, H // 2, W // 2].

        maps: float32 or bfloat16 on the CPU. Both results have the channels-last memory format.
        """
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
        """Keep in PyTorch's context `ctx` what `backward` needs of a call's inputs and output."""
        ctx.shape = inputs[0].shape
        ctx.mark_non_differentiable(output[1])
        ctx.save_for_backward(output[1])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, by_maximum: Tensor, _: Tensor) -> Tensor:
        """Scatter each output gradient to the input position of its maximum.

        ctx: the context that `setup_context` filled. by_maximum: gradient of the maxima,
        [B, C, H // 2, W // 2]. The result is the gradient of the maps, [B, C, H, W], with 0 at all
        other positions. The origins have no gradient, so the last argument is not used.
        """
        (origin,) = ctx.saved_tensors
        given = by_maximum.contiguous(memory_format=torch.channels_last)
        gradient = torch.empty(ctx.shape, dtype=given.dtype, memory_format=torch.channels_last)
        kernel = _kernels()[1]
        kernel(_bits(gradient), _bits(given), _bits(origin))
        return gradient

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int], maps: Tensor) -> tuple[Any, tuple[int, int]]:
        """Compute the pooling of K stacked networks by treating their images as one batch.

        info: torch.vmap's description, whose `batch_size` is K. in_dims: a tuple of one number,
        the position of the dimension K in `maps`. maps: the maps [B, C, H, W] of each network,
        with the dimension K inserted at that position, for example [K, B, C, H, W].

        The method returns a pair. First the maxima after the ReLU and, as uint8, the origins (0 to
        3 for the value in the 2 x 2 square, 4 if the ReLU made the maximum 0), both
        [K, B, C, H // 2, W // 2]. Second (0, 0), the position of K in each of the two.
        """
        folded = maps.movedim(in_dims[0], 0).flatten(0, 1)
        found = _RectifiedMaximum.apply(folded)
        return tuple(part.unflatten(0, (info.batch_size, -1)) for part in found), (0, 0)


def _bits(maps: Tensor) -> NDArray[Any]:
    """Return a view of a tensor [B, C, H, W] as an array [B, H, W, C], floats as integers.

    The integers, int16 for bfloat16 and int32 for float32, have the bits of the floats; tensors of
    other types are not reinterpreted. The array shares the tensor's memory. The tensor must be on
    the CPU in channels-last memory format.
    """
    read_as = _BITS[maps.dtype][0] if maps.dtype in _BITS else maps.dtype
    bits: NDArray[Any] = maps.detach().permute(0, 2, 3, 1).view(read_as).numpy()
    return bits


@cache
def _kernels() -> tuple[Callable[..., None], Callable[..., None]]:
    """Return the kernels of the forward and the backward pass; the first call imports numba.

    The kernels are `forward` and `backward` of rectified_pooling_kernels.py.
    """
    from trainables.layers.rectified_pooling_kernels import backward, forward

    return forward, backward
