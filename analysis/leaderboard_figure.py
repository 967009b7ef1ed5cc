"""The leaderboard as a figure: one dot a trial, the published configs marked."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure  # noqa: TID251  a module that draws

from analysis.leaderboard import ranked
from analysis.trial_record import TrialRecord

# Okabe & Ito's colours, told apart by colour-blind readers
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
_MOST_ROWS = 40


def leaderboard_figure(study: str, records: Sequence[TrialRecord]) -> Figure:
    """Validation RMSE of the best 40 trials, best at the top; hollow dots were stopped early."""
    shown = [r for r in ranked(records) if r.val_rmse is not None][:_MOST_ROWS]
    architectures = sorted({record.architecture for record in records})
    colour = {name: _COLOURS[i % len(_COLOURS)] for i, name in enumerate(architectures)}
    figure = Figure(figsize=(7.0, 1.6 + 0.26 * max(4, len(shown))), layout="constrained")
    axes = figure.add_subplot()
    for row, record in enumerate(shown):
        assert record.val_rmse is not None  # those without were left out
        face = colour[record.architecture] if record.status == "complete" else "none"
        axes.plot(
            record.val_rmse,
            row,
            marker="D" if record.published else "o",
            markersize=7,
            markerfacecolor=face,
            markeredgecolor=colour[record.architecture],
            linestyle="none",
        )
        if record.published:
            line = colour[record.architecture]
            axes.axvline(record.val_rmse, color=line, lw=0.9, ls=":", zorder=0)
    axes.set_yticks(range(len(shown)), [f"{r.id}  epoch {r.best_epoch}" for r in shown])
    axes.invert_yaxis()
    axes.grid(axis="x", color="0.9")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_xlabel("validation RMSE at the best epoch (lower is better)")
    axes.set_title(f"Leaderboard of study {study}", loc="left")
    _add_legend(figure, colour, records)
    return figure


def _add_legend(figure: Figure, colour: dict[str, str], records: Sequence[TrialRecord]) -> None:
    axes = figure.axes[0]
    for name, value in colour.items():
        axes.plot([], [], "o", color=value, label=name)
    axes.plot([], [], "D", color="0.3", label="published config")
    if any(record.status == "pruned" for record in records):
        axes.plot([], [], "o", mfc="none", mec="0.3", label="stopped early by halving")
    figure.legend(loc="outside lower center", ncols=2, frameon=False, fontsize=9)


def save_leaderboard_figure(study: str, records: Sequence[TrialRecord], folder: Path) -> Path:
    """Write leaderboard.png and leaderboard.pdf into `folder`; returns the path of the PNG."""
    folder.mkdir(parents=True, exist_ok=True)
    figure = leaderboard_figure(study, records)
    for suffix in ("png", "pdf"):
        figure.savefig(folder / f"leaderboard.{suffix}", dpi=200)
    return folder / "leaderboard.png"
