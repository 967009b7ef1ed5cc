"""Which question's constraint term helps and which harms, from trials with eleven coefficients."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.intervals import resamples_for
from analysis.trial_record import TrialRecord, differ_only_in
from trainables.decision_tree import NUM_QUESTIONS

FEWEST_TRIALS = 2 * (NUM_QUESTIONS + 1)  # twice the numbers that the straight fit has
_TAIL = 0.025 / NUM_QUESTIONS


@dataclass(frozen=True)
class CoefficientEffect:
    """What ten times the coefficient of one question does to the validation RMSE.

    A negative effect helps. low and high: bootstrap interval over trials, wide enough that all
    eleven hold together at 95 % (Bonferroni).
    """

    question: int
    effect: float
    low: float
    high: float

    @property
    def verdict(self) -> str:
        """helps, harms, or undecided where the interval holds 0."""
        return "helps" if self.high < 0 else "harms" if self.low > 0 else "undecided"


def per_question_trials(records: Iterable[TrialRecord]) -> list[TrialRecord]:
    """The complete trials with positive coefficients, of one architecture's trials, or [].

    [] unless all those trials differ in their eleven coefficients and seed alone, and these
    coefficients took two values or more: else their effect is not to be told apart.
    """
    trials = list(records)
    if not differ_only_in(trials, "constraint_coefficients", "seed"):
        return []
    found = [
        r
        for r in trials
        if r.status == "complete"
        and r.config["coefficient_sharing"] == "per_question"
        and min(r.config["constraint_coefficients"]) > 0
    ]
    vectors = {tuple(r.config["constraint_coefficients"]) for r in found}
    return found if len(vectors) > 1 else []


def logarithms(records: Iterable[TrialRecord]) -> NDArray[np.float64]:
    """Decadic logarithms [T, 11] of the coefficients."""
    return np.log10([r.config["constraint_coefficients"] for r in records])


def _slopes(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    design = np.column_stack([np.ones(len(x)), x])
    solution = np.linalg.lstsq(design, y, rcond=None)[0].astype(np.float64)
    return solution[1:]


def coefficient_effects(
    records: Iterable[TrialRecord], *, seed: int = 0
) -> list[CoefficientEffect]:
    """Effects of all eleven questions by what `per_question_trials` returned; [] of under 24.

    A straight line in all logarithms at once, so that one question's effect is not another's;
    trials are resampled for the intervals.
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
    """What the trials support, in words."""
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
    return f"question{'s' * (len(numbers) > 1)} {', '.join(numbers)}"
