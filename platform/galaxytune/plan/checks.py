"""Checks of a plan: unknown keys, values without effect, and networks that are not available."""

from collections.abc import Container, Iterable
from typing import TYPE_CHECKING

from galaxytune.plan.grid import architecture_points, check_grid
from search_spaces.declaration import (
    InvalidInput,
    SearchSpace,
    TrainingProtocol,
    config_class,
    did_you_mean,
    hyperparameters,
)

if TYPE_CHECKING:
    from galaxytune.plan.study_plan import StudyPlan


_SMALLEST_SHARE = 0.001  # of a CPU or GPU; Ray counts in steps of 0.0001


def check_plan(plan: "StudyPlan") -> None:
    """Raise InvalidInput for the first mistake in a plan.

    The types and ranges of single fields were checked by pydantic before. No network is built and
    no file is read (see `check_networks`).
    """
    if len(set(plan.architectures)) != len(plan.architectures):
        raise InvalidInput(f"an architecture is named twice: {', '.join(plan.architectures)}")
    for architecture in plan.architectures:
        config_class(architecture)
    _check_settings(plan)
    _check_search_only(plan)
    if plan.learn_from and plan.grid:
        raise InvalidInput("a grid draws no value, so learn_from has no effect; leave one out")
    _check_grid(plan)
    _check_pack(plan)
    _check_shares(plan)
    _check_length(plan)


def _check_shares(plan: "StudyPlan") -> None:
    """Raise InvalidInput for a share of a CPU or GPU that Ray cannot give to a trial."""
    if plan.gpus_per_trial > 1 and plan.gpus_per_trial % 1:
        raise InvalidInput(f"gpus_per_trial above 1 must be whole, got {plan.gpus_per_trial:g}")
    for key in ("cpus_per_trial", "gpus_per_trial"):
        if 0 < (share := getattr(plan, key)) < _SMALLEST_SHARE:
            raise InvalidInput(f"{key} must be at least {_SMALLEST_SHARE:g}, got {share:g}")


def _check_length(plan: "StudyPlan") -> None:
    """Raise InvalidInput for a limit that no trial can reach, or that every trial reaches."""
    grace, longest = plan.grace_epochs, plan.longest_epochs
    if grace is not None and plan.stops_early and grace > longest:
        raise InvalidInput(
            f"grace_epochs {grace} is above the {longest} epochs of a trial, so that no trial "
            f"would pause; give --grace-epochs N up to {longest}, or --no-halving"
        )
    if plan.target_rmse is not None and plan.target_rmse >= 1:
        raise InvalidInput(
            f"target_rmse must be below 1, because vote fractions lie in 0..1, "
            f"got {plan.target_rmse:g}"
        )


def check_networks(plan: "StudyPlan") -> None:
    """Raise InvalidInput if a network of the plan, or its first weights, is not available.

    The published config of each architecture is checked, or every config of a grid. If a search
    begins from an export, the ends of each searched range that may shape the network are checked
    too. torchvision's weights are downloaded if this machine lacks them.
    """
    from trainables.architectures import check_network  # the import loads torch

    configs = [config for _, config in plan.grid_configs()] if plan.grid else []
    for config in configs or [space.published for space in plan.spaces.values()]:
        check_network(config)
    for space in () if plan.grid else plan.spaces.values():
        if space.published.begin_from is not None:
            _check_searched_shapes(space)


def _check_searched_shapes(space: SearchSpace) -> None:
    """Raise InvalidInput if a search may draw a network that an earlier export does not fit.

    space: the space of an architecture whose configs begin from an export that fits the published
    config. The message names all searched fields that must be held fixed.
    """
    from trainables.architectures import check_network  # the import loads torch

    wrong: list[str] = []
    for name, config in space.shaping_configs():
        try:
            if name not in (*wrong, "batch_size"):
                check_network(config)
        except InvalidInput:
            wrong.append(name)
    if wrong:
        values = space.published.model_dump()
        fixed = " ".join(f"--set {space.prefix}{name}={values[name]}" for name in wrong)
        raise InvalidInput(
            f"begin_from: a search that varies {' and '.join(wrong)} draws networks that "
            f"{space.published.begin_from} does not fit; add {fixed}"
        )


def _check_pack(plan: "StudyPlan") -> None:
    """Raise InvalidInput if `pack` is a number and a network cannot be trained in packs."""
    for name, space in plan.spaces.items():
        if isinstance(plan.pack, int) and not space.config_class.STACKS:
            raise InvalidInput(
                f"pack: networks of {name!r} cannot be trained as a pack, got {plan.pack}; "
                "leave it at auto, which packs the others"
            )


def _check_settings(plan: "StudyPlan") -> None:
    """Raise InvalidInput if a key of `set` is unknown, or is decided by the plan itself.

    The values of `set` are not checked here.
    """
    for key in plan.set:
        owner, dot, field = key.rpartition(".")
        owners = [owner] if dot else list(plan.architectures)
        if dot and owner not in plan.architectures:
            raise InvalidInput(
                f"--set {key}: {owner!r} is not searched{did_you_mean(owner, plan.architectures)}"
            )
        name = field if dot else key
        fields = {f for a in owners for f in config_class(a).model_fields}
        if name in ("architecture", "epochs", "seed"):
            raise InvalidInput(f"--set {key}: the plan itself decides it, use its own option")
        if name not in fields:
            raise InvalidInput(f"unknown key {name!r}{did_you_mean(name, fields)}")


def _check_search_only(plan: "StudyPlan") -> None:
    """Raise InvalidInput if a name in `search_only` cannot be searched, or has no effect."""
    classes = [space.config_class for space in plan.spaces.values()]
    known = {h.name for cls in classes for h in hyperparameters(cls) if not h.only_choice}
    if plan.search_only and plan.grid:
        raise InvalidInput("a grid draws no value, so search_only has no effect; leave one out")
    for name in plan.search_only:
        if name not in known:
            raise InvalidInput(f"search_only: {name!r} is not searched{did_you_mean(name, known)}")
        if all(name in plan.set or f"{a}.{name}" in plan.set for a in plan.architectures):
            raise InvalidInput(f"search_only and --set both decide {name!r}; leave one out")
    for space in plan.spaces.values():
        _check_in_use(space.published, plan.search_only, "search_only", searched=plan.search_only)


def _check_in_use(
    config: TrainingProtocol, names: Iterable[str], where: str, *, searched: Container[str] = ()
) -> None:
    """Raise InvalidInput if a value of a config has no effect because of another field's value.

    config: holds the values. names: the hyperparameters to check. where: the plan's key that sets
    the values, for the message. searched: fields that are searched; a value that needs such a
    field is not checked, because the field may take any value.
    """
    values = config.model_dump()
    for parameter in hyperparameters(type(config)):
        if parameter.name not in names:
            continue
        for needed in parameter.conditions:
            if needed.field not in searched and values[needed.field] not in needed.values:
                setting = f"{needed.field}={needed.values[0]}"
                raise InvalidInput(
                    f"{where}: {parameter.name} is used only with {setting}; add --set {setting}"
                )


def _check_grid(plan: "StudyPlan") -> None:
    """Raise InvalidInput for the first mistake in the plan's grid.

    A mistake is a wrong key or value, a key that `set`, `seed` or `epochs` of the plan also
    decides, an architecture that is not in the plan, a varied value without effect, or a point
    that is given twice. A plan without a grid passes.
    """
    check_grid(plan.grid)
    for key in {"seed", "epochs"} & plan.model_fields_set if plan.grid else ():
        told = getattr(plan, key)
        if told is not None and all(key in values for values in plan.grid):
            raise InvalidInput(
                f"grid and --{key} {told} both decide {key!r}; leave one of them out"
            )
    for point, name in architecture_points(plan.grid, plan.architectures):
        if name not in plan.architectures:
            raise InvalidInput(f"grid: {name!r} is not among the plan's architectures")
        fields = config_class(name).model_fields
        for key in point:
            if key not in fields:
                raise InvalidInput(f"grid: {name} has no {key!r}{did_you_mean(key, fields)}")
            if key in plan.set or f"{name}.{key}" in plan.set:
                raise InvalidInput(f"grid and --set both decide {key!r}; leave one of them out")
    varied = {key for values in plan.grid for key, given in values.items() if len(given) > 1}
    seen = set()
    for point, config in plan.grid_configs():
        _check_in_use(config, varied & point.keys(), "grid")
        if config.model_dump_json() in seen:
            raise InvalidInput(f"grid: the point {point} is given twice")
        seen.add(config.model_dump_json())
