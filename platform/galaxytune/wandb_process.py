"""The process that writes a study's W&B runs, as the driver tells it to, line by line.

    python -m galaxytune.wandb_process STUDY_FOLDER MARKS_FILE STUDY_NAME offline|online

Standard input has one JSON object a line: `open`, `log`, `close`, each for one trial, and `end`.
It ends with 0 when every run is written, with 1 if some are not. Online it ends at the first
thing that W&B refuses, so that the driver can have all open runs written offline by another.
If the driver dies, this process ends at once and leaves open runs unfinished.
"""

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import wandb  # noqa: TID251  the one module that knows W&B

from trainables.files import append_line

_SECONDS_TO_OPEN = 15  # a run; W&B's own variable WANDB_INIT_TIMEOUT sets another limit


class WandbRuns:
    """The runs of one study. What is told twice is written once."""

    def __init__(self, study: Path, marks: Path, name: str, mode: str) -> None:
        """Nothing is opened yet; `marks` is where whole runs are noted, `mode` offline|online."""
        self.study, self.marks, self.name, self.mode = study, marks, name, mode
        self.runs: dict[str, Any] = {}
        self.last_epoch: dict[str, int] = {}

    def open(self, trial: str, run_id: str, config: dict[str, Any], tags: list[str]) -> None:
        """Open a trial's run. An unfinished one is written anew offline, continued online."""
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
        """Log an epoch under its own number as the step."""
        epoch = int(report["epoch"])
        if trial in self.runs and epoch > self.last_epoch[trial]:
            self.runs[trial].log(report, step=epoch)
            self.last_epoch[trial] = epoch

    def close(self, trial: str, summary: dict[str, Any]) -> None:
        """Write the summary, end the run, and note that it is whole."""
        run = self.runs.pop(trial, None)
        if run is None:
            return
        run.tags = (*run.tags, summary["status"])
        run.summary.update(summary)
        run.finish(exit_code=1 if summary["status"] == "failed" else 0)
        append_line(self.marks, {"id": trial})


def main() -> int:
    """Do what standard input says."""
    study, marks, name, mode = sys.argv[1:]
    runs, is_whole = WandbRuns(Path(study), Path(marks), name, mode), True
    for line in sys.stdin:
        told = json.loads(line)
        job = told.pop("do")
        if job == "end":
            return 0 if is_whole else 1
        try:
            getattr(runs, job)(**told)
        except Exception as error:  # whatever W&B raises; the study must not hear of it
            print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
            is_whole = False
            if mode == "online":
                os._exit(1)  # W&B's own farewell would wait for the server
    os._exit(1)  # the driver is gone: its successor writes the open runs anew


if __name__ == "__main__":
    sys.exit(main())
