"""Studies whose drivers are started to be killed: starting, ending and examining them.

What benchmarks/chaos.py and benchmarks/chaos_stock.py share.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import optuna
import yaml
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from galaxytune.study import StudyFolder
from tests.support.wandb_file import read_run

GALAXYTUNE = str(Path(sys.executable).with_name("galaxytune"))
PLAN = {
    "architectures": ["simple_cnn"],
    "trials": 12,
    "epochs": 9,
    "grace_epochs": 3,
    "max_retries": 50,
    "wandb": "offline",
    "set": {"width": 0.2, "batch_size": 16},
}
COUNTED = ("lost", "duplicated", "running in Optuna", "epochs missing or doubled in curves",
           "runs or epochs missing or doubled in W&B", "not resumable")  # fmt: skip


def environment() -> dict[str, str]:
    """The environment without what Ray and W&B put into it."""
    return {k: v for k, v in os.environ.items() if not k.startswith(("RAY_", "WANDB_"))}


def galaxytune(*arguments: object, cwd: Path) -> subprocess.Popen:
    """Start the command line, its output beside the studies."""
    log = (cwd / "chaos.log").open("ab")
    command = [GALAXYTUNE, *map(str, arguments)]
    return subprocess.Popen(command, cwd=cwd, env=environment(), stdout=log, stderr=log)


def descendants(parent: int) -> Iterator[tuple[int, str]]:
    """Processes below one, with their titles, by Linux's /proc."""
    parents = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            parents[int(folder.name)] = (int(fields[1]), (folder / "cmdline").read_text())
        except OSError:
            continue  # it has just ended
    for process, (above, title) in parents.items():
        while above in parents and above != parent:
            above = parents[above][0]
        if above == parent:
            yield process, title


def kill_all(processes: list[int]) -> None:
    """SIGKILL what is left of a killed driver's own Ray, as a machine's loss would."""
    for process in processes:
        try:
            os.kill(process, signal.SIGKILL)
        except ProcessLookupError:
            continue


def make_study(folder: Path, name: str, **changes: object) -> StudyFolder:
    """A study that has not begun; its driver is stopped as soon as the folder is there."""
    plan = folder / f"{name}.yaml"
    plan.write_text(yaml.safe_dump({**PLAN, **changes, "name": name, "data": "g.npz"}))
    driver = galaxytune("search", plan, "--local-cpus", 2, cwd=folder)
    study = StudyFolder(folder / "studies" / name)
    while not study.plan_file.exists():
        if driver.poll() is not None:
            raise RuntimeError(f"no study was made, see {folder / 'chaos.log'}")
        time.sleep(0.2)
    end_driver(driver)
    return study


def end_driver(driver: subprocess.Popen) -> None:
    """SIGKILL a driver, then what it had started."""
    below = [process for process, _ in descendants(driver.pid)]
    driver.kill()
    driver.wait()
    time.sleep(random.choice((0.0, 0.5)))  # sometimes its workers outlive it a little
    kill_all(below)


def wait_for_growth(driver: subprocess.Popen, folder: Path, pattern: str) -> None:
    """Return when a driver has written to such files, or has ended, or after a minute."""

    def size() -> int:
        return sum(path.stat().st_size for path in folder.glob(pattern))

    before, deadline = size(), time.monotonic() + 60
    while size() == before and driver.poll() is None and time.monotonic() < deadline:
        time.sleep(0.1)


def wait_at_random(driver: subprocess.Popen, folder: Path, pattern: str) -> None:
    """Wait up to four seconds: one time in four from the start, three from an epoch's report."""
    if random.random() < 0.75:
        wait_for_growth(driver, folder, pattern)
    time.sleep(random.uniform(0.0, 4.0))


class Tally:
    """A count of the finished trials that were seen and lost while a study was disturbed."""

    def __init__(self, study: StudyFolder) -> None:
        """Nothing is seen yet."""
        self.study = study
        self.seen: dict[str, str] = {}
        self.lost = 0

    def look(self) -> None:
        """Compare the records with those seen before: each must stand as it stood."""
        path = self.study.records_file
        lines = path.read_text().splitlines() if path.exists() else []
        now = {}
        for line in lines:
            try:
                now[json.loads(line)["id"]] = line
            except json.JSONDecodeError:
                continue  # the last line may be cut short; it was never a finished trial
        self.lost += sum(now.get(trial) != line for trial, line in self.seen.items())
        self.seen = now | self.seen


def inspect(study: StudyFolder, tally: Tally, resumed: bool) -> dict[str, int]:
    """Count everything that is wrong with a study after its last resume."""
    tally.look()
    records = study.records()
    storage = JournalStorage(JournalFileBackend(str(study.journal_file)))
    trials = optuna.load_study(study_name=study.name, storage=storage).trials
    running = sum(t.state == optuna.trial.TrialState.RUNNING for t in trials)
    curves = wandb = 0
    for record in records:
        curve = study.curve(record.id)
        epochs = [report.epoch for report in curve]
        curves += epochs != list(range(1, record.epochs + 1))
        name = record.wandb_run_id
        runs = list(study.path.glob(f"wandb/offline-run-*-{name}/run-{name}.wandb"))
        logged = read_run(runs[0])["history"] if len(runs) == 1 else {}
        plain = {s: {k: v for k, v in row.items() if k[0] != "_"} for s, row in logged.items()}
        wandb += plain != {report.epoch: report.as_values() for report in curve}
    return dict(zip(COUNTED, (
        tally.lost + (study.plan.trials - len({r.id for r in records})),
        len(records) - len({r.id for r in records}),
        running, curves, wandb, int(not resumed),
    )))  # fmt: skip


def finish(study: StudyFolder, *arguments: object, seconds: float = 300) -> bool:
    """Resume a study to its end; whether that ended well."""
    driver = galaxytune("resume", study.name, *arguments, cwd=study.path.parents[1])
    try:
        return driver.wait(timeout=seconds) == 0
    except subprocess.TimeoutExpired:
        end_driver(driver)
        return False
