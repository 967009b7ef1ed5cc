"""Training one config without Ray, into a folder that `galaxytune predict` can load."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from galaxytune.export import provenance_of, split_metrics, write_export
from search_spaces.declaration.training_protocol import TrainingProtocol
from trainables.checkpoint import load_state, save_state
from trainables.files import append_line
from trainables.galaxies.galaxy_file import fingerprint, open_galaxies
from trainables.galaxies.split import SplitName, split_galaxies
from trainables.prediction import predict
from trainables.training import TrainingRun, training_device

CURVE = "curve.jsonl"
_FINGERPRINT = "data_fingerprint"


def train_single(
    config: TrainingProtocol,
    data: Path,
    out: Path,
    *,
    split: SplitName = "hash",
    num_galaxies: int | None = None,
    on_epoch: Callable[[Mapping[str, float]], None] | None = None,
) -> dict[str, Any]:
    """Train one config and write the export files and `curve.jsonl`; returns the metrics.

    A folder in which the same config was interrupted is continued. ValueError if it holds
    the run of another config or of other data.
    """
    galaxies = open_galaxies(data)
    rows = split_galaxies(galaxies, split, num_galaxies)
    device = training_device()
    run = TrainingRun(config, galaxies, rows, device)
    task: dict[str, Any] = {
        "config": config.model_dump(mode="json"),
        _FINGERPRINT: fingerprint(data),
    }
    task |= {"split": split, "num_galaxies": num_galaxies}
    _continue(run, out, task, on_epoch)
    out.mkdir(parents=True, exist_ok=True)
    while run.finished is None:
        report = run.run_epoch()
        save_state(out, {**run.state(), "task": task})
        if on_epoch is not None:
            on_epoch(report)
    (out / CURVE).unlink(missing_ok=True)
    for report in run.reports:
        append_line(out / CURVE, report)
    run.restore_best_weights()
    predicted = predict(run.network, galaxies.images, device, rows.validation)
    metrics: dict[str, Any] = {
        "validation": split_metrics(predicted, galaxies.target[rows.validation]),
        "best_epoch": run.best_epoch,
    }
    provenance = provenance_of(task[_FINGERPRINT], galaxies)
    weights = run.frozen_weights() | run.best_weights
    write_export(out, config, weights, metrics, provenance)
    return metrics


def _continue(
    run: TrainingRun,
    out: Path,
    task: dict[str, Any],
    on_epoch: Callable[[Mapping[str, float]], None] | None,
) -> None:
    state = load_state(out, run.device)
    if state is None:
        return
    if state["task"] != task:
        raise ValueError(f"{out} holds the run of another config or of other data; name another")
    run.load_state(state)
    for report in run.reports:
        if on_epoch is not None:
            on_epoch(report)
