"""Effect of each question's constraint coefficient, from trials with eleven coefficients."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.records import TrialRecord, differ_only_in
from analysis.statistics.intervals import resamples_for
from trainables.decision_tree import NUM_QUESTIONS

FEWEST_TRIALS = 2 * (NUM_QUESTIONS + 1)  # twice the number of parameters of the linear fit
_TAIL = 0.025 / NUM_QUESTIONS  # probability beyond each end of an interval (Bonferroni)


@dataclass(frozen=True)
class CoefficientEffect:
    """An effect that one question's constraint coefficient has on the validation RMSE.

    question: number of the question, 1 to 11.
    effect: change of the validation RMSE when the coefficient becomes ten times as large. A
    negative effect is an improvement.
    low, high: ends of the bootstrap interval of the effect over trials. The intervals of all
    eleven questions together have a confidence of 95 % (Bonferroni).
    """

    question: int
    effect: float
    low: float
    high: float

    @property
    def verdict(self) -> str:
        """The text "helps", "harms" or "undecided".

        A larger coefficient helps if the whole interval is below 0, and harms if the whole
        interval is above 0. An interval that contains 0 leaves the effect undecided.
        """
        return "helps" if self.high < 0 else "harms" if self.low > 0 else "undecided"


def per_question_trials(records: Iterable[TrialRecord]) -> list[TrialRecord]:
    """Return the complete trials of a study of eleven positive coefficients, or [].

    records: finished trials of one architecture. The list is empty unless all these trials, also
    those that are not complete, differ only in their eleven coefficients and their seed: otherwise
    the effects of coefficients could not be separated from other effects. Complete trials with a
    coefficient of 0 are left out. The list is also empty if the remaining complete trials have
    fewer than two different sets of coefficients.
    """
    trials = list(records)
    if not differ_only_in(trials, "constraint_coefficients", "seed"):
        return []
    found = [
        r
        for r in trials
        if r.status == "complete"
        and r.config.coefficient_sharing == "per_question"
        and min(r.config.constraint_coefficients) > 0
    ]
    vectors = {tuple(r.config.constraint_coefficients) for r in found}
    return found if len(vectors) > 1 else []


def logarithms(records: Iterable[TrialRecord]) -> NDArray[np.float64]:
    """Return the logarithms to base 10, [T, 11], of the eleven coefficients of T >= 1 trials.

    A coefficient of 0 gives -inf.
    """
    return np.log10([r.config.constraint_coefficients for r in records])


def _slopes(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the slopes [K] of the least-squares fit of y [T] by x [T, K] and a constant."""
    design = np.column_stack([np.ones(len(x)), x])
    solution = np.linalg.lstsq(design, y, rcond=None)[0].astype(np.float64)
    return solution[1:]


def effects_of_coefficients(
    records: Iterable[TrialRecord], *, seed: int = 0
) -> list[CoefficientEffect]:
    """Return the effect of each constraint coefficient on the validation RMSE, by question 1..11.

    An effect is the change of the validation RMSE when the coefficient becomes ten times as large;
    it has a bootstrap interval (see `CoefficientEffect`). One linear fit of the RMSE to the
    logarithms of all eleven coefficients gives all effects, so the effect of one coefficient is
    separated from the effects of the others. The intervals come from fits to resampled trials.

    records: trials that `per_question_trials` returned. seed: random seed of the bootstrap. The
    list has 11 effects, or none if there are fewer than 24 trials.
    """
    trials = list(records)
    if len(trials) < FEWEST_TRIALS:
        return []
    x, y = logarithms(trials), np.array([r.val_rmse for r in trials], dtype=np.float64)
    generator = np.random.default_rng(seed)
    drawn = generator.integers(len(y), size=(resamples_for(_TAIL), len(y)))
    slopes = np.stack([_slopes(x[rows], y[rows]) for rows in drawn])
    low, high = np.quantile(slopes, [_TAIL, 1 - _TAIL], axis=0)
    return [
        CoefficientEffect(question, float(effect), float(a), float(b))
        for question, effect, a, b in zip(range(1, 12), _slopes(x, y), low, high)
    ]


def effects_sentence(effects: Iterable[CoefficientEffect], num_trials: int) -> str:
    """Return one sentence on which coefficients help, harm or are undecided.

    effects: the result of `effects_of_coefficients`. If `effects` is empty, the sentence says that
    there are too few trials. num_trials: number of trials that were given to
    `effects_of_coefficients`.
    """
    by_verdict: dict[str, list[str]] = {"helps": [], "harms": [], "undecided": []}
    for effect in effects:
        by_verdict[effect.verdict].append(str(effect.question))
    if not any(by_verdict.values()):
        return (
            f"{num_trials} complete trials with coefficients of their own are too few to tell "
            f"eleven effects apart; {FEWEST_TRIALS} are needed."
        )
    parts = [
        f"a larger coefficient {verdict} at {_questions(names)}"
        for verdict, names in by_verdict.items()
        if names and verdict != "undecided"
    ]
    if by_verdict["undecided"]:
        parts.append(f"nothing can be told of {_questions(by_verdict['undecided'])}")
    return f"Over {num_trials} trials: {'; '.join(parts)}."


def _questions(numbers: list[str]) -> str:
    """Return question numbers as a text, for example "question 3" or "questions 3, 8"."""
    return f"question{'s' * (len(numbers) > 1)} {', '.join(numbers)}"
