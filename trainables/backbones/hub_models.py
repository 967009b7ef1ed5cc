"""Models of timm that are described on the Hugging Face hub, such as the encoders of Zoobot."""

import json
import re
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Any

import timm
from huggingface_hub import constants, hf_hub_download, try_to_load_from_cache
from huggingface_hub.errors import (
    EntryNotFoundError,
    HFValidationError,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from timm.models import PretrainedCfg

from search_spaces.declaration import InvalidInput
from trainables.backbones.pretrained_weights import Unreachable, check_server
from trainables.files import one_line

DESCRIPTION = "config.json"
WEIGHT_FILES = ("model.safetensors", "pytorch_model.bin")
_HUB = re.compile(r"hf[-_]hub:(?P<repository>[^@]+)(@(?P<revision>.+))?")
_LOCAL: dict[str, Path] = {}  # folders that hold the description of a hub model, by model


class UnreachableModel(Unreachable):
    """An error that is raised when a model's description or weights on the hub cannot be had.

    The message says which file to fetch, and which architecture reads the file.
    """

    def __init__(self, name: str, reason: str) -> None:
        """Make the message.

        name: the model's name, such as `hf_hub:OWNER/NAME`. reason: why the hub did not answer.
        """
        repository, _ = repository_of(name)
        address = f"{constants.ENDPOINT}/{repository}/resolve/main/{WEIGHT_FILES[0]}"
        InvalidInput.__init__(
            self,
            f"{repository} cannot be read from the Hugging Face hub ({reason}); fetch {address} "
            "on a machine with a network, copy the file here, and name the architecture "
            f"{_likely_architecture(repository)} with --set weights=FILE",
        )


def is_hub_name(name: str) -> bool:
    """Return whether timm's name of a model leads to the Hugging Face hub."""
    return _HUB.fullmatch(name) is not None


def repository_of(name: str) -> tuple[str, str | None]:
    """Return the repository of a hub model and its revision, None for the newest revision.

    name: the model's name, `hf_hub:REPOSITORY` or `hf-hub:REPOSITORY`, perhaps with `@REVISION`.
    Another name raises InvalidInput.
    """
    found = _HUB.fullmatch(name)
    if found is None:
        raise InvalidInput(f"{name!r} is no model on the Hugging Face hub; hf_hub:OWNER/NAME is")
    return found["repository"], found["revision"]


def _likely_architecture(repository: str) -> str:
    """Return the architecture `timm:NAME` that a repository's name ends with, or where to find it.

    `mwalmsley/zoobot-encoder-resnet18` gives `timm:resnet18`.
    """
    parts = repository.rpartition("/")[2].split("-")
    ends = ("-".join(parts[i:]) for i in range(len(parts)))
    known = next((end for end in ends if timm.is_model(end.partition(".")[0])), None)
    if known is None:
        return f"timm:NAME, where {DESCRIPTION} of the repository gives NAME as `architecture`,"
    return f"timm:{known.partition('.')[0]}"


def _cached(name: str, files: tuple[str, ...]) -> Path | None:
    """Return the first of `files` of a hub model that is in the hub's cache, or None."""
    repository, revision = repository_of(name)
    try:
        found = [try_to_load_from_cache(repository, file, revision=revision) for file in files]
    except HFValidationError as error:
        raise InvalidInput(f"{name!r} is no model on the Hugging Face hub: {error}") from None
    return next((Path(path) for path in found if isinstance(path, str)), None)


def check_hub_weights(name: str) -> None:
    """Raise UnreachableModel if a hub model's weights are not in the cache and the hub is silent.

    name: the model's name. The weights are not downloaded. A wrong name raises InvalidInput.
    """
    if _cached(name, WEIGHT_FILES) is None:
        _check_hub(name)


def _check_hub(name: str) -> None:
    """Raise UnreachableModel if the hub does not answer, or if HF_HUB_OFFLINE forbids to ask."""
    if constants.HF_HUB_OFFLINE:
        raise UnreachableModel(name, "HF_HUB_OFFLINE is set")
    reason = check_server(constants.ENDPOINT)
    if reason:
        raise UnreachableModel(name, reason)


def description_file(name: str) -> Path:
    """Return the path of a hub model's description, a JSON file; it is downloaded if needed.

    The file is in the folder that `remember_description` was given, else in the cache of the hub.
    UnreachableModel is raised if the file is not here and the hub does not give it, InvalidInput
    if the hub has no such repository, revision or file.
    """
    if name in _LOCAL:
        return _LOCAL[name] / DESCRIPTION
    found = _cached(name, (DESCRIPTION,))
    if found is not None:
        return found
    _check_hub(name)
    repository, revision = repository_of(name)
    try:
        return Path(hf_hub_download(repository, DESCRIPTION, revision=revision))
    except RepositoryNotFoundError:
        raise InvalidInput(
            f"the Hugging Face hub has no repository {repository}, or it is private; `hf auth "
            "login` opens private repositories"
        ) from None
    except (RevisionNotFoundError, RemoteEntryNotFoundError):
        at = f" of revision {revision}" if revision else ""
        raise InvalidInput(
            f"{repository}{at} on the Hugging Face hub has no {DESCRIPTION}"
        ) from None
    except (OSError, EntryNotFoundError) as error:
        raise UnreachableModel(name, _first_line(error)) from None


def _first_line(error: Exception) -> str:
    """Return the first line of an error of the hub that says something, at most 150 characters."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0][:150] if lines else one_line(error)


def remember_description(name: str, folder: Path) -> None:
    """Let this process read a hub model's description from `folder`/config.json from now on.

    An export holds such a file, so that its network can be built without a network.
    """
    _LOCAL[name] = folder
    described.cache_clear()


def timm_name(name: str) -> str:
    """Return the name under which timm builds a hub model's network, without its weights."""
    return f"local-dir:{_LOCAL[name]}" if name in _LOCAL else name


@cache
def described(name: str) -> tuple[str, PretrainedCfg]:
    """Return timm's architecture of a hub model, and what the hub says of the model's weights.

    name: the model's name. InvalidInput is raised if the description is damaged, or is not that of
    a model that this timm knows, and UnreachableModel if the description cannot be had.
    """
    path = description_file(name)
    try:
        values: Any = json.loads(path.read_text())
        architecture = str(values["architecture"])
        told = values.get("pretrained_cfg", values)
        known = {f.name for f in fields(PretrainedCfg)}
        found = PretrainedCfg(**{key: told[key] for key in known & told.keys()})
    except (OSError, ValueError, TypeError, LookupError, AttributeError) as error:
        reason = one_line(error)[:150]
        raise InvalidInput(
            f"{name} is no model of timm: {path} does not describe one ({reason})"
        ) from None
    if not timm.is_model(architecture):
        raise InvalidInput(f"{name} is a {architecture!r}, which timm {timm.__version__} has not")
    return architecture, found
