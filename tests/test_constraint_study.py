"""The constraints study: paired by seed, corrected for many comparisons, said in words."""

from dataclasses import replace
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
from analysis.constraint_claims import supported_sentences
from analysis.constraint_sections import CoefficientFinding, coefficient_findings
from analysis.constraint_study import (
    coefficient_results,
    constraint_trials,
    trial_table,
)
from analysis.intervals import (
    holm_adjusted,
    least_detectable,
    mean_interval,
    paired_p_value,
    resampled_rmses,
)
from analysis.report import outcome_sentences, write_report
from analysis.study_results import StudyResults
from analysis.trial_record import TrialRecord
from search_spaces import config_from_values


def record(number: int, rmse: float, **values: object) -> TrialRecord:
    config = config_from_values({"architecture": "simple_cnn", **values})
    return TrialRecord(
        id=f"{number:05d}",
        architecture=config.architecture,
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
    assert zero.rmse_change is None and one.rmse_change is not None
    assert one.rmse_change.mean == pytest.approx(0.02, abs=2e-3)
    assert one.rmse_change.interval is not None and one.rmse_interval is not None
    widths = [high - low for low, high in (one.rmse_change.interval, one.rmse_interval)]
    assert widths[0] < widths[1] / 3  # the seeds' own scatter cancels


def told_of(trials: list[TrialRecord]) -> str:
    return " ".join(supported_sentences(coefficient_results(trial_table(trials))))


def test_the_sentence_says_what_is_sure_and_what_is_open() -> None:
    told = told_of(grid({0: 0, 0.001: 0.00001, 0.5: 0.02, 1: -0.01}))
    rmse, residual = told.split("on the mean tree residual: ")
    assert "over 3 pairs of seeds, on validation RMSE" in rmse
    assert "coefficient 1 lowers it against 0, by up to 0.01" in rmse
    assert "coefficient 0.5 raises it against 0, by up to 0.02" in rmse
    assert "0.001 cannot be told from 0" in rmse
    assert "coefficient 1 lowers it against 0, by up to 0.005" in residual  # half of the RMSE
    assert "coefficient 0.5 raises it against 0, by up to 0.01" in residual


def test_one_seed_supports_no_claim() -> None:
    assert "one seed a coefficient supports no claim" in told_of(grid({0: 0, 1: 0.5}, 1))


def test_without_coefficient_0_nothing_is_claimed() -> None:
    assert "no trial of coefficient 0" in told_of(grid({0.1: 0, 1: 0.5}))


def test_a_thin_coefficient_is_named_and_the_others_are_judged() -> None:
    trials = [t for t in grid({0: 0, 0.5: 0.02, 1: 0.03}) if t.id not in ("00007", "00008")]
    told = told_of(trials)
    assert "over 3 pairs" in told and "coefficient 0.5 raises it against 0" in told
    assert "; 1 has a single seed." in told
    results = coefficient_results(trial_table(trials))
    assert [r.rmse_change and r.rmse_change.num_pairs for r in results] == [None, 3, 1]


def test_pairs_are_counted_and_not_seeds() -> None:
    trials = grid({0: 0, 0.5: 0.02}, 4)
    told = told_of([t for t in trials if t.id not in ("00002", "00003")])  # two zeros failed
    assert "over 2 pairs of seeds" in told


def test_zero_trained_once_is_the_reference_of_both_trees() -> None:
    by_the_other = [
        record(20 + t.config["seed"], 0.18 + 0.01 * t.config["seed"], constraint_coefficient=1,
               seed=t.config["seed"], tree="as_published")
        for t in grid({0: 0})
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
    other = [t.model_copy(update={"config": t.config | {"tree": "as_published"}}) for t in one[3:]]
    assert p_values([*one, *other]) == 2 * p_values(one)


def test_few_seeds_are_told_what_they_cannot_show() -> None:
    # t of 2 degrees of freedom at 1 - .05 / 12 is 10.886; over the root of 3 pairs
    assert least_detectable(3, 6) == pytest.approx(10.886 / np.sqrt(3), rel=1e-3)
    told = told_of(grid({0: 0, 0.1: 0, 0.2: 0, 0.5: 0, 1: 0, 2: 0, 3: 0}))
    assert "with 3 pairs and 6 coefficients a tree" in told and "above 6.3 standard" in told
    assert "Seeds are few" not in told_of(grid({0: 0, 1: 0}, 6))


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
    again = drawn[0].model_copy(update={"id": "a", "config": drawn[0].config | {"seed": 1}})
    assert constraint_trials([*drawn, again]) == []  # one repeat makes no grid of 40 values
    assert len(constraint_trials([*drawn[:3], again])) == 4
    assert len(constraint_trials(grid({0: 0, 0.1: 0.1, 1: 0.1}, 1))) == 3  # 0 among few values


def found(
    trials: list[TrialRecord], folder: Path, **studies: list[TrialRecord]
) -> list[CoefficientFinding]:
    curves = {t.id: [{"epoch": e, "val_rmse": 0.2 / e} for e in (1, 2, 3)] for t in trials}
    return coefficient_findings({"one": trials, **studies}, curves, folder)


def test_figure_tables_and_sentence_are_left_in_the_folder(tmp_path: Path) -> None:
    (finding,) = found(grid({0: 0, 0.1: 0.01, 1: 0.05}), tmp_path)
    assert finding.sentences[0].startswith("By the true tree")
    names = {p.name for p in tmp_path.iterdir()}
    assert {"constraint_coefficient.png", "constraint_coefficient.pdf"} <= names
    assert {"constraint_curves.png", "constraint_curves.pdf"} <= names
    table = pd.read_csv(tmp_path / "constraint_coefficient.csv")
    assert len(table) == 9 and set(table["coefficient"]) == {0, 0.1, 1}
    summary = pd.read_csv(tmp_path / "constraint_coefficient_summary.csv")
    assert list(summary["num_pairs"]) == [0, 3, 3]


def test_a_study_among_others_keeps_its_finding_and_is_named(tmp_path: Path) -> None:
    trials = grid({0: 0, 1: 0.05})
    other = [record(90 + i, 0.1, learning_rate=10.0**-i) for i in (2, 3)]
    (finding,) = found(trials, tmp_path, other=other)
    assert finding.section.title == "One constraint coefficient: study one"
    assert finding.sentences[0].startswith("study one: By the true tree")
    assert finding.trial_ids == {t.id for t in trials}
    assert (tmp_path / "constraint_coefficient_study_one.csv").exists()


def test_seeds_of_two_studies_are_read_together(tmp_path: Path) -> None:
    trials = grid({0: 0, 1: 0.05}, 4)
    halves = [[t for t in trials if t.config["seed"] % 2 == odd] for odd in (0, 1)]
    (finding,) = found(halves[0], tmp_path, other=halves[1])
    assert "over 4 pairs" in finding.sentences[0]


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
    (finding,) = found(trials, tmp_path)
    assert "too few" in finding.sentences[0]
    assert {p.name for p in tmp_path.iterdir()} == {
        "eleven_coefficients.png",
        "eleven_coefficients.pdf",
    }


def test_effects_are_drawn_and_tabled(tmp_path: Path) -> None:
    (finding,) = found(eleven(40), tmp_path)
    assert (tmp_path / "coefficient_effects.pdf").exists()
    assert [row[0] for row in finding.section.tables[0].rows] == list(range(1, 12))


def test_one_trial_with_eleven_coefficients_in_a_search_is_no_finding(tmp_path: Path) -> None:
    trials = [record(90 + i, 0.1, learning_rate=10.0**-i) for i in (2, 3)]
    assert per_question_trials([*trials, *eleven(1)]) == []
    assert per_question_trials([*trials, *eleven(2)]) == []  # the others differ in more
    assert per_question_trials(eleven(1) * 2) == []  # one vector alone
    assert found([*trials, *eleven(1)], tmp_path) == []


def test_hyperparameters_are_dropped_of_the_studied_architecture_alone(tmp_path: Path) -> None:
    trials = grid({0: 0, 1: 0.05})
    searched = [
        record(90 + i, 0.1 * i, architecture="parallel_cnn", learning_rate=10.0**-i)
        for i in (2, 3)
    ]
    results = StudyResults("mixed", [*trials, *searched], {}, noise_floor=0.05)
    text = write_report(results, tmp_path).read_text()
    assert ">One constraint coefficient: simple_cnn</h2>" in text
    assert ">Hyperparameters of parallel_cnn</h2>" in text
    assert "Hyperparameters of simple_cnn" not in text
    told = (tmp_path / "findings.txt").read_text().splitlines()
    assert told[-2].startswith("simple_cnn: By the true tree") and told[-2].endswith(".")


def test_a_grid_gained_nothing_by_searching() -> None:
    trials = grid({0: 0, 1: 0.05})
    worst = trials[-1].model_copy(update={"published": True})
    results = StudyResults("grid", [*trials[:-1], worst], {}, noise_floor=0.05)
    assert "published config" in " ".join(outcome_sentences(results))
    assert "published" not in " ".join(outcome_sentences(replace(results, only_grids=True)))


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
    drawn = resampled_rmses([voted + 1.1 * errors, voted + errors], voted, num_resamples=2000)
    low, high = np.quantile(drawn[:, 0] - drawn[:, 1], [0.025, 0.975])
    difference = 0.1 * np.sqrt(np.mean(errors**2))
    assert low < difference < high and high - low < 0.3 * difference
