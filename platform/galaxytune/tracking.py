"""The W&B mirror of a study: one thread writes all runs, and training never waits for it.

The study folder is the truth and W&B its mirror, so a run can always be written again. Run ids
follow from study and trial. Offline, a run that an earlier driver left unfinished is deleted
and written anew from its curve; online it is continued under the same id, and the server
drops the steps that it has.
"""

import logging
import os
import queue
import shutil
import threading
from collections.abc import Mapping
from netrc import NetrcParseError, netrc
from typing import Any
from urllib.parse import urlsplit

import wandb  # noqa: TID251  the one module that knows W&B

from analysis.trial_record import TrialRecord, json_lines
from galaxytune.ledger import Ledger
from galaxytune.study_plan import WandbMode
from trainables.files import append_line

_log = logging.getLogger(__name__)
_SECONDS_TO_CLOSE = 60.0
_MIRRORED = "mirrored.jsonl"


def default_wandb_mode() -> WandbMode:
    """What WANDB_MODE says; else online where an API key is set, and offline elsewhere."""
    asked = os.environ.get("WANDB_MODE")
    if asked in ("offline", "online", "disabled"):
        return asked  # type: ignore[return-value]
    if os.environ.get("WANDB_API_KEY"):
        return "online"
    host = urlsplit(os.environ.get("WANDB_BASE_URL", "https://api.wandb.ai")).hostname or ""
    try:
        return "online" if netrc().authenticators(host) else "offline"
    except (OSError, NetrcParseError):
        return "offline"


class WandbMirror:
    """A StudyObserver that passes everything on to a thread of its own."""

    def __init__(self, ledger: Ledger) -> None:
        """Bring the mirror level with the study's folder and start the thread."""
        self.ledger = ledger
        self.folder = ledger.folder.path / "wandb"
        self.folder.mkdir(exist_ok=True)
        self.runs: dict[str, Any] = {}
        self._queue: queue.SimpleQueue[tuple[str, tuple[Any, ...]] | None] = queue.SimpleQueue()
        self._is_whole = False
        self._mode = ledger.plan.wandb
        self._thread = threading.Thread(target=self._work, name="wandb-mirror", daemon=True)
        self._catch_up()
        self._thread.start()

    def trial_started(self, trial_id: str, config: Mapping[str, Any], published: bool) -> None:
        """Open the trial's run and log what its curve holds already."""
        curve = list(self.ledger.curves.get(trial_id, []))
        self._queue.put(("_open", (trial_id, dict(config), published, curve)))

    def epoch_reported(self, trial_id: str, report: Mapping[str, float]) -> None:
        """Log one epoch under its own number as the step."""
        self._queue.put(("_log_epoch", (trial_id, dict(report))))

    def trial_finished(self, record: TrialRecord) -> None:
        """Write the summary and end the run."""
        self._queue.put(("_close", (record,)))

    def study_noted(self, sentence: str) -> None:
        """Nothing to mirror: W&B knows trials alone."""

    def close(self) -> None:
        """Wait until all is written, a minute at most."""
        self._queue.put(None)
        self._thread.join(_SECONDS_TO_CLOSE)
        if not self._is_whole:
            _log.warning("W&B did not take every run; `galaxytune resume` writes the rest")

    def _catch_up(self) -> None:
        """Queue again every finished trial whose run was not closed."""
        mirrored = {mark["id"] for mark in json_lines(self.folder / _MIRRORED)}
        for record in self.ledger.records.values():
            if record.id not in mirrored:
                self.trial_started(record.id, record.config, record.published)
                self.trial_finished(record)

    def _work(self) -> None:
        failed = False
        while (job := self._queue.get()) is not None:
            name, arguments = job
            try:
                getattr(self, name)(*arguments)
            except (wandb.Error, OSError, RuntimeError, ValueError) as error:
                _log.warning("W&B: %s", error)
                failed = True
        self._is_whole = not failed

    def _open(
        self, trial_id: str, config: dict[str, Any], published: bool, curve: list[dict[str, float]]
    ) -> None:
        plan = self.ledger.plan
        run_id = self.ledger.wandb_run_id(trial_id)
        if self._mode == "offline":
            for stale in self.folder.glob(f"offline-run-*-{run_id}"):
                shutil.rmtree(stale)
        tags = [config["architecture"], *(["published"] if published else [])]
        self.runs[trial_id] = self._init(
            project=os.environ.get("WANDB_PROJECT", "galaxytune"),
            group=plan.name,
            name=f"{plan.name}-{trial_id}",
            id=run_id,
            dir=str(self.ledger.folder.path),
            config=config,
            tags=tags,
            reinit="create_new",
            settings=wandb.Settings(
                silent=True, console="off", x_disable_stats=True, disable_git=True, init_timeout=30
            ),
        )
        for report in curve:
            self._log_epoch(trial_id, report)

    def _init(self, **options: Any) -> Any:
        """Open a run; once W&B cannot be reached, this one and all later ones offline."""
        if self._mode == "online":
            try:
                return wandb.init(mode="online", resume="allow", **options)
            except (wandb.Error, OSError) as error:
                _log.warning("W&B: %s; runs are written offline, `wandb sync` sends them", error)
                self._mode = "offline"
        return wandb.init(mode="offline", **options)

    def _log_epoch(self, trial_id: str, report: dict[str, float]) -> None:
        if trial_id in self.runs:
            self.runs[trial_id].log(report, step=int(report["epoch"]))

    def _close(self, record: TrialRecord) -> None:
        run = self.runs.pop(record.id, None)
        if run is None:
            return
        run.tags = (*run.tags, record.status)
        run.summary.update(
            {
                "status": record.status,
                "reason": record.reason,
                "best_epoch": record.best_epoch,
                "best_val_rmse": record.val_rmse,
                "best_tree_residual": record.tree_residual,
                "epochs": record.epochs,
                "device_seconds": record.device_seconds,
            }
        )
        run.finish(exit_code=1 if record.status == "failed" else 0)
        append_line(self.folder / _MIRRORED, {"id": record.id})
