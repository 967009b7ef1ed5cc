"""The process that writes a study's W&B runs, from messages of the driver.

    python -m galaxytune.tracking.wandb_process STUDY_FOLDER MARKS_FILE STUDY_NAME offline|online

Standard input has one JSON object on each line. Its key `do` is `open`, `log` or `close` for one
trial, or `end`; its other keys are the arguments of that method of `WandbRuns`. After `end` the
process ends with 0 if every message was carried out, and with 1 if not. Online, the process ends
with 1 at the first refusal of W&B, so that the driver can start another process that writes all
open runs offline. If the driver dies, the process ends at once with 1 and leaves open runs
unfinished.

The process reads the user's settings of W&B first; see `galaxytune.tracking.wandb_settings`. W&B
then finds no other settings: no settings file, and no variable except those in `_KEPT`.
"""

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import wandb  # noqa: TID251  the only module that writes runs

from galaxytune.tracking.mirror_log import IGNORED
from galaxytune.tracking.wandb_settings import read_users_settings
from trainables.files import append_line

_PROJECT = "galaxytune"
_SECONDS_TO_OPEN = 15  # to open a run; the variable WANDB_INIT_TIMEOUT sets another limit
_LONGEST_TAG = 64  # characters; W&B refuses a run with a longer tag

# Variables that W&B reads without its settings: who sends runs online, and W&B's own folders.
_KEPT_ONLINE = ("WANDB_API_KEY", "WANDB_IDENTITY_TOKEN_FILE", "WANDB_CREDENTIALS_FILE")
_KEPT = ("WANDB_CACHE_DIR", "WANDB_DATA_DIR", "WANDB_ARTIFACT_DIR")
_PATHS = (*_KEPT, *_KEPT_ONLINE[1:], "NETRC")


class WandbRuns:
    """The W&B runs of one study; a message that comes twice is used once.

    study, marks, name, mode, users: the arguments of the constructor.
    runs: the open runs of W&B, by trial id.
    last_epoch: the last logged epoch of each trial whose run was opened, by trial id.
    """

    def __init__(
        self, study: Path, marks: Path, name: str, mode: str, users: dict[str, Any]
    ) -> None:
        """Take the study's folder, and open no run yet.

        marks: the file that gets a line for each run that is whole. name: the study's name. mode:
        `offline` or `online`. users: the settings of W&B that the user decides, by name.
        """
        self.study, self.marks, self.name, self.mode = study, marks, name, mode
        self.users = users
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
            group=self.name,
            name=f"{self.name}-{trial}",
            id=run_id,
            dir=str(self.study),
            config=config,
            tags=_tags([*tags, *self.users.get("run_tags", ())]),
            reinit="create_new",
            settings=wandb.Settings(
                **{"project": _PROJECT, "init_timeout": _SECONDS_TO_OPEN, **self.users},
                silent=True,
                console="off",
                x_disable_stats=True,
                disable_git=True,
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


def _tags(tags: list[str]) -> tuple[str, ...]:
    """Return tags as W&B takes them: each once, with at most 64 characters."""
    return tuple(dict.fromkeys(tag[:_LONGEST_TAG] for tag in tags))


def _leave_only_our_settings(study: Path, mode: str) -> None:
    """Remove from this process what W&B would read in place of the settings of a run.

    study: the study's folder, as an absolute path. The process changes to the study's folder
    `wandb`, because W&B reads a settings file in the current folder.
    """
    kept = (*_KEPT, *(_KEPT_ONLINE if mode == "online" else ()))
    for name in [n for n in os.environ if n.startswith("WANDB_") and n not in kept]:
        del os.environ[name]
    for name in _PATHS:
        if os.environ.get(name):
            os.environ[name] = os.path.abspath(os.path.expanduser(os.environ[name]))
    os.environ["WANDB_CONFIG_DIR"] = str(study / "wandb")
    os.chdir(study / "wandb")
    # Without this W&B takes the id of a run from Amazon SageMaker, where the process runs there.
    wandb.setup(wandb.Settings(sagemaker_disable=True, silent=True))


def main() -> int:
    """Carry out the messages on standard input up to `end`; return 0 if none failed, else 1.

    The command's four arguments are read from sys.argv. Errors of W&B are printed on standard
    error. Online, the first error ends the process with code 1; the process also ends with code 1
    if standard input ends without `end`.
    """
    study, marks = (Path(argument).resolve() for argument in sys.argv[1:3])
    name, mode = sys.argv[3:]
    users = read_users_settings(os.environ)
    for problem in users.problems:
        print(f"{IGNORED}{problem}", file=sys.stderr, flush=True)
    _leave_only_our_settings(study, mode)
    runs, is_whole = WandbRuns(study, marks, name, mode, users.values), True
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
