"""The report of one or more studies, with predictions for the test galaxies."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from analysis.records import TrialRecord
from analysis.report import BestNetwork, StudyResults, SurveyImages, write_report
from analysis.statistics import best_by_architecture, noise_floor
from galaxytune.ablation import study_ablation
from galaxytune.models.image_sources import image_files
from galaxytune.models.output_folders import check_report_folder
from galaxytune.models.trained_network import held_out_galaxies, predictions_kept, trained_network
from galaxytune.study import StudyFolder, check_data_unchanged, check_names_differ
from search_spaces.declaration import InvalidInput
from trainables.device import training_device
from trainables.files import DAMAGE, one_line
from trainables.galaxies import Galaxies, ListedImage, open_galaxies, read_image

_NUM_SURVEY_IMAGES = 3
_SURVEY_SIDE = 424  # width of a Kaggle JPEG, in pixels
# A trial's study, the trial's record, and the record with the trial's name in the report.
Owner = tuple[StudyFolder, TrialRecord, TrialRecord]


def report_studies(
    studies: Sequence[StudyFolder],
    out: Path,
    images: Path | None = None,
    *,
    on_step: Callable[[str], None] = lambda sentence: None,
) -> Path:
    """Write the report of studies on the same galaxies; return the path of its page.

    studies: the studies. out: the folder for the figures, tables and
    report.html, which is made. images: a folder, zip or catalog of the survey's JPEGs, named by
    galaxy id, of which up to three test galaxies are shown; None for no such images. on_step: is
    called with a text before each network predicts, with the title of each section that is
    written, and with a note, which begins with `note: `, on what is missing. Predictions for the
    test galaxies that were not kept are computed and stored in the study's own report folder.

    InvalidInput is raised, before anything is predicted, if there is no study, two studies have
    the same name, `out` cannot be written or holds other files than a report, `images` holds no
    image or a damaged image, the studies ran on different galaxies or splits, no trial has ended,
    or the data has changed. OutOfMemory, a WorkFailed, is raised if memory does not hold a
    prediction, and OSError if a file cannot be
    written.
    """
    check_names_differ(studies)
    check_report_folder(out)
    files = None if images is None else image_files(images).images
    _check_comparable(studies)
    owners = _named_records(studies)
    for study in studies:
        check_data_unchanged(study)
    galaxies, test = open_galaxies(Path(studies[0].plan.data)), studies[0].split_rows().test
    survey = None if files is None else _survey_images(files, galaxies, test, on_step)
    best, notes = _best_networks(owners, galaxies, on_step)
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
        ablations={study.name: study_ablation(study) for study in studies if _has_path(study)},
    )
    return write_report(results, out, on_section=on_step)


def _has_path(study: StudyFolder) -> bool:
    """Return whether the report shows how a study came from the published to the best config.

    The configs of a grid were given, so a grid shows the path only after `galaxytune ablate`.
    """
    return not study.plan.grid or study.ablation_file.exists()


def _strictest_limit(studies: Sequence[StudyFolder]) -> float | None:
    """Return the lowest `max_tree_residual` of the studies; None if no study has a limit."""
    limits = (study.plan.max_tree_residual for study in studies)
    return min((limit for limit in limits if limit is not None), default=None)


def _named_records(studies: Sequence[StudyFolder]) -> dict[str, Owner]:
    """Return the owner of every trial that has ended, by the trial's name in the report.

    studies: at least one, with different names. The name of a trial is its id, or STUDY/ID if
    there are several studies. InvalidInput is raised if no trial of any study has ended.
    """
    owners = {}
    for study in studies:
        for record in study.records():
            name = f"{study.name}/{record.id}" if len(studies) > 1 else record.id
            owners[name] = (study, record, record.model_copy(update={"id": name}))
    if not owners:
        names = ", ".join(study.name for study in studies)
        raise InvalidInput(f"no trial of {names} has ended yet")
    return owners


def _check_comparable(studies: Sequence[StudyFolder]) -> None:
    """Raise InvalidInput unless all studies have the same galaxies and the same split."""
    first = studies[0]
    for other in studies[1:]:
        same = other.plan.provenance.data_fingerprint == first.plan.provenance.data_fingerprint
        if not same or any(
            not np.array_equal(a, b)
            for a, b in zip(
                other.split_rows().parts().values(), first.split_rows().parts().values()
            )
        ):
            raise InvalidInput(
                f"{first.name} and {other.name} were run on different galaxies or splits, so "
                "their RMSE cannot be compared; report them one at a time"
            )


def _best_networks(
    owners: Mapping[str, Owner], galaxies: Galaxies, on_step: Callable[[str], None]
) -> tuple[dict[str, BestNetwork], list[str]]:
    """Return the best network of each architecture, by name, and notes on what is missing.

    owners: what `_named_records` returns. galaxies: the galaxies of the studies' data file.
    on_step: is called with a sentence before each network predicts, and with each note. The best
    architecture is first. An architecture without a complete trial, or whose best trial has
    neither weights nor predictions, is left out; the mapping may be empty. The notes are sentences
    for the report.
    """
    best, notes = {}, []
    for architecture, named in best_by_architecture(r for _, _, r in owners.values()).items():
        on_step(f"predicting test galaxies with {architecture}, trial {named.id}")
        found, note = _best_network(owners[named.id], galaxies)
        if found is not None:
            best[architecture] = found
        if note:
            notes.append(note)
            on_step(f"note: {note}")
    return best, notes


def _best_network(owner: Owner, galaxies: Galaxies) -> tuple[BestNetwork | None, str]:
    """Return the network and the test predictions of one trial, and a note on what is missing.

    owner: the trial's study, the trial's record, and the record with the trial's name in the
    report. galaxies: the galaxies of the study's data file. Predictions that were not kept are
    computed with the network and stored in the study's folder.

    The first value is None if neither usable weights nor predictions were kept; its `network` is
    None if only predictions were. The note is a sentence for the report, or empty if nothing is
    missing.
    """
    study, record, named = owner
    kept, network, note = predictions_kept(study, record), None, ""
    try:
        network = trained_network(study, record)
    except InvalidInput as reason:
        found = (
            f"it is compared by its kept predictions and has no heat maps ({reason})"
            if kept
            else f"it is left out of the comparison ({reason})"
        )
        note = f"The network of {record.architecture}, trial {named.id}, is not here: {found}."
    if network is None and not kept:
        return None, note
    tested = held_out_galaxies(study, record, galaxies, name=named.id)
    return BestNetwork(named, network, tested), note


def _survey_images(
    files: Sequence[ListedImage],
    galaxies: Galaxies,
    test: np.ndarray,
    on_step: Callable[[str], None],
) -> SurveyImages | None:
    """Return up to three survey JPEGs of test galaxies; None if `files` holds none of them.

    files: images whose ids are galaxy ids; the first three of test galaxies are taken. galaxies:
    the galaxies of the studies' data file. test: row numbers [n] of the test galaxies in
    `galaxies`. on_step: is called with a note if the result is None. The images are 424 pixels
    wide and high; a larger image is cut to its centre. A JPEG that cannot be read or is smaller
    raises InvalidInput.
    """
    wanted = {str(galaxies.ids[row]) for row in test}
    pixels: dict[int, np.ndarray] = {}
    for image in files:
        name = image.id
        if name not in wanted or len(pixels) == _NUM_SURVEY_IMAGES:
            continue
        try:
            with image.open() as file:
                pixels[int(name)] = read_image(file, crop=_SURVEY_SIDE, side=_SURVEY_SIDE)
        except DAMAGE as error:
            raise InvalidInput(f"--images: {name} cannot be read ({one_line(error)})") from None
    if not pixels:
        on_step("note: --images holds no image of a test galaxy; none is shown")
        return None
    ids = np.array(list(pixels), dtype=np.int64)
    return SurveyImages(ids, np.stack(list(pixels.values())), galaxies.crop)


def _facts(study: StudyFolder, galaxies: Galaxies) -> dict[str, str]:
    """Return what the report is based on, as texts by name.

    The names are `data` (the file's name), `fingerprint`, `galaxies` (their number in the file and
    in each part), `begun` (when the study was made), `seed`, `W&B` (the mode) and `versions`.
    """
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
