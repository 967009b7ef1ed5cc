"""The export of an ensemble of a study's trials, and what the ensemble gains."""

from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from analysis.statistics import rmse_difference_interval, select_ensemble
from galaxytune.models.export import (
    checked_pixels,
    export_best,
    reference_metrics,
    study_provenance,
)
from galaxytune.models.export_folder import ExportedMember, MemberEntry
from galaxytune.models.export_metrics import split_metrics, validation_metrics
from galaxytune.models.export_writing import write_ensemble
from galaxytune.models.kept_trials import KeptTrial, kept_trials, validation_predictions
from galaxytune.models.output_folders import check_export_folder
from galaxytune.models.portable_model import checked_formats, portable_files
from galaxytune.models.refitting import Refit, RefitRows
from galaxytune.models.trained_network import held_out_galaxies, trained_network
from galaxytune.study import StudyFolder, check_data_unchanged
from search_spaces.declaration import InvalidInput, check_whole_number
from trainables.device import training_device
from trainables.galaxies import Galaxies, open_galaxies
from trainables.layers import GalaxyNetwork
from trainables.training import EnsembleNetwork, is_calibrated, rmse

NumPicks = int | Literal["auto"]
Picked = tuple[KeptTrial, int]  # a member and how often it was picked


def check_picks(ensemble: object) -> int | None:
    """Return the number of picks that was asked for, None for `auto`; InvalidInput otherwise.

    A number must be a whole number of at least 1.
    """
    if ensemble == "auto":
        return None
    if isinstance(ensemble, str):
        raise InvalidInput(f"an ensemble is auto or a number of picks, not {ensemble!r}")
    check_whole_number("ensemble", ensemble, at_least=1)
    assert isinstance(ensemble, int)
    return ensemble


def export_ensemble(
    folder: StudyFolder,
    out: Path,
    ensemble: NumPicks,
    *,
    formats: str | Collection[str] = (),
    refit: RefitRows | None = None,
    on_step: Callable[[str], None] = lambda sentence: None,
) -> None:
    """Choose an ensemble of a study's trials and write it as one export folder.

    ensemble: the number of picks, at least 1; `auto` takes the number of at most 50 that has the
    lowest validation RMSE. The members are chosen among `kept_trials` by `select_ensemble`, on the
    validation galaxies alone. out, formats, refit: as in `export_best`; a refit trains each member
    again. on_step: is called with a sentence about the choice and after each epoch of a refit.

    metrics.json has the metrics of the ensemble and the key `ensemble`: `num_picks`; `rmse`, the
    ensemble's test RMSE; and `over_best` and `over_seeds`, which compare the ensemble on the test
    galaxies with the best trial alone and with the mean of as many seeds of this trial as the
    ensemble has members. The last three are None without test galaxies, and `over_seeds` also
    without two seeds. Each comparison has the name of what is compared (`than`), its number of
    networks (`num_networks`), its `rmse`, the `difference` of the ensemble's RMSE from it, and the
    paired `interval_95` of the difference. All of `ensemble` is measured before any refit.

    The errors are those of `export_best`; `out` stays as it was if InvalidInput or WorkFailed is
    raised.
    """
    num_picks = check_picks(ensemble)
    check_export_folder(out)
    wanted = checked_formats(formats)
    check_data_unchanged(folder)
    trials = kept_trials(folder)
    galaxies = open_galaxies(Path(folder.plan.data))
    picked = _picked(folder, trials, galaxies, num_picks)
    on_step(f"{len(picked)} of {len(trials)} trials with weights were picked for the ensemble")
    networks = [trained_network(trial.study, trial.record) for trial, _ in picked]
    whole = _network_of(networks, picked, galaxies)
    metrics = _metrics(folder, whole, trials, picked, galaxies)
    if refit:
        refitted = Refit(folder, galaxies, refit, on_step)
        networks = [refitted(trial.record, _name(trial, folder)) for trial, _ in picked]
        whole = _network_of(networks, picked, galaxies)
        metrics |= refitted.metrics_of(whole)
    pixels = checked_pixels(folder, galaxies)
    portable = portable_files(whole, wanted, pixels, crop=galaxies.crop)
    members = [
        (_exported(trial, picks, weight), network.state_dict())
        for (trial, picks), (network, weight) in zip(picked, whole.weighted())
    ]
    write_ensemble(out, members, metrics, study_provenance(folder, galaxies, trial=None), portable)


def export_study(
    folder: StudyFolder,
    out: Path,
    ensemble: NumPicks | None,
    *,
    formats: str | Collection[str] = (),
    refit: RefitRows | None = None,
    on_step: Callable[[str], None] | None = None,
) -> None:
    """Write the best trial of a study, or an ensemble of its trials, as an export folder.

    ensemble: None for the best trial, see `export_best`; else see `export_ensemble`. The other
    arguments and the errors are those of the two functions; no `on_step` is called if it is None.
    """
    told = on_step or (lambda sentence: None)
    if ensemble is None:
        export_best(folder, out, formats=formats, refit=refit, on_step=told)
    else:
        export_ensemble(folder, out, ensemble, formats=formats, refit=refit, on_step=told)


def _picked(
    folder: StudyFolder, trials: Sequence[KeptTrial], galaxies: Galaxies, num_picks: int | None
) -> list[Picked]:
    """Return the trials that were picked, those with the most picks first."""
    predictions = [validation_predictions(trial, galaxies) for trial in trials]
    voted = galaxies.target[folder.split_rows().validation]
    counts = select_ensemble(predictions, voted, num_picks)
    order = np.argsort(-counts, kind="stable")
    return [(trials[i], int(counts[i])) for i in order if counts[i]]


def _network_of(
    networks: Sequence[GalaxyNetwork], picked: Sequence[Picked], galaxies: Galaxies
) -> EnsembleNetwork:
    """Return the ensemble of the members' networks, on the device of trainings."""
    side = galaxies.images.shape[1]
    whole = EnsembleNetwork(networks, [picks for _, picks in picked], side)
    return whole.to(training_device()).eval()


def _exported(trial: KeptTrial, picks: int, weight: float) -> ExportedMember:
    """Return a trial as a member of an exported ensemble."""
    record = trial.record
    entry = MemberEntry(
        picks=picks,
        study=trial.study.name,
        trial=record.id,
        architecture=record.architecture,
        val_rmse=float(record.val_rmse or "nan"),
        best_epoch=record.best_epoch,
    )
    return ExportedMember(record.config, weight, entry)


def _name(trial: KeptTrial, folder: StudyFolder) -> str:
    """Return `trial ID`, or `trial STUDY/ID` for a trial of another study than `folder`."""
    own = trial.study is folder
    return f"trial {trial.record.id if own else f'{trial.study.name}/{trial.record.id}'}"


def _metrics(
    folder: StudyFolder,
    network: EnsembleNetwork,
    trials: Sequence[KeptTrial],
    picked: Sequence[Picked],
    galaxies: Galaxies,
) -> dict[str, Any]:
    """Return the content of metrics.json; see `export_ensemble`.

    trials: all kept trials, the study's best one first.
    """
    rows = folder.split_rows()
    told: dict[str, Any] = {
        "num_picks": sum(picks for _, picks in picked),
        "rmse": None,
        "over_best": None,
        "over_seeds": None,
    }
    test = None
    if len(rows.test):
        voted = galaxies.target[rows.test]
        mixed = _tested(picked, galaxies)
        test = split_metrics(mixed, voted)
        told["rmse"] = test["rmse"]
        best = trials[0]
        seeds = [trial for trial in trials if trial.is_like(best.record)][: len(picked)]
        name = f"trial {best.record.id}"
        told["over_best"] = _gain(mixed, f"{name} alone", [best], galaxies, voted)
        if len(seeds) > 1:
            told["over_seeds"] = _gain(
                mixed, f"the mean of {len(seeds)} seeds of {name}", seeds, galaxies, voted
            )
    return {
        "validation": validation_metrics(network, galaxies, rows.validation),
        "test": test,
        **reference_metrics(folder, galaxies),
        "ensemble": told,
        "calibrated": any(is_calibrated(trial.record.config, galaxies) for trial, _ in picked),
    }


def _gain(
    mixed: NDArray[np.floating],
    than: str,
    others: Sequence[KeptTrial],
    galaxies: Galaxies,
    voted: NDArray[np.float32],
) -> dict[str, Any]:
    """Return a comparison of an ensemble with the mean of other trials; see `export_ensemble`.

    mixed: the ensemble's vote fractions [n, 37] for the test galaxies. than: name of the other
    trials, for sentences. voted: vote fractions [n, 37] of the test galaxies.
    """
    other = _tested([(trial, 1) for trial in others], galaxies)
    error = rmse(other, voted)
    return {
        "than": than,
        "num_networks": len(others),
        "rmse": error,
        "difference": rmse(mixed, voted) - error,
        "interval_95": list(rmse_difference_interval(mixed, other, voted)),
    }


def _tested(picked: Sequence[Picked], galaxies: Galaxies) -> NDArray[np.float64]:
    """Return the mean over the picks of the vote fractions for the test galaxies, [n, 37].

    The predictions of each trial are computed once and kept in its study's report folder.
    """
    tested = [held_out_galaxies(t.study, t.record, galaxies).predicted for t, _ in picked]
    picks = np.array([number for _, number in picked], np.float64)
    return np.einsum("t,tna->na", picks / picks.sum(), np.stack(tested))
