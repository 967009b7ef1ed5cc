"""The plan of a study: the keys that tell a search what to do."""

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from galaxytune.plan.grid import Grid, architecture_points, as_grid, check_grid
from galaxytune.plan.paths import with_given_paths
from search_spaces.declaration import FrozenConfig, InvalidInput

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

    from search_spaces.declaration import SearchSpace, TrainingProtocol

# The keys that a resume may change.
CHANGEABLE = (
    "trials",
    "cpus_per_trial",
    "gpus_per_trial",
    "max_hours",
    "max_device_hours",
    "target_rmse",
    "plateau_trials",
    "seed_share",
    "max_silence_minutes",
    "max_retries",
    "keep_checkpoints",
    "checkpoint_quota_gb",
)
_MANY = 1_000_000  # trials or epochs, more than any study can have
WandbMode = Literal["offline", "online", "disabled"]
Pack = Literal["auto", "off"] | int


def _as_text(given: Any) -> Any:
    """Return a path as text, and any other value unchanged."""
    return str(given) if isinstance(given, Path) else given


def _as_names(given: Any) -> Any:
    """Return a single text as a list of one text, and any other value unchanged."""
    return [given] if isinstance(given, str) else given


def _as_paths(given: Any) -> Any:
    """Return a path as a list of one text, and a list of paths as texts; others unchanged."""
    if isinstance(given, str | Path):
        return [str(given)]
    return [_as_text(one) for one in given] if isinstance(given, list | tuple) else given


def _as_pack(given: Any) -> Any:
    """Return the value of `pack`: `auto`, `off` or a number from 2; else raise ValueError.

    given: the value as it was given. YAML reads `off` as False, and the command line gives numbers
    as text; both are allowed. pydantic turns the ValueError into its own error, and `FrozenConfig`
    turns that error into InvalidInput.
    """
    if given is False:
        return "off"
    number = int(given) if isinstance(given, str) and given.isdecimal() else given
    is_number = isinstance(number, int) and not isinstance(number, bool)
    if number in ("auto", "off") or (is_number and number >= 2):
        return number
    raise ValueError("should be auto, off or a number from 2")


class StudyPlan(FrozenConfig):
    """A plan of a search, whose fields are the keys of a plan file.

    The fields are also the options of `galaxytune search`, and the docstrings of the fields are
    the help of the options. In Python `set` is a mapping of values by KEY or ARCHITECTURE.KEY, and
    `grid` is a mapping of lists by KEY, or a list of such mappings. Without `epochs` a trial has
    the published number of its architecture; the commands allow that only with `as_published`. A
    value that is wrong, or that contradicts another value, raises InvalidInput in one line. A plan
    cannot be changed.

    Example:
        >>> import galaxytune
        >>> plan = galaxytune.StudyPlan(
        ...     name="first",
        ...     architectures=("simple_cnn",),
        ...     data="galaxies.npz",
        ...     trials=4,
        ...     epochs=2,
        ...     set={"width": 0.1, "batch_size": 32},
        ...     wandb="disabled",
        ... )
        >>> plan.spaces["simple_cnn"].published.epochs
        2
    """

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=80)]
    """Give the study and its folder this name."""
    architectures: Annotated[tuple[str, ...], Field(min_length=1), BeforeValidator(_as_names)]
    """Search these architectures; `galaxytune architectures` lists all that there are."""
    data: Annotated[str, BeforeValidator(_as_text)]
    """Train the networks on this galaxy file (npz)."""
    trials: Annotated[int, Field(ge=1, le=_MANY)]
    """Run this many trials. A grid sets this number itself."""
    epochs: Annotated[int, Field(ge=1, le=_MANY)] | None = None
    """Train a trial for at most this many epochs."""
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    """Use this random seed for the sampler and for the training of every trial."""
    split: Literal["hash", "seed"] = "hash"
    """Split the galaxies by the hash of their ids, or with `seed` as the notebooks did."""
    num_galaxies: Annotated[int, Field(ge=10)] | None = None
    """Use only this many galaxies of the file, chosen by the hash of their ids. Default: all."""
    as_published: bool = False
    """Train as the student project did, with its mistakes and its split."""
    set: dict[str, Any] = {}
    """Fix a hyperparameter: KEY=VALUE, or ARCHITECTURE.KEY=VALUE for one architecture."""
    search_only: Annotated[tuple[str, ...], BeforeValidator(_as_names)] = ()
    """Search this hyperparameter, and fix all that are not named here at their defaults."""
    learn_from: Annotated[tuple[str, ...], BeforeValidator(_as_paths)] = ()
    """Learn from this earlier study, its folder or its name: try its best configs first."""
    grid: Annotated[Grid, BeforeValidator(as_grid)] = ()
    """Train every combination of these values instead of a search: KEY=[VALUE, ...]."""
    cpus_per_trial: Annotated[float, Field(gt=0)] = 1.0
    """Give each trial this many CPUs, which may be a fraction."""
    gpus_per_trial: Annotated[float, Field(ge=0)] = 0.0
    """Give each trial this many GPUs. With a fraction, several trials share a GPU."""
    max_hours: Annotated[float, Field(gt=0)] | None = None
    """Stop the study this many hours after a start or resume. No value means no limit."""
    max_device_hours: Annotated[float, Field(gt=0)] | None = None
    """Stop the study after this many device-hours of training. No value means no limit."""
    target_rmse: Annotated[float, Field(gt=0)] | None = None
    """Stop when a complete trial reaches this validation RMSE. No value means no target."""
    plateau_trials: Annotated[int, Field(ge=1)] | None = None
    """Stop the study after this many trials without a better one. No value means no limit."""
    max_silence_minutes: Annotated[float, Field(gt=0)] = 60.0
    """Kill and restart the worker of a trial that has reported nothing for this many minutes."""
    max_retries: Annotated[int, Field(ge=0)] = 3
    """Restart a trial at most this many times after its worker or node was lost."""
    objective: Literal["rmse", "rmse_and_residual"] = "rmse"
    """Minimise the validation RMSE, or both the RMSE and the tree residual."""
    max_tree_residual: Annotated[float, Field(gt=0)] | None = None
    """Call a trial with a larger tree residual not feasible. No value means no limit."""
    keep_checkpoints: Annotated[int, Field(ge=1)] = 5
    """Keep the weights of this many best trials, and of the best trial of each architecture."""
    checkpoint_quota_gb: Annotated[float, Field(gt=0)] | None = None
    """Remove the worst checkpoints above this many GB in total. No value means no limit."""
    wandb: WandbMode = "offline"
    """Write Weights & Biases runs to the study folder, send them online, or write no runs."""
    halving: bool = True
    """Pause trials at rungs and let the best of each rung go on. A grid never pauses trials."""
    reduction_factor: Annotated[int, Field(ge=2)] = 3
    """Let the best 1/N of the trials at each rung go on."""
    pack: Annotated[Pack, BeforeValidator(_as_pack)] = "auto"
    """Train several trials as one: at most N, none with `off`, a measured number with `auto`."""
    grace_epochs: Annotated[int, Field(ge=1)] | None = None
    """Pause no trial before this epoch. Default: the study measures the right epoch."""
    seed_share: Annotated[float, Field(ge=0, le=0.5)] = 0.2
    """Keep this share of the trials for further seeds of the best configs, 0 for none."""

    @model_validator(mode="before")
    @classmethod
    def _complete(cls, values: Any) -> Any:
        """Return the values with the keys that follow from other keys.

        values: what pydantic is given, values by key; anything else is returned unchanged. The
        keys that follow are the number of trials of a grid, and the split of a plan with
        `as_published`. In the paths of a plan that is not stored yet, `~` and `$NAME` are
        expanded. A grid of the wrong form, a wrong number of trials for the grid, or a path that
        cannot be, raises InvalidInput.
        """
        if not isinstance(values, Mapping):
            return values
        completed = dict(values) if cls is not StudyPlan else with_given_paths(values)
        if completed.get("as_published"):
            completed.setdefault("split", "seed")
        architectures, grid = completed.get("architectures"), as_grid(completed.get("grid") or [])
        architectures = _as_names(architectures)
        if not grid or not isinstance(architectures, (list, tuple)):
            return completed
        try:
            check_grid(grid)
            num_points = len(architecture_points(grid, architectures))
        except (AttributeError, TypeError):
            raise InvalidInput(f"grid must hold keys with lists of values, got {grid!r}") from None
        if completed.setdefault("trials", num_points) != num_points:
            told = completed["trials"]
            raise InvalidInput(f"this plan's grid makes {num_points} trials, not {told}")
        return completed

    @model_validator(mode="after")
    def _check(self) -> Self:
        """Return the plan after the checks that concern more than one field.

        The first mistake raises InvalidInput. A stored plan is not checked again, because the
        StudyPlan that it was made from was checked.
        """
        if type(self) is StudyPlan:
            from galaxytune.plan.checks import check_plan  # the import loads Optuna

            check_plan(self)
        return self

    @property
    def has_two_objectives(self) -> bool:
        """True if the tree residual is an objective beside the RMSE."""
        return self.objective == "rmse_and_residual"

    @property
    def stops_early(self) -> bool:
        """True if halving may pause a trial, and end the trial before its last epoch.

        A grid never pauses trials.
        """
        return self.halving and not self.grid

    @cached_property
    def spaces(self) -> "dict[str, SearchSpace]":
        """The search space of each architecture, by name, in the plan's order.

        The spaces are made at the first access and kept. An unknown architecture raises
        InvalidInput.
        """
        return {name: self._space(name) for name in self.architectures}

    @cached_property
    def longest_epochs(self) -> int:
        """The largest number of epochs that a trial of the plan can have.

        The number is the largest of the grid's points. Without a grid it is the plan's `epochs`,
        or else the largest published number of the plan's architectures.
        """
        if self.grid:
            return max(config.epochs for _, config in self.grid_configs())
        return max(space.published.epochs for space in self.spaces.values())

    def grid_configs(self) -> "list[tuple[dict[str, Any], TrainingProtocol]]":
        """Return each point of the grid with its config, as pairs; [] for a plan without a grid.

        A point is a mapping with one value for each key, in the order of `grid_points`. A point
        without the key `architecture` comes once for each architecture of the plan. A wrong value
        raises InvalidInput.
        """
        return [
            (point, self.spaces[name].config(point))
            for point, name in architecture_points(self.grid, self.architectures)
        ]

    def _space(self, architecture: str) -> "SearchSpace":
        """Return an architecture's search space, with the values that the plan holds fixed.

        Fixed are `architecture` and `seed`, `epochs` if the plan gives it, the values of `set`,
        and with `as_published` the values that reproduce the student project. With a grid or
        `search_only`, every other hyperparameter that is not searched is fixed at its default. A
        value of `set` comes before the two others. An unknown architecture raises InvalidInput.
        """
        # the import loads Optuna, which `galaxytune search --help` does not need
        from search_spaces.declaration import SearchSpace, config_class, hyperparameters

        cls = config_class(architecture)
        fixed: dict[str, Any] = dict(cls.PUBLISHED) if self.as_published else {}
        if self.grid or self.search_only:
            kept = [h.name for h in hyperparameters(cls) if h.name not in self.search_only]
            fixed = {name: cls.model_fields[name].default for name in kept} | fixed
        for key, value in self.set.items():
            owner, dot, field = key.rpartition(".")
            if dot and owner == architecture:
                fixed[field] = value
            elif not dot and key in cls.model_fields:
                fixed[key] = value
        own = {} if self.epochs is None else {"epochs": self.epochs}
        held = {**fixed, "architecture": architecture, **own, "seed": self.seed}
        return SearchSpace(cls, held, self._distributions_by_field(architecture))

    def _distributions_by_field(
        self, architecture: str
    ) -> "Mapping[str, BaseDistribution] | None":
        """Return the argument `distributions_by_field` of an architecture's search space.

        None leaves the search space as the config class of the architecture declares it.
        """
        return None
