"""The replay of recorded curves: simulated time, curves between the recorded ones, methods."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.replay.comparison import times_to_target
from benchmarks.replay.coordinates import Coordinates
from benchmarks.replay.curve_forest import CurveForest
from benchmarks.replay.methods import OURS, RANDOM, makers
from benchmarks.replay.nearest_curves import NearestCurves
from benchmarks.replay.recorded_curves import RecordedCurves, read_curves
from benchmarks.replay.runs import Landscape, Runs, Search
from benchmarks.replay.search_plan import random_configs, search_plan, searched
from benchmarks.replay.simulation import Curve, Job, Method, Outcome, simulate
from tests.support.synthetic_curves import EPOCHS, synthetic_rmse, write_synthetic_curves

RECORDED = Path(__file__).parents[2] / "benchmarks" / "curves" / "simple_cnn.parquet"


@pytest.fixture(scope="module")
def curves_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_synthetic_curves(tmp_path_factory.mktemp("curves") / "a.parquet", 60)


@pytest.fixture(scope="module")
def recorded(curves_file: Path) -> RecordedCurves:
    return read_curves(curves_file)


class Falling:
    """Every config falls by .1 an epoch from .5, at 2 s an epoch; `bad` diverges at once."""

    num_epochs = 3

    def curve(self, config: Mapping[str, Any]) -> Curve:
        rmse = np.full(3, np.nan) if config.get("bad") else np.array([0.5, 0.4, 0.3])
        return Curve(rmse, 2.0)


class Halting(Method):
    """Trial 0 pauses after its first epoch and is resumed as the third job; trial 1 diverges."""

    def __init__(self) -> None:
        self.jobs = [Job(0, {}), Job(1, {"bad": True}), Job(0, {}, 2), Job(2, {}), Job(3, {})]
        self.heard: list[tuple[int, int]] = []
        self.diverged: list[int] = []

    def next_job(self) -> Job:
        return self.jobs.pop(0)

    def goes_on(self, trial: int, epoch: int, rmse: float) -> bool:
        self.heard.append((trial, epoch))
        return (trial, epoch) != (0, 1)

    def failed(self, trial: int) -> None:
        self.diverged.append(trial)


def test_a_paused_trial_goes_on_where_it_was() -> None:
    method = Halting()
    outcome = simulate(method, Falling(), num_workers=1, budget=10.0)
    assert method.heard == [(0, 1), (0, 2), (0, 3), (2, 1)]
    assert method.diverged == [1]
    assert outcome.device_seconds == [2.0, 6.0, 8.0]  # a diverged epoch is paid for too
    assert (outcome.num_trials, outcome.num_epochs) == (3, 5)


def test_device_time_counts_all_workers() -> None:
    method = Halting()
    method.jobs = [Job(i, {}) for i in range(5, 20)]
    outcome = simulate(method, Falling(), num_workers=4, budget=24.0)
    assert outcome.device_seconds == [8.0, 16.0, 24.0]
    assert outcome.seconds_to(0.4) == 16.0 and outcome.seconds_to(0.2) == math.inf


def test_a_search_ends_at_its_target() -> None:
    outcome = simulate(Halting(), Falling(), num_workers=1, budget=99.0, target=0.4)
    assert outcome.best == [0.5, 0.4]


def test_a_recording_is_read_as_it_was_written(recorded: RecordedCurves) -> None:
    plan = search_plan("simple_cnn", trials=60, epochs=EPOCHS)
    drawn = [searched(config) for config in random_configs(plan, seed=0)]
    assert list(recorded.configs) == drawn
    assert recorded.rmse.shape == (60, EPOCHS)


def test_a_file_of_something_else_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("no parquet")
    with pytest.raises(ValueError, match="cannot be read"):
        read_curves(tmp_path / "x")


def test_coordinates_lie_between_0_and_1(recorded: RecordedCurves) -> None:
    places = Coordinates("simple_cnn").matrix(recorded.configs)
    assert places.min() >= 0 and places.max() <= 1.02
    assert np.unique(places[:, 1]).size == 60  # the learning rate


def test_shared_and_single_coefficients_meet_in_their_coordinates(
    recorded: RecordedCurves,
) -> None:
    one = {k: v for k, v in recorded.configs[0].items() if k != "constraint_coefficient"}
    each = {f"constraint_coefficients.{q}": 1e-3 for q in range(1, 12)}
    shared = Coordinates("simple_cnn").vector({**one, "constraint_coefficient": 1e-3})
    assert shared == pytest.approx(Coordinates("simple_cnn").vector({**one, **each}))


@pytest.mark.slow
def test_the_forest_returns_recorded_curves_and_one_curve_a_config(
    recorded: RecordedCurves,
) -> None:
    forest = CurveForest(recorded)
    config = dict(recorded.configs[7])
    assert forest.drawn(0).curve(config).rmse == pytest.approx(recorded.rmse[7])
    config["dropout"] = 0.123
    first, again = forest.drawn(0).curve(config), forest.drawn(0).curve(config)
    other = forest.drawn(1).curve(config)
    assert first.rmse == pytest.approx(again.rmse)
    assert first.rmse != pytest.approx(other.rmse)


@pytest.mark.slow
def test_the_forest_ranks_configs_it_has_not_seen(recorded: RecordedCurves) -> None:
    forest = CurveForest(recorded)
    plan = search_plan("simple_cnn", trials=40, epochs=EPOCHS)
    configs = [searched(config) for config in random_configs(plan, seed=5)][1:]
    quiet = np.random.default_rng(0)
    real = np.array([synthetic_rmse(config, quiet).min() for config in configs])
    draws = [forest.drawn(seed) for seed in range(8)]
    guessed = np.array([np.mean([d.curve(c).rmse.min() for d in draws]) for c in configs])
    whole = np.isfinite(real) & np.isfinite(guessed)  # a config that diverges has no RMSE to rank
    assert whole.sum() > 30
    assert np.corrcoef(real[whole], guessed[whole])[0, 1] > 0.6
    assert forest.error.rank_correlation > 0.5


@pytest.mark.slow
def test_no_simulated_first_epoch_is_far_better_than_any_recorded() -> None:
    recorded = read_curves(RECORDED)
    curves = CurveForest(recorded).drawn(0)
    plan = search_plan(recorded.architecture, trials=600, epochs=recorded.num_epochs)
    configs = [searched(config) for config in random_configs(plan, seed=5)][1:]
    first = np.array([curves.curve(config).rmse[0] for config in configs])
    assert np.nanmin(first) > 0.9 * np.nanmin(recorded.rmse[:, 0])


def test_the_nearest_config_lends_its_curve(recorded: RecordedCurves) -> None:
    config = recorded.configs[7] | {"dropout": recorded.configs[7]["dropout"] + 1e-4}
    assert NearestCurves(recorded).curve(config).rmse == pytest.approx(recorded.rmse[7])


@pytest.mark.slow
@pytest.mark.parametrize("name", list(makers()))
def test_every_method_searches_to_the_end_of_its_budget(
    name: str, recorded: RecordedCurves
) -> None:
    method = makers()[name]("simple_cnn", EPOCHS, 3)
    budget = 20.0 * EPOCHS
    outcome = simulate(method, NearestCurves(recorded), num_workers=4, budget=budget)
    assert budget - 4 <= outcome.num_epochs <= budget  # the synthetic epochs take a second
    assert outcome.best[-1] < 0.2


def test_galaxytune_begins_with_the_published_config(recorded: RecordedCurves) -> None:
    assert makers()[OURS]("simple_cnn", EPOCHS, 3).next_job().config == recorded.configs[0]


@pytest.mark.slow
def test_known_runs_are_not_simulated_again(curves_file: Path, tmp_path: Path) -> None:
    search = Search(RANDOM, 1, 0, 81.0)
    landscape = Landscape(curves_file, source="nearest")
    first = Runs(tmp_path / "runs.jsonl", landscape).get([search], processes=1)
    kept = (tmp_path / "runs.jsonl").read_text()
    again = Runs(tmp_path / "runs.jsonl", landscape).get([search], processes=0)  # would raise
    assert again == first
    assert (tmp_path / "runs.jsonl").read_text() == kept


def test_the_speed_up_takes_random_searchs_budget_where_it_does_not_arrive() -> None:
    def ends(*times: float) -> list[Outcome]:
        return [Outcome([t], [0.1]) if t < 99 else Outcome([t], [0.2]) for t in times]

    found = {RANDOM: ends(40, 99, 99), OURS: ends(4, 6, 8)}
    outcomes = {
        Search(name, 1, seed, 60.0): outcome
        for name, ended in found.items()
        for seed, outcome in enumerate(ended)
    }
    ours, random = times_to_target(outcomes, targets=[0.1], seconds_per_training=2.0)
    assert (ours.method, ours.median, ours.speed_up) == (OURS, 3.0, 10.0)
    assert (random.num_reached, random.num_seeds, random.median) == (1, 3, math.inf)


def test_each_landscape_is_made_of_other_configs_and_has_its_own_target(curves_file: Path) -> None:
    landscape = Landscape(curves_file, num_variants=3)
    recorded = landscape.read()
    parts = [landscape.part(recorded, variant) for variant in range(3)]
    assert {len(part) for part in parts} == {1 + round(0.75 * (len(recorded) - 1))}
    assert all(part.configs[0] == recorded.configs[0] for part in parts)  # the published one
    assert parts[0].configs != parts[1].configs != parts[2].configs
    found = {
        Search(RANDOM, 1, seed, 60.0): Outcome([1.0], [0.1 + seed / 100]) for seed in range(6)
    }
    (row,) = times_to_target(found, targets=[0.1, 0.1, 0.155], seconds_per_training=1.0)
    assert row.num_reached == 3  # seeds 0, 2 and 5: 0.10, 0.12 and 0.15
