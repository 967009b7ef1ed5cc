"""The metrics of an exported model, by part of the data."""

import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.records import TrialRecord
from analysis.statistics import rmse_interval
from galaxytune.models.export_writing import indented
from galaxytune.models.trained_network import held_out_galaxies
from galaxytune.models.view_metrics import view_metrics
from galaxytune.study import StudyFolder
from trainables.device import training_device
from trainables.files import write_if_allowed
from trainables.galaxies import Galaxies
from trainables.layers import GalaxyNetwork
from trainables.training import evaluate, mean_vector_rmse, predict_by_one_and_eight

_TEST_METRICS = "test_metrics.json"


def split_metrics(predicted: NDArray[np.floating], voted: NDArray[np.floating]) -> dict[str, Any]:
    """Return all metrics of predictions [N, 37] against votes [N, 37], by name.

    predicted, voted: vote fractions in 0..1; N is at least 1. The metrics are `num_galaxies`,
    `rmse`, its 95 % bootstrap interval over galaxies `rmse_interval_95` as a list [low, high],
    `mean_vector_rmse`, the RMSE of predicting the mean of `voted` for every galaxy,
    `tree_residual`, the mean over galaxies and questions, and the RMSE of each question, `rmse_q1`
    to `rmse_q11`.
    """
    return {
        "num_galaxies": len(voted),
        "rmse_interval_95": list(rmse_interval(predicted, voted)),
        "mean_vector_rmse": mean_vector_rmse(voted),
        **evaluate(predicted, voted),
    }


def validation_metrics(
    network: GalaxyNetwork, galaxies: Galaxies, rows: NDArray[np.int64]
) -> dict[str, Any]:
    """Return the metrics of a network for galaxies, by 1 view and by 8 views.

    network: on the device of trainings. rows: the row numbers of the validation galaxies, at least
    one. The metrics are those of `split_metrics` and `view_metrics`. OutOfMemory, a WorkFailed, is
    raised if memory does not hold a prediction.
    """
    voted = galaxies.target[rows]
    once, averaged = predict_by_one_and_eight(network, galaxies.images, training_device(), rows)
    return split_metrics(once, voted) | view_metrics(once, averaged, voted)


def metrics_of_test_part(
    folder: StudyFolder, record: TrialRecord, galaxies: Galaxies
) -> dict[str, Any] | None:
    """Return a trial's test metrics, as `split_metrics` names them; None without test galaxies.

    The metrics are read from test_metrics.json in the study's report folder, or computed and
    written there if this user may write there. InvalidInput is raised if the metrics, the
    predictions and the weights are all missing.
    """
    if len(folder.split_rows().test) == 0:
        return None
    path = folder.report / _TEST_METRICS
    kept: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    if record.id not in kept:
        tested = held_out_galaxies(folder, record, galaxies)
        kept[record.id] = split_metrics(tested.predicted, tested.voted)
        write_if_allowed(path, lambda new: new.write_text(indented(kept)))
    metrics: dict[str, Any] = kept[record.id]
    return metrics
