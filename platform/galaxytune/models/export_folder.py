"""The export folder of one network or of an ensemble: its files, and the loading of them.

The folder of an ensemble holds `ensemble.json` and, in `members/1`, `members/2` and so on, the
config and the weights of each member, in place of a config and weights of its own.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field, ValidationError

from galaxytune.models.trained_network import network_with_weights
from search_spaces.declaration import (
    InvalidInput,
    TrainingProtocol,
    config_from_values,
    read_yaml,
)
from trainables.backbones import CONFIG, ENSEMBLE, MEMBERS, MODEL, use_description
from trainables.files import load_weights
from trainables.layers import GalaxyNetwork
from trainables.training import EnsembleNetwork

METRICS, PROVENANCE, CARD = "metrics.json", "provenance.json", "README.md"


class MemberEntry(BaseModel, frozen=True):
    """The entry of `ensemble.json` for one member of an ensemble.

    picks: how often the member was picked; its share of all picks is its weight.
    study, trial: name of the study and id of the trial that trained the member.
    architecture: name of the member's architecture.
    val_rmse: validation RMSE of the member alone, before any refit.
    best_epoch: the trial's best epoch, from 1.
    """

    picks: int = Field(ge=1)
    study: str
    trial: str
    architecture: str
    val_rmse: float
    best_epoch: int


@dataclass(frozen=True)
class ExportedMember:
    """A member of an exported ensemble.

    config: the frozen config that was trained.
    weight: the weight of the member's vote fractions in the ensemble's, in 0..1.
    entry: the study and the trial that trained the member, and how good the member is alone.
    """

    config: TrainingProtocol
    weight: float
    entry: MemberEntry


@dataclass(frozen=True)
class Export:
    """An export folder that was loaded and is ready to predict.

    config: the config of the network; of an ensemble, the config of the first member, which no
        other member outweighs.
    network: the network with its weights, in evaluation mode. The network is on the CPU until
        `predict_images` or `explain_image` moves it to a GPU.
    metrics: the content of `metrics.json`; {} if the file is missing.
    provenance: the content of `provenance.json`; see `provenance_of` and `write_export`.
    crop, side: in pixels; images are cut to their central `crop` pixels and reduced to `side`
        pixels, like the images of the training.
    members: the members of an ensemble in the order of its network's; () for a single network.
    """

    config: TrainingProtocol
    network: GalaxyNetwork
    metrics: dict[str, Any]
    provenance: dict[str, Any]
    crop: int
    side: int
    members: tuple[ExportedMember, ...] = ()

    @property
    def label(self) -> str:
        """The architecture, or for an ensemble a text such as `ensemble of 3 networks`."""
        return ensemble_label(len(self.members)) if self.members else self.config.architecture


def ensemble_label(num_members: int) -> str:
    """Return `ensemble of 1 network`, `ensemble of 3 networks` and so on."""
    return f"ensemble of {num_members} network{'' if num_members == 1 else 's'}"


def load_export(folder: Path) -> Export:
    """Return the content of an export folder, with the network on the CPU in evaluation mode.

    InvalidInput is raised if config.yaml, model.safetensors or provenance.json is missing, if one
    of the files is damaged, or if the weights do not fit the config. The same holds for an
    ensemble's ensemble.json and for the files of its members. Building a network changes torch's
    global random state.
    """
    is_ensemble = (folder / ENSEMBLE).is_file()
    needed = (ENSEMBLE, PROVENANCE) if is_ensemble else (CONFIG, MODEL, PROVENANCE)
    _check_whole(folder, needed)
    provenance = read_json(folder / PROVENANCE)
    try:
        preprocessing = provenance["preprocessing"]
        crop, side = int(preprocessing["crop"]), int(preprocessing["side"])
    except (ValueError, KeyError, TypeError):
        raise InvalidInput(f"{folder / PROVENANCE} does not say how images were cropped") from None
    metrics = read_json(folder / METRICS) if (folder / METRICS).is_file() else {}
    if not is_ensemble:
        config, network = _load_network(folder)
        return Export(config, network, metrics, provenance, crop, side)
    entries = _read_entries(folder / ENSEMBLE)
    loaded = [_load_network(member_folder(folder, number)) for number in _numbers(entries)]
    whole = EnsembleNetwork([one for _, one in loaded], [e.picks for e in entries], side).eval()
    members = tuple(
        ExportedMember(config, weight, entry)
        for (config, _), weight, entry in zip(loaded, whole.weights, entries)
    )
    return Export(members[0].config, whole, metrics, provenance, crop, side, members)


def member_folder(folder: Path, number: int) -> Path:
    """Return the path of the folder of an ensemble's member; number: counted from 1."""
    return folder / MEMBERS / str(number)


def _numbers(entries: list[MemberEntry]) -> range:
    """Return the numbers of an ensemble's members, counted from 1."""
    return range(1, len(entries) + 1)


def _check_whole(folder: Path, needed: tuple[str, ...]) -> None:
    """Raise InvalidInput, which names the missing files, unless a folder holds needed files."""
    missing = [name for name in needed if not (folder / name).is_file()]
    if missing:
        raise InvalidInput(f"{folder} is no export folder: it lacks {', '.join(missing)}")


def _load_network(folder: Path) -> tuple[TrainingProtocol, GalaxyNetwork]:
    """Return the config and the network in a folder, on the CPU and in evaluation mode.

    The errors are those of `load_export`.
    """
    _check_whole(folder, (CONFIG, MODEL))
    config = config_from_values(read_yaml(folder / CONFIG))
    use_description(folder, config.architecture)
    return config, network_with_weights(config, load_weights(folder / MODEL))


def _read_entries(path: Path) -> list[MemberEntry]:
    """Return the entries of an ensemble's members; InvalidInput if the file holds no such list."""
    listed = read_json(path).get(MEMBERS)
    if not isinstance(listed, list) or not listed:
        raise InvalidInput(f"{path} must hold a list of members")
    try:
        return [MemberEntry.model_validate(values) for values in listed]
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(map(str, problem["loc"]))
        raise InvalidInput(f"{path} describes no ensemble: {where}: {problem['msg']}") from None


def read_json(path: Path) -> dict[str, Any]:
    """Return the JSON object in a file; InvalidInput if the file is missing or holds no object."""
    try:
        values = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise InvalidInput(f"{path} cannot be read: {error}") from None
    if not isinstance(values, dict):
        raise InvalidInput(f"{path} must hold a JSON object, it holds {type(values).__name__}")
    return values
