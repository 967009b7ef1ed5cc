"""Whole studies with more than one goal: a Pareto front, a limit, fresh seeds for the winner."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from galaxytune.cluster.connection import ClusterAddress
from galaxytune.driver.confirmation import best_configs, confirm_study
from galaxytune.driver.run import run_study
from galaxytune.models.study_report import report_studies
from galaxytune.study.folder import StudyFolder
from tests.support.command_line import run_main
from tests.support.studies import assert_whole, optuna_trials, small_study

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("small_ray")]


def trained(toy_npz: Path, storage: Path, **changes: Any) -> StudyFolder:
    own = {"epochs": 2, "set": {"width": 0.1, "batch_size": 32}}
    folder = small_study(toy_npz, storage, **{**own, **changes})
    run_study(folder)
    return folder


@pytest.fixture(scope="module")
def weighed(toy_npz: Path, tmp_path_factory: pytest.TempPathFactory) -> StudyFolder:
    """A study with two objectives."""
    return trained(toy_npz, tmp_path_factory.mktemp("weighed"), objective="rmse_and_residual")


def test_two_objectives_are_told_and_resumed(weighed: StudyFolder) -> None:
    assert_whole(weighed)
    by_id = sorted(weighed.records(), key=lambda r: r.id)
    for ended, trial in zip(by_id, optuna_trials(weighed)):
        assert trial.values == [ended.val_rmse, ended.tree_residual]
    run_study(weighed)
    assert len(weighed.records()) == 4


def test_the_report_of_two_objectives_shows_the_front(
    weighed: StudyFolder, tmp_path: Path
) -> None:
    copy = StudyFolder(Path(shutil.copytree(weighed.path, tmp_path / "s")))
    shutil.rmtree(copy.checkpoints)  # the figures of networks are another test's
    out = tmp_path / "out"
    text = report_studies([copy], out).read_text()
    assert ">RMSE against tree residual</h2>" in text and "The Pareto front" in text
    assert (out / "pareto.png").exists() and (out / "pareto.pdf").exists()


@pytest.fixture(scope="module")
def limited(toy_npz: Path, tmp_path_factory: pytest.TempPathFactory) -> StudyFolder:
    """A study with a limit on the tree residual."""
    return trained(toy_npz, tmp_path_factory.mktemp("limited"), max_tree_residual=0.4)


def test_a_limit_is_told_as_an_optuna_constraint(limited: StudyFolder) -> None:
    records = {r.id: r for r in limited.records()}
    for trial in optuna_trials(limited):
        ended = records[f"{trial.number:05d}"]
        assert ended.tree_residual is not None
        assert trial.constraints == {"tree_residual": pytest.approx(ended.tree_residual - 0.4)}
        assert ended.feasible == (ended.tree_residual <= 0.4)


def test_the_winner_is_trained_again_with_fresh_seeds(
    limited: StudyFolder, capfd: pytest.CaptureFixture[str]
) -> None:
    found = confirm_study(limited, num_seeds=2, num_best=2, where=ClusterAddress())
    chosen = best_configs(limited.records(), 2)
    assert {c.id for c in found.trials} == {r.id for r in chosen}
    assert all(len(c.val_rmse_by_seed) == 2 and c.num_failed == 0 for c in found.trials)
    assert found.trials[0].mean <= found.trials[1].mean
    storage = limited.path.parent
    assert {r.config.seed for r in StudyFolder(storage / "s-confirm-2").records()} == {1000, 1001}
    again = confirm_study(limited, num_seeds=2, num_best=2, where=ClusterAddress())
    assert again == found  # what is there is not trained twice
    capfd.readouterr()
    asked = ["--seeds", "2", "--top", "2", "--json", "--storage", storage]
    assert run_main("confirm", "s", *asked) == 0
    assert json.loads(capfd.readouterr().out) == found.as_values()
