"""The W&B mirror of a study, kept by a process of its own for which training never waits.

The study folder is the truth and W&B its mirror, so a run can always be written again. Run ids
follow from study and trial. Where W&B online is refused, unreachable or too slow at the end, the
process is replaced by one that writes every run which is not whole offline, from its curve;
`wandb sync` sends those later.
"""

import json
import logging
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from analysis.trial_record import TrialRecord, json_lines
from galaxytune.ledger import Ledger

_log = logging.getLogger(__name__)
_SECONDS_TO_CLOSE = 60.0  # for what is still to be uploaded, then again for writing it offline
_SECONDS_BETWEEN_LOOKS = 0.5
_ATTEMPTS = 3  # processes in all; the first may fail because W&B is out of reach
_LOG = "mirror.log"

Message = dict[str, Any]


class WandbMirror:
    """A StudyObserver that passes everything on to a thread, and that to the W&B process."""

    def __init__(self, ledger: Ledger) -> None:
        """Start thread and process; runs that an earlier driver left are written first."""
        self.ledger = ledger
        self.folder = ledger.folder.path / "wandb"
        self.folder.mkdir(exist_ok=True)
        self.is_whole = False
        self._mode = ledger.plan.wandb
        self._queue: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
        self._started: set[str] = set()  # by this driver
        self._running: dict[str, Message] = {}  # what opens the runs not ended
        self._ended = set(ledger.records)
        self._told_all = False
        self._process = self._start()
        self._thread = threading.Thread(target=self._work, name="wandb-mirror", daemon=True)
        self._thread.start()

    def trial_started(self, trial_id: str, config: Mapping[str, Any], published: bool) -> None:
        """Open the trial's run and log what its curve holds already."""
        self._started.add(trial_id)
        self._queue.put(self._opening(trial_id, config, published))

    def epoch_reported(self, trial_id: str, report: Mapping[str, float]) -> None:
        """Log one epoch under its own number as the step."""
        self._queue.put({"do": "log", "trial": trial_id, "report": dict(report)})

    def trial_paused(self, trial_id: str, epoch: int) -> None:
        """Nothing to mirror: the run stays open until the trial has ended."""

    def trial_finished(self, record: TrialRecord) -> None:
        """Write the summary and end the run; one that paused under another driver is opened."""
        if record.id not in self._started:
            self.trial_started(record.id, record.config, record.published)
        self._queue.put(_closing(record))

    def study_noted(self, sentence: str) -> None:
        """Nothing to mirror: W&B knows trials alone."""

    def close(self) -> None:
        """Wait until all is written; a minute for W&B online, and one more for writing offline."""
        self._queue.put(None)
        self._thread.join(_SECONDS_TO_CLOSE)
        if self._thread.is_alive():
            _end(self._process)
            self._thread.join(_SECONDS_TO_CLOSE)
        if not self.is_whole:
            _log.warning("W&B did not take every run; `galaxytune resume` writes the rest")

    def _start(self) -> subprocess.Popen[str]:
        environment = {k: v for k, v in os.environ.items() if k != "WANDB_SERVICE"}
        folder, plan = self.ledger.folder, self.ledger.plan
        command = [sys.executable, "-m", "galaxytune.wandb_process"]
        with (self.folder / _LOG).open("ab") as log:
            return subprocess.Popen(
                [*command, str(folder.path), str(folder.mirrored_file), plan.name, self._mode],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                text=True,
                env=environment,
                start_new_session=True,  # Ctrl-C is for the driver; and all of it can be ended
            )

    def _work(self) -> None:
        """Pass messages on; when the process fails, begin again with another, offline."""
        for attempts_left in reversed(range(_ATTEMPTS)):
            try:
                self._pass_on()
                self.is_whole = self._process.wait() == 0
            except OSError:
                self.is_whole = False
            _end(self._process)
            if self.is_whole or not attempts_left:
                return
            _log.warning("W&B: %s; runs are written offline, `wandb sync` sends them", self._why())
            self._mode = "offline"
            try:
                self._process = self._start()
            except OSError:
                return

    def _pass_on(self) -> None:
        """Tell a fresh process what is not whole, then what comes, until all is told.

        OSError when the process has ended.
        """
        for written in self._not_whole():
            self._tell(written)
        while not self._told_all:
            try:
                message = self._queue.get(timeout=_SECONDS_BETWEEN_LOOKS)
            except queue.Empty:
                if self._process.poll() is not None:
                    raise BrokenPipeError from None
                continue
            if message is None:
                self._told_all = True
            else:
                self._pass(message)
        self._tell({"do": "end"})

    def _pass(self, message: Message) -> None:
        trial = message["trial"]
        if message["do"] == "open":
            self._running[trial] = message
        elif message["do"] == "close":
            self._running.pop(trial, None)
            self._ended.add(trial)
        self._tell(message)
        if message["do"] == "open":  # a resumed trial has epochs behind it
            for epoch in self._epochs(trial):
                self._tell(epoch)

    def _not_whole(self) -> Iterator[Message]:
        """Messages that write, from the study's folder, every run that is not whole."""
        whole = {mark["id"] for mark in json_lines(self.ledger.folder.mirrored_file)}
        for trial_id in sorted(self._ended - whole):
            record = self.ledger.records[trial_id]
            yield self._opening(trial_id, record.config, record.published)
            yield from self._epochs(trial_id)
            yield _closing(record)
        for trial_id, message in self._running.items():
            yield message
            yield from self._epochs(trial_id)

    def _opening(self, trial_id: str, config: Mapping[str, Any], published: bool) -> Message:
        tags = [config["architecture"], *(["published"] if published else [])]
        run_id = self.ledger.wandb_run_id(trial_id)
        return {"do": "open", "trial": trial_id, "run_id": run_id, "config": dict(config),
                "tags": tags}  # fmt: skip

    def _epochs(self, trial_id: str) -> Iterator[Message]:
        for report in self.ledger.folder.curve(trial_id):
            yield {"do": "log", "trial": trial_id, "report": report}

    def _tell(self, message: Message) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(message) + "\n")
        self._process.stdin.flush()

    def _why(self) -> str:
        lines = (self.folder / _LOG).read_text(errors="replace").split("\n")
        return next((line for line in reversed(lines) if line.strip()), "too slow")


def _closing(record: TrialRecord) -> Message:
    summary = {
        "status": record.status,
        "reason": record.reason,
        "best_epoch": record.best_epoch,
        "best_val_rmse": record.val_rmse,
        "best_tree_residual": record.tree_residual,
        "epochs": record.epochs,
        "device_seconds": record.device_seconds,
    }
    return {"do": "close", "trial": record.id, "summary": summary}


def _end(process: subprocess.Popen[str]) -> None:
    """End a W&B process and what it started, at once; one that has ended well has left nothing."""
    if process.returncode != 0:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    if process.stdin is not None:
        with suppress(OSError):
            process.stdin.close()
