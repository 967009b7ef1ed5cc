"""Curves for configs that were not recorded: what trees learned from those that were.

A forest maps a config's coordinates to the logarithm of its whole curve. What it misses of the
recorded curves, each predicted by trees that had not seen it, is kept, and every new config is
lent one of these misses, whole, the likelier the more alike their predicted curves are. So a curve
scatters about the forest's mean as the real ones do, from epoch to epoch and from config to
config, and the best of many is as far from the rest as among the recorded. It is the whole curve
that has to be alike, not its lowest value: the miss of a slow starter, added to the curve of a
quick one, would make first epochs far better than any network's last. And there is no number of
lenders at which it ends: regions without a single lucky one would be dead, however good.

Configs that diverged, or collapsed to a constant answer, are no part of that: another forest says
how likely a config is to do so, and then it gets the curve of one that did. Among the others they
would make misses of a third, and configs far better than any that was recorded.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor
from sklearn.model_selection import KFold, cross_val_predict

from benchmarks.replay.coordinates import Coordinates
from benchmarks.replay.recorded_curves import RecordedCurves
from benchmarks.replay.simulation import Curve
from search_spaces.declaration import InvalidInput

_NUM_TREES = 100
_NUM_ALIKE = 10  # how far configs lend their misses: as far as so many are, fewer from farther off
_NUM_FOLDS = 10


@dataclass(frozen=True)
class ForestError:
    """The error of the forest for configs that it has not seen, over all configs that learned.

    rank_correlation and rmse: of the lowest value of a curve; explained: share of the variance
    of its logarithm.
    """

    rank_correlation: float
    rmse: float
    explained: float


class CurveForest:
    """A forest of recorded curves; `drawn(seed)` gives it one draw of misses."""

    def __init__(self, recorded: RecordedCurves, seed: int = 0) -> None:
        """Fit and cross-validate, a second's work; InvalidInput if too few configs learned."""
        self._coordinates = Coordinates(recorded.architecture)
        self.num_epochs = recorded.num_epochs
        places = self._coordinates.matrix(recorded.configs)
        whole = recorded.learned
        if whole.sum() < _NUM_FOLDS:
            raise InvalidInput(
                f"a forest needs {_NUM_FOLDS} recorded configs that learned something, there are "
                f"{whole.sum()}; record more, or take the nearest ones (--source nearest)"
            )
        self._known = {
            _key(config): (rmse, seconds)
            for config, rmse, seconds in zip(recorded.configs, recorded.rmse, recorded.seconds)
        }
        logs = np.log(recorded.rmse[whole])
        regressor = _regressor(seed)
        folds = KFold(_NUM_FOLDS, shuffle=True, random_state=seed)
        unseen = cross_val_predict(regressor, places[whole], logs, cv=folds)
        self._misses, self._predicted = logs - unseen, unseen
        self.error = _error(logs.min(axis=1), unseen.min(axis=1))
        seconds = np.log(np.where(np.isnan(recorded.seconds), 1.0, recorded.seconds))[whole]
        targets = np.column_stack([logs, seconds])
        self._trees = regressor.fit(places[whole], targets).estimators_
        self._failed = recorded.rmse[~whole]
        self._judges: list[Any] = []  # trees that say how likely a config is to fail
        if len(self._failed):
            classifier = ExtraTreesClassifier(_NUM_TREES, random_state=seed)
            self._judges = classifier.fit(places, ~whole).estimators_

    def drawn(self, seed: int) -> "DrawnCurves":
        """A source of curves; another seed gives configs other misses."""
        return DrawnCurves(self, seed)

    def recorded_curve(self, key: str) -> Curve | None:
        """The curve of a recorded config, as it was."""
        found = self._known.get(key)
        return None if found is None else Curve(*found)

    def curve(self, config: Mapping[str, Any], chance: np.random.Generator) -> Curve:
        """A curve of a config that was not recorded."""
        place = self._coordinates.vector(config)[None]
        mean = _mean(self._trees, place)
        logs, seconds = mean[:-1], float(np.exp(mean[-1]))
        if self._judges and chance.random() < _mean(self._judges, place)[1]:
            return Curve(self._failed[chance.integers(len(self._failed))], seconds)
        unlike = np.square(self._predicted - logs).sum(axis=1)
        reach = np.sort(unlike)[min(_NUM_ALIKE, len(unlike)) - 1]
        weights = np.exp(-unlike / reach)
        lender = chance.choice(len(weights), p=weights / weights.sum())
        return Curve(np.exp(logs + self._misses[lender]), seconds)


class DrawnCurves:
    """A forest with its misses drawn: the same config has the same curve throughout."""

    def __init__(self, forest: CurveForest, seed: int) -> None:
        """Draw by `seed`."""
        self._forest, self._seed = forest, seed
        self.num_epochs = forest.num_epochs

    def curve(self, config: Mapping[str, Any]) -> Curve:
        """The recorded curve, where there is one; else the forest's."""
        key = _key(config)
        recorded = self._forest.recorded_curve(key)
        if recorded is not None:
            return recorded
        digest = hashlib.blake2b(f"{self._seed} {key}".encode(), digest_size=8).digest()
        return self._forest.curve(config, np.random.default_rng(int.from_bytes(digest, "big")))


def _key(config: Mapping[str, Any]) -> str:
    return json.dumps(dict(sorted(config.items())))


def _mean(trees: Sequence[Any], place: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the trees' mean prediction for one config, without the cost of the forest's own call.

    Coordinates [1, F] to the outputs, or of a classifier to the probability of each class.
    """
    single = place.astype(np.float32)
    mean: NDArray[np.float64] = np.mean(
        [tree.tree_.predict(single).ravel() for tree in trees], axis=0
    )
    return mean


def _regressor(seed: int) -> ExtraTreesRegressor:
    return ExtraTreesRegressor(_NUM_TREES, min_samples_leaf=2, max_features=0.5, random_state=seed)


def _error(real: NDArray[np.float64], predicted: NDArray[np.float64]) -> ForestError:
    """Return the error of predicted logarithms of the lowest values, against the real ones."""
    return ForestError(
        rank_correlation=float(stats.spearmanr(real, predicted).statistic),
        rmse=float(np.sqrt(np.mean((np.exp(real) - np.exp(predicted)) ** 2))),
        explained=float(1 - np.var(real - predicted) / np.var(real)),
    )
