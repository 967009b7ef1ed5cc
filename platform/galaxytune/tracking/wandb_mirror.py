"""The mirror of a study in W&B, written by a separate process for which training never waits.

The study's folder holds everything that W&B shows, so a run can always be written again. The id of
a run follows from the study and the trial. If W&B refuses a run online, cannot be reached, or is
too slow at the end, the process is replaced by a process that works offline. The new process
writes every run that is not whole from its curve. The command `wandb sync`, which a person runs
later, sends these runs. A warning says what has happened, never what is still to happen.
"""

import json
import logging
import os
import queue
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import suppress

from analysis.records import TrialRecord
from galaxytune.cluster import python_command, python_environment
from galaxytune.study import StudyFolder
from galaxytune.tracking.mirror_log import MirrorLog
from galaxytune.tracking.wandb_messages import Message, closing_message, logging_message
from search_spaces.declaration import TrainingProtocol
from trainables.files import read_json_lines
from trainables.training import EpochReport

_log = logging.getLogger(__name__)
_SECONDS_TO_CLOSE = 60.0  # for the last uploads, then again to write them offline
_SECONDS_BETWEEN_LOOKS = 0.5
_ATTEMPTS = 3  # processes in all; the first may fail because W&B cannot be reached
_LOG = "mirror.log"
_RECORD = "record"  # key of a value that is not sent to the W&B process


class WandbMirror:
    """A StudyObserver that writes a study's W&B runs, through a thread and a separate process.

    The methods only queue messages and return at once, except `study_started` and `close`. Each
    trial has one run. See `StudyObserver` for the arguments of the methods.

    folder, plan: the study's folder, and its plan when the mirror was made.
    is_whole: whether the run of every ended trial was written; False until the mirror is closed.
    """

    def __init__(self, folder: StudyFolder) -> None:
        """Take the study's folder; thread and process start only when the study starts.

        The plan's `wandb` must be `online` or `offline`.
        """
        self.folder, self.plan = folder, folder.plan
        self.is_whole = False
        self._mode: str = self.plan.wandb
        self._queue: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
        self._started: set[str] = set()  # trials that this driver has started
        self._running: dict[str, Message] = {}  # by trial id, the message that opens each open run
        self._records: dict[str, TrialRecord] = {}  # of the trials that have ended
        self._told_all = False
        self._log = MirrorLog(folder.wandb / _LOG)
        self._thread: threading.Thread | None = None

    def study_started(self, num_trials: int, num_epochs: int, ended: list[TrialRecord]) -> None:
        """Start thread and process; runs that an earlier driver left are written first.

        The folder `wandb` is made in the study's folder. OSError is raised if the folder cannot be
        made or the process cannot be started.
        """
        self.folder.wandb.mkdir(exist_ok=True)
        self._records = {record.id: record for record in ended}
        self._process = self._start()
        self._thread = threading.Thread(target=self._work, name="wandb-mirror", daemon=True)
        self._thread.start()

    def trial_started(self, trial_id: str, config: TrainingProtocol, published: bool) -> None:
        """Queue the opening of the trial's run, with the epochs that its curve holds already."""
        self._started.add(trial_id)
        self._queue.put(self._opening(trial_id, config, published))

    def epoch_reported(self, trial_id: str, report: EpochReport) -> None:
        """Queue one epoch to be logged; the step in W&B is the epoch's number."""
        self._queue.put(logging_message(trial_id, report))

    def trial_paused(self, trial_id: str, epoch: int) -> None:
        """Do nothing, because the run stays open until the trial has ended."""

    def trial_finished(self, record: TrialRecord) -> None:
        """Queue the summary and the end of the run; a run of an earlier driver is opened first."""
        if record.id not in self._started:
            self.trial_started(record.id, record.config, record.published)
        self._queue.put({**closing_message(record), _RECORD: record})

    def study_noted(self, sentence: str) -> None:
        """Do nothing, because W&B holds only trials."""

    def close(self) -> None:
        """Wait until all messages are written: at most 60 s, and 60 s more to write them offline.

        After the first 60 s the process is killed and replaced by an offline process. If runs were
        written offline although the plan is online, or if not all messages are written in the end,
        a warning is logged; in the second case `is_whole` is False. Each wrong setting of W&B
        that was ignored is named in a warning. Nothing is done if the study has not started.
        """
        if self._thread is None:
            return
        self._queue.put(None)
        self._thread.join(_SECONDS_TO_CLOSE)
        if self._thread.is_alive():
            _end(self._process)
            self._thread.join(_SECONDS_TO_CLOSE)
        for line in self._log.ignored():
            _log.warning("W&B: %s", line)
        if not self.is_whole:
            _log.warning("W&B: %s", self._left_out())
        elif self._mode != self.plan.wandb:
            place = self.folder.wandb
            _log.warning("W&B: runs are written offline, `wandb sync` sends them from %s", place)

    def _start(self) -> subprocess.Popen[str]:
        """Start a W&B process in the current mode, and return the process.

        The output of the process is appended to mirror.log in the folder `wandb`. OSError is
        raised if the process cannot be started.
        """
        environment = python_environment()
        environment.pop("WANDB_SERVICE", None)  # a parent's W&B service would write elsewhere
        folder, plan = self.folder, self.plan
        arguments = (str(folder.path), str(folder.mirrored_file), plan.name, self._mode)
        self._log.begin()
        with self._log.path.open("ab") as log:
            return subprocess.Popen(
                python_command("galaxytune.tracking.wandb_process", *arguments),
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                text=True,
                env=environment,
                start_new_session=True,  # keeps Ctrl-C away, and makes one group to kill
            )

    def _work(self) -> None:
        """Run the thread: send the queued messages to the W&B process until all are written.

        A process that fails is replaced by a process in W&B's offline mode, which writes the
        unfinished runs again; at most 3 processes are started in all. When the method returns,
        `is_whole` is True if a process wrote all messages and ended with code 0. An OSError of a
        process is not raised.
        """
        for attempts_left in reversed(range(_ATTEMPTS)):
            try:
                self._pass_on()
                self.is_whole = self._process.wait() == 0
            except OSError:
                self.is_whole = False
            _end(self._process)
            if self.is_whole or not attempts_left:
                return
            why, self._mode = self._why(), "offline"
            try:
                self._process = self._start()
            except OSError:
                return
            _log.warning("W&B: %s; another process, which works offline, has begun", why)

    def _pass_on(self) -> None:
        """Send a new process the runs that are not whole, then each message until the end.

        The method returns when `close` was called and all messages were sent. OSError is raised if
        the process has ended before.
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
        """Send one message, and keep what another process would need to write the run again.

        After the message that opens a run, the epochs in the trial's curve are sent too. The
        record is removed from a message that closes a run. OSError is raised if the process has
        ended.
        """
        trial = message["trial"]
        if message["do"] == "open":
            self._running[trial] = message
        elif message["do"] == "close":
            self._running.pop(trial, None)
            self._records[trial] = message.pop(_RECORD)
        self._tell(message)
        if message["do"] == "open":  # a resumed trial has epochs already
            for epoch in self._epochs(trial):
                self._tell(epoch)

    def _not_whole(self) -> Iterator[Message]:
        """Yield the messages that write every run that is not whole, from the study's folder.

        First come the runs of ended trials that mirrored.jsonl does not name, then the open runs,
        which are not closed.
        """
        whole = {mark["id"] for mark in read_json_lines(self.folder.mirrored_file)}
        for trial_id in sorted(self._records.keys() - whole):
            record = self._records[trial_id]
            yield self._opening(trial_id, record.config, record.published)
            yield from self._epochs(trial_id)
            yield closing_message(record)
        for trial_id, message in self._running.items():
            yield message
            yield from self._epochs(trial_id)

    def _opening(self, trial_id: str, config: TrainingProtocol, published: bool) -> Message:
        """Return the message that opens a trial's run; see `WandbRuns.open` for its values."""
        return {
            "do": "open",
            "trial": trial_id,
            "run_id": self.plan.wandb_run_id(trial_id),
            "config": config.model_dump(mode="json"),
            "tags": [config.architecture, *(["published"] if published else [])],
        }

    def _epochs(self, trial_id: str) -> Iterator[Message]:
        """Yield a message for each epoch that a trial's curve in the study's folder holds."""
        for report in self.folder.curve(trial_id):
            yield logging_message(trial_id, report)

    def _tell(self, message: Message) -> None:
        """Send a message to the process; OSError if the process has ended."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(message) + "\n")
        self._process.stdin.flush()

    def _left_out(self) -> str:
        """Return in one sentence for how many trials no run is whole, and why."""
        whole = {mark["id"] for mark in read_json_lines(self.folder.mirrored_file)}
        left = len(self._records.keys() - whole)
        told = f"{left} of {len(self._records)} ended trials have no whole run: {self._why()}"
        return f"{told} (see {self._log.path}); `galaxytune resume` tries again"

    def _why(self) -> str:
        """Return why the current process has failed, by mirror.log or else by its exit code."""
        code = self._process.returncode
        silent = "too slow" if code == -signal.SIGKILL else f"its process ended with code {code}"
        return self._log.failure() or silent


def _end(process: subprocess.Popen[str]) -> None:
    """Kill a W&B process and the processes that it started, and close its standard input.

    Nothing is killed if the process is known to have ended with code 0, because it has then left
    no other process. The function returns when the process has ended.
    """
    if process.returncode != 0:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    if process.stdin is not None:
        with suppress(OSError):
            process.stdin.close()
