"""A sampler that models learning curves and draws the config with the best expected improvement.

The sampler is for studies of one objective without a limit on the tree residual. A share of the
draws stays random. TPE chooses the architecture if the study has several, and draws everything
once more than 250 trials have ended.
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

from galaxytune.sampling.optuna_internals import enqueued_params
from galaxytune.sampling.proposals import ARCHITECTURE
from galaxytune.sampling.rung_model import PriorMean, RungModel
from galaxytune.sampling.rung_values import RungValues
from galaxytune.sampling.search_cube import SearchCube
from galaxytune.sampling.tpe import QuickTPESampler, num_ended, other_trials

MOST_MODELLED = 250  # trials; the time of a fit grows with the cube of their number
_FEWEST = 5  # trials of an architecture that have come to a rung
_FEWEST_WITH_PRIOR = 2  # the same, if earlier studies say something about the configs
_NUM_CANDIDATES = 1000  # half of them anywhere, half near the centres
_NUM_CENTRES, _NUM_BEST = 10, 5  # the most promising configs by the model, and the best seen
_DECIMALS = 9  # two configs are the same if their inputs agree in this many decimals

Array = NDArray[np.float64]


@dataclass(frozen=True)
class CurveSpace:
    """A search space of one architecture, as the sampler models the space.

    cube: the searched scalars. rungs: the epochs at which trials are compared: the rungs of
    halving, then the last epoch. prior: what earlier studies say about configs, or None.
    """

    cube: SearchCube
    rungs: Sequence[int]
    prior: PriorMean | None = None


class CurveSampler(BaseSampler):
    """An Optuna sampler that maximises the expected improvement at the highest modelled rung.

    That rung is the latest rung to which at least three trials of the architecture have come.
    Optuna calls the methods; `study` is the study as `FailureAwareSampler` shows it, and `trial`
    is the trial that is drawn.
    """

    def __init__(
        self,
        tpe: QuickTPESampler,
        spaces: Mapping[str, CurveSpace],
        *,
        seed: int,
    ) -> None:
        """Take the spaces by architecture, and `tpe`, which draws what the model does not.

        seed: the random seed of the candidates; `tpe` has its own.
        """
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
        """Return what `sample_relative` may draw, by Optuna's names.

        These are all searched scalars of each architecture and, if there are several
        architectures, `architecture`. The mapping is the sampler's own and must not be changed.
        """
        return self._drawable

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Return the values of a config by Optuna's names; TPE draws the values that are missing.

        The result is {} if more than 250 trials have ended, or if this trial is drawn at random.
        It has at most `architecture` if fewer than five trials of that architecture have a value
        at a rung, or if the model cannot be computed. Values that are set or queued for the trial
        are kept.
        """
        trials = other_trials(study, trial)
        is_young = num_ended(study, trials) <= MOST_MODELLED
        if not is_young or self._tpe.draws_at_random(study, trial):
            return {}
        held = trial.params | enqueued_params(trial)
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
        except np.linalg.LinAlgError:  # a draw that fails must not end the study
            return own

    def sample_independent(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """Return a value of the hyperparameter `param_name` that TPE draws."""
        return self._tpe.sample_independent(study, trial, param_name, param_distribution)

    def _draw(
        self, architecture: str, trials: Sequence[FrozenTrial], held: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Return the most promising of 1000 candidates that have the values `held`.

        trials: the other trials of the architecture. held: the values that the config must have,
        by Optuna's names. The values of the result have Optuna's names. The result is {} if no
        scalar is searched, or if fewer than five trials have come to a rung or failed because of
        their config; two trials are enough if earlier studies give a prior.
        numpy.linalg.LinAlgError is raised if the model cannot be computed.
        """
        space = self._spaces[architecture]
        cube, rungs, prior = space.cube, space.rungs, space.prior
        if not cube.axes:
            return {}
        seen = RungValues(trials, cube, rungs)
        if len(seen.values) < (_FEWEST if prior is None else _FEWEST_WITH_PRIOR):
            return {}
        inputs = cube.inputs(seen.coordinates)
        if architecture not in self._models:
            self._models[architecture] = RungModel(inputs.shape[1], len(rungs))
        model = self._models[architecture]
        waiting = cube.inputs(seen.waiting)
        model.fit(inputs, seen.values, waiting, prior)
        promising = np.argsort(model.predict(inputs).mean)[:_NUM_CENTRES]
        at_top = seen.values[:, model.top]
        best = np.argsort(at_top)[: min(_NUM_BEST, np.sum(~np.isnan(at_top)))]
        centres = seen.coordinates[np.append(promising, best)]
        half = _NUM_CANDIDATES // 2
        anywhere, nearby = cube.draw(self._chance, half), cube.near(self._chance, centres, half)
        candidates = cube.hold(np.vstack([anywhere, nearby]), held)
        offered = cube.inputs(candidates)
        promise = model.predict(offered).log_improvement()
        promise[_are_among(offered, np.vstack([inputs, waiting]))] = -np.inf
        return cube.values(candidates[np.argmax(promise)])


def _are_among(offered: Array, known: Array) -> NDArray[np.bool_]:
    """Return True for each offered config that is among the known configs, as an array [M].

    offered: inputs [M, C] of configs. known: inputs [N, C]. A known config would be trained to the
    same result again.
    """
    rows = {row.tobytes() for row in known.round(_DECIMALS)}
    return np.array([row.tobytes() in rows for row in offered.round(_DECIMALS)])


@cache
def _libraries() -> ThreadpoolController:
    """Return the controller of the BLAS libraries of numpy and scipy; it is made once."""
    import scipy.linalg  # noqa: F401  scipy brings a BLAS of its own, beside numpy's

    return ThreadpoolController()


def _one_thread() -> AbstractContextManager[Any]:
    """Return a context in which BLAS computes in one thread.

    Beside training, more threads would wait for cores.
    """
    return _libraries().limit(limits=1, user_api="blas")
