"""Reading of the trials of earlier studies from which a new study learns."""

import math
from collections.abc import Iterable
from pathlib import Path

from galaxytune.study.earlier_trials import EarlierTrial
from galaxytune.study.folder import StudyFolder
from search_spaces.declaration import InvalidInput


def trials_of_studies(paths: Iterable[str | Path]) -> list[EarlierTrial]:
    """Return the trials of earlier studies that others can learn from.

    paths: the folders of the studies. Two studies of one name are told apart by their paths. A
    trial counts if it is complete or pruned and has reported an epoch. InvalidInput is raised if a
    folder holds no study or is given twice, if its files are damaged, or if no trial of a study
    counts.
    """
    folders = [StudyFolder(Path(path)) for path in paths]
    names = [folder.name for folder in folders]
    found: list[EarlierTrial] = []
    for number, folder in enumerate(folders):
        path = folder.path
        if path in [other.path for other in folders[:number]]:
            raise InvalidInput(f"learn_from: {path} stands twice; leave one out")
        if not folder.plan_file.is_file():
            raise InvalidInput(f"learn_from: {path} holds no study, for it has no plan.yaml")
        is_alone = names.count(folder.name) == 1
        known = _trials_of(folder, folder.name if is_alone else str(path))
        if not known:
            raise InvalidInput(
                f"learn_from: no trial of the study in {path} is complete or pruned, so there is "
                "nothing to learn from"
            )
        found += known
    return found


def _trials_of(folder: StudyFolder, name: str) -> list[EarlierTrial]:
    """Return the trials of a study that others can learn from; name: what the study is called."""
    plan, found = folder.plan, []
    in_grid = {key for point in plan.grid for key in point}
    for record in folder.records():
        curve = tuple(report.val_rmse for report in folder.curve(record.id))
        if record.status == "failed" or not curve or not all(map(math.isfinite, curve)):
            continue
        space = plan.spaces.get(record.architecture)
        searched = set() if space is None else {h.name for h in space.hyperparameters}
        found.append(
            EarlierTrial(
                study=name,
                trial=record.id,
                values=record.config.model_dump(mode="json"),
                searched=tuple(sorted(searched | in_grid)),
                num_epochs=record.config.epochs,
                curve=curve,
                is_whole=record.status == "complete",
            )
        )
    return found
