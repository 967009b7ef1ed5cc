"""The trials of a study whose weights are kept, and what these predict for validation galaxies."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.records import TrialRecord, ranked
from galaxytune.models.trained_network import trained_network
from galaxytune.study import StudyFolder, confirming_studies
from search_spaces.declaration import InvalidInput
from trainables.decision_tree import NUM_ANSWERS
from trainables.device import training_device
from trainables.files import (
    BEST,
    PREDICTED,
    load_predictions,
    save_array,
    write_if_allowed,
)
from trainables.galaxies import Galaxies
from trainables.training import predict


@dataclass(frozen=True)
class KeptTrial:
    """A complete trial whose weights are kept.

    study: the folder of the study that trained the trial.
    record: the trial's record.
    """

    study: StudyFolder
    record: TrialRecord

    def is_like(self, other: TrialRecord) -> bool:
        """Return whether the configs of this trial and of another agree except for the seed."""
        return self.record.config_without("seed") == other.config_without("seed")


def kept_trials(folder: StudyFolder) -> list[KeptTrial]:
    """Return the trials that may be members of an ensemble, the study's best trial first.

    A trial may be a member if it is complete, its weights are kept, and its tree residual is
    within the study's limit; if no trial of the study is, the limit does not count. The study's
    own trials are in order of merit, and the trials of the studies that `confirm` made follow.
    Pruned trials are left out: they were not trained to their end. InvalidInput is raised if no
    trial of the study itself may be a member.
    """
    trials = [
        KeptTrial(study, record)
        for study in (folder, *confirming_studies(folder))
        for record in ranked(study.records())
        if record.status == "complete" and (study.checkpoint_folder(record.id) / BEST).exists()
    ]
    limit = folder.plan.max_tree_residual
    within = [t for t in trials if limit is None or (t.record.tree_residual or 0) <= limit]
    found = within if within and within[0].study is folder else trials
    if not found or found[0].study is not folder:
        raise InvalidInput(
            f"no trial of study {folder.name!r} is complete and has its weights, so there is no "
            "ensemble to choose"
        )
    return found


def validation_predictions(trial: KeptTrial, galaxies: Galaxies) -> NDArray[np.float32]:
    """Return what a trial's best weights predict for the validation galaxies, [V, 37].

    The values are rounded to float16, as they are kept beside the weights. Predictions that are
    not there, as in a study of an older version, are computed, and kept if this user may write
    there. galaxies: the galaxies of the study's data file. InvalidInput is raised if the weights
    are damaged, and OutOfMemory, a WorkFailed, if memory does not hold a prediction.
    """
    rows = trial.study.split_rows().validation
    folder = trial.study.checkpoint_folder(trial.record.id)
    kept = load_predictions(folder, (len(rows), NUM_ANSWERS))
    if kept is not None:
        return kept
    network = trained_network(trial.study, trial.record)
    predicted = predict(network, galaxies.images, training_device(), rows).astype(np.float16)
    write_if_allowed(folder / PREDICTED, lambda path: save_array(path, predicted))
    return predicted.astype(np.float32)
