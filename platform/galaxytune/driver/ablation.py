"""Training of every config on the path from the published config to the best config of a study."""

from collections.abc import Sequence

from analysis.records import Ablation
from galaxytune.ablation import (
    ablation_name,
    ablation_path,
    ablation_plan,
    check_trains,
    known_study,
    missing_trainings,
    store_path,
    trained_ablation,
)
from galaxytune.cluster import ClusterAddress
from galaxytune.driver.run import run_study
from galaxytune.study import StudyFolder, check_data_unchanged, new_study
from galaxytune.tracking import StudyObserver
from search_spaces.declaration import check_whole_number
from trainables.files import writing_to_a_given_place


def ablate_study(
    study: StudyFolder,
    *,
    num_seeds: int,
    where: ClusterAddress,
    observers: Sequence[StudyObserver] = (),
) -> Ablation:
    """Train the configs from the published to the best config, and return what each step gave.

    num_seeds: seeds for each config, at least 1. The first is the seed of the best trial. where:
    the Ray cluster. observers: are called at each event.

    The study's ablation.json holds the path. The trainings are a study of their own, named
    NAME-ablate-TRIAL-SEEDS, in the same storage; if that study exists, it is continued. A config
    that was trained to its end, by the study or by an earlier ablation or confirmation of the
    study, is not trained again.

    InvalidInput is raised if the number is below 1, the data has changed, no trial is complete,
    the best config is the published config, or the existing study trains other configs. The errors
    of `run_study` and `new_study` are raised as well.
    """
    check_whole_number("seeds", num_seeds, at_least=1)
    path = ablation_path(study)
    check_data_unchanged(study)
    missing = missing_trainings(study, path, num_seeds)
    if missing:
        study.check_can_write()
        known = known_study(study, path, num_seeds)
        if known is not None:
            check_trains(known, missing)
        plan = ablation_plan(study.plan, ablation_name(study.name, path, num_seeds), missing)
        with writing_to_a_given_place():
            store_path(path, study.ablation_file)
        folder = known or new_study(plan, study.path.parent)
        folder.moved_data = study.moved_data
        run_study(folder, where, observers=observers)
    return trained_ablation(study, path, num_seeds)
