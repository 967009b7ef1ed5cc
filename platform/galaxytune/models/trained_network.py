"""The networks that a study has trained, and their predictions for its test galaxies."""

from pathlib import Path

import numpy as np
from torch import Tensor

from analysis.records import HeldOut, ImageRows, TrialRecord
from galaxytune.study import StudyFolder
from search_spaces.declaration import InvalidInput, TrainingProtocol
from trainables.architectures import build_without_weights
from trainables.device import training_device
from trainables.files import BEST, load_best, save_array, write_if_allowed
from trainables.galaxies import Galaxies
from trainables.layers import GalaxyNetwork
from trainables.training import predict

_FOLDER = "test_predictions"


def network_with_weights(config: TrainingProtocol, weights: dict[str, Tensor]) -> GalaxyNetwork:
    """Return the config's network with the given weights, on the CPU and in evaluation mode.

    weights: tensors by name, which are copied into the network. Weights of another network raise
    InvalidInput. Building the network changes torch's global random state.
    """
    network = build_without_weights(config)
    try:
        network.load_state_dict(weights)
    except RuntimeError:
        raise InvalidInput(
            f"the weights do not fit the {config.architecture} that the config describes"
        ) from None
    return network.eval()


def trained_network(folder: StudyFolder, record: TrialRecord) -> GalaxyNetwork:
    """Return a trial's network with the weights of its best epoch, in evaluation mode.

    The network is on the GPU if torch finds a GPU, else on the CPU. InvalidInput is raised if the
    weights are damaged, or were not kept: a study keeps the weights of as many best trials as its
    plan's `keep_checkpoints` says, and of the best trial of each architecture.
    """
    checkpoint = folder.checkpoint_folder(record.id)
    if not (checkpoint / BEST).exists():
        raise InvalidInput(f"the weights of trial {record.id} of {folder.name} were not kept")
    network = network_with_weights(record.config, load_best(checkpoint))
    return network.to(training_device())


def predictions_kept(folder: StudyFolder, record: TrialRecord) -> bool:
    """Return whether the study's folder holds a trial's predictions for the test galaxies."""
    return _predictions_file(folder, record).exists()


def _predictions_file(folder: StudyFolder, record: TrialRecord) -> Path:
    """Return the path of a trial's predictions for the test galaxies; the file may not exist."""
    return folder.report / _FOLDER / f"{record.id}.npy"


def held_out_galaxies(
    folder: StudyFolder, record: TrialRecord, galaxies: Galaxies, *, name: str | None = None
) -> HeldOut:
    """Return the study's test galaxies with a trial's predictions.

    The predictions are computed once and kept in the study's report folder, if this user may write
    there. galaxies: the galaxies of the study's data file, whose images are read only when they
    are used. name: the trial's name in figures, None for its id.

    InvalidInput is raised if the predictions are missing and the weights are damaged or were not
    kept. OutOfMemory, a WorkFailed, is raised if memory does not hold a prediction, and OSError if
    the predictions cannot be written.
    """
    rows = folder.split_rows().test
    path = _predictions_file(folder, record)
    if path.exists():
        predicted = np.load(path)
    else:
        network = trained_network(folder, record)
        predicted = predict(network, galaxies.images, training_device(), rows)
        write_if_allowed(path, lambda temporary: save_array(temporary, predicted))
    return HeldOut(
        label=f"{record.architecture}, trial {name or record.id}",
        ids=galaxies.ids[rows],
        images=ImageRows(galaxies.images, rows),
        voted=galaxies.target[rows],
        predicted=predicted,
    )
