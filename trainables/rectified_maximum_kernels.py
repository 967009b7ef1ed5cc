"""The loops of trainables/rectified_maximum.py, compiled when first used and kept on disk."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numba
import numpy as np

_compiler = partial(numba.njit, nogil=True, error_model="numpy")


def _compiled(loops: Callable[..., None]) -> Callable[..., None]:
    """Compile at the first call, without Python's lock; kept on disk where that can be written."""
    try:
        return _compiler(cache=True)(loops)
    except RuntimeError:  # numba finds no folder
        return _compiler()(loops)


@_compiled
def forward(maps: Any, maximum: Any, origin: Any, infinity: Any, nan: Any) -> None:
    """Fill maximum and origin, [B, H // 2, W // 2, C], by the bits [B, H, W, C] of numbers.

    infinity, nan: the bits of infinity, and of a NaN above all others.
    """
    num_images, num_rows, num_columns, num_channels = maximum.shape
    zero, none = maps.dtype.type(0), np.uint8(4)
    for image in range(num_images):
        for row in range(num_rows):
            for column in range(num_columns):
                for channel in range(num_channels):
                    most, where = zero, none
                    for corner in range(4):
                        at_row, at_column = 2 * row + corner // 2, 2 * column + corner % 2
                        value = maps[image, at_row, at_column, channel]
                        value = nan if value & nan > infinity else value
                        if value > most:
                            most, where = value, np.uint8(corner)
                    maximum[image, row, column, channel] = most
                    origin[image, row, column, channel] = where


@_compiled
def backward(gradient: Any, given: Any, origin: Any) -> None:
    """Fill the gradient [B, H, W, C] by what was given for each maximum, and whence that came.

    Where H or W is odd, the last row or column is in no window of 2 x 2, and its gradient 0.
    """
    num_images, num_rows, num_columns, num_channels = given.shape
    zero = gradient.dtype.type(0)
    gradient[:, 2 * num_rows :] = zero
    gradient[:, :, 2 * num_columns :] = zero
    for image in range(num_images):
        for row in range(num_rows):
            for column in range(num_columns):
                for corner in range(4):
                    at_row, at_column = 2 * row + corner // 2, 2 * column + corner % 2
                    for channel in range(num_channels):
                        is_there = origin[image, row, column, channel] == corner
                        value = given[image, row, column, channel] if is_there else zero
                        gradient[image, at_row, at_column, channel] = value
