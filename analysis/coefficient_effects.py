"""Which question's constraint term helps and which harms, from trials with eleven coefficients."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.trial_record import TrialRecord, differ_only_in
from trainables.decision_tree import NUM_QUESTIONS

FEWEST_TRIALS = 2 * (NUM_QUESTIONS + 1)  # twice the numbers that the straight fit has
_RESAMPLES = 2000


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
    """Complete trials that differ in their eleven positive coefficients and seed alone, or []."""
    found = [
        r
        for r in records
        if r.status == "complete"
        and r.config["coefficient_sharing"] == "per_question"
        and min(r.config["constraint_coefficients"]) > 0
    ]
    return found if differ_only_in(found, "constraint_coefficients", "seed") else []


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
    drawn = generator.integers(len(y), size=(_RESAMPLES, len(y)))
    slopes = np.stack([_slopes(x[rows], y[rows]) for rows in drawn])
    tail = 0.025 / NUM_QUESTIONS
    low, high = np.quantile(slopes, [tail, 1 - tail], axis=0)
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
        f"a larger coefficient {verdict} at question{'s' * (len(names) > 1)} {', '.join(names)}"
        for verdict, names in by_verdict.items()
        if names and verdict != "undecided"
    ]
    if by_verdict["undecided"]:
        parts.append(f"nothing can be told of question {', '.join(by_verdict['undecided'])}")
    return f"Over {num_trials} trials: {'; '.join(parts)}."
