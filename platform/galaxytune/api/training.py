"""Functions that simulate galaxies, make a config, and train one config without Ray."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from galaxytune.api.model import Model, load_model
from search_spaces.declaration import (
    InvalidInput,
    TrainingProtocol,
    build,
    config_class,
    config_from_values,
    did_you_mean,
    given_path,
)
from trainables.files import check_output_file, writing_to_a_given_place
from trainables.galaxies import check_room, save_galaxy_blocks

if TYPE_CHECKING:
    from trainables.training import EpochReport

_Protocol = Literal["default", "published"]
# The arrays of a file of simulated galaxies, behind the images.
_SIMULATED = ("target", "ids", "num_votes", "counts", "probabilities")


def simulate(
    path: str | Path,
    num_galaxies: int = 2000,
    *,
    seed: int = 0,
    on_progress: Callable[[int], None] | None = None,
) -> Path:
    """Write a galaxy file with simulated galaxies and simulated votes of volunteers.

    The same seed gives the same galaxies: the first 100 of 2000 galaxies are those of a file of
    100. A galaxy takes about 3 ms.

    Args:
        path: The file to write, which replaces an older file of that name. Its name must end in
            ``.npz``. Its folder is made if it does not exist.
        num_galaxies: How many galaxies to simulate, at least 1.
        seed: Random seed, at least 0.
        on_progress: Is called after each galaxy with the number of galaxies that are done.

    Returns:
        The path of the file. The file holds ``images`` [N, 64, 64, 3] uint8, ``target`` [N, 37]
        float32, the vote fractions in 0..1, ``ids`` [N] from 1 to N, ``num_votes`` [N], the number
        of volunteers, ``counts`` [N, 37], the number of votes for each answer, and
        ``probabilities`` [N, 37], the fractions that infinitely many volunteers would give.

    Raises:
        InvalidInput: The name, the number or the seed is wrong, or the file cannot be written
            there, for example without permission, or does not fit on the disk; all is known
            before the first galaxy.
        OSError: The disk refuses for another reason, such as a full disk.

    Example:
        >>> import galaxytune
        >>> galaxytune.simulate("galaxies.npz", num_galaxies=80).name
        'galaxies.npz'
    """
    from trainables.simulation import IMAGE_SIZE, simulate_blocks

    out = given_path(path)
    check_galaxy_file_name(out)
    blocks = simulate_blocks(num_galaxies, seed=seed, on_progress=on_progress)
    check_output_file(out)
    shape = (num_galaxies, IMAGE_SIZE, IMAGE_SIZE, 3)
    check_room(out, shape, "take fewer galaxies or another output")
    parts: dict[str, list[NDArray[Any]]] = {name: [] for name in _SIMULATED}

    def images() -> Iterator[NDArray[np.uint8]]:
        """Yield the images of each block, and keep the other arrays in `parts`."""
        for block in blocks:
            for name, columns in parts.items():
                columns.append(getattr(block, name))
            yield block.images

    with writing_to_a_given_place():
        save_galaxy_blocks(
            out,
            images(),
            shape=shape,
            columns=lambda: {name: np.concatenate(parts[name]) for name in _SIMULATED},
        )
    return out


def check_galaxy_file_name(out: Path) -> None:
    """Raise InvalidInput unless a path ends in ``.npz``, in upper or lower case."""
    if out.suffix.lower() != ".npz":
        raise InvalidInput(f"galaxy files end in .npz, not {out.name!r}")


def make_config(
    architecture: str,
    /,
    *,
    protocol: _Protocol = "default",
    **values: Any,
) -> TrainingProtocol:
    """Return the config of one training run, for `train`.

    Args:
        architecture: Name of the architecture, such as ``simple_cnn`` or ``timm:convnext_nano``.
            The command ``galaxytune architectures`` lists all names with the numbers of
            parameters, and the message for an unknown name lists all names.
        protocol: ``published`` reproduces the student project, its mistakes included;
            ``default`` gives the defaults, which correct these mistakes.
        **values: Hyperparameters that differ from the protocol's values, by name. The config that
            is returned has each of the architecture's hyperparameters as an attribute.

    Returns:
        The frozen config.

    Raises:
        InvalidInput: The architecture, the protocol, a name or a value is wrong. Whether the timm
            library has a model is checked only by `train`.

    Example:
        >>> import galaxytune
        >>> galaxytune.make_config("simple_cnn", learning_rate=3e-4).learning_rate
        0.0003
    """
    known = get_args(_Protocol)
    if protocol not in known:
        raise InvalidInput(f"no protocol {protocol!r}{did_you_mean(protocol, known)}")
    if "architecture" in values:
        raise InvalidInput(f"the architecture is given twice: {architecture!r} and by name")
    cls = config_class(architecture)
    published = cls.PUBLISHED if protocol == "published" else {}
    return build(cls, {**published, **_with_whole_path(values), "architecture": architecture})


def _with_whole_path(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return a config's values by name with `~` and `$NAME` expanded in its paths.

    The paths are the values of `weights` and `begin_from`. A value that is neither a text nor a
    path, or the lack of one, is left to the check of the config. A variable that is not set raises
    InvalidInput.
    """
    given = {name: values.get(name) for name in ("weights", "begin_from")}
    paths = {n: str(given_path(v)) for n, v in given.items() if v and isinstance(v, str | Path)}
    return {**values, **paths}


def train(
    config: TrainingProtocol | Mapping[str, Any],
    data: str | Path,
    out_dir: str | Path,
    *,
    split: Literal["hash", "seed"] = "hash",
    num_galaxies: int | None = None,
    on_epoch: Callable[["EpochReport"], None] | None = None,
) -> "Model":
    """Train one config, without Ray, and write the model to a folder.

    A training that was interrupted goes on after its last whole epoch if the same call is made
    again. After a training that was finished, the same call writes the model again without
    training. The training runs on the GPU if torch finds a GPU, else on the CPU, and sets torch's
    global random state. Pretrained weights are downloaded if the config needs them.

    Args:
        config: What to train: a config from `make_config`, or a mapping with the key
            ``architecture`` and the hyperparameters that differ from their defaults.
        data: Galaxy file (npz).
        out_dir: Folder for the model, which is made if it does not exist: the files of an export,
            ``curve.jsonl`` with the report of each epoch, and ``last.pt``, the state from which
            the training can go on.
        split: How galaxies are split into training, validation and test: ``hash``, by the hash of
            their id, or ``seed``, as the student project's notebooks did.
        num_galaxies: How many galaxies of the file are used, at least 10; by default all.
        on_epoch: Is called with the report of each epoch, first with those of the epochs that an
            earlier call trained.

    Returns:
        The model with the weights of the best epoch, on the CPU.

    Raises:
        InvalidInput: The config, the data, the split or the number is wrong, the network or its
            pretrained weights are not available, or the folder cannot be written or holds another
            training or other files.
        WorkFailed: The training diverged, or memory does not hold it.
        OSError: The disk refuses for another reason than permission, such as a full disk.

    Example:
        >>> import galaxytune
        >>> config = {"architecture": "simple_cnn", "width": 0.1, "epochs": 1}
        >>> model = galaxytune.train(config, "galaxies.npz", "trained")
        >>> sorted(model.metrics)
        ['best_epoch', 'calibrated', 'validation']
    """
    from galaxytune.models import check_training_folder, train_single
    from trainables.architectures import check_network

    if not isinstance(config, TrainingProtocol | Mapping):
        kind = type(config).__name__
        raise InvalidInput(
            f"a config must be as `make_config` returns it or a mapping, got {kind}"
        )
    frozen = (
        config
        if isinstance(config, TrainingProtocol)
        else config_from_values(_with_whole_path(config))
    )
    if split not in ("hash", "seed"):
        raise InvalidInput(f"split is hash or seed, not {split!r}")
    source, out = given_path(data), given_path(out_dir)
    with writing_to_a_given_place():
        check_training_folder(out)
    check_network(frozen)
    with writing_to_a_given_place():
        train_single(
            frozen,
            source,
            out,
            split=split,
            num_galaxies=num_galaxies,
            on_epoch=on_epoch or (lambda report: None),
        )
    return load_model(out)
