"""The writing of export folders, of one network or of an ensemble."""

import json
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

from torch import Tensor

from galaxytune.models.export_folder import (
    CARD,
    METRICS,
    PROVENANCE,
    ExportedMember,
    member_folder,
)
from galaxytune.models.hub_description import drop_description, keep_description
from galaxytune.models.model_card import ensemble_card, model_card
from galaxytune.models.portable_model import PORTABLE_FILES, PortableFile
from search_spaces.declaration import TrainingProtocol, to_yaml
from trainables.backbones import CONFIG, ENSEMBLE, MEMBERS, MODEL
from trainables.files import save_weights, write_atomically

_NONE: Mapping[str, PortableFile] = MappingProxyType({})


def write_json(path: Path, values: Any) -> None:
    """Write values to `path` as indented JSON; the file is replaced in one step.

    values: what `json.dumps` takes. The folder is made if it does not exist. OSError is raised if
    the file cannot be written.
    """
    _write_text(path, indented(values))


def indented(values: Any) -> str:
    """Return values as indented JSON with a line break at the end."""
    return json.dumps(values, indent=2) + "\n"


def _write_text(path: Path, text: str) -> None:
    """Write a text to `path` in one step; OSError is raised if the file cannot be written."""
    write_atomically(path, lambda temporary: temporary.write_text(text))


def write_export(
    out: Path,
    config: TrainingProtocol,
    weights: Mapping[str, Tensor],
    metrics: dict[str, Any],
    provenance: dict[str, Any],
    portable: Mapping[str, PortableFile] = _NONE,
) -> None:
    """Write the files of an export folder; the folder is made if it does not exist.

    config: the config that was trained. weights: the network's tensors, by name. metrics: the
    content of metrics.json, with the key `validation` and perhaps `test`, each as `split_metrics`
    returns, and perhaps `refit`. provenance: what `provenance_of` returns; provenance.json also
    gets the key `largest_difference_by_file`. portable: what `portable_files` returned; these
    files are written too.

    Each file is replaced in one step. Older portable files in the folder, and the files of an
    ensemble once the weights are written, are deleted, because these files would hold another
    network; config.yaml is written last. OSError is raised if a file cannot be written; the files
    before it are then new, and the others old.
    """
    _begin(out)
    save_weights(out / MODEL, weights)
    keep_description(out, config)
    (out / ENSEMBLE).unlink(missing_ok=True)
    _drop_members(out, num_kept=0)
    card = model_card(config, metrics, provenance, portable)
    _write_common(out, metrics, provenance, portable, card)
    _write_text(out / CONFIG, to_yaml(config))


def write_ensemble(
    out: Path,
    members: Sequence[tuple[ExportedMember, Mapping[str, Tensor]]],
    metrics: dict[str, Any],
    provenance: dict[str, Any],
    portable: Mapping[str, PortableFile] = _NONE,
) -> None:
    """Write the files of an ensemble's export folder; the folder is made if it does not exist.

    members: the members and the tensors of their networks, by name. metrics: as in `write_export`,
    with the key `ensemble` (see `export_ensemble`). provenance, portable: as in `write_export`.

    Each file is replaced in one step. Older portable files in the folder, and the config and the
    weights of a single network once the members are written, are deleted, because these files
    would hold another network; ensemble.json is deleted first and written last. OSError is raised
    if a file cannot be written; the folder is then no export, or still that of a single network.
    """
    _begin(out)
    (out / ENSEMBLE).unlink(missing_ok=True)
    for number, (member, weights) in enumerate(members, start=1):
        folder = member_folder(out, number)
        save_weights(folder / MODEL, weights)
        keep_description(folder, member.config)
        _write_text(folder / CONFIG, to_yaml(member.config))
    for name in (CONFIG, MODEL):
        (out / name).unlink(missing_ok=True)
    _drop_members(out, num_kept=len(members))
    drop_description(out)
    listed = [member for member, _ in members]
    card = ensemble_card(listed, metrics, provenance, portable)
    _write_common(out, metrics, provenance, portable, card)
    write_json(out / ENSEMBLE, {MEMBERS: [member.entry.model_dump() for member in listed]})


def _begin(out: Path) -> None:
    """Make the folder of an export, and delete its portable files."""
    out.mkdir(parents=True, exist_ok=True)
    for name in PORTABLE_FILES.values():
        (out / name).unlink(missing_ok=True)


def _write_common(
    out: Path,
    metrics: dict[str, Any],
    provenance: dict[str, Any],
    portable: Mapping[str, PortableFile],
    card: str,
) -> None:
    """Write the files that the folders of single networks and of ensembles share.

    card: the text of the model card. The other arguments are those of `write_export`.
    """
    for name, file in portable.items():
        write_atomically(out / name, partial(Path.write_bytes, data=file.content))
    write_json(out / METRICS, metrics)
    differences = {name: file.largest_difference for name, file in portable.items()}
    write_json(out / PROVENANCE, provenance | {"largest_difference_by_file": differences})
    _write_text(out / CARD, card)


def _drop_members(out: Path, *, num_kept: int) -> None:
    """Delete the files of an earlier ensemble's members, except those of the first `num_kept`.

    A file that no export writes stays, and so does its folder.
    """
    folders = [path for path in (out / MEMBERS).glob("*") if path.name.isdecimal()]
    for folder in folders:
        if int(folder.name) > num_kept:
            for name in (CONFIG, MODEL):
                (folder / name).unlink(missing_ok=True)
            drop_description(folder)
            _remove_if_empty(folder)
    _remove_if_empty(out / MEMBERS)


def _remove_if_empty(folder: Path) -> None:
    """Remove a folder that is empty; do nothing if it holds a file or does not exist."""
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
