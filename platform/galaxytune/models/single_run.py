"""Training one config without Ray, into a folder that `galaxytune predict` can load."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from galaxytune.models.export_metrics import validation_metrics
from galaxytune.models.export_writing import write_export
from galaxytune.models.provenance import provenance_of
from search_spaces.declaration import InvalidInput, TrainingProtocol, build
from trainables.device import training_device, within_memory
from trainables.files import append_line, load_state, save_state
from trainables.galaxies import SplitName, fingerprint, open_galaxies, split_galaxies
from trainables.training import EpochReport, TrainingRun, is_calibrated

CURVE = "curve.jsonl"
_FINGERPRINT = "data_fingerprint"


def train_single(
    config: TrainingProtocol,
    data: Path,
    out: Path,
    *,
    split: SplitName = "hash",
    num_galaxies: int | None = None,
    on_epoch: Callable[[EpochReport], None] = lambda report: None,
) -> dict[str, Any]:
    """Train one config, write the model to the folder `out`, and return the metrics.

    data: the galaxy file. out: is made if it does not exist, and gets the files of an export,
    `curve.jsonl` with the report of each epoch, and `last.pt`, the state after the last epoch,
    which stays there. split: `hash` or `seed`, see `split_galaxies`. num_galaxies: how many
    galaxies of the file are used, None for all. on_epoch: is called with the report of each epoch,
    after the state is written. The metrics are `validation`, as `split_metrics` and `view_metrics`
    return them, `best_epoch`, counted from 1, and `calibrated`, whether the last layer was
    calibrated on the validation galaxies.

    If the same training was interrupted or finished in `out`, it goes on from there; `on_epoch` is
    called with the earlier epochs first. A damaged `last.pt` is renamed to last.pt.damaged, and
    the training begins again. The training sets torch's global random state.

    InvalidInput is raised if the data, the number of galaxies or the pretrained weights are wrong,
    or if `out` holds another training. WorkFailed is raised if the training diverges or memory
    does not hold it, and OSError if a file cannot be written.
    """
    galaxies = open_galaxies(data)
    rows = split_galaxies(galaxies, split, num_galaxies)
    device = training_device()
    run = TrainingRun(config, galaxies, rows, device)
    task = {
        "config": config.model_dump(mode="json"),
        _FINGERPRINT: fingerprint(data),
        "split": split,
        "num_galaxies": num_galaxies,
    }
    _continue(run, out, task, on_epoch)
    out.mkdir(parents=True, exist_ok=True)
    while run.finished is None:
        report = run.run_epoch()
        save_state(out, {**run.state(), "task": task})
        on_epoch(report)
    (out / CURVE).unlink(missing_ok=True)
    for report in run.reports:
        append_line(out / CURVE, report.as_values())
    run.restore_best_weights()
    metrics: dict[str, Any] = {
        "validation": validation_metrics(run.network, galaxies, rows.validation),
        "best_epoch": run.best_epoch,
        "calibrated": is_calibrated(config, galaxies),
    }
    provenance = provenance_of(str(task[_FINGERPRINT]), galaxies)
    weights = run.frozen_weights() | run.best_weights
    write_export(out, config, weights, metrics, provenance)
    return metrics


def _as_today(stored: Any, config: TrainingProtocol) -> Any:
    """Return a stored task with the defaults of the fields that its version did not have.

    stored: the task of a state, in any form. config: a config of the class that is meant.
    """
    try:
        whole = build(type(config), stored["config"]).model_dump(mode="json")
        return {**stored, "config": whole}
    except (InvalidInput, TypeError, KeyError):
        return stored


def _continue(
    run: TrainingRun, out: Path, task: dict[str, Any], on_epoch: Callable[[EpochReport], None]
) -> None:
    """Load into `run` the state of the training that `out` holds; do nothing without a state.

    task: the config, data fingerprint, split and number of galaxies of the training. If `out`
    holds the state of another task, InvalidInput is raised. on_epoch: is called with the report of
    each epoch that was trained before. A damaged state is renamed to last.pt.damaged and counts as
    no state.
    """
    state = within_memory(lambda: load_state(out, run.device), "the checkpoint of the training")
    if state is None:
        return
    if _as_today(state.get("task"), run.config) != task:
        raise InvalidInput(f"{out} holds the run of another config or of other data; name another")
    run.load_state(state)
    for report in run.reports:
        on_epoch(report)
