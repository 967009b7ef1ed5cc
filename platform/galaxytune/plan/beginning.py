"""The first trials of a search: published, carried over from earlier studies, and recommended."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest
from typing import TYPE_CHECKING, Any, Self

from galaxytune.plan.study_plan import StudyPlan
from search_spaces.declaration import TrainingProtocol, config_from_values

if TYPE_CHECKING:
    from analysis.records import Origin

# Of the trials of a study, at most this share is decided before the first draw, apart from the
# published configs; else a short search would not search.
_SHARE = 0.5


@dataclass(frozen=True)
class FirstTrial:
    """A trial whose config is known before the search begins.

    config: the config. origin: why the config comes first. source: the trial of another study
    from which a learned config comes, as a phrase; "" for the other origins.
    """

    config: TrainingProtocol
    origin: "Origin"
    source: str = ""

    def as_values(self) -> dict[str, Any]:
        """Return the trial as values for a line of JSON."""
        values = self.config.model_dump(mode="json")
        return {"origin": self.origin, "source": self.source, "config": values}

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> Self:
        """Return the trial that `as_values` gave; InvalidInput if its config is wrong."""
        return cls(config_from_values(values["config"]), values["origin"], values["source"])


def first_trials(
    plan: StudyPlan, learned: Mapping[str, Sequence[FirstTrial]] | None = None
) -> list[FirstTrial]:
    """Return the first trials of a search in order; [] for a grid, which has its own points.

    First comes the published config of each architecture. Then come the learned configs, the best
    ones first, and then the recommended configs; of several architectures in turns. Each config
    comes once. The configs behind the published ones take at most half of the plan's trials.

    learned: the configs that earlier studies found, by architecture, the best first.
    """
    if plan.grid:
        return []
    spaces = plan.spaces.values()
    found = [FirstTrial(space.published, "published") for space in spaces]
    room = max(1, int(_SHARE * plan.trials))
    carried = _in_turns((learned or {}).get(name, ()) for name in plan.spaces)
    recommended = _in_turns(
        [FirstTrial(config, "recommended") for config in space.recommended] for space in spaces
    )
    for trial in chain(carried, recommended):
        if all(trial.config != other.config for other in found):
            found.append(trial)
    return found[: min(plan.trials, len(plan.spaces) + room)]


def _in_turns(lists: Iterable[Sequence[FirstTrial]]) -> list[FirstTrial]:
    """Return the first trial of each list, then the second of each list, and so on."""
    rounds = zip_longest(*lists)
    return [trial for one_round in rounds for trial in one_round if trial is not None]
