"""The first trials of a search: published, learned from earlier studies, recommended."""

from typing import Any

import pytest

from galaxytune.plan import FirstTrial, first_trials, make_plan
from search_spaces.declaration import config_from_values
from search_spaces.parallel_cnn import Config as ParallelCnn
from search_spaces.simple_cnn import Config as SimpleCnn


@pytest.fixture(autouse=True)
def recommended(monkeypatch: pytest.MonkeyPatch) -> None:
    """Recommend two configs of simple_cnn, and one of parallel_cnn."""
    rates = ({"learning_rate": 2e-3}, {"learning_rate": 3e-3})
    monkeypatch.setattr(SimpleCnn, "RECOMMENDED", rates)
    monkeypatch.setattr(ParallelCnn, "RECOMMENDED", ({"learning_rate": 4e-3},))


def first(learned: dict[str, list[float]], trials: int = 20, **changes: Any) -> list[Any]:
    """Return origin, architecture and learning rate of the first trials of a search."""
    values: dict[str, Any] = {"name": "p", "data": "x.npz", "trials": trials, "epochs": 2}
    values["architectures"] = ["simple_cnn", "parallel_cnn"]
    plan = make_plan(values | changes)
    given = {
        name: [
            FirstTrial(plan.spaces[name].config({"learning_rate": rate}), "learned", "there")
            for rate in rates
        ]
        for name, rates in learned.items()
    }
    found = first_trials(plan, given)
    return [(t.origin, t.config.architecture[:2], t.config.learning_rate) for t in found]


def test_learned_configs_come_between_the_published_and_the_recommended_ones() -> None:
    assert first({"simple_cnn": [5e-3, 6e-3], "parallel_cnn": [7e-3]}) == [
        ("published", "si", 1e-3),
        ("published", "pa", 1e-3),
        ("learned", "si", 5e-3),
        ("learned", "pa", 7e-3),
        ("learned", "si", 6e-3),
        ("recommended", "si", 2e-3),
        ("recommended", "pa", 4e-3),
        ("recommended", "si", 3e-3),
    ]


def test_a_config_that_is_known_twice_comes_once() -> None:
    once = first({"simple_cnn": [1e-3]})
    assert [origin for origin, *_ in once] == ["published"] * 2 + ["recommended"] * 3


def test_half_of_a_short_search_is_drawn() -> None:
    assert len(first({"simple_cnn": [5e-3, 6e-3, 7e-3]}, trials=4)) == 4
    assert [o for o, *_ in first({}, trials=3)] == ["published", "published", "recommended"]
    assert len(first({"simple_cnn": [5e-3, 6e-3, 7e-3]}, trials=8)) == 2 + 4


def test_a_grid_has_none() -> None:
    plan = make_plan(
        {
            "name": "p",
            "data": "x",
            "architectures": "simple_cnn",
            "epochs": 2,
            "grid": {"dropout": [0.1]},
        }
    )
    assert first_trials(plan) == []


def test_a_trial_comes_back_from_its_line() -> None:
    config = config_from_values({"architecture": "simple_cnn", "dropout": 0.25})
    trial = FirstTrial(config, "learned", "trial 00001 of study first")
    assert FirstTrial.from_values(trial.as_values()) == trial
