"""The weights of an earlier export, from which the training of the same network begins."""

import warnings
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from search_spaces.declaration import (
    InvalidInput,
    Notice,
    PretrainedBackbone,
    TrainingProtocol,
    config_from_values,
    read_yaml,
    shaping_fields,
)
from search_spaces.timm import is_on_hub
from trainables.backbones.pretrained_weights import check_finite
from trainables.files import load_weights
from trainables.layers import GalaxyNetwork, VoteLayer

CONFIG, MODEL = "config.yaml", "model.safetensors"  # files of an export
ENSEMBLE, MEMBERS = "ensemble.json", "members"  # file and folder of the export of an ensemble
HUB_FOLDER = "hub"  # folder in an export; timm reads the file config.json in it
# Fields that say nothing about the shapes of a network's tensors.
_SHAPELESS = (
    TrainingProtocol.model_fields.keys() | PretrainedBackbone.model_fields.keys() | {"pooling"}
) - {"as_published"}
_SHOWN = 3  # names that a message shows of a longer list


def use_description(folder: Path, architecture: str) -> None:
    """Let this process build a hub model from the description in an export folder.

    Nothing happens for any other architecture, or if the export has no description.
    """
    if not is_on_hub(architecture):
        return
    from trainables.backbones.hub_models import (  # the import loads timm
        DESCRIPTION,
        remember_description,
    )

    if (folder / HUB_FOLDER / DESCRIPTION).is_file():
        remember_description(architecture.removeprefix("timm:"), (folder / HUB_FOLDER).resolve())


def earlier_config(config: TrainingProtocol) -> TrainingProtocol:
    """Return the config of the network in the export folder that `config.begin_from` names.

    `config.begin_from` is not None. InvalidInput is raised if the folder is no export or that
    of an ensemble, if its config is damaged, or if the export holds another architecture. The
    weights are not read.
    """
    folder = Path(str(config.begin_from))
    if folder.is_file():
        raise InvalidInput(f"begin_from: {folder} is a file; give the folder of an export")
    if (folder / ENSEMBLE).is_file():
        member = folder / MEMBERS / "1"
        raise InvalidInput(f"begin_from: {folder} is an ensemble; give a member, such as {member}")
    missing = [name for name in (CONFIG, MODEL) if not (folder / name).is_file()]
    if missing:
        lacks = f"it lacks {', '.join(missing)}" if folder.is_dir() else "there is no such folder"
        raise InvalidInput(f"begin_from: {folder} is no export folder: {lacks}")
    earlier = config_from_values(read_yaml(folder / CONFIG))
    if earlier.architecture != config.architecture:
        raise InvalidInput(
            f"begin_from: {folder} holds a {earlier.architecture}, and a {config.architecture} "
            "cannot begin from its weights"
        )
    return earlier


def begin_from_export(network: GalaxyNetwork, config: TrainingProtocol) -> None:
    """Load the weights of the export that `config.begin_from` names into a network, in place.

    network: the network of `config`. The last layer keeps its new weights if the export has
    another head, with a Notice; otherwise `network.has_trained_output` becomes True.

    InvalidInput is raised if the folder is no export of the same architecture, or if a tensor is
    missing, left over, of another shape, or not finite. The network stays unchanged then, except
    if weights are not finite.
    """
    earlier = earlier_config(config)
    folder = Path(str(config.begin_from))
    given, own = load_weights(folder / MODEL), network.state_dict()
    new = set() if earlier.head == config.head else _last_layer(network)
    wanted = {name: tensor for name, tensor in own.items() if name not in new}
    problems = _problems(given, wanted, own)
    if problems:
        raise InvalidInput(_refusal(folder, earlier, config, problems))
    network.load_state_dict({name: given[name] for name in wanted}, strict=False)
    check_finite(network, source=str(folder / MODEL))
    network.has_trained_output = not new
    if new:
        warnings.warn(
            f"begin_from: the last layer begins anew, because {folder} has the head "
            f"{earlier.head} and the config the head {config.head}",
            Notice,
            stacklevel=2,
        )


def _last_layer(network: GalaxyNetwork) -> set[str]:
    """Return the names, in the state_dict, of the tensors of a network's VoteLayer."""
    return {
        f"{name}.{tensor}"
        for name, module in network.named_modules()
        if isinstance(module, VoteLayer)
        for tensor in module.state_dict()
    }


def _problems(
    given: Mapping[str, Tensor], wanted: Mapping[str, Tensor], own: Mapping[str, Tensor]
) -> list[str]:
    """Return the names of the tensors that do not fit, each with what is wrong.

    given: the tensors of the export. wanted: the tensors of the network that must be given. own:
    all tensors of the network.
    """
    missing = [f"{name} is missing" for name in wanted if name not in given]
    further = [f"{name} is unknown" for name in given if name not in own]
    shapes = [
        f"{name} is {list(given[name].shape)}, not {list(tensor.shape)}"
        for name, tensor in wanted.items()
        if name in given and given[name].shape != tensor.shape
    ]
    return [*shapes, *missing, *further]


def _refusal(
    folder: Path, earlier: TrainingProtocol, config: TrainingProtocol, problems: list[str]
) -> str:
    """Return the message about weights of another shape, which names the fields that differ."""
    there, here = earlier.model_dump(), config.model_dump()
    fields = [f for f in shaping_fields(type(config)) if f not in _SHAPELESS]
    differing = [f"{f}={there[f]}, not {here[f]}" for f in fields if there[f] != here[f]]
    told = " and ".join(differing) or "another form"
    more = ", ..." if len(problems) > _SHOWN else ""
    return (
        f"begin_from: {folder} holds a network with {told}: {', '.join(problems[:_SHOWN])}{more}"
    )
