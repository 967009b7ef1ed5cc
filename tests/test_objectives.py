"""More than one goal: a Pareto front, a limit on the tree residual, fresh seeds for the winner."""

from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState

from analysis.leaderboard import best_trial, pareto_front, ranked
from galaxytune.confirmation import Confirmed, best_configs, confirm_study, verdict
from galaxytune.penalising_sampler import BLAMED, PenalisingSampler
from galaxytune.ray_cluster import ClusterAddress
from galaxytune.report_command import report_studies
from galaxytune.search import run_study
from galaxytune.search_commands import leaderboard_of
from galaxytune.study_folder import StudyFolder
from tests.conftest import small_study
from tests.test_constraint_study import record
from tests.test_study import assert_whole, optuna_trials

pytestmark = pytest.mark.usefixtures("small_ray")


def trained(toy_npz: Path, storage: Path, **changes: Any) -> StudyFolder:
    own = {"epochs": 2, "set": {"width": 0.1, "batch_size": 32}}
    folder = small_study(toy_npz, storage, **{**own, **changes})
    run_study(folder)
    return folder


def with_residual(number: int, rmse: float, residual: float):
    metrics = {"validation": {"rmse": rmse, "tree_residual": residual}}
    return record(number, rmse).model_copy(update={"metrics": metrics})


def test_the_front_holds_what_no_other_beats_in_both() -> None:
    points = [(0.10, 0.5), (0.11, 0.3), (0.12, 0.4), (0.13, 0.1), (0.14, 0.1)]
    trials = [with_residual(i, *point) for i, point in enumerate(points)]
    assert [r.id for r in pareto_front(trials)] == ["00000", "00001", "00003"]


def test_what_breaks_the_limit_stands_behind_what_keeps_it() -> None:
    broken = record(0, 0.1).model_copy(update={"feasible": False})
    kept = record(1, 0.2).model_copy(update={"feasible": True})
    assert [r.id for r in ranked([broken, kept])] == ["00001", "00000"]
    assert best_trial([broken, kept]).id == "00001"


@pytest.fixture(scope="module")
def weighed(toy_npz: Path, tmp_path_factory: pytest.TempPathFactory) -> StudyFolder:
    """A study with two objectives."""
    return trained(toy_npz, tmp_path_factory.mktemp("weighed"), objective="rmse_and_residual")


def test_two_objectives_are_told_and_resumed(weighed: StudyFolder) -> None:
    assert_whole(weighed)
    by_id = sorted(weighed.records(), key=lambda r: r.id)
    for record_, trial in zip(by_id, optuna_trials(weighed)):
        assert trial.values == [record_.val_rmse, record_.tree_residual]
    run_study(weighed)
    assert len(weighed.records()) == 4


def test_the_report_of_two_objectives_shows_the_front(
    weighed: StudyFolder, tmp_path: Path
) -> None:
    text = report_studies([weighed], tmp_path, images=None).read_text()
    assert ">RMSE against tree residual</h2>" in text and "The Pareto front" in text
    assert (tmp_path / "pareto.png").exists() and (tmp_path / "pareto.pdf").exists()


def test_studies_together_have_one_front(tmp_path: Path) -> None:
    for name, points in {"a": [(0.10, 0.5), (0.20, 0.4)], "b": [(0.10, 0.45)]}.items():
        (tmp_path / name).mkdir()
        trials = [with_residual(i, *point) for i, point in enumerate(points)]
        lines = "".join(f"{trial.model_dump_json()}\n" for trial in trials)
        (tmp_path / name / "trials.jsonl").write_text(lines)
    board = leaderboard_of([StudyFolder(tmp_path / name) for name in "ab"])
    front = {(row["study"], row["id"]) for row in board["trials"] if row["pareto"]}
    assert front == {("a", "00001"), ("b", "00000")}


def test_a_limit_is_told_as_an_optuna_constraint(toy_npz: Path, tmp_path: Path) -> None:
    folder = trained(toy_npz, tmp_path, max_tree_residual=0.4)
    records = {r.id: r for r in folder.records()}
    for trial in optuna_trials(folder):
        record_ = records[f"{trial.number:05d}"]
        assert record_.tree_residual is not None
        assert trial.constraints == {"tree_residual": pytest.approx(record_.tree_residual - 0.4)}
        assert record_.feasible == (record_.tree_residual <= 0.4)


def penalised(sampler: optuna.samplers.BaseSampler) -> list[float]:
    """What a study draws after 30 trials whose config was blamed wherever x > .5."""
    study = optuna.create_study(sampler=sampler)
    drawn = []
    for number in range(60):
        trial = study.ask()
        x = trial.suggest_float("x", 0, 1)
        if x > 0.5:
            trial.set_user_attr(BLAMED, True)
            study.tell(trial, state=TrialState.FAIL)
        else:
            study.tell(trial, 0.2)
        drawn += [x] if number >= 30 else []
    return drawn


def test_configs_that_fail_are_avoided_where_optuna_alone_returns_to_them() -> None:
    tpe = optuna.samplers.TPESampler(seed=0)
    ours = penalised(PenalisingSampler(optuna.samplers.TPESampler(seed=0)))
    plain = penalised(tpe)
    assert sum(x > 0.5 for x in ours) < sum(x > 0.5 for x in plain) / 2


def test_blamed_trials_stay_failed_in_the_storage() -> None:
    study = optuna.create_study(sampler=PenalisingSampler(optuna.samplers.RandomSampler(seed=0)))
    trial = study.ask()
    trial.suggest_float("x", 0, 1)
    trial.set_user_attr(BLAMED, True)
    study.tell(trial, state=TrialState.FAIL)
    study.ask().suggest_float("x", 0, 1)
    assert study.trials[0].state == TrialState.FAIL and study.trials[0].values is None


def test_the_winner_is_trained_again_with_fresh_seeds(toy_npz: Path, tmp_path: Path) -> None:
    study = trained(toy_npz, tmp_path)
    found = confirm_study(study, num_seeds=2, num_best=2, where=ClusterAddress())
    chosen = best_configs(study.records(), 2)
    assert {c.trial_id for c in found} == {r.id for r in chosen}
    assert all(len(c.values) == 2 and c.num_failed == 0 for c in found)
    assert found[0].mean <= found[1].mean
    folder = StudyFolder(tmp_path / "s-confirm-2")
    assert {r.config["seed"] for r in folder.records()} == {1000, 1001}
    again = confirm_study(study, num_seeds=2, num_best=2, where=ClusterAddress())
    assert again == found  # what is there is not trained twice


def test_the_verdict_says_whether_the_ranking_changed() -> None:
    lucky = Confirmed("00001", "simple_cnn", 0.10, (0.14, 0.15), 0)
    steady = Confirmed("00002", "simple_cnn", 0.11, (0.11, 0.12), 0)
    assert "the ranking changed: trial 00002" in verdict([steady, lucky])
    assert "the winner stays first: trial 00001" in verdict(
        [Confirmed("00001", "simple_cnn", 0.10, (0.10, 0.10), 0), steady]
    )


def test_trials_that_differ_in_the_seed_alone_are_confirmed_once() -> None:
    trials = [record(0, 0.1, seed=0), record(1, 0.2, seed=1), record(2, 0.3, learning_rate=0.01)]
    assert [r.id for r in best_configs(trials, 5)] == ["00000", "00002"]
