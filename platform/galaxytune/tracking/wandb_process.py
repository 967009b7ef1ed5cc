"""The process that writes a study's W&B runs, from messages of the driver.

    python -m galaxytune.tracking.wandb_process STUDY_FOLDER MARKS_FILE STUDY_NAME offline|online

Standard input has one JSON object on each line. Its key `do` is `open`, `log` or `close` for one
trial, or `end`; its other keys are the arguments of that method of `WandbRuns`. After `end` the
process ends with 0 if every message was carried out, and with 1 if not. Online, the process ends
with 1 at the first refusal of W&B, so that the driver can start another process that writes all
open runs offline. If the driver dies, the process ends at once with 1 and leaves open runs
unfinished.
"""

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import wandb  # noqa: TID251  the only module that uses W&B

from trainables.files import append_line

_SECONDS_TO_OPEN = 15  # to open a run; the variable WANDB_INIT_TIMEOUT sets another limit


class WandbRuns:
    """The W&B runs of one study; a message that comes twice is used once.

    study, marks, name, mode: the arguments of the constructor.
    runs: the open runs of W&B, by trial id.
    last_epoch: the last logged epoch of each trial whose run was opened, by trial id.
    """

    def __init__(self, study: Path, marks: Path, name: str, mode: str) -> None:
        """Take the study's folder, and open no run yet.

        marks: the file that gets a line for each run that is whole. name: the study's name. mode:
        `offline` or `online`.
        """
        self.study, self.marks, self.name, self.mode = study, marks, name, mode
        self.runs: dict[str, Any] = {}
        self.last_epoch: dict[str, int] = {}

    def open(self, trial: str, run_id: str, config: dict[str, Any], tags: list[str]) -> None:
        """Open a trial's run.

        Offline, the files of a run that an earlier process left unfinished are deleted, and the
        run begins again; online, such a run is continued. trial: the trial's id. run_id: the run's
        id in W&B. config: the config's values, by field name. tags: the run's tags. Nothing is
        done if this process has opened the run already. An error of W&B, for example if the server
        does not answer within 15 s, is raised.
        """
        if trial in self.last_epoch:
            return
        if self.mode == "offline":
            for stale in (self.study / "wandb").glob(f"*run-*-{run_id}"):
                shutil.rmtree(stale)
        self.runs[trial] = wandb.init(
            mode="online" if self.mode == "online" else "offline",
            resume="allow" if self.mode == "online" else None,
            project=os.environ.get("WANDB_PROJECT", "galaxytune"),
            group=self.name,
            name=f"{self.name}-{trial}",
            id=run_id,
            dir=str(self.study),
            config=config,
            tags=tags,
            reinit="create_new",
            settings=wandb.Settings(
                silent=True,
                console="off",
                x_disable_stats=True,
                disable_git=True,
                init_timeout=float(os.environ.get("WANDB_INIT_TIMEOUT") or _SECONDS_TO_OPEN),
            ),
        )
        self.last_epoch[trial] = 0

    def log(self, trial: str, report: dict[str, float]) -> None:
        """Log an epoch; the step in W&B is the epoch's number.

        trial: the trial's id. report: the numbers of the epoch, with the key `epoch`. An epoch
        that was logged is skipped. Nothing is done if the trial's run is not open.
        """
        epoch = int(report["epoch"])
        if trial in self.runs and epoch > self.last_epoch[trial]:
            self.runs[trial].log(report, step=epoch)
            self.last_epoch[trial] = epoch

    def close(self, trial: str, summary: dict[str, Any]) -> None:
        """Write the summary, end the run, and note in the marks file that the run is whole.

        trial: the trial's id. summary: values by name; `status`, the trial's status, is one of the
        names and becomes a tag of the run. Nothing is done if the run is not open.
        """
        run = self.runs.pop(trial, None)
        if run is None:
            return
        run.tags = (*run.tags, summary["status"])
        run.summary.update(summary)
        run.finish(exit_code=1 if summary["status"] == "failed" else 0)
        append_line(self.marks, {"id": trial})


def main() -> int:
    """Carry out the messages on standard input up to `end`; return 0 if none failed, else 1.

    The command's four arguments are read from sys.argv. Errors of W&B are printed on standard
    error. Online, the first error ends the process with code 1; the process also ends with code 1
    if standard input ends without `end`.
    """
    study, marks, name, mode = sys.argv[1:]
    runs, is_whole = WandbRuns(Path(study), Path(marks), name, mode), True
    for line in sys.stdin:
        told = json.loads(line)
        job = told.pop("do")
        if job == "end":
            return 0 if is_whole else 1
        try:
            getattr(runs, job)(**told)
        except Exception as error:  # no error of W&B may stop the study
            print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
            is_whole = False
            if mode == "online":
                os._exit(1)  # a normal exit of W&B would wait for the server
    os._exit(1)  # the driver is dead: the next driver writes the open runs again


if __name__ == "__main__":
    sys.exit(main())
