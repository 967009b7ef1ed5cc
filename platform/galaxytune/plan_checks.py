"""What a plan must not ask for: unknown keys, values without effect, networks not to be had."""

from collections.abc import Container, Iterable
from typing import TYPE_CHECKING

from galaxytune.grid import architecture_points, check_grid
from search_spaces import config_class
from search_spaces.declaration.frozen_config import did_you_mean
from search_spaces.declaration.hyperparameters import hyperparameters
from search_spaces.declaration.training_protocol import TrainingProtocol

if TYPE_CHECKING:
    from galaxytune.study_plan import StudyPlan


def check_plan(plan: "StudyPlan") -> None:
    """ValueError in one line for the first thing that is wrong, its networks left unbuilt."""
    _check_settings(plan)
    _check_search_only(plan)
    _check_grid(plan)
    _check_pack(plan)


def check_networks(plan: "StudyPlan") -> None:
    """ValueError if a network of the plan, or its pretrained weights, cannot be had here."""
    from trainables.architectures import check_network  # with torch, which takes long to load

    configs = [config for _, config in plan.grid_configs()] if plan.grid else []
    for config in configs or [plan.published_config(name) for name in plan.architectures]:
        check_network(config)


def _check_pack(plan: "StudyPlan") -> None:
    for name in plan.architectures:
        if isinstance(plan.pack, int) and not config_class(name).STACKS:
            raise ValueError(
                f"pack: networks of {name!r} cannot be trained several as one, got {plan.pack}; "
                "leave it at auto, which packs the others"
            )


def _check_settings(plan: "StudyPlan") -> None:
    for key in plan.set:
        owner, dot, field = key.rpartition(".")
        owners = [owner] if dot else list(plan.architectures)
        if dot and owner not in plan.architectures:
            raise ValueError(
                f"--set {key}: {owner!r} is not searched{did_you_mean(owner, plan.architectures)}"
            )
        name = field if dot else key
        fields = {f for a in owners for f in config_class(a).model_fields}
        if name in ("architecture", "epochs", "seed"):
            raise ValueError(f"--set {key}: the plan itself decides it, use its own option")
        if name not in fields:
            raise ValueError(f"unknown key {name!r}{did_you_mean(name, fields)}")


def _check_search_only(plan: "StudyPlan") -> None:
    known = {h.name for a in plan.architectures for h in hyperparameters(config_class(a))}
    for name in plan.search_only:
        if name not in known:
            raise ValueError(f"search_only: {name!r} is not searched{did_you_mean(name, known)}")
    for architecture in plan.architectures:
        config = plan.published_config(architecture)
        _check_in_use(config, plan.search_only, "search_only", searched=plan.search_only)


def _check_in_use(
    config: TrainingProtocol, names: Iterable[str], where: str, *, searched: Container[str] = ()
) -> None:
    """ValueError if a value would change nothing, another field not being what it needs."""
    values = config.model_dump()
    for parameter in hyperparameters(type(config)):
        needs = parameter.condition
        if needs is None or parameter.name not in names or needs.field in searched:
            continue
        if not parameter.in_use(values):
            raise ValueError(
                f"{where}: {parameter.name} is used only with {needs.field}={needs.values[0]}; "
                f"add --set {needs.field}={needs.values[0]}"
            )


def _check_grid(plan: "StudyPlan") -> None:
    check_grid(plan.grid)
    for key in {"seed", "epochs"} & plan.model_fields_set if plan.grid else ():
        told = getattr(plan, key)
        if told is not None and all(key in values for values in plan.grid):
            raise ValueError(f"grid and --{key} {told} both decide {key!r}; leave one of them out")
    for point, name in architecture_points(plan.grid, plan.architectures):
        if name not in plan.architectures:
            raise ValueError(f"grid: {name!r} is not among the plan's architectures")
        fields = config_class(name).model_fields
        for key in point:
            if key not in fields:
                raise ValueError(f"grid: {name} has no {key!r}{did_you_mean(key, fields)}")
            if key in plan.set or f"{name}.{key}" in plan.set:
                raise ValueError(f"grid and --set both decide {key!r}; leave one of them out")
    varied = {key for values in plan.grid for key, given in values.items() if len(given) > 1}
    seen = set()
    for point, config in plan.grid_configs():
        _check_in_use(config, varied & point.keys(), "grid")
        if config.model_dump_json() in seen:
            raise ValueError(f"grid: the point {point} stands in it twice")
        seen.add(config.model_dump_json())
