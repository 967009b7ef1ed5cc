"""A whole search that benchmarks/real_searches.py asks for, and the plan of all methods."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from galaxytune.plan import StudyPlan, make_plan
from search_spaces.declaration import SearchSpace, TrainingProtocol
from trainables.galaxies import fingerprint

OURS, OPTUNA, OPTUNA_LIST, RANDOM = (
    "galaxytune",
    "optuna_asha",
    "optuna_asha_list",
    "random_asha",
)
# The methods by name, each with the words of a table.
METHODS = {
    OURS: "galaxytune",
    OPTUNA: "OptunaSearch + ASHA",
    OPTUNA_LIST: "OptunaSearch + ASHA, our list first",
    RANDOM: "random + ASHA",
}


@dataclass(frozen=True)
class AskedSearch:
    """A search of one architecture by one method with one seed.

    method: a name of METHODS. seed: the random seed of the sampler and of every training. data:
    the path of the galaxy file. num_galaxies: the number of galaxies of the file that are used.
    workers: the number of CPUs; each CPU runs one trial. fixed: the values that the search holds
    fixed, by field name.
    """

    method: str
    seed: int
    data: str
    architecture: str
    num_galaxies: int
    epochs: int
    trials: int
    workers: int
    fixed: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The words that tell the search from the others of its benchmark."""
        return f"{self.method}-seed-{self.seed}"

    def plan(self) -> StudyPlan:
        """Return the plan, as a user of galaxytune gives it; InvalidInput for a wrong value."""
        return make_plan(
            {
                "name": self.name,
                "architectures": [self.architecture],
                "data": self.data,
                "trials": self.trials,
                "epochs": self.epochs,
                "seed": self.seed,
                "num_galaxies": self.num_galaxies,
                "wandb": "disabled",
                "set": dict(self.fixed),
            }
        )

    def space(self) -> SearchSpace:
        """Return the search space, which is the same for all methods."""
        return self.plan().spaces[self.architecture]

    def first_configs(self) -> list[TrainingProtocol]:
        """Return the configs that the search tries first: the published one, perhaps our list."""
        space = self.space()
        has_list = self.method in (OURS, OPTUNA_LIST)
        return [space.published, *(space.recommended if has_list else ())]

    def described(self) -> dict[str, Any]:
        """Return what decides the numbers of the search, as values of JSON.

        The search space and the first configs are part of the values, so that a search is not
        mistaken for a search of a later version with another space or another list.
        """
        searched = {h.name: repr(h.distribution) for h in self.space().hyperparameters}
        first = [config.model_dump(mode="json") for config in self.first_configs()]
        return {
            **asdict(self),
            "data": _fingerprint(self.data),
            "searched": searched,
            "first_configs": first,
        }


@cache
def _fingerprint(data: str) -> str:
    """Return the fingerprint of a galaxy file, which is read once."""
    return fingerprint(Path(data))
