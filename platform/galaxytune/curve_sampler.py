"""A sampler that models learning curves: what it draws is expected to improve most on the best.

For studies of one objective, while they are young. A share of the draws stays random, TPE chooses
the architecture where there are several, and draws everything once there are too many trials.
"""

import math
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
from optuna.trial import FrozenTrial, TrialState
from threadpoolctl import ThreadpoolController

from galaxytune.penalising_sampler import BLAMED
from galaxytune.quick_tpe import QuickTPESampler, num_ended
from galaxytune.rung_model import Prediction, RungModel
from galaxytune.search_cube import SearchCube

MOST_MODELLED = 250  # trials; a fit takes time in proportion to the cube of their number
_FEWEST = 5  # trials of an architecture that have come to a rung
_NUM_CANDIDATES = 1000  # half of them anywhere, half near the best
_NUM_CENTRES, _NUM_BEST = 10, 5  # near those expected to be best, and the best that were seen
_DECIMALS = 9  # of coordinates that tell two configs apart
_LEAST_RMSE = 1e-9  # has a logarithm
_FARTHEST = -1e5  # deviations; from there on nothing tells two apart

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
        architecture_name: str,
        seed: int,
    ) -> None:
        """`spaces` by architecture; `architecture_name` is Optuna's of the choice between them."""
        self._tpe, self._spaces, self._name = tpe, spaces, architecture_name
        self._chance = np.random.default_rng(seed)
        self._models: dict[str, RungModel] = {}

    def infer_relative_search_space(
        self, study: optuna.Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """What the model may draw: the architecture and all hyperparameters of each."""
        space: dict[str, BaseDistribution] = {}
        for one in self._spaces.values():
            space |= one.cube.distributions
        if len(self._spaces) > 1:
            space[self._name] = CategoricalDistribution(tuple(self._spaces))
        return space

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """A config; what is missing of it TPE is to draw, or chance."""
        states = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.RUNNING)
        trials = study._get_trials(deepcopy=False, states=states)
        trials = [t for t in trials if t.number != trial.number]
        is_young = num_ended(study, trials) <= MOST_MODELLED
        if not is_young or self._tpe.draws_at_random(study, trial):
            return {}
        held = trial.params | trial.system_attrs.get("fixed_params", {})
        architecture, own = next(iter(self._spaces)), {}
        if len(self._spaces) > 1:
            architecture = held.get(self._name) or self._tpe.sample_independent(
                study, trial, self._name, search_space[self._name]
            )
            own = {self._name: architecture}
            trials = [t for t in trials if t.params.get(self._name) == architecture]
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
        seen = Seen(trials, cube, rungs)
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
        promise = log_improvement(model.predict(offered))
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


class Seen:
    """What is known of N trials that have come to a rung, and of P that have not yet.

    places: [N, H]. values: [N, R], see RungModel. waiting: the places [P, H] of the others.
    """

    def __init__(
        self, trials: Sequence[FrozenTrial], cube: SearchCube, rungs: Sequence[int]
    ) -> None:
        """Trials that failed for their config's sake are as bad at the first rung as any.

        Those that were cut off before it count as on their way there, as those that run do: a
        sampler is shown both alike.
        """
        reached = [values_at(trial, rungs) for trial in trials]
        are_known = [bool(v) or BLAMED in t.user_attrs for t, v in zip(trials, reached)]
        if not any(reached):
            are_known = [False] * len(trials)
        places = np.array([cube.places(t.params) for t in trials]).reshape(-1, len(cube.axes))
        self.places = places[np.array(are_known, bool)]
        on_their_way = [
            not known and trial.state != TrialState.COMPLETE
            for trial, known in zip(trials, are_known)
        ]
        self.waiting = places[np.array(on_their_way, bool)]
        table = [
            values + [math.nan] * (len(rungs) - len(values))
            for values, known in zip(reached, are_known)
            if known
        ]
        self.values = np.array(table).reshape(-1, len(rungs))
        first = self.values[:, 0]
        if len(first):
            first[np.isnan(first)] = np.nanmax(first)


def values_at(trial: FrozenTrial, epochs: Sequence[int]) -> list[float]:
    """Logarithms of a trial's lowest RMSE by each of the epochs that it has come to.

    Who ended as complete has come to all of them, however early it stopped.
    """
    curve = trial.intermediate_values
    if not curve or BLAMED in trial.user_attrs or not all(map(math.isfinite, curve.values())):
        return []
    last = math.inf if trial.state == TrialState.COMPLETE else max(curve)
    return [
        math.log(max(min(value for at, value in curve.items() if at <= epoch), _LEAST_RMSE))
        for epoch in epochs
        if epoch <= last
    ]


def log_improvement(of: Prediction) -> Array:
    """Logarithms [M] of by how much configs are expected to be below the lowest value seen.

    Jones et al. 1998 (Journal of Global Optimization), in a form that does not underflow.
    """
    from scipy.special import erfcx, ndtr

    deviation = np.sqrt(of.variance)
    below = (of.lowest - of.mean) / deviation
    near, far = np.maximum(below, -1), np.clip(below, _FARTHEST, -1)
    density = np.exp(-(near**2) / 2) / math.sqrt(2 * math.pi)
    found: Array = np.where(
        below > -1,
        np.log(density + near * ndtr(near)),
        np.log1p(far * math.sqrt(math.pi / 2) * erfcx(-far / math.sqrt(2)))
        - (far**2 + math.log(2 * math.pi)) / 2,
    )
    return found + np.log(deviation)
