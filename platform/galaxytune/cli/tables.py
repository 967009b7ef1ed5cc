"""Tables for the terminal: leaderboard, status, confirmation, ablation, architectures, checks."""

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.live import Live
from rich.markup import escape
from rich.table import Table

from galaxytune.study import StudyFolder, counted, trial_statuses
from search_spaces.declaration import config_class

if TYPE_CHECKING:  # these modules load torch and Ray, which no table needs
    from analysis.records import Ablation, Leaderboard
    from galaxytune.doctor import Check
    from galaxytune.driver import Confirmation
    from galaxytune.models import ArchitectureDescription

_TEXTS = ("study", "architecture")  # columns whose values are aligned to the left
_COLOURS = {"ok": "green", "warning": "yellow", "failed": "red", "skipped": "dim"}


def _number(value: float | None) -> str:
    """Return a number as text with four decimals; `-` for None."""
    return "-" if value is None else f"{value:.4f}"


def leaderboard_table(board: "Leaderboard", noise_floor: str) -> Table:
    """Return a table with one row for each trial of a leaderboard, in the same order.

    Published configs, the default configs of networks that nobody published, and trials that break
    the limit on the tree residual are marked. A column tells the study of each trial if the trials
    are of several studies. If a config has several seeds, two columns tell their number and the
    mean RMSE over them. noise_floor: the line below the table, see `noise_floor_line`.
    """
    title = f"Leaderboard of {board.study}"
    table = Table(title=title, caption=noise_floor, title_justify="left")
    several = len({row.study for row in board.trials}) > 1
    columns = ["rank", "study"] if several else ["rank"]
    columns += ["trial", "architecture", "status", "val RMSE", "epoch", "residual"]
    with_seeds = any(row.num_seeds > 1 for row in board.trials)
    columns += ["seeds", "mean val RMSE"] if with_seeds else []
    for column in columns:
        table.add_column(column, justify="left" if column in _TEXTS else "right")
    for row in board.trials:
        word = config_class(row.architecture).word_for_defaults()
        mark = f" ({word})" if row.published else ""
        mark += f" ({row.origin})" if row.origin in ("recommended", "learned") else ""
        mark += " (not feasible)" if row.feasible is False else ""
        table.add_row(
            str(row.rank or "-"),
            *([row.study] if several else []),
            row.id,
            row.architecture + mark,
            row.status,
            _number(row.val_rmse),
            f"{row.best_epoch}/{row.epochs}",
            _number(row.tree_residual),
            *([str(row.num_seeds), _number(row.mean_val_rmse)] if with_seeds else []),
        )
    return table


def confirmation_table(confirmed: "Confirmation") -> Table:
    """Return a table of confirmed configs, in the order of `confirmed`: the best mean first."""
    table = Table(title=f"Fresh seeds for the best of {confirmed.study}", title_justify="left")
    for column in ("trial", "architecture", "searched", "mean", "95 % low", "high", "seeds"):
        table.add_column(column, justify="left" if column == "architecture" else "right")
    for row in confirmed.trials:
        low, high = row.interval_95 or (None, None)
        failed = f" ({row.num_failed} failed)" if row.num_failed else ""
        table.add_row(
            row.id,
            row.architecture,
            _number(row.searched_val_rmse),
            _number(row.mean_val_rmse),
            _number(low),
            _number(high),
            f"{len(row.val_rmse_by_seed)}{failed}",
        )
    return table


def ablation_table(found: "Ablation") -> Table:
    """Return a table of the configs on the path of an ablation, the first config first."""
    table = Table(title=f"From {found.start} to best of {found.study}", title_justify="left")
    for column in ("step", "change", "val RMSE", "95 % low", "high", "gain %", "seeds"):
        table.add_column(column, justify="left" if column == "change" else "right")
    for number, step in enumerate(found.steps):
        low, high = step.interval_95 or (None, None)
        failed = f" ({step.num_failed} failed)" if step.num_failed else ""
        table.add_row(
            str(number),
            escape(found.text_of(step)),
            _number(step.val_rmse),
            _number(low),
            _number(high),
            "-" if step.gain_percent is None else f"{step.gain_percent:.1f}",
            f"{len(step.val_rmse_by_seed)}{failed}",
        )
    return table


def status_table(folder: StudyFolder) -> Table:
    """Return a table of a study's trials: status, last epoch, and last and lowest validation RMSE.

    The title counts all trials by status. A trial that has reported no epoch has no row, also if
    the trial has ended. InvalidInput as in `StudyFolder.state`, or if a file is damaged.
    """
    state = folder.state()
    statuses = trial_statuses(folder, state)
    status = counted(folder, state, statuses)
    counts = ", ".join(f"{n} {name}" for name, n in status.counts.items() if n)
    table = Table(title=f"Study {folder.name}: {status.state} ({counts})", title_justify="left")
    for column in ("trial", "status", "epoch", "val RMSE", "best val RMSE"):
        table.add_column(column, justify="right")
    longest = folder.plan.longest_epochs
    for trial_id, trial_status in sorted(statuses.items()):
        curve = folder.curve(trial_id)
        if not curve:
            continue
        values = [report.val_rmse for report in curve]
        table.add_row(
            trial_id,
            trial_status,
            f"{len(curve)}/{longest}",
            _number(values[-1]),
            _number(min(values)),
        )
    return table


def watch_status(folder: StudyFolder) -> None:
    """Show the status of a study in the terminal; return when no driver runs the study.

    The table is drawn again every two seconds. Errors are those of `status_table`.
    """
    with Live(status_table(folder), refresh_per_second=2) as live:
        while folder.state() == "running":
            time.sleep(2)
            live.update(status_table(folder))


def architectures_table(rows: "Sequence[ArchitectureDescription]") -> Table:
    """Return a table of architectures with their numbers of parameters and their sources."""
    more = "timm:NAME is any model of the timm library; name it to see its counts"
    table = Table(title="Architectures", caption=more, title_justify="left")
    for column in ("name", "parameters", "trainable", "source"):
        right = column in ("parameters", "trainable")
        table.add_column(column, justify="right" if right else "left")
    for row in rows:
        counts = f"{row.total_parameters:,}", f"{row.trainable_parameters:,}"
        table.add_row(row.name, *counts, row.source)
    return table


def checks_table(checks: "Sequence[Check]") -> Table:
    """Return a table of the doctor's checks: name, status in colour, and what was found.

    The remedy of a check that is not `ok` stands below what was found.
    """
    table = Table(title="Doctor", title_justify="left")
    for column in ("check", "status", "found"):
        table.add_column(column, overflow="fold")
    for check in checks:
        remedy = f"\n-> {check.remedy}" if check.remedy and check.status != "ok" else ""
        colour = _COLOURS[check.status]
        table.add_row(check.name, f"[{colour}]{check.status}[/]", escape(check.found + remedy))
    return table
