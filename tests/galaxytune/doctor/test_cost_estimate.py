"""What a plan is estimated to cost."""

from pathlib import Path

import pytest

from galaxytune.doctor.cost_estimate import estimate, halved_epochs, whole_trials
from tests.support.health import MEASURED, small_plan


def test_the_estimate_is_what_one_works_out_by_hand(toy_npz: Path) -> None:
    asked = small_plan(toy_npz, cpus_per_trial=2.0)
    # rungs at 1 and 3 of 9 epochs
    assert halved_epochs(asked, 9, 5) == pytest.approx((5 * 1 + 1 * 2 + 1 * 6) / 5)
    mean = halved_epochs(asked, 9, 19)
    assert mean == pytest.approx((19 * 1 + 6 * 2 + 2 * 6) / 19)
    assert whole_trials(asked) == 1
    cost = estimate(asked, {"simple_cnn": MEASURED}, {"training": 100, "validation": 20}, 4)
    epoch = 4 * 2.0 + 20 * 0.5  # 4 steps, 20 galaxies validated
    assert cost.device_hours_without_halving == pytest.approx(20 * 9 * epoch * 2 / 3600)
    assert cost.device_hours == pytest.approx((9 + 19 * mean) * epoch * 2 / 3600)
    assert cost.wall_hours == pytest.approx((9 + 19 * mean) * epoch / 4 / 3600)
    # four trials run; of 20 that come to the first rung and 6 at the next, 5 and 3 may pause
    assert cost.disk_bytes == (5 + 1) * 100 + (4 + 5 + 3) * (100 + 400) + 10


def test_a_grid_is_not_halved_and_a_grace_to_be_measured_begins_with_a_27th(
    toy_npz: Path,
) -> None:
    grid = small_plan(toy_npz, grid=[{"learning_rate": [1e-3, 1e-2]}], trials=2)
    assert (halved_epochs(grid, 9, 2), whole_trials(grid)) == (9.0, 2)
    measuring = small_plan(toy_npz, grace_epochs=None, epochs=27)
    many = halved_epochs(measuring, 27, 10_000)
    assert many == pytest.approx(1 + 2 / 3 + 6 / 9 + 18 / 27, rel=0.01)


def test_a_grid_counts_the_epochs_and_architectures_of_its_points(toy_npz: Path) -> None:
    grid = [
        {"architecture": ["simple_cnn"], "epochs": [2, 4], "learning_rate": [1e-3, 1e-2]},
        {"architecture": ["parallel_cnn"], "epochs": [10]},
    ]
    architectures = ["simple_cnn", "parallel_cnn"]
    asked = small_plan(toy_npz, architectures=architectures, grid=grid, trials=5, epochs=None)
    assert asked.longest_epochs == 10
    measured = dict.fromkeys(architectures, MEASURED)
    cost = estimate(asked, measured, {"training": 100, "validation": 20}, 5)
    epoch = 4 * 2.0 + 20 * 0.5  # 4 steps, 20 galaxies validated
    assert cost.device_hours == pytest.approx((2 * 2 + 2 * 4 + 10) * epoch / 3600)
    assert cost.epochs_per_trial == pytest.approx(22 / 5)
    assert not any("evenly" in assumption for assumption in cost.assumptions)


def test_further_seeds_are_estimated_as_trained_whole(toy_npz: Path) -> None:
    asked = small_plan(toy_npz, seed_share=0.2)
    # 19 trials with the rungs at 1 and 3 have 19 + 6 x 2 + 2 x 6 epochs, which pay for 4 seeds
    assert whole_trials(asked) == 1 + 4
    cost = estimate(asked, {"simple_cnn": MEASURED}, {"training": 100, "validation": 20}, 4)
    assert cost.epochs_per_trial == pytest.approx((5 * 9 + 15 * 1 + 5 * 2 + 1 * 6) / 20)
    assert any("further seeds of the best configs" in told for told in cost.assumptions)
    # five best, one of each architecture, the best of each of four leaders; states as above
    assert cost.disk_bytes == (5 + 1 + 4) * 100 + (4 + 5 + 3) * (100 + 400) + 10
