"""The results of a study, in sentences and in one leaderboard."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from analysis.records import Leaderboard, best_trial, make_leaderboard, published_trial
from analysis.report import write_findings
from analysis.statistics import noise_floor, seeds_sentence
from galaxytune.study.folder import StudyFolder
from search_spaces.declaration import InvalidInput, WorkFailed
from trainables.galaxies import open_galaxies


def outcome_lines(folder: StudyFolder) -> list[str]:
    """Return the best trial of a study, how sure it is, and what the search gained, as sentences.

    How sure the best config is follows from its further seeds (see `seeds_sentence`); without any
    the sentence is left out. The gain is the relative fall of the validation RMSE against the
    trial of `published_trial`. Its sentence is left out if there is no such trial, and for a grid.
    WorkFailed is raised if no trial is complete.
    """
    records = folder.records()
    if not records:
        raise WorkFailed(f"no trial of study {folder.name!r} has ended yet")
    if not any(record.status == "complete" for record in records):
        raise WorkFailed(f"no trial was completed; the last one: {records[-1].reason}")
    best, published = best_trial(records), published_trial(records)
    lines = [f"best: trial {best.id}, {best.architecture}, validation RMSE {best.val_rmse:.4f}"]
    sure = seeds_sentence(records)
    if sure is not None:
        lines.append(sure)
    if folder.plan.grid:  # all values were given, so there was no search to gain anything
        return lines
    if published is not None and published.val_rmse and best.val_rmse:
        gain = 1 - best.val_rmse / published.val_rmse
        word = published.config.word_for_defaults()
        told = f"{word} {published.architecture}: {published.val_rmse:.4f}"
        lines.append(
            f"the {word} config itself is the best"
            if published.id == best.id
            else f"{told}, which does not keep the limit on the tree residual"
            if published.feasible is False
            else f"{told}; the search gained {100 * gain:.1f} % on the validation part"
        )
    return lines


def write_study_findings(folder: StudyFolder) -> list[str]:
    """Write findings.txt, figures and tables of a study of constraint coefficients.

    The files are written into the study's report folder. Return the sentences of findings.txt. The
    list is empty, and findings.txt is not written, unless the finished trials allow a finding: the
    trials of an architecture must differ only in constraint coefficients, tree and seed. OSError
    is raised if a file cannot be written.
    """
    return write_findings(folder.name, folder.records(), folder.curves(), folder.report)


def check_names_differ(studies: Sequence[StudyFolder]) -> None:
    """Raise InvalidInput unless there is a study, and all studies have different names.

    Tables and figures of several studies tell the trials apart by the name of the study.
    """
    if not studies:
        raise InvalidInput("no study was given; give at least one")
    counts = Counter(study.name for study in studies)
    repeated = [name for name, count in counts.items() if count > 1]
    if repeated:
        raise InvalidInput(
            f"{counts[repeated[0]]} studies with the name {repeated[0]!r} were given; studies "
            "that are compared need different names"
        )


def leaderboard_of(studies: Sequence[StudyFolder]) -> Leaderboard:
    """Return the leaderboard of the ended trials of one study, or of several ranked as one.

    InvalidInput is raised if there is no study, or if two studies have the same name. Without
    ended trials the leaderboard is empty.
    """
    check_names_differ(studies)
    return make_leaderboard({study.name: study.records() for study in studies})


def noise_floor_line(studies: Sequence[StudyFolder]) -> str:
    """Return a line with the noise floor of the studies' data, an RMSE for each data file.

    The noise floor is that of all galaxies of a file. If a data file is missing or damaged, the
    line tells that the noise floor is unknown.
    """
    floors = []
    for data in sorted({study.plan.data for study in studies}):
        try:
            galaxies = open_galaxies(Path(data))
        except InvalidInput:
            return "noise floor unknown: the data file is not here"
        floors.append(f"{noise_floor(galaxies.target, galaxies.num_votes):.4f}")
    return f"noise floor of the votes: {', '.join(floors)}"
