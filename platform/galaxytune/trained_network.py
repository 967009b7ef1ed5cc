"""The networks that a study has trained, and what they say of its test galaxies."""

from pathlib import Path

import numpy as np
from torch import Tensor

from analysis.held_out import HeldOut, ImageRows
from analysis.trial_record import TrialRecord
from galaxytune.study_folder import StudyFolder
from search_spaces import config_from_values
from search_spaces.declaration.training_protocol import TrainingProtocol
from trainables.architectures import build_without_weights
from trainables.checkpoint import BEST, load_best
from trainables.files import write_atomically
from trainables.galaxies.galaxy_file import Galaxies
from trainables.network import GalaxyNetwork
from trainables.prediction import predict
from trainables.training import training_device

_FOLDER = "test_predictions"


def network_with_weights(config: TrainingProtocol, weights: dict[str, Tensor]) -> GalaxyNetwork:
    """The config's network with given weights; ValueError if they belong to another network."""
    network = build_without_weights(config)
    try:
        network.load_state_dict(weights)
    except RuntimeError:
        raise ValueError(
            f"the weights do not fit the {config.architecture} that the config describes"
        ) from None
    return network.eval()


def trained_network(folder: StudyFolder, record: TrialRecord) -> GalaxyNetwork:
    """A trial's network at its best epoch, on this process's device.

    ValueError if its weights were not kept: the best few trials' are, and the best of each
    architecture.
    """
    checkpoint = folder.checkpoint_folder(record.id)
    if not (checkpoint / BEST).exists():
        raise ValueError(f"the weights of trial {record.id} of {folder.name} were not kept")
    network = network_with_weights(config_from_values(record.config), load_best(checkpoint))
    return network.to(training_device())


def predictions_kept(folder: StudyFolder, record: TrialRecord) -> bool:
    """Whether a trial's predictions of the test galaxies were made already."""
    return _predictions_file(folder, record).exists()


def _predictions_file(folder: StudyFolder, record: TrialRecord) -> Path:
    return folder.report / _FOLDER / f"{record.id}.npy"


def held_out_galaxies(
    folder: StudyFolder, record: TrialRecord, galaxies: Galaxies, *, name: str | None = None
) -> HeldOut:
    """The study's test galaxies and a trial's predictions, which are made once and kept.

    The images stay where they are mapped. `name` is the trial's in figures, else its id.
    """
    rows = folder.split_rows().test
    path = _predictions_file(folder, record)
    if not path.exists():
        network = trained_network(folder, record)
        predicted = predict(network, galaxies.images, training_device(), rows)
        write_atomically(path, lambda temporary: _save(temporary, predicted))
    return HeldOut(
        label=f"{record.architecture}, trial {name or record.id}",
        ids=galaxies.ids[rows],
        images=ImageRows(galaxies.images, rows),
        voted=galaxies.target[rows],
        predicted=np.load(path),
    )


def _save(path: Path, predicted: np.ndarray) -> None:
    with path.open("wb") as file:  # given a name, numpy would add a suffix to it
        np.save(file, predicted)
