"""Receptive fields: each cell of a map lies where kernels and strides put the cell."""

import torch
import torch.nn.functional as F

from analysis.explanation.receptive_field import (
    Cells,
    cells_on_image,
    enlarged_map,
    patches_on_image,
)
from tests.support.networks import SmallCNN, untrained


def test_cells_lie_where_the_arithmetic_of_kernels_and_strides_puts_them() -> None:
    # simple_cnn, unpadded: cell j looks at pixels 8 j ... 8 j + 37
    simple = untrained("simple_cnn", width=0.05)
    assert cells_on_image(simple, simple.explained_layer()) == Cells(18.5, 8)
    # parallel_cnn, last map 7 x 7: of the wider path pixels 8 j - 15 ... 8 j + 26
    parallel = untrained("parallel_cnn", width=0.02)
    assert cells_on_image(parallel, parallel.explained_layer()) == Cells(5.5, 8)
    padded = SmallCNN()
    assert cells_on_image(padded, padded.explained_layer()) is None


def test_patches_lie_where_the_borders_put_them() -> None:
    whole = untrained("vision_transformer", width=0.05, depth=1)
    assert patches_on_image(whole) == Cells(3.5, 8)
    bordered = untrained("vision_transformer", width=0.05, depth=1, input_side=61)
    assert patches_on_image(bordered) == Cells(2.5, 8)  # one black pixel before the image
    assert patches_on_image(untrained("simple_cnn", width=0.05)) is None


def test_a_map_is_enlarged_between_the_centres_of_its_cells() -> None:
    maps = torch.rand(2, 4, 4)
    even = F.interpolate(maps[:, None], size=(64, 64), mode="bilinear")[:, 0]
    torch.testing.assert_close(enlarged_map(maps, None, 64), even)
    placed = enlarged_map(maps, Cells(18, 8), 64)
    torch.testing.assert_close(placed[:, 18:43:8, 18:43:8], maps)
