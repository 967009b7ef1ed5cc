"""The constraints study: paired by seed, corrected for many comparisons, said in words."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis.coefficient_effects import (
    FEWEST_TRIALS,
    coefficient_effects,
    effects_sentence,
    per_question_trials,
)
from analysis.constraint_sections import constraint_sections
from analysis.constraint_study import (
    coefficient_results,
    constraint_trials,
    supported_sentence,
    trial_table,
)
from analysis.intervals import (
    holm_adjusted,
    mean_interval,
    paired_p_value,
    paired_rmse_interval,
)
from analysis.trial_record import TrialRecord
from search_spaces import config_from_values


def record(number: int, rmse: float, **values: object) -> TrialRecord:
    config = config_from_values({"architecture": "simple_cnn", **values})
    return TrialRecord(
        id=f"{number:05d}",
        architecture="simple_cnn",
        config=config.model_dump(mode="json"),
        published=False,
        status="complete",
        reason="all epochs trained",
        best_epoch=2,
        metrics={"validation": {"rmse": rmse, "tree_residual": rmse / 2}},
        epochs=3,
        device_seconds=1.0,
        wandb_run_id=None,
    )


def grid(steps: dict[float, float], num_seeds: int = 3, noise: float = 1e-4) -> list[TrialRecord]:
    """Trials whose RMSE is .15 + the coefficient's step, seeds .01 apart and a little noise."""
    chance = np.random.default_rng(0)
    trials: list[TrialRecord] = []
    for coefficient, step in steps.items():
        for seed in range(num_seeds):
            rmse = 0.15 + step + 0.01 * seed + noise * chance.standard_normal()
            values = {"constraint_coefficient": coefficient, "seed": seed}
            trials.append(record(len(trials), rmse, **values))
    return trials


def test_differences_are_paired_by_seed() -> None:
    zero, one = coefficient_results(trial_table(grid({0: 0.0, 1: 0.02}, noise=0.001)))
    assert zero.difference is None and zero.p_value is None
    assert one.difference == pytest.approx(0.02, abs=2e-3)
    assert one.difference_interval is not None and one.rmse_interval is not None
    widths = [high - low for low, high in (one.difference_interval, one.rmse_interval)]
    assert widths[0] < widths[1] / 3  # the seeds' own scatter cancels


def test_the_sentence_says_what_is_sure_and_what_is_open() -> None:
    results = coefficient_results(trial_table(grid({0: 0, 0.001: 0.00001, 0.5: 0.02, 1: -0.01})))
    told = supported_sentence(results)
    assert "over 3 seeds" in told
    assert "coefficient 1 lowers it against 0" in told
    assert "coefficient 0.5 raises it against 0, by up to 0.02" in told
    assert "0.001 cannot be told from 0" in told


def test_one_seed_supports_no_claim() -> None:
    told = supported_sentence(coefficient_results(trial_table(grid({0: 0, 1: 0.5}, 1))))
    assert "one seed a coefficient supports no claim" in told


def test_without_coefficient_0_nothing_is_claimed() -> None:
    told = supported_sentence(coefficient_results(trial_table(grid({0.1: 0, 1: 0.5}))))
    assert "no trial of coefficient 0" in told


def test_only_trials_that_differ_in_the_coefficient_are_compared() -> None:
    trials = grid({0: 0, 1: 0.1})
    assert len(constraint_trials(trials)) == 6
    assert constraint_trials([*trials, record(9, 0.1, learning_rate=0.01)]) == []
    assert constraint_trials(trials[:3]) == []  # one coefficient alone


def test_figure_tables_and_sentence_are_left_in_the_folder(tmp_path: Path) -> None:
    trials = grid({0: 0, 0.1: 0.01, 1: 0.05})
    curves = {t.id: [{"epoch": e, "val_rmse": 0.2 / e} for e in (1, 2, 3)] for t in trials}
    (section,) = constraint_sections(trials, curves, tmp_path)
    assert section.paragraphs[0].startswith("By the true tree")
    names = {p.name for p in tmp_path.iterdir()}
    assert {"constraint_coefficient.png", "constraint_coefficient.pdf"} <= names
    assert {"constraint_curves.png", "constraint_curves.pdf"} <= names
    table = pd.read_csv(tmp_path / "constraint_coefficient.csv")
    assert len(table) == 9 and set(table["coefficient"]) == {0, 0.1, 1}
    assert len(pd.read_csv(tmp_path / "constraint_coefficient_summary.csv")) == 3


def eleven(num_trials: int) -> list[TrialRecord]:
    """Trials in which question 3's term helps, question 8's harms, the others do nothing."""
    chance = np.random.default_rng(1)
    trials = []
    for number in range(num_trials):
        logs = chance.uniform(-5, -1, 11)
        rmse = 0.2 - 0.01 * logs[2] * 1 + 0.02 * logs[7] + 0.002 * chance.standard_normal()
        values = {
            "coefficient_sharing": "per_question",
            "constraint_coefficients": list(10**logs),
        }
        trials.append(record(number, rmse, **values))
    return trials


def test_the_terms_that_help_and_harm_are_found() -> None:
    trials = eleven(60)
    effects = coefficient_effects(per_question_trials(trials))
    assert [e.verdict for e in effects] == [
        "helps" if q == 3 else "harms" if q == 8 else "undecided" for q in range(1, 12)
    ]
    assert effects[2].effect == pytest.approx(-0.01, abs=1e-3)
    assert effects[7].effect == pytest.approx(0.02, abs=1e-3)
    told = effects_sentence(effects, len(trials))
    assert "a larger coefficient helps at question 3" in told
    assert "harms at question 8" in told


def test_too_few_trials_tell_no_effects(tmp_path: Path) -> None:
    trials = eleven(FEWEST_TRIALS - 1)
    assert coefficient_effects(trials) == []
    (section,) = constraint_sections(trials, {}, tmp_path)
    assert "too few" in section.paragraphs[0]
    assert {p.name for p in tmp_path.iterdir()} == {
        "eleven_coefficients.png",
        "eleven_coefficients.pdf",
    }


def test_effects_are_drawn_and_tabled(tmp_path: Path) -> None:
    (section,) = constraint_sections(eleven(40), {}, tmp_path)
    assert (tmp_path / "coefficient_effects.pdf").exists()
    assert [row[0] for row in section.tables[0].rows] == list(range(1, 12))


def test_the_mean_interval_is_students() -> None:
    low, high = mean_interval([1.0, 2.0, 3.0]) or (0, 0)
    half = 4.302653 * 1 / np.sqrt(3)  # t of two degrees of freedom at 97.5 %
    assert (low, high) == pytest.approx((2 - half, 2 + half), rel=1e-5)
    assert mean_interval([1.0]) is None


def test_the_paired_p_value_is_that_of_a_t_test() -> None:
    differences = [0.1, 0.2, 0.4]
    assert paired_p_value(differences) == pytest.approx(stats.ttest_1samp(differences, 0).pvalue)
    assert paired_p_value([0.1]) is None
    assert (paired_p_value([0.0, 0.0]), paired_p_value([0.1, 0.1])) == (1.0, 0.0)


def test_holm_multiplies_the_smallest_by_the_most() -> None:
    # Holm 1979: .01 x 4, then .02 x 3, .03 x 2 and .04 x 1, none below the one before it
    assert holm_adjusted([0.03, 0.01, 0.04, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm_adjusted([0.9, 0.8]) == [1.0, 1.0]


def test_a_paired_interval_is_narrower_than_the_scatter_of_galaxies() -> None:
    chance = np.random.default_rng(0)
    voted = chance.random((400, 37))
    errors = chance.standard_normal((400, 37)) * chance.uniform(0.01, 0.2, (400, 1))
    low, high = paired_rmse_interval(voted + 1.1 * errors, voted + errors, voted)
    difference = 0.1 * np.sqrt(np.mean(errors**2))
    assert low < difference < high and high - low < 0.3 * difference
