"""The constraints study: seeds are paired, zero serves both trees, and a search is no study."""

import pandas as pd
import pytest

from analysis.records import TrialRecord
from analysis.statistics.constraint_study import (
    coefficient_results,
    constraint_trials,
    save_tables,
    trial_table,
)
from tests.support.records import grid, record


def test_differences_are_paired_by_seed() -> None:
    zero, one = coefficient_results(trial_table(grid({0: 0.0, 1: 0.02}, noise=0.001)))
    assert zero.rmse_change is None and one.rmse_change is not None
    assert one.rmse_change.mean == pytest.approx(0.02, abs=2e-3)
    assert one.rmse_change.interval is not None and one.rmse_interval is not None
    widths = [high - low for low, high in (one.rmse_change.interval, one.rmse_interval)]
    assert widths[0] < widths[1] / 3  # the seeds' own scatter cancels


def by_the_published_tree(trial: TrialRecord, **changes: object) -> TrialRecord:
    config = trial.config.model_copy(update={"tree": "as_published"})
    return trial.model_copy(update={"config": config, **changes})


def test_zero_trained_once_is_the_reference_of_both_trees() -> None:
    by_the_other = [
        record(20 + seed, 0.18 + 0.01 * seed, constraint_coefficient=1, seed=seed,
               tree="as_published")
        for seed in range(3)
    ]  # fmt: skip
    results = coefficient_results(trial_table([*grid({0: 0, 1: 0.02}), *by_the_other]))
    assert [(r.tree, r.coefficient) for r in results] == [
        ("as_published", 0), ("as_published", 1), ("true", 0), ("true", 1)
    ]  # fmt: skip
    changes = [r.rmse_change.mean for r in results if r.rmse_change]
    assert changes == pytest.approx([0.03, 0.02], abs=1e-3)


def test_each_tree_is_a_family_of_its_own() -> None:
    def p_values(trials: list[TrialRecord]) -> list[float | None]:
        changes = [r.rmse_change for r in coefficient_results(trial_table(trials))]
        return [c.p_value for c in changes if c]

    one = grid({0: 0, 0.1: 0.001, 1: 0.002}, noise=1e-3)
    other = [by_the_published_tree(trial) for trial in one[3:]]
    assert p_values([*one, *other]) == 2 * p_values(one)


def test_only_trials_that_differ_in_the_coefficient_are_compared() -> None:
    trials = grid({0: 0, 1: 0.1})
    assert len(constraint_trials(trials)) == 6
    assert constraint_trials([*trials, record(9, 0.1, learning_rate=0.01)]) == []
    assert constraint_trials(trials[:3]) == []  # one coefficient alone


def test_values_that_a_search_drew_are_no_grid() -> None:
    drawn = [
        record(i, 0.1 + i / 1e3, constraint_coefficient=10 ** -(1 + i / 20)) for i in range(40)
    ]
    assert constraint_trials(drawn) == []
    assert constraint_trials(drawn[:5]) == []
    again = record(40, 0.1, constraint_coefficient=drawn[0].config.constraint_coefficient, seed=1)
    assert constraint_trials([*drawn, again]) == []  # one repeat makes no grid of 40 values
    assert len(constraint_trials([*drawn[:3], again])) == 4
    assert len(constraint_trials(grid({0: 0, 0.1: 0.1, 1: 0.1}, 1))) == 3  # 0 among few values


def test_both_tables_are_written(tmp_path) -> None:
    table = trial_table(grid({0: 0, 0.1: 0.01, 1: 0.05}))
    path = save_tables(table, coefficient_results(table), tmp_path, "coefficients")
    assert path == tmp_path / "coefficients.csv"
    trials = pd.read_csv(path)
    assert len(trials) == 9 and set(trials["coefficient"]) == {0, 0.1, 1}
    summary = pd.read_csv(tmp_path / "coefficients_summary.csv")
    assert list(summary["num_pairs"]) == [0, 3, 3]
    assert summary["rmse_change"].isna().tolist() == [True, False, False]
