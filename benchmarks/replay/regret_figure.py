"""The course of searches drawn: how far the best is from the target, against device time."""

from collections.abc import Sequence

from matplotlib.axes import Axes  # noqa: TID251  a module that draws
from matplotlib.figure import Figure  # noqa: TID251

from analysis.figures import in_style
from analysis.figures.style import COLOURS, LINES, WIDTH, add_legend, new_figure, tidy
from benchmarks.replay.comparison import RegretPoint
from benchmarks.replay.methods import OURS

_MARGIN = 0.001
_HIGHEST = 0.03  # of RMSE above the target; what lies farther is the first epochs


@in_style
def regret_figure(points: Sequence[RegretPoint]) -> Figure:
    """A panel for each number of workers: medians, and bands of the middle half of the seeds."""
    numbers = sorted({point.num_workers for point in points})
    methods = sorted({point.method for point in points}, key=lambda name: (name == OURS, name))
    figure = new_figure(WIDTH, 3.4)
    panels = figure.subplots(1, len(numbers), sharey=True, squeeze=False)[0]
    for panel, number in zip(panels, numbers):
        for place, method in enumerate(methods):
            here = [p for p in points if (p.method, p.num_workers) == (method, number)]
            _draw(panel, here, place=place, is_named=panel is panels[0])
        panel.axhline(0, color="0.5", linewidth=0.6, linestyle=":")
        panel.set(xscale="log", xlabel="device time (whole trainings)")
        panel.set_title(f"{number} worker{'s' * (number > 1)}")
        tidy(panel, grid="both")
    panels[0].set_ylim(min(point.low for point in points) - _MARGIN, _HIGHEST)  # of all
    panels[0].set_ylabel("lowest RMSE so far, above the target")
    add_legend(figure)
    return figure


def _draw(panel: Axes, points: Sequence[RegretPoint], *, place: int, is_named: bool) -> None:
    if not points:
        return
    is_ours = points[0].method == OURS
    colours = [COLOURS[name] for name in COLOURS if name != "black"]
    colour = COLOURS["black"] if is_ours else colours[place % len(colours)]
    times = [point.trainings for point in points]
    low, middle, high = (
        [getattr(point, name) for point in points] for name in ("low", "median", "high")
    )
    panel.fill_between(times, low, high, color=colour, alpha=0.12, linewidth=0)
    panel.plot(
        times,
        middle,
        color=colour,
        linestyle="-" if is_ours else LINES[place // len(colours)],
        linewidth=1.8 if is_ours else 1.0,
        label=points[0].method if is_named else None,
    )
