"""The loops of rectified_pooling.py, which numba compiles when they are first called."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numba
import numpy as np

_compiler = partial(numba.njit, nogil=True, error_model="numpy")


def _compiled(loops: Callable[..., None]) -> Callable[..., None]:
    """Return a function that compiles the loops with numba when it is first called, and runs them.

    The function takes the arguments of `loops`. While it runs, other Python threads can run (the
    GIL is released). The compiled code is cached on disk if numba finds a folder that it can
    write.
    """
    try:
        return _compiler(cache=True)(loops)
    except RuntimeError:  # numba finds no folder for its cache
        return _compiler()(loops)


@_compiled
def forward(maps: Any, maximum: Any, origin: Any, infinity: Any, nan: Any) -> None:
    """Fill `maximum` and `origin` [B, H // 2, W // 2, C] from the bits of floats [B, H, W, C].

    maps: the bits of the floats as int16 or int32, so that the bits of a negative float are a
    negative integer. maximum, of the type of `maps`: the bits of the largest of each 2 x 2 values,
    or 0 if none is above 0. origin, uint8: the position of the maximum, 0 to 3 row by row, the
    first of equal values, or 4 if no value is above 0. infinity, nan: the bits of infinity and of
    the largest NaN, of the type of `maps`. Each NaN becomes `nan` and counts as the largest value.
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
    """Scatter each output gradient to the input position of its maximum.

    gradient: [B, H, W, C], is filled completely, with 0 at all other positions. given: gradients
    of the maxima, [B, H // 2, W // 2, C], of the type of `gradient`. Both hold the bits of floats
    as int16 or int32. origin: positions of the maxima, as `forward` fills them. If H or W is odd,
    the last row or column is in no 2 x 2 window, and its gradient is 0.
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
