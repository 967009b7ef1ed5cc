"""Tables for the terminal: the leaderboard, a study's status, the architectures."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from rich.live import Live
from rich.table import Table

from galaxytune.study_folder import State, StudyFolder
from search_spaces import architecture_names, config_class, config_from_values
from trainables.architectures import architecture_source, build_without_weights
from trainables.keras_layers import count_parameters


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def leaderboard_table(title: str, rows: Sequence[Mapping[str, Any]], noise_floor: str) -> Table:
    """Trials best first; the published config is marked."""
    table = Table(title=f"Leaderboard of {title}", caption=noise_floor, title_justify="left")
    for column in ("rank", "trial", "architecture", "status", "val RMSE", "epoch", "residual"):
        table.add_column(column, justify="left" if column in ("architecture",) else "right")
    for row in rows:
        mark = " (published)" if row["published"] else ""
        mark += " (not feasible)" if row["feasible"] is False else ""
        table.add_row(
            str(row["rank"] or "-"),
            row["id"],
            row["architecture"] + mark,
            row["status"],
            _number(row["val_rmse"]),
            f"{row['best_epoch']}/{row['epochs']}",
            _number(row["tree_residual"]),
        )
    return table


def confirmation_table(study: str, rows: Sequence[Mapping[str, Any]]) -> Table:
    """Configs over fresh seeds, best mean first."""
    table = Table(title=f"Fresh seeds for the best of {study}", title_justify="left")
    for column in ("trial", "architecture", "searched", "mean", "95 % low", "high", "seeds"):
        table.add_column(column, justify="left" if column == "architecture" else "right")
    for row in rows:
        low, high = row["interval_95"] or (None, None)
        failed = f" ({row['num_failed']} failed)" if row["num_failed"] else ""
        table.add_row(
            row["id"],
            row["architecture"],
            _number(row["searched_val_rmse"]),
            _number(row["mean_val_rmse"]),
            _number(low),
            _number(high),
            f"{len(row['val_rmse_by_seed'])}{failed}",
        )
    return table


def study_status(folder: StudyFolder) -> dict[str, Any]:
    """{"study", "state", "counts": {status: n}}.

    Trials that were begun and have not ended are "paused" where halving lets them wait, else
    "running" while a driver runs, or "interrupted"; those not yet begun are "waiting".
    """
    state = folder.state()
    return _counted(folder, state, _statuses(folder, state))


def _counted(folder: StudyFolder, state: State, statuses: Mapping[str, str]) -> dict[str, Any]:
    counts = dict.fromkeys(("complete", "pruned", "failed", "running", "interrupted", "paused"), 0)
    for status in statuses.values():
        counts[status] += 1
    counts["waiting"] = max(0, folder.plan.trials - len(statuses))
    return {"study": folder.name, "state": state, "counts": counts}


def _statuses(folder: StudyFolder, state: State) -> dict[str, str]:
    """The status of every trial that was begun, by id."""
    unfinished = "running" if state == "running" else "interrupted"
    paused = folder.paused_ids()
    begun = {i: "paused" if i in paused else unfinished for i in folder.trial_ids_with_curve()}
    return begun | {record.id: record.status for record in folder.records()}


def status_table(folder: StudyFolder) -> Table:
    """The counts, and what each open trial reported last."""
    state = folder.state()
    statuses = _statuses(folder, state)
    status = _counted(folder, state, statuses)
    counts = ", ".join(f"{n} {name}" for name, n in status["counts"].items() if n)
    table = Table(title=f"Study {folder.name}: {status['state']} ({counts})", title_justify="left")
    for column in ("trial", "status", "epoch", "val RMSE", "best val RMSE"):
        table.add_column(column, justify="right")
    longest = folder.plan.longest_epochs
    for trial_id, trial_status in sorted(statuses.items()):
        curve = folder.curve(trial_id)
        if not curve:
            continue
        values = [report["val_rmse"] for report in curve]
        table.add_row(
            trial_id,
            trial_status,
            f"{len(curve)}/{longest}",
            _number(values[-1]),
            _number(min(values)),
        )
    return table


def architectures_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """Names, parameters and sources."""
    more = "timm:NAME is any model of the timm library; name it to see its counts"
    table = Table(title="Architectures", caption=more, title_justify="left")
    for column in ("name", "parameters", "trainable", "source"):
        table.add_column(
            column, justify="right" if column in ("parameters", "trainable") else "left"
        )
    for row in rows:
        table.add_row(
            row["name"],
            f"{row['total_parameters']:,}",
            f"{row['trainable_parameters']:,}",
            row["source"],
        )
    return table


def architecture_rows(names: Sequence[str] = ()) -> list[dict[str, Any]]:
    """Architectures at their published size: name, parameters as Keras counts them, source."""
    rows = []
    for name in names or architecture_names():
        published = config_class(name).PUBLISHED
        config = config_from_values({**published, "architecture": name})
        total, trainable = count_parameters(build_without_weights(config))
        rows.append(
            {
                "name": name,
                "total_parameters": total,
                "trainable_parameters": trainable,
                "source": architecture_source(name),
            }
        )
    return rows


def watch_status(folder: StudyFolder) -> None:
    """Redraw the status every two seconds until no driver runs."""
    with Live(status_table(folder), refresh_per_second=2) as live:
        while folder.state() == "running":
            time.sleep(2)
            live.update(status_table(folder))
