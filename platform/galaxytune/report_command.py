"""The report of one or more studies: read their folders, predict what is missing, write."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from analysis.comparison import best_by_architecture
from analysis.constraint_sections import constraint_sections
from analysis.noise_floor import noise_floor
from analysis.report import write_report
from analysis.study_results import BestNetwork, StudyResults, SurveyImages
from analysis.trial_record import TrialRecord
from galaxytune.cli import say
from galaxytune.prediction import image_files
from galaxytune.search import check_data_unchanged
from galaxytune.study_folder import StudyFolder
from galaxytune.trained_network import held_out_galaxies, trained_network
from search_spaces import config_from_values
from trainables.galaxies.galaxy_file import Galaxies, open_galaxies
from trainables.galaxies.image_files import read_image
from trainables.training import training_device

_NUM_SURVEY_IMAGES = 3
_SURVEY_SIDE = 424  # pixels of a Kaggle JPEG


def report_studies(studies: Sequence[StudyFolder], out: Path, images: Path | None) -> Path:
    """Write the report of studies on the same galaxies; returns the path of its page.

    ValueError if the studies were run on different galaxies or no trial has ended.
    """
    _check_comparable(studies)
    owners = {
        (f"{study.name}/{record.id}" if len(studies) > 1 else record.id): (study, record)
        for study in studies
        for record in study.records()
    }
    if not owners:
        raise ValueError(f"no trial of {studies[0].name} has ended yet")
    for study in studies:
        check_data_unchanged(study)
    records = [record.model_copy(update={"id": name}) for name, (_, record) in owners.items()]
    galaxies = open_galaxies(Path(studies[0].plan.data))
    best = {
        architecture: _best_network(*owners[record.id], record, galaxies)
        for architecture, record in best_by_architecture(records).items()
    }
    test = studies[0].split_rows().test
    results = StudyResults(
        name=", ".join(study.name for study in studies),
        records=records,
        curves={name: study.curve(record.id) for name, (study, record) in owners.items()},
        noise_floor=noise_floor(galaxies.target, galaxies.num_votes),
        best=best,
        num_votes=None if galaxies.num_votes is None else galaxies.num_votes[test],
        device=training_device(),
        survey=None if images is None else _survey_images(images, galaxies, test),
        facts=_facts(studies[0], galaxies),
    )
    return write_report(results, out, on_section=lambda title: say(f"report: {title}"))


def write_findings(study: StudyFolder) -> list[str]:
    """Figures, tables and a sentence on coefficients, where a study's trials were about those."""
    curves = {name: study.curve(name) for name in study.trial_ids_with_curve()}
    sections = constraint_sections(study.records(), curves, study.report)
    return [section.paragraphs[0] for section in sections]


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


def _best_network(
    study: StudyFolder, record: TrialRecord, named: TrialRecord, galaxies: Galaxies
) -> BestNetwork:
    say(f"report: predicting test galaxies with {record.architecture}, trial {named.id}")
    return BestNetwork(
        record=named,
        config=config_from_values(record.config),
        network=trained_network(study, record),
        tested=held_out_galaxies(study, record, galaxies),
    )


def _survey_images(source: Path, galaxies: Galaxies, test: np.ndarray) -> SurveyImages | None:
    """Up to three survey JPEGs of test galaxies; None, with a note, if `source` holds none."""
    wanted = {str(galaxies.ids[row]) for row in test}
    found = [(name, opener) for name, opener in image_files(source) if name in wanted]
    if not found:
        say(f"note: {source} holds no image of a test galaxy; the figure does without")
        return None
    pixels = []
    for _, opener in found[:_NUM_SURVEY_IMAGES]:
        with opener() as file:
            pixels.append(read_image(file, crop=_SURVEY_SIDE, side=_SURVEY_SIDE))
    ids = np.array([int(name) for name, _ in found[:_NUM_SURVEY_IMAGES]])
    return SurveyImages(ids, np.stack(pixels), galaxies.crop)


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
