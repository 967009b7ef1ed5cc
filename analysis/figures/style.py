"""How every figure looks: sizes, fonts, colours that all readers tell apart, and its files."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import ParamSpec, TypeVar

from matplotlib import rc_context  # noqa: TID251  a module that draws
from matplotlib.axes import Axes  # noqa: TID251
from matplotlib.figure import Figure  # noqa: TID251
from matplotlib.image import AxesImage  # noqa: TID251
from matplotlib.layout_engine import ConstrainedLayoutEngine  # noqa: TID251
from numpy.typing import NDArray

# Okabe & Ito 2008, Color Universal Design; their yellow is left out, it vanishes on white
COLOURS = {
    "blue": "#0072B2",
    "vermilion": "#D55E00",
    "green": "#009E73",
    "purple": "#CC79A7",
    "orange": "#E69F00",
    "sky": "#56B4E9",
    "black": "#000000",
}
MARKERS = ("o", "s", "^", "v", "P", "X", "p")  # beside the colours, for print in grey
LINES = ("-", "--", "-.", ":")
WIDTH = 7.2  # inches: two columns of a journal
TALLEST = 9.4  # inches: a page less its caption
SMALL, NORMAL = 7.0, 8.0  # points

_SETTINGS = {
    "font.family": "DejaVu Sans",  # comes with matplotlib, so a figure is the same everywhere
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
    "pdf.fonttype": 42,  # letters stay letters; journals refuse type 3
}
_NAMELESS = {
    "png": {"Software": None},
    "pdf": {"Creator": None, "Producer": None, "CreationDate": None},
}

Given = ParamSpec("Given")
Drawn = TypeVar("Drawn")


def in_style(function: Callable[Given, Drawn]) -> Callable[Given, Drawn]:
    """Let a function draw with the project's fonts; matplotlib's own settings stay as they are."""
    styled: Callable[Given, Drawn] = rc_context(_SETTINGS)(function)  # type: ignore[arg-type]
    return styled


def new_figure(width: float, height: float, *, pad: float = 0.04, space: float = 0.02) -> Figure:
    """An empty figure that makes room for all its labels by itself; width and height in inches.

    pad: inches around each panel; space: further room between two, as a share of a panel.
    """
    layout = ConstrainedLayoutEngine(w_pad=pad, h_pad=pad, wspace=space, hspace=space)
    return Figure(figsize=(width, height), layout=layout)


def tidy(axes: Axes, *, grid: str = "") -> None:
    """Leave the two axis lines that are read; `grid` adds faint lines for "x", "y" or "both"."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=SMALL)
    axes.set_axisbelow(True)
    if grid:
        axes.grid(axis=grid, color="0.9", linewidth=0.6)  # type: ignore[arg-type]


def show_pixels(axes: Axes, pixels: NDArray) -> AxesImage:
    """Show pixels [S, S, 3] without axis, every pixel a sharp square."""
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
    return axes.imshow(pixels, interpolation="nearest")


def architecture_colours(names: Iterable[str]) -> dict[str, str]:
    """A colour for each name, by its place in the sorted names; from the eighth on they recur."""
    colours = list(COLOURS.values())
    return {name: colours[i % len(colours)] for i, name in enumerate(sorted(set(names)))}


def architecture_markers(names: Iterable[str]) -> dict[str, str]:
    """A marker for each name; of 28 names no two share both colour and marker."""
    num_colours = len(COLOURS)
    places = {name: i + i // num_colours for i, name in enumerate(sorted(set(names)))}
    return {name: MARKERS[i % len(MARKERS)] for name, i in places.items()}


def elided(name: str, most: int = 24) -> str:
    """The name, its middle left out where it has more than `most` letters; ends tell apart."""
    if len(name) <= most:
        return name
    tail = (most - 1) // 2
    return name[: most - 1 - tail] + "…" + name[-tail:]


def legend_columns(labels: Iterable[str], width: float) -> int:
    """How many columns of a legend with these labels fit into `width` inches, at least 1."""
    widest = 0.4 + 0.056 * max((len(label) for label in labels), default=1)
    return max(1, int(width / widest))


def add_legend(figure: Figure) -> None:
    """Explain below all panels what has a label, in as many columns as fit."""
    _, labels = figure.axes[0].get_legend_handles_labels()
    columns = min(len(labels), legend_columns(labels, figure.get_figwidth()))
    figure.legend(loc="outside lower center", ncols=columns, frameon=False, fontsize=SMALL)


@in_style
def save_figure(figure: Figure, folder: Path, name: str) -> Path:
    """Write NAME.png (200 dots an inch) and NAME.pdf into `folder`; returns the PNG's path.

    Neither file holds a date, a path or a program's name: the same figure gives the same bytes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for suffix, metadata in _NAMELESS.items():
        figure.savefig(folder / f"{name}.{suffix}", dpi=200, metadata=metadata)
    return folder / f"{name}.png"
