"""The report of one or more studies: read their folders, predict what is missing, write."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from analysis.comparison import best_by_architecture
from analysis.noise_floor import noise_floor
from analysis.report import write_report
from analysis.study_results import BestNetwork, StudyResults, SurveyImages
from analysis.trial_record import TrialRecord
from galaxytune.prediction import Opener, image_files
from galaxytune.search import check_data_unchanged
from galaxytune.study_folder import StudyFolder
from galaxytune.terminal import say
from galaxytune.trained_network import held_out_galaxies, predictions_kept, trained_network
from search_spaces import config_from_values
from trainables.galaxies.damage import DAMAGE, one_line
from trainables.galaxies.galaxy_file import Galaxies, open_galaxies
from trainables.galaxies.image_files import read_image
from trainables.training import training_device

_NUM_SURVEY_IMAGES = 3
_SURVEY_SIDE = 424  # pixels of a Kaggle JPEG
Owner = tuple[StudyFolder, TrialRecord, TrialRecord]  # a trial's study, it, it as named here


def report_studies(studies: Sequence[StudyFolder], out: Path, images: Path | None) -> Path:
    """Write the report of studies on the same galaxies; returns the path of its page.

    What was asked is checked before anything is predicted. ValueError if `out` cannot be made,
    `images` lists none, the studies were run on different galaxies or no trial has ended.
    """
    _check_folder(out)
    files = None if images is None else image_files(images)
    _check_comparable(studies)
    owners = _named_records(studies)
    for study in studies:
        check_data_unchanged(study)
    galaxies, test = open_galaxies(Path(studies[0].plan.data)), studies[0].split_rows().test
    survey = None if files is None else _survey_images(files, galaxies, test)
    best, notes = _best_networks(owners, galaxies)
    by_study = {
        study.name: [named for owner, _, named in owners.values() if owner is study]
        for study in studies
    }
    results = StudyResults(
        name=", ".join(study.name for study in studies),
        records=[named for _, _, named in owners.values()],
        curves={name: study.curve(record.id) for name, (study, record, _) in owners.items()},
        noise_floor=noise_floor(galaxies.target, galaxies.num_votes),
        best=best,
        num_votes=None if galaxies.num_votes is None else galaxies.num_votes[test],
        device=training_device(),
        survey=survey,
        facts=_facts(studies[0], galaxies),
        studies=by_study,
        only_grids=all(study.plan.grid for study in studies),
        two_objectives=any(study.plan.has_two_objectives for study in studies),
        max_tree_residual=_strictest_limit(studies),
        notes=notes,
    )
    return write_report(results, out, on_section=lambda title: say(f"report: {title}"))


def _strictest_limit(studies: Sequence[StudyFolder]) -> float | None:
    limits = (study.plan.max_tree_residual for study in studies)
    return min((limit for limit in limits if limit is not None), default=None)


def _check_folder(out: Path) -> None:
    """ValueError if a folder of that name is not here and cannot be made."""
    nearest = next(path for path in (out, *out.absolute().parents) if path.exists())
    if not nearest.is_dir():
        raise ValueError(f"no report can be written to {out}: {nearest} is a file")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise ValueError(f"no report can be written to {out}: {nearest} is not writable")


def _named_records(studies: Sequence[StudyFolder]) -> dict[str, Owner]:
    """All records by their names in the report, which are STUDY/ID where there are several."""
    owners = {}
    for study in studies:
        for record in study.records():
            name = f"{study.name}/{record.id}" if len(studies) > 1 else record.id
            owners[name] = (study, record, record.model_copy(update={"id": name}))
    if not owners:
        raise ValueError(f"no trial of {studies[0].name} has ended yet")
    return owners


def _check_comparable(studies: Sequence[StudyFolder]) -> None:
    first = studies[0]
    for other in studies[1:]:
        same = other.plan.provenance.data_fingerprint == first.plan.provenance.data_fingerprint
        if not same or any(
            not np.array_equal(a, b)
            for a, b in zip(
                other.split_rows().parts().values(), first.split_rows().parts().values()
            )
        ):
            raise ValueError(
                f"{first.name} and {other.name} were run on different galaxies or splits, so "
                "their RMSE cannot be compared; report them one at a time"
            )


def _best_networks(
    owners: Mapping[str, Owner], galaxies: Galaxies
) -> tuple[dict[str, BestNetwork], list[str]]:
    """The best of each architecture, and notes on those of which something is gone."""
    best, notes = {}, []
    for architecture, named in best_by_architecture(r for _, _, r in owners.values()).items():
        found, note = _best_network(owners[named.id], galaxies)
        if found is not None:
            best[architecture] = found
        if note:
            notes.append(note)
            say(f"note: {note}")
    return best, notes


def _best_network(owner: Owner, galaxies: Galaxies) -> tuple[BestNetwork | None, str]:
    """A trial's network and predictions, as far as they are here, and what is not."""
    study, record, named = owner
    say(f"report: predicting test galaxies with {record.architecture}, trial {named.id}")
    kept, network, note = predictions_kept(study, record), None, ""
    try:
        network = trained_network(study, record)
    except ValueError as reason:
        found = (
            f"it is compared by its kept predictions and has no heat maps ({reason})"
            if kept
            else f"it is left out of the comparison ({reason})"
        )
        note = f"The network of {record.architecture}, trial {named.id}, is not here: {found}."
    if network is None and not kept:
        return None, note
    tested = held_out_galaxies(study, record, galaxies, name=named.id)
    return BestNetwork(named, config_from_values(record.config), network, tested), note


def _survey_images(
    files: Sequence[tuple[str, Opener]], galaxies: Galaxies, test: np.ndarray
) -> SurveyImages | None:
    """Up to three survey JPEGs of test galaxies; None, with a note, if none is among `files`."""
    wanted = {str(galaxies.ids[row]) for row in test}
    pixels: dict[int, np.ndarray] = {}
    for name, opener in files:
        if name not in wanted or len(pixels) == _NUM_SURVEY_IMAGES:
            continue
        try:
            with opener() as file:
                pixels[int(name)] = read_image(file, crop=_SURVEY_SIDE, side=_SURVEY_SIDE)
        except DAMAGE as error:
            raise ValueError(f"--images: {name} cannot be read ({one_line(error)})") from None
    if not pixels:
        say("note: --images holds no image of a test galaxy; the figure does without")
        return None
    ids = np.array(list(pixels), dtype=np.int64)
    return SurveyImages(ids, np.stack(list(pixels.values())), galaxies.crop)


def _facts(study: StudyFolder, galaxies: Galaxies) -> dict[str, str]:
    plan = study.plan
    parts = ", ".join(f"{n} {p}" for p, n in plan.provenance.num_galaxies_by_part.items())
    versions = ", ".join(f"{k} {v}" for k, v in plan.provenance.versions.items())
    return {
        "data": Path(plan.data).name,
        "fingerprint": plan.provenance.data_fingerprint,
        "galaxies": f"{len(galaxies)} in the file: {parts}, split {plan.split}",
        "begun": plan.provenance.created,
        "seed": str(plan.seed),
        "W&B": plan.wandb,
        "versions": versions,
    }
