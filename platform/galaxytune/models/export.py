"""The export of a study's best trial as a folder that predicts without the study."""

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.records import TrialRecord, best_trial, published_trial
from analysis.statistics import noise_floor
from galaxytune.models.export_metrics import metrics_of_test_part, validation_metrics
from galaxytune.models.export_writing import write_export
from galaxytune.models.output_folders import check_export_folder
from galaxytune.models.portable_model import checked_formats, portable_files
from galaxytune.models.provenance import provenance_of
from galaxytune.models.refitting import Refit, RefitRows
from galaxytune.models.trained_network import trained_network
from galaxytune.study import StudyFolder, check_data_unchanged
from trainables.galaxies import Galaxies, open_galaxies
from trainables.training import is_calibrated

_NUM_CHECKED = 32  # validation galaxies by which a portable file is checked


def export_best(
    folder: StudyFolder,
    out: Path,
    *,
    formats: str | Collection[str] = (),
    refit: RefitRows | None = None,
    on_step: Callable[[str], None] = lambda sentence: None,
) -> TrialRecord:
    """Write the best complete trial of a study as an export folder; return the trial's record.

    out: the folder to write, which is made if it does not exist. formats: the name or the names of
    formats in which the model is written too, see `ModelFormat`. refit: the rows on which the
    config is trained again, see `Refit`; None to keep the trial's weights. on_step: is called with
    a sentence after each epoch of a refit. The validation galaxies are predicted by 1 view and by
    8 views, see `view_metrics`. The predictions and the metrics for the test galaxies are computed
    once, by 1 view, and kept in the study's folder, except for those of a refitted model.

    InvalidInput is raised, before anything is predicted, if `out` cannot be written or holds other
    files than an export, a format is unknown, no trial is complete, the weights were not kept or
    are damaged, or the data has changed. WorkFailed is raised if the model cannot be written in
    one of the formats, if memory does not hold a prediction, or if a refit fails. In both cases
    `out` stays as it was. OSError is raised if a file cannot be written; see `write_export`.
    """
    check_export_folder(out)
    wanted = checked_formats(formats)
    best = best_trial(folder.records())
    check_data_unchanged(folder)
    galaxies = open_galaxies(Path(folder.plan.data))
    validation = folder.split_rows().validation
    network = trained_network(folder, best)
    metrics = {
        "validation": validation_metrics(network, galaxies, validation),
        "test": metrics_of_test_part(folder, best, galaxies),
        **reference_metrics(folder, galaxies),
        "best_epoch": best.best_epoch,
        "calibrated": is_calibrated(best.config, galaxies),
    }
    if refit:
        refitted = Refit(folder, galaxies, refit, on_step)
        network = refitted(best, f"trial {best.id}")
        metrics |= refitted.metrics_of(network)
    provenance = study_provenance(folder, galaxies, trial=best.id)
    portable = portable_files(
        network, wanted, checked_pixels(folder, galaxies), crop=galaxies.crop
    )
    write_export(out, best.config, network.state_dict(), metrics, provenance, portable)
    return best


def reference_metrics(folder: StudyFolder, galaxies: Galaxies) -> dict[str, Any]:
    """Return the values that a model's metrics are compared with, by name.

    The names are `noise_floor` and `published_val_rmse`, which is None if no trial with a
    published config is complete.
    """
    published = published_trial(folder.records())
    return {
        "noise_floor": noise_floor(galaxies.target, galaxies.num_votes),
        "published_val_rmse": None if published is None else published.val_rmse,
    }


def study_provenance(
    folder: StudyFolder, galaxies: Galaxies, *, trial: str | None
) -> dict[str, Any]:
    """Return the origin of a model of a study as `provenance_of` does; trial: the trial's id."""
    plan = folder.plan
    fingerprint = plan.provenance.data_fingerprint
    return provenance_of(fingerprint, galaxies, study=plan.name, trial=trial)


def checked_pixels(folder: StudyFolder, galaxies: Galaxies) -> NDArray[np.uint8]:
    """Return the images [N, S, S, 3] by which a portable file is checked, N at most 32."""
    return np.asarray(galaxies.images[folder.split_rows().validation[:_NUM_CHECKED]])
