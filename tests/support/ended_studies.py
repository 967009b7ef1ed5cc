"""Studies whose trials ended without a Ray: networks with random weights that were kept."""

from collections.abc import Sequence
from typing import Any

import torch

from analysis.records import TrialRecord
from galaxytune.study import StudyFolder
from tests.support.records import record
from trainables.architectures import build_without_weights
from trainables.files import append_line, save_best
from trainables.galaxies import Galaxies
from trainables.training import predict, rmse

CPU = torch.device("cpu")
SMALL: dict[str, Any] = {"width": 0.1, "batch_size": 64, "epochs": 2}


def end_trials(
    folder: StudyFolder, galaxies: Galaxies, configs: Sequence[dict[str, Any]]
) -> list[TrialRecord]:
    """Give a study a complete trial for each config, with weights near the mean votes.

    configs: values by field name, beside those of SMALL; the architecture is simple_cnn if none is
    named. The networks are not trained: each predicts about the mean votes, with errors of its own
    that its seed decides, so that a mean of networks is better. No predictions are kept, as in a
    study of an older version.
    """
    split = folder.split_rows()
    records = []
    for number, values in enumerate(configs):
        chosen = record(number, 0.5, **{**SMALL, **values})
        torch.manual_seed(chosen.config.seed)
        network = build_without_weights(chosen.config)
        mean = torch.from_numpy(galaxies.target[split.training].mean(axis=0))
        network.begin_at((mean + 0.05 * torch.randn(len(mean))).clamp(0.01, 0.99))
        network.eval()
        save_best(folder.checkpoint_folder(chosen.id), network.state_dict(), None)
        predicted = predict(network, galaxies.images, CPU, split.validation)
        error = rmse(predicted, galaxies.target[split.validation])
        metrics = {"validation": {"rmse": error, "tree_residual": 0.01}}
        records.append(chosen.model_copy(update={"metrics": metrics}))
        append_line(folder.records_file, records[-1].model_dump(mode="json"))
    return records
