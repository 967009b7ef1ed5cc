"""The trainings of an ablation: what has been trained already, and the study of what has not."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from analysis.records import ranked
from galaxytune.ablation.path import AblationPath
from galaxytune.plan import StudyPlan, make_plan
from galaxytune.study import StudyFolder, open_folder
from search_spaces.declaration import InvalidInput, TrainingProtocol, used_values

_FIRST_SEED = 1000  # added to the search's seed, as `confirm` does, so that trainings are shared
# the keys that the new plan takes from the study's plan; the other keys get their defaults
_KEPT = ("data", "split", "num_galaxies", "cpus_per_trial", "gpus_per_trial", "wandb")


def ablation_seeds(folder: StudyFolder, path: AblationPath, num_seeds: int) -> list[int]:
    """Return the seeds of an ablation: that of the best trial, then fresh seeds.

    num_seeds: number of seeds, at least 1. The fresh seeds are 1000, 1001, ... above the seed of
    the study; the seed of the best trial is left out of the fresh seeds.
    """
    own, first = path.configs[-1].seed, _FIRST_SEED + folder.plan.seed
    fresh = [seed for seed in range(first, first + num_seeds) if seed != own]
    return [own, *fresh][:num_seeds]


def with_seeds(
    configs: Sequence[TrainingProtocol], seeds: Sequence[int]
) -> list[TrainingProtocol]:
    """Return each config with each seed: all seeds of the first config, then of the second."""
    return [config.model_copy(update={"seed": seed}) for config in configs for seed in seeds]


def config_key(config: TrainingProtocol) -> str:
    """Return a text that is equal for two configs if they are trained to the same result."""
    return json.dumps(used_values(config), sort_keys=True)


def ablation_name(study: str, path: AblationPath, num_seeds: int) -> str:
    """Return the name of the study of an ablation's trainings: NAME-ablate-TRIAL-SEEDS."""
    return f"{study}-ablate-{path.trial}-{num_seeds}"


def known_study(folder: StudyFolder, path: AblationPath, num_seeds: int) -> StudyFolder | None:
    """Return the study of an ablation's trainings; None if it does not exist."""
    name = ablation_name(folder.name, path, num_seeds)
    storage = folder.path.parent
    return open_folder(storage, name) if (storage / name / "plan.yaml").exists() else None


def known_seed_counts(folder: StudyFolder, path: AblationPath) -> list[int]:
    """Return the numbers of seeds for which an ablation has a study, the largest first.

    1 is always in the list, because the study itself may hold all trainings with one seed.
    """
    prefix = ablation_name(folder.name, path, 0).removesuffix("0")
    names = (p.parent.name for p in folder.path.parent.glob(f"{prefix}*/plan.yaml"))
    counts = {int(end) for name in names if (end := name.removeprefix(prefix)).isdecimal()}
    return sorted({1, *counts} - {0}, reverse=True)


def completed_trainings(folder: StudyFolder) -> dict[str, float]:
    """Return the validation RMSE of each config that was trained to its end, by `config_key`.

    The trainings are the complete trials of the study, and of the studies that `ablate` and
    `confirm` have made for it. Of equal configs the study's own best trial counts first.
    """
    found: dict[str, float] = {}
    for study in (folder, *_studies_of(folder)):
        for record in ranked(study.records()):
            if record.status == "complete" and record.val_rmse is not None:
                found.setdefault(config_key(record.config), record.val_rmse)
    return found


def _studies_of(folder: StudyFolder) -> Iterator[StudyFolder]:
    """Yield the studies that `ablate` and `confirm` have made for a study, sorted by name.

    A study of such a name that has other galaxies or another split is left out.
    """
    plan = folder.plan
    for kind in ("ablate", "confirm"):
        for file in sorted(folder.path.parent.glob(f"{folder.name}-{kind}-*/plan.yaml")):
            other = StudyFolder(file.parent)
            same_data = (
                other.plan.provenance.data_fingerprint == plan.provenance.data_fingerprint
                and (other.plan.split, other.plan.num_galaxies) == (plan.split, plan.num_galaxies)
            )
            if same_data:
                yield other


def failed_trainings(study: StudyFolder | None) -> set[str]:
    """Return the `config_key` of each training of an ablation's study that was not completed.

    study: the study of the trainings; {} is returned for None. A training that has not ended is
    not in the set.
    """
    records = [] if study is None else study.records()
    return {config_key(record.config) for record in records if record.status != "complete"}


def missing_trainings(
    folder: StudyFolder, path: AblationPath, num_seeds: int
) -> list[TrainingProtocol]:
    """Return the configs of an ablation that are left to train, in the order of the path.

    A config counts as trained if a training of it was completed anywhere (see
    `completed_trainings`), or if it failed in the study of this ablation.
    """
    done = completed_trainings(folder).keys()
    failed = failed_trainings(known_study(folder, path, num_seeds))
    wanted = with_seeds(path.configs, ablation_seeds(folder, path, num_seeds))
    return [config for config in wanted if config_key(config) not in done | failed]


def ablation_plan(plan: StudyPlan, name: str, missing: Sequence[TrainingProtocol]) -> StudyPlan:
    """Return the plan of a study that trains each of some configs once, as a grid.

    plan: the plan of the study that was searched. missing: the configs, at least one, with their
    seeds. Data, split, number of galaxies, CPUs and GPUs of a trial, and the mode of W&B are those
    of `plan`; all other keys have their defaults. InvalidInput is raised if the name is longer
    than 80 characters.
    """
    grid = [{k: [v] for k, v in config.model_dump(mode="json").items()} for config in missing]
    values = {key: value for key, value in plan.model_dump().items() if key in _KEPT}
    return make_plan(
        {**values, "name": name, "architectures": [missing[0].architecture], "grid": grid}
    )


def check_trains(study: StudyFolder, missing: Sequence[TrainingProtocol]) -> None:
    """Raise InvalidInput unless a study that exists trains each of the configs `missing`."""
    planned = {config_key(config) for _, config in study.plan.grid_configs()}
    if any(config_key(config) not in planned for config in missing):
        raise InvalidInput(
            f"{study.name} trains other configs than the ablation needs; remove "
            f"{_shown(study.path)} or ask for another number of seeds"
        )


def _shown(path: Path) -> str:
    """Return the last two parts of a path, such as `studies/NAME`."""
    return f"{path.parent.name}/{path.name}"
