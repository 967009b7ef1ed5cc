"""A sampler that models learning curves: what it draws is expected to improve most on the best.

For studies of one objective, while they are young. A share of the draws stays random, TPE chooses
the architecture where there are several, and draws everything once there are too many trials.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import optuna
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial
from threadpoolctl import ThreadpoolController

from galaxytune.proposals import ARCHITECTURE
from galaxytune.quick_tpe import QuickTPESampler, num_ended, other_trials
from galaxytune.rung_model import RungModel
from galaxytune.rung_values import RungValues
from galaxytune.search_cube import SearchCube

MOST_MODELLED = 250  # trials; a fit takes time in proportion to the cube of their number
_FEWEST = 5  # trials of an architecture that have come to a rung
_NUM_CANDIDATES = 1000  # half of them anywhere, half near the best
_NUM_CENTRES, _NUM_BEST = 10, 5  # near those expected to be best, and the best that were seen
_DECIMALS = 9  # of coordinates that tell two configs apart

Array = NDArray[np.float64]


@dataclass(frozen=True)
class CurveSpace:
    """What is searched of an architecture, and the epochs by which its trials are compared."""

    cube: SearchCube
    rungs: Sequence[int]


class CurveSampler(BaseSampler):
    """Expected improvement at the highest rung that enough trials have come to."""

    def __init__(
        self,
        tpe: QuickTPESampler,
        spaces: Mapping[str, CurveSpace],
        *,
        seed: int,
    ) -> None:
        """`spaces` by architecture; `tpe` draws what the model does not."""
        self._tpe, self._spaces = tpe, spaces
        self._chance = np.random.default_rng(seed)
        self._models: dict[str, RungModel] = {}
        self._drawable: dict[str, BaseDistribution] = {}
        for space in spaces.values():
            self._drawable |= space.cube.distributions
        if len(spaces) > 1:
            self._drawable[ARCHITECTURE] = CategoricalDistribution(tuple(spaces))

    def infer_relative_search_space(
        self, study: optuna.Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """What the model may draw: the architecture and all hyperparameters of each."""
        return self._drawable

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """A config; what is missing of it TPE is to draw, or chance."""
        trials = other_trials(study, trial)
        is_young = num_ended(study, trials) <= MOST_MODELLED
        if not is_young or self._tpe.draws_at_random(study, trial):
            return {}
        held = trial.params | trial.system_attrs.get("fixed_params", {})
        architecture, own = next(iter(self._spaces)), {}
        if len(self._spaces) > 1:
            architecture = held.get(ARCHITECTURE) or self._tpe.sample_independent(
                study, trial, ARCHITECTURE, search_space[ARCHITECTURE]
            )
            own = {ARCHITECTURE: architecture}
            trials = [t for t in trials if t.params.get(ARCHITECTURE) == architecture]
        try:
            with _one_thread():
                return own | self._draw(architecture, trials, held)
        except np.linalg.LinAlgError:  # no draw is worth a study
            return own

    def sample_independent(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """TPE's draw."""
        return self._tpe.sample_independent(study, trial, param_name, param_distribution)

    def _draw(
        self, architecture: str, trials: Sequence[FrozenTrial], held: Mapping[str, Any]
    ) -> dict[str, Any]:
        """The most promising of many candidates that have the values `held`; empty if too few."""
        cube, rungs = self._spaces[architecture].cube, self._spaces[architecture].rungs
        if not cube.axes:
            return {}
        seen = RungValues(trials, cube, rungs)
        if len(seen.values) < _FEWEST:
            return {}
        coordinates = cube.coordinates(seen.places)
        if architecture not in self._models:
            self._models[architecture] = RungModel(coordinates.shape[1], len(rungs))
        model = self._models[architecture]
        waiting = cube.coordinates(seen.waiting)
        model.fit(coordinates, seen.values, waiting)
        hoped = np.argsort(model.predict(coordinates).mean)[:_NUM_CENTRES]
        at_top = seen.values[:, model.top]
        best = np.argsort(at_top)[: min(_NUM_BEST, np.sum(~np.isnan(at_top)))]
        centres = seen.places[np.append(hoped, best)]
        half = _NUM_CANDIDATES // 2
        anywhere, nearby = cube.draw(self._chance, half), cube.near(self._chance, centres, half)
        candidates = cube.hold(np.vstack([anywhere, nearby]), held)
        offered = cube.coordinates(candidates)
        promise = model.predict(offered).log_improvement()
        promise[_are_among(offered, np.vstack([coordinates, waiting]))] = -np.inf
        return cube.values(candidates[np.argmax(promise)])


def _are_among(offered: Array, known: Array) -> NDArray[np.bool_]:
    """[M], which of M configs' coordinates are known: the same config trains to the same again."""
    rows = {row.tobytes() for row in known.round(_DECIMALS)}
    return np.array([row.tobytes() in rows for row in offered.round(_DECIMALS)])


@cache
def _libraries() -> ThreadpoolController:
    import scipy.linalg  # noqa: F401  its BLAS is not numpy's

    return ThreadpoolController()


def _one_thread() -> AbstractContextManager[Any]:
    """Small matrices in one thread: beside training, others would wait for cores in vain."""
    return _libraries().limit(limits=1, user_api="blas")
