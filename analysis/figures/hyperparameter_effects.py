"""Figures of an architecture's searched hyperparameters: values, effects and importance."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib import colormaps  # noqa: TID251  this module draws
from matplotlib.axes import Axes  # noqa: TID251
from matplotlib.cm import ScalarMappable  # noqa: TID251
from matplotlib.colors import ListedColormap, Normalize  # noqa: TID251
from matplotlib.figure import Figure  # noqa: TID251

from analysis.figures.field_scale import FieldScale, field_label, field_scale, folded
from analysis.figures.style import COLOURS, SMALL, WIDTH, add_legend, in_style, new_figure, tidy
from analysis.records import TrialRecord, ranked
from analysis.statistics import complete_trials, importance_of_hyperparameters, searched_fields

_MOST_AXES = 13  # each axis needs half an inch; the axis of the RMSE is added
_MOST_BARS = 16
_MOST_PANELS = 16
_COLUMNS = 4
_UNUSED = -0.14  # position for a field that a trial does not use, below the axis
# cividis changes evenly for all readers. Its yellow end is left out, because yellow has little
# contrast on white.
_MAP = ListedColormap(colormaps["cividis"](np.linspace(0, 0.88, 256)))


def _scales(
    records: Sequence[TrialRecord], architecture: str, most: int
) -> tuple[list[FieldScale], int]:
    """Return the axes of the searched fields, and the number of searched fields.

    A tuple field is one field. records: trials of the architecture, and of no other. architecture:
    name of the architecture; an unknown name raises InvalidInput. most: maximum number of axes. If
    there are more fields than this, the fields that most trials use are kept, in the order of
    their declaration. The list is empty if no field has two values.
    """
    fields = folded(searched_fields(records, architecture))
    in_use = [sum(value is not None for value in field.values) for field in fields]
    kept = sorted(sorted(range(len(fields)), key=lambda i: (-in_use[i], i))[:most])
    return [field_scale(fields[i]) for i in kept], len(fields)


def _ceiling(values: Sequence[float]) -> float:
    """Return the top of the scale of the RMSE.

    values: RMSE of each trial, at least one. The top is the highest value, but at most three
    interquartile ranges above the upper quartile. A range below 0.002 counts as 0.002.
    """
    low, high = np.quantile(values, [0.25, 0.75])
    return float(min(max(values), high + 3 * max(high - low, 0.002)))


@in_style
def parallel_coordinates_figure(
    records: Sequence[TrialRecord], architecture: str
) -> Figure | None:
    """Return a figure with one line per complete trial over the searched fields, or None.

    records: trials of any architecture. architecture: name of the architecture; an unknown name
    raises InvalidInput. None is returned if no field has two values in the complete trials of the
    architecture.

    The last axis and the colour of a line are the validation RMSE. The line of the first trial of
    `ranked` is bold, and the RMSE axis begins at the lowest RMSE. Pruned trials are left out,
    because their RMSE comes from an earlier epoch. A tuple field is shown as the geometric mean of
    its entries. If more than 13 fields were searched, the fields that the fewest trials use are
    left out, and the title says how many.
    """
    trials = ranked(complete_trials(records, architecture))
    scales, searched = _scales(trials, architecture, _MOST_AXES)
    if not scales:
        return None
    errors = [float(r.val_rmse or 0) for r in trials]
    lowest = min(errors)  # of a trial that may break a limit on the tree residual
    norm = Normalize(lowest, max(_ceiling(errors), lowest + 1e-6))
    scales.append(_rmse_scale(errors, norm))
    figure = new_figure(WIDTH, 3.8)
    axes = figure.add_subplot()
    for i in reversed(range(len(trials))):  # the best trial is drawn last, over the others
        heights = [_UNUSED if (p := s.positions[i]) is None else p for s in scales]
        line, depth = (2.4, 3) if i == 0 else (0.9, 2)
        axes.plot(heights, color=_MAP(float(norm(errors[i]))), lw=line, zorder=depth)
    axes.set_xlim(-0.1, (len(scales) - 1) * 1.06)
    axes.set_ylim(_UNUSED - 0.06, 1.03)
    for place, scale in enumerate(scales):
        _draw_axis(axes, place, scale, unit=len(scales) / (_MOST_AXES + 1))
    axes.axis("off")
    over = "max" if max(errors) > _ceiling(errors) else "neither"
    bar = figure.colorbar(
        ScalarMappable(norm, _MAP), ax=axes, extend=over, fraction=0.03, pad=0.01
    )
    bar.set_label("Validation RMSE")
    rest = searched - (len(scales) - 1)
    left_out = f"; fields left out: {rest}" if rest else ""
    figure.suptitle(
        f"{architecture}: {len(trials)} complete trials, best ({trials[0].id}) bold{left_out}"
    )
    return figure


def _rmse_scale(errors: Sequence[float], norm: Normalize) -> FieldScale:
    """Return the axis of the RMSE.

    errors: RMSE of each trial, at least one. norm: the range of the axis. An error above the range
    is at the top of the axis; an error below the range has a position below 0.
    """
    low, high = float(norm.vmin or 0), float(norm.vmax or 1)
    top = f"{'≥' if max(errors) > high else ''}{high:.3f}"
    ticks = ((0.0, f"{low:.3f}"), (0.5, f"{(low + high) / 2:.3f}"), (1.0, top))
    places = tuple(min(1.0, float(norm(error))) for error in errors)
    return FieldScale("Validation RMSE", places, ticks)


def _draw_axis(axes: Axes, place: int, scale: FieldScale, *, unit: float) -> None:
    """Draw the vertical axis of one field at x = `place`, with its ticks and its name.

    unit: half an inch as a length along x. The distances of ticks and texts from the axis are
    fractions of this length.
    """
    axes.plot([place, place], [0, 1], color="0.35", lw=0.8, zorder=4)
    unused = [(_UNUSED, "not used")] if None in scale.positions else []
    back = {"facecolor": "white", "alpha": 0.75, "edgecolor": "none", "pad": 0.4}
    for height, text in [*scale.ticks, *unused]:
        axes.plot([place, place + 0.06 * unit], [height, height], color="0.35", lw=0.8, zorder=4)
        words = text.replace(" ", "\n")
        axes.text(
            place + 0.09 * unit, height, words, va="center", linespacing=0.9, zorder=5, bbox=back
        )
    axes.text(
        place - 0.05 * unit, 1.06, scale.label, rotation=38, va="bottom", rotation_mode="anchor"
    )


@in_style
def importance_figure(records: Sequence[TrialRecord], architecture: str) -> Figure | None:
    """Return a figure of the importance of each searched scalar as bars, or None.

    records: trials of any architecture. architecture: name of the architecture; an unknown name
    raises InvalidInput. The figure has at most 16 bars, of the most important scalars. None is
    returned if `importance_of_hyperparameters` gives no importance, for example for fewer than 20
    complete trials.
    """
    importance = importance_of_hyperparameters(records, architecture)
    if not importance:
        return None
    shown = list(importance.items())[:_MOST_BARS]
    figure = new_figure(WIDTH * 0.75, 0.8 + 0.19 * max(3, len(shown)))
    axes = figure.add_subplot()
    bars = axes.barh([field_label(name) for name, _ in shown], [v for _, v in shown])
    for bar in bars:
        bar.set(facecolor=COLOURS["sky"], edgecolor="black", linewidth=0.6)
    axes.bar_label(bars, fmt="%.2f", padding=3, fontsize=SMALL)
    axes.invert_yaxis()
    axes.margins(x=0.1, y=0.02)
    axes.set_xlabel("Share of the importance for reaching the best quarter (PED-ANOVA)")
    rest = len(importance) - len(shown)
    figure.suptitle(
        f"{architecture}: {len(complete_trials(records, architecture))} complete trials"
        + (f"; less important fields left out: {rest}" if rest else "")
    )
    tidy(axes)
    return figure


@in_style
def slices_figure(records: Sequence[TrialRecord], architecture: str) -> Figure | None:
    """Return a figure with one panel per searched field: validation RMSE by value; or None.

    records: trials of any architecture. architecture: name of the architecture; an unknown name
    raises InvalidInput. None is returned if no field has two values in the architecture's trials
    that are complete or pruned. Failed trials are left out.

    A hollow mark is a pruned trial. A triangle at the top is a trial whose RMSE is above the
    panel. A tuple field is shown as the geometric mean of its entries. If more than 16 fields were
    searched, the fields that the fewest trials use are left out, and the title says how many.
    """
    trials = [r for r in ranked(records) if r.architecture == architecture]
    trials = [r for r in trials if r.status != "failed" and r.val_rmse is not None]
    scales, searched = _scales(trials, architecture, _MOST_PANELS)
    if not scales:
        return None
    columns = min(_COLUMNS, len(scales))
    rows = -(-len(scales) // columns)
    figure = new_figure(WIDTH * columns / _COLUMNS if columns > 2 else 4.8, 0.75 + 1.55 * rows)
    panels = figure.subplots(rows, columns, sharey=True, squeeze=False).ravel()
    for panel in panels[len(scales) :]:
        panel.remove()
    for place, (panel, scale) in enumerate(zip(panels, scales)):
        _draw_slice(panel, scale, trials)
        if place % columns == 0:
            panel.set_ylabel("Validation RMSE")
    rest = searched - len(scales)
    left_out = f"; fields left out: {rest}" if rest else ""
    figure.suptitle(f"{architecture}: {len(trials)} trials{left_out}")
    _add_slice_legend(figure, trials)
    return figure


def _add_slice_legend(figure: Figure, trials: Sequence[TrialRecord]) -> None:
    """Add a legend of the kinds of marks that the figure has.

    trials: the trials of the figure in order of merit, at least one.
    """
    errors = [float(r.val_rmse or 0) for r in trials]
    complete = trials[0].status == "complete"
    for marker, face, text, there in (
        ("o", COLOURS["blue"], "complete", complete),
        ("D", COLOURS["orange"], "best complete", complete),
        ("o", "white", "stopped early", any(r.status == "pruned" for r in trials)),
        ("^", "white", "above the panel", max(errors) > _ceiling(errors)),
    ):
        if there:
            style: dict[str, Any] = {"mfc": face, "mec": COLOURS["blue"], "ms": 4, "ls": "none"}
            figure.axes[0].plot([], [], marker, label=text, **style)
    add_legend(figure)


def _draw_slice(axes: Axes, scale: FieldScale, trials: Sequence[TrialRecord]) -> None:
    """Draw the panel of one field, with one mark per trial that uses the field.

    trials: the trials in order of merit, at least one, in the same order as the positions of
    `scale`.
    """
    top = _ceiling([float(r.val_rmse or 0) for r in trials])
    generator = np.random.default_rng(0)
    spread = 0.04 if scale.categorical else 0  # so that marks of one category do not overlap
    for i in reversed(range(len(trials))):
        place, record = scale.positions[i], trials[i]
        if place is None:
            continue
        value, complete = float(record.val_rmse or 0), record.status == "complete"
        best = i == 0 and complete
        axes.plot(
            place + generator.uniform(-spread, spread),
            min(value, top),
            "^" if value > top else "D" if best else "o",
            ms=5 if best else 3.6,
            mfc=COLOURS["orange"] if best else COLOURS["blue"] if complete else "white",
            mec=COLOURS["blue"],
            mew=0.7,
            clip_on=False,
        )
    axes.set_xticks([position for position, _ in scale.ticks], [text for _, text in scale.ticks])
    axes.set_xlim(-0.09, 1.09)
    axes.margins(y=0.08)
    axes.set_xlabel(scale.label, fontsize=SMALL)
    tidy(axes, grid="y")
