"""The style of all figures: sizes, fonts, colours, legends, and files."""

import io
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from matplotlib import rc_context, rcParamsDefault  # noqa: TID251  this module draws
from matplotlib.axes import Axes  # noqa: TID251
from matplotlib.figure import Figure  # noqa: TID251
from matplotlib.image import AxesImage  # noqa: TID251
from matplotlib.layout_engine import ConstrainedLayoutEngine  # noqa: TID251
from numpy.typing import NDArray

from search_spaces.declaration import given_path

# From Okabe & Ito 2008, Color Universal Design, without yellow: yellow is invisible on white.
COLOURS = {
    "blue": "#0072B2",
    "vermilion": "#D55E00",
    "green": "#009E73",
    "purple": "#CC79A7",
    "orange": "#E69F00",
    "sky": "#56B4E9",
    "black": "#000000",
}
MARKERS = ("o", "s", "^", "v", "P", "X", "p")  # markers tell architectures apart in a grey print
LINES = ("-", "--", "-.", ":")
WIDTH = 7.2  # inches; the width of two columns of a journal
TALLEST = 9.4  # inches; the height of a page without the caption
SMALL, NORMAL = 7.0, 8.0  # points

_SETTINGS = {
    "font.family": "DejaVu Sans",  # this font is part of matplotlib, so all figures agree
    "font.size": SMALL,
    "axes.titlesize": NORMAL,
    "axes.labelsize": NORMAL,
    "xtick.labelsize": SMALL,
    "ytick.labelsize": SMALL,
    "legend.fontsize": SMALL,
    "figure.titlesize": 9.0,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "pdf.fonttype": 42,  # text stays text (TrueType); journals refuse type 3 fonts
}
_ALL_SETTINGS = {k: v for k, v in rcParamsDefault.items() if k != "backend"} | _SETTINGS
_NOTEBOOK_DOTS_AN_INCH = 110
_NAMELESS = {
    "png": {"Software": None},
    "pdf": {"Creator": None, "Producer": None, "CreationDate": None},
}

Given = ParamSpec("Given")
Drawn = TypeVar("Drawn")


def in_style(function: Callable[Given, Drawn]) -> Callable[Given, Drawn]:
    """Return a function that does the same as `function` with the project's matplotlib settings.

    The settings (fonts, line widths, fonts of PDF files) hold during a call of the function, and
    all other settings are matplotlib's own defaults, so that no settings file of the user changes
    a figure. The caller's matplotlib settings do not change.
    """
    styled: Callable[Given, Drawn] = rc_context(_ALL_SETTINGS)(function)  # type: ignore[arg-type]
    return styled


class GalaxyFigure(Figure):
    """A matplotlib Figure that a notebook shows without a further call, in the project's style."""

    def savefig(self, fname: Any, **options: Any) -> None:
        """Write the figure as matplotlib does, with `~` and `$NAME` expanded in a path.

        fname: a path, or an open file. options: those of matplotlib's `Figure.savefig`. A path
        that cannot be, or an unset variable, raises InvalidInput.
        """
        place = given_path(fname) if isinstance(fname, str | Path) else fname
        super().savefig(place, **options)

    def _repr_png_(self) -> bytes:
        """Return the figure as the bytes of a PNG with 110 dots per inch, which Jupyter shows."""
        png = io.BytesIO()
        in_style(self.savefig)(png, format="png", dpi=_NOTEBOOK_DOTS_AN_INCH)
        return png.getvalue()


def new_figure(
    width: float, height: float, *, pad: float = 0.04, space: float = 0.02
) -> GalaxyFigure:
    """Return an empty figure that leaves space for its labels.

    width, height: size in inches. pad: space on each side of each panel and its labels, in inches.
    space: space between panels, as a fraction of the figure's width (or height) divided by the
    number of columns (or rows); used where this space is larger than twice `pad`.
    """
    layout = ConstrainedLayoutEngine(w_pad=pad, h_pad=pad, wspace=space, hspace=space)
    return GalaxyFigure(figsize=(width, height), layout=layout)


def tidy(axes: Axes, *, grid: str = "") -> None:
    """Hide the top and right line of a panel, and set the size of its tick labels.

    grid: "x", "y" or "both" adds faint grid lines for these axes, below the data; "" adds none.
    """
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=SMALL)
    axes.set_axisbelow(True)
    if grid:
        axes.grid(axis=grid, color="0.9", linewidth=0.6)  # type: ignore[arg-type]


def show_pixels(axes: Axes, pixels: NDArray) -> AxesImage:
    """Show an image without axes, each pixel as a sharp square; return matplotlib's image.

    pixels: [H, W, 3], uint8 or floats in 0..1.
    """
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
    return axes.imshow(pixels, interpolation="nearest")


def architecture_colours(names: Iterable[str]) -> dict[str, str]:
    """Return a colour for each name as a hexadecimal text.

    The colour depends on the rank of the name in the alphabetical order of `names`; repeated names
    count once. Seven colours exist, so the eighth name has the first colour again.
    """
    colours = list(COLOURS.values())
    return {name: colours[i % len(colours)] for i, name in enumerate(sorted(set(names)))}


def architecture_markers(names: Iterable[str]) -> dict[str, str]:
    """Return a matplotlib marker for each name.

    For up to 49 names, no two names have both the same colour of `architecture_colours` and the
    same marker.
    """
    num_colours = len(COLOURS)
    places = {name: i + i // num_colours for i, name in enumerate(sorted(set(names)))}
    return {name: MARKERS[i % len(MARKERS)] for name, i in places.items()}


def elided(name: str, most: int = 24) -> str:
    """Return a name with at most `most` characters; `most` must be at least 3.

    A longer name has "…" in place of its middle, because names often differ at their ends.
    """
    if len(name) <= most:
        return name
    tail = (most - 1) // 2
    return name[: most - 1 - tail] + "…" + name[-tail:]


def legend_columns(labels: Iterable[str], width: float) -> int:
    """Return about how many columns of a legend fit into a width, at least 1.

    labels: texts of the legend; the longest decides. width: width in inches.
    """
    widest = 0.4 + 0.056 * max((len(label) for label in labels), default=1)
    return max(1, int(width / widest))


def add_legend(figure: Figure) -> None:
    """Add a legend to a figure, below all panels, with as many columns as fit.

    The figure has at least one panel. The legend has the labels of all panels, but the number of
    columns is computed from the labels of the first panel; only this panel should have labels.
    """
    _, labels = figure.axes[0].get_legend_handles_labels()
    columns = min(len(labels), legend_columns(labels, figure.get_figwidth()))
    figure.legend(loc="outside lower center", ncols=columns, frameon=False, fontsize=SMALL)


@in_style
def save_figure(figure: Figure, folder: Path, name: str) -> Path:
    """Write NAME.png (200 dots per inch) and NAME.pdf to `folder`; return the path of the PNG.

    figure: the figure. folder: the output folder, which is made if it does not exist. name: the
    value of NAME. Files of the same names are replaced. OSError is raised if a file cannot be
    written; a part of the file may be left.

    The files contain no date, path or program name, so the same figure gives the same bytes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for suffix, metadata in _NAMELESS.items():
        figure.savefig(folder / f"{name}.{suffix}", dpi=200, metadata=metadata)
    return folder / f"{name}.png"
