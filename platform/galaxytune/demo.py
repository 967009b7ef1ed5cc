"""The demo: the whole path from galaxies to predictions, small enough for two CPU cores."""

import os
from pathlib import Path

import yaml

from analysis.leaderboard import best_trial
from galaxytune.data_commands import predict_file, simulate_file
from galaxytune.export import export_best
from galaxytune.ray_cluster import ClusterAddress
from galaxytune.report_command import report_studies
from galaxytune.search import new_study, run_study
from galaxytune.search_commands import leaderboard_of, noise_floor_line, outcome_lines
from galaxytune.study_folder import StudyFolder
from galaxytune.study_plan import StudyPlan, make_plan
from galaxytune.tables import leaderboard_table
from galaxytune.terminal import say, show_table

# Narrow enough for an epoch of a few seconds on one core; small batches, because the moving
# averages of the parallel CNN's BatchNorm need some hundred steps to settle.
_SETTINGS = {"parallel_cnn.width": 0.06, "simple_cnn.width": 0.5, "batch_size": 32}
_EPOCHS = 8


def demo_plan(data: Path, num_trials: int) -> StudyPlan:
    """Both of the student project's own CNNs, narrow, W&B offline."""
    return make_plan(
        {
            "name": "demo",
            "architectures": ["simple_cnn", "parallel_cnn"],
            "data": str(data),
            "trials": num_trials,
            "epochs": _EPOCHS,
            "set": _SETTINGS,
            "grace_epochs": 3,
            "wandb": "offline",
        }
    )


def _fresh_storage(folder: Path) -> Path:
    """A place for the demo's study beside those of earlier demos, which are kept."""
    for number in range(1, 1000):
        storage = folder / f"run-{number}"
        if not storage.exists():
            return storage
    raise ValueError(f"{folder} holds 999 demos; remove it")


def run_demo(folder: Path, *, num_trials: int, num_galaxies: int) -> None:
    """Simulate, search, compare, export, predict; the last lines say what came of it."""
    storage = _fresh_storage(folder)
    data = storage / "galaxies.npz"
    simulate_file(data, num_galaxies, seed=0)
    study = new_study(demo_plan(data, num_trials), storage)
    say(f"search: {num_trials} trials of up to {_EPOCHS} epochs over two architectures")
    run_study(study, ClusterAddress())
    board = leaderboard_of([study])
    show_table(leaderboard_table(study.name, board["trials"], noise_floor_line([study])))
    exported = storage / "export"
    export_best(study, exported)
    predict_file(exported, data, storage / "predictions.csv")
    page = report_studies([study], storage / "report", images=None)
    _say_outcome(study, page, exported)


def _say_outcome(study: StudyFolder, page: Path, exported: Path) -> None:
    best = best_trial(study.records())
    say("")
    say("best config:")
    for line in yaml.safe_dump(best.config, sort_keys=False).splitlines():
        say(f"  {line}")
    for line in outcome_lines(study):
        say(line)
    say(f"report:     {os.path.relpath(page)}")
    say(f"export:     {os.path.relpath(exported)}")
    say(f"W&B folder: {os.path.relpath(study.path / 'wandb')}")
