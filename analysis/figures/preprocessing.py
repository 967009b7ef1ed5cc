"""Figure of a galaxy's image in each step from the survey to the network's input."""

from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes  # noqa: TID251  this module draws
from matplotlib.figure import Figure  # noqa: TID251
from matplotlib.gridspec import GridSpec, SubplotSpec  # noqa: TID251
from matplotlib.patches import Rectangle  # noqa: TID251
from numpy.typing import NDArray
from torch import Tensor

from analysis.figures.style import COLOURS, SMALL, WIDTH, in_style, new_figure, show_pixels
from search_spaces.declaration import TrainingProtocol
from trainables.galaxies import changed_images, enlarged, seen_side, to_images
from trainables.training import Augmentation

_DRAWS = 4  # random augmentations of each galaxy
_HEADING = 0.3  # inches; the height of the headings


@in_style
def preprocessing_figure(
    images: NDArray[np.uint8],
    config: TrainingProtocol,
    *,
    input_side: int,
    survey_images: NDArray[np.uint8] | None = None,
    crop: int | None = None,
    seed: int = 0,
) -> Figure:
    """Return a figure with one row per galaxy: stored, augmented, and as the network's input.

    images: stored images [n, S, S, 3] uint8 of n >= 1 galaxies. config: the config whose
    augmentation is applied; each row has four random draws. input_side: side of the network's
    input in pixels. survey_images: the survey's images [n, H, W, 3] uint8 that the stored images
    come from, as a first column; None for no such column. crop: side, in pixels, of the central
    square of the survey's images that was cut out; the square is marked. Without survey images
    `crop` has no effect. If the config's `field_fraction` is below 1, the part of the stored image
    that the network sees is marked too. seed: random seed of the augmentation.

    ValueError is raised if there are survey images without `crop`, or not one for each stored
    image.
    """
    if survey_images is not None and (crop is None or len(survey_images) != len(images)):
        raise ValueError("survey images must be as many as the stored ones, and need their crop")
    pictures = _stages(images, config, input_side, seed)
    headings = [
        (f"Stored image\n{images.shape[1]} px", 1),
        (_augmentation_words(Augmentation.of(config)), _DRAWS),
        (f"Network input,\nunmoved, {input_side} px", 1),
    ]
    if survey_images is not None:
        pictures.insert(0, survey_images)
        headings.insert(0, (f"Survey image\n{survey_images.shape[1]} px, crop {crop}", 1))
    columns, rows, whole = len(pictures), len(images), images.shape[1]
    side = WIDTH / columns
    figure = new_figure(WIDTH, side * rows + _HEADING, pad=0.02, space=0)
    grid = GridSpec(rows + 1, columns, figure, height_ratios=[_HEADING] + [side] * rows)
    place = 0
    for text, width in headings:
        _add_heading(figure, grid[0, place : place + width], text)
        place += width
    for column, stage in enumerate(pictures):
        for row, pixels in enumerate(stage):
            axes = figure.add_subplot(grid[row + 1, column])
            show_pixels(axes, pixels)
            if column == 0 and survey_images is not None:
                _mark_crop(axes, pixels.shape[0], pixels.shape[1], crop or 0)
            if stage is images and config.field_fraction < 1:
                _mark_crop(axes, whole, whole, seen_side(whole, config.field_fraction))
    return figure


def _mark_crop(axes: Axes, height: int, width: int, crop: int) -> None:
    """Draw the border of the central square of side `crop` over an image; all in pixels."""
    edge: dict[str, Any] = {"edgecolor": COLOURS["orange"], "facecolor": "none", "linewidth": 1.2}
    # The centre of a pixel has whole-numbered coordinates, so an edge is half a pixel away.
    corner = ((width - crop) / 2 - 0.5, (height - crop) / 2 - 0.5)
    axes.add_patch(Rectangle(corner, crop, crop, **edge))


def _stages(
    images: NDArray[np.uint8], config: TrainingProtocol, input_side: int, seed: int
) -> list[NDArray]:
    """Return the pictures [n, s, s, 3] of each of six columns: stored, augmented, network input.

    images: stored images [n, S, S, 3] uint8, which are the first column. config: the config whose
    augmentation makes the next four columns. input_side: side of the network's input in pixels.
    seed: random seed of the augmentation. All columns but the first are float32 in 0..1. The
    augmented pictures have the smaller of S and `input_side` as side, or `input_side` if the
    network sees a part of the stored image.
    """
    pixels = torch.from_numpy(np.array(images))
    generator = torch.Generator().manual_seed(seed)
    augmentation, fraction = Augmentation.of(config), config.field_fraction
    changed = []
    for _ in range(_DRAWS):
        movement, brightness = augmentation.drawn(len(images), generator)
        changed.append(
            changed_images(
                pixels, input_side, fraction=fraction, movement=movement, brightness=brightness
            )
        )
    unmoved = to_images(np.array(images), torch.device("cpu"), input_side, fraction)
    return [images, *map(_pixels, changed), _pixels(enlarged(unmoved, input_side))]


def _pixels(images: Tensor) -> NDArray[np.float32]:
    """Return images [n, 3, s, s] on the CPU as pixels [n, s, s, 3], cut to 0..1."""
    return images.permute(0, 2, 3, 1).clamp(0, 1).numpy()


def _augmentation_words(augmentation: Augmentation) -> str:
    """Return the heading of the augmented pictures, which names the limits of the augmentation."""
    if augmentation.does_nothing:
        return "No augmentation: every epoch sees the stored image"
    flips = "flipped or not" if augmentation.flips else "no flips"
    return (
        f"Four random draws of the augmentation: rotation ±{augmentation.rotation_degrees:g}°,\n"
        f"{flips}, shift ±{100 * augmentation.shift_fraction:.3g} %, "
        f"zoom ±{100 * augmentation.zoom_fraction:.3g} %, shear ±{augmentation.shear_degrees:.3g}°"
    )


def _add_heading(figure: Figure, place: SubplotSpec, text: str) -> None:
    """Write a heading into the cells `place` of the figure's grid."""
    axes = figure.add_subplot(place)
    axes.axis("off")
    axes.text(0.5, 0, text, ha="center", va="bottom", fontsize=SMALL, transform=axes.transAxes)
