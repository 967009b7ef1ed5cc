"""What a study tries first: published configs, recommended ones, then draws."""

from typing import Any

import optuna
import pytest
from optuna.samplers import RandomSampler

from galaxytune.driver.ledger import Ledger
from galaxytune.plan.making import make_plan
from galaxytune.plan.study_plan import StudyPlan
from galaxytune.sampling.proposals import draw_config, enqueue_first
from search_spaces.parallel_cnn import Config as ParallelCnn
from search_spaces.simple_cnn import Config as SimpleCnn
from tests.support.misbehaving import report_of
from tests.support.studies import BeginStudy

SIMPLE = ({"learning_rate": 2e-3}, {"learning_rate": 3e-3, "dropout": 0.4})
PARALLEL = ({"learning_rate": 4e-3},)


@pytest.fixture
def recommended(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two configs recommended of simple_cnn, and one of parallel_cnn."""
    monkeypatch.setattr(SimpleCnn, "RECOMMENDED", SIMPLE)
    monkeypatch.setattr(ParallelCnn, "RECOMMENDED", PARALLEL)


def plan_of(*architectures: str, **given: Any) -> StudyPlan:
    values = {"name": "p", "data": "x.npz", "trials": 20, "epochs": 27}
    return make_plan({**values, "architectures": architectures or ["simple_cnn"], **given})


def drawn(plan: StudyPlan, count: int) -> list[dict[str, Any]]:
    """The user attributes of the first trials of a study that draws at random."""
    study = optuna.create_study(sampler=RandomSampler(seed=0))
    enqueue_first(study, plan)
    return [draw_config(study.ask(), plan).user_attrs for _ in range(count)]


def test_the_published_config_is_first_and_as_published() -> None:
    first = drawn(plan_of(), 1)[0]
    assert first["published"] and first["config"]["learning_rate"] == 1e-3


def test_recommended_configs_come_after_the_published_ones_in_turn(recommended: None) -> None:
    tried = drawn(plan_of("simple_cnn", "parallel_cnn"), 6)
    assert [trial["published"] for trial in tried] == [True, True, False, False, False, False]
    configs = [trial["config"] for trial in tried]
    assert [config["architecture"] for config in configs[:5]] == [
        "simple_cnn", "parallel_cnn", "simple_cnn", "parallel_cnn", "simple_cnn"
    ]  # fmt: skip
    assert [config["learning_rate"] for config in configs[2:5]] == [2e-3, 4e-3, 3e-3]
    assert configs[4]["dropout"] == 0.4
    assert configs[5]["learning_rate"] not in (1e-3, 2e-3, 3e-3, 4e-3)  # drawn


def test_what_is_recommended_yields_to_what_the_plan_holds_fixed(recommended: None) -> None:
    tried = drawn(plan_of(set={"learning_rate": 5e-3}), 3)
    assert [trial["config"]["learning_rate"] for trial in tried] == [5e-3] * 3
    assert tried[1]["config"]["dropout"] == 0.4  # without its rate the first is the published
    assert not tried[2]["published"] and tried[2]["config"]["dropout"] != 0.4


def test_a_grid_tries_nothing_that_is_recommended(recommended: None) -> None:
    plan = make_plan(
        {
            "name": "p",
            "architectures": ["simple_cnn"],
            "data": "x.npz",
            "epochs": 2,
            "grid": {"seed": [0, 1]},
        }
    )
    tried = drawn(plan, 2)
    assert [trial["config"]["learning_rate"] for trial in tried] == [1e-3, 1e-3]


def test_a_journal_that_is_written_anew_queues_what_is_recommended_again(
    recommended: None, begin_study: BeginStudy
) -> None:
    folder = begin_study(trials=8)
    ledger = Ledger(folder)
    first = ledger.draw()
    assert first is not None
    ledger.hand_out(first)
    ledger.record_epoch(first, report_of(first, 1))
    ledger.finish(first, "complete", "all epochs trained")
    assert ledger.draw() == "00001"  # the first recommended config, whose trial does not end
    with folder.journal_file.open("r+b") as journal:
        journal.write(b"{damaged")
    rebuilt = Ledger(folder)
    assert folder.journal_file.with_name("optuna.journal.damaged-1").exists()
    tried = [*rebuilt.unfinished]
    while len(tried) < 4 and (found := rebuilt.draw()) is not None:
        tried.append(found)
    assert [rebuilt.config(trial_id).learning_rate for trial_id in tried[:2]] == [2e-3, 3e-3]
    assert not any(rebuilt.is_published(trial_id) for trial_id in tried)
    assert rebuilt.config(tried[2]).learning_rate not in (1e-3, 2e-3, 3e-3)
