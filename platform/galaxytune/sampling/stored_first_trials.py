"""The first trials of a study, written down when its first driver begins."""

from galaxytune.plan import FirstTrial, first_trials
from galaxytune.sampling.carried_trials import CarriedTrials
from galaxytune.study import StudyFolder
from trainables.files import read_json_lines, write_json_lines


def first_trials_of(folder: StudyFolder) -> list[FirstTrial]:
    """Return the first trials of a study, in order; [] for a grid.

    The trials are read from the study's folder, so that a later version, which may recommend other
    configs, does not change the order of a study that has begun. A study that has not begun gets
    them now (see `first_trials`), with what it learns from earlier studies. InvalidInput is raised
    if a file is damaged, OSError if a file cannot be written.
    """
    if folder.first_file.exists():
        return [FirstTrial.from_values(line) for line in read_json_lines(folder.first_file)]
    plan = folder.plan
    learned = {name: carried.best() for name, carried in carried_over(folder).items()}
    found = first_trials(plan, learned)
    if found and not folder.journal_file.exists():
        write_json_lines(folder.first_file, [trial.as_values() for trial in found])
    return found


def carried_over(folder: StudyFolder) -> dict[str, CarriedTrials]:
    """Return the trials of earlier studies in each search space of a study, by architecture.

    The result is {} if the study learns from no other study.
    """
    earlier = folder.earlier_trials()
    if not earlier:
        return {}
    return {name: CarriedTrials(space, earlier) for name, space in folder.plan.spaces.items()}
