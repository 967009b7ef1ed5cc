"""Figure of the path from the published config to the best config: a bar for each step."""

import textwrap
from collections.abc import Sequence

from matplotlib.axes import Axes  # noqa: TID251  this module draws
from matplotlib.figure import Figure  # noqa: TID251

from analysis.figures.style import COLOURS, WIDTH, in_style, new_figure, tidy
from analysis.records import Ablation, AblationStep
from search_spaces.declaration import InvalidInput

_LABEL = 48  # characters of a line of a step's label
_ROW, _LINE = 0.30, 0.12  # inches: the height of a row, and of each further line of its label
_LOWER, _HIGHER, _END = COLOURS["blue"], COLOURS["vermilion"], "0.35"
_FAINT = 0.45  # opacity of a predicted bar


@in_style
def ablation_figure(found: Ablation) -> Figure:
    """Return a figure of the path of an ablation, the published config at the top.

    found: the ablation. A bar spans from the RMSE before a step to the RMSE after the step, and
    the bar is blue if the RMSE falls and vermilion if the RMSE rises. Beside the bar are the RMSE
    and the gain. A line is the 95 % interval of the RMSE. Predicted bars are hatched and paler. A
    config without an RMSE has no bar.
    InvalidInput is raised if no config has an RMSE.
    """
    if all(step.val_rmse is None for step in found.steps):
        raise InvalidInput("no config of the path has an RMSE, so there is nothing to draw")
    labels = [_label(found, step) for step in found.steps]
    num_lines = sum(label.count("\n") for label in labels)
    figure = new_figure(WIDTH, 1.0 + _ROW * len(labels) + _LINE * num_lines)
    axes = figure.add_subplot()
    _draw_bars(axes, found.steps, predicted=found.source == "predicted")
    axes.set_yticks(range(len(labels)), labels)
    axes.set_ylim(len(labels) - 0.4, -0.6)
    axes.use_sticky_edges = False  # else the first mark would be cut at the end of its bar
    axes.margins(x=0.06)
    tidy(axes, grid="x")
    what = (
        f"predicted from {found.num_modelled} complete trials"
        if found.source == "predicted"
        else f"trained, {found.num_seeds} seed{'s' * (found.num_seeds != 1)}"
    )
    axes.set_xlabel("Validation RMSE at the best epoch (lower is better)")
    figure.suptitle(f"From {found.start} to best of {found.study}: {what}", wrap=True)
    return figure


def _label(found: Ablation, step: AblationStep) -> str:
    """Return the text beside the row of a step: a line for each change, wrapped if it is long."""
    changes = [change.text() for change in step.changes] or [found.text_of(step)]
    return "\n".join(line for change in changes for line in textwrap.wrap(change, _LABEL))


def _draw_bars(axes: Axes, steps: Sequence[AblationStep], *, predicted: bool) -> None:
    """Draw a mark for the first config with an RMSE, and a bar for each later config.

    predicted: True for bars that are hatched and paler.
    """
    alpha, hatch = (_FAINT, "///") if predicted else (1.0, "")
    before: tuple[int, float] | None = None
    for row, step in enumerate(steps):
        value = step.val_rmse
        if value is None:
            axes.text(0.01, row, "not completed", transform=axes.get_yaxis_transform())
            continue
        if before is not None:
            colour = _LOWER if value <= before[1] else _HIGHER
            width = value - before[1]
            bar = axes.barh(row, width, left=before[1], height=0.6, color=colour, alpha=alpha)
            bar[0].set(hatch=hatch, edgecolor="white", linewidth=0)
            # the line leads the eye from the row before to the place where this bar begins
            axes.plot([before[1]] * 2, [before[0], row], color="0.6", lw=0.7, zorder=1)
        axes.plot(value, row, "o", color=_END, markersize=4, zorder=3)
        if step.interval_95 is not None:
            axes.plot(step.interval_95, [row, row], color="black", lw=0.9, zorder=2)
        _write_gain(axes, row, step, before[1] if before else value)
        before = row, value


def _write_gain(axes: Axes, row: int, step: AblationStep, before: float) -> None:
    """Write the RMSE and the gain of a step at the right of the step's bar and interval."""
    value = step.val_rmse or 0.0
    right = max(value, before, *(step.interval_95 or ()))
    # adding 0 turns the -0.0 of a small loss into 0.0
    gain = "" if step.gain_percent is None else f"  gain {round(step.gain_percent, 1) + 0:.1f} %"
    axes.annotate(
        f"{value:.4f}{gain}",
        (right, row),
        xytext=(5, 0),
        textcoords="offset points",
        verticalalignment="center",
    )
