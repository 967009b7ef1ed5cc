"""The result of an ablation: trained if each config was trained, otherwise predicted."""

from collections.abc import Sequence

import numpy as np

from analysis.records import Ablation, path_steps
from analysis.statistics import mean_interval
from galaxytune.ablation.path import AblationPath, ablation_path
from galaxytune.ablation.surrogate import FEWEST_TRIALS, fitted_surrogate
from galaxytune.ablation.trainings import (
    ablation_seeds,
    completed_trainings,
    config_key,
    known_seed_counts,
    missing_trainings,
    with_seeds,
)
from galaxytune.study import StudyFolder
from search_spaces.declaration import InvalidInput


def trained_ablation(folder: StudyFolder, path: AblationPath, num_seeds: int) -> Ablation:
    """Return what the trainings of a path gave, with `num_seeds` seeds for each config.

    A training that failed, or that has not ended, counts as not completed.
    """
    seeds, known = ablation_seeds(folder, path, num_seeds), completed_trainings(folder)
    keys = [[config_key(c) for c in with_seeds([config], seeds)] for config in path.configs]
    by_seed = [tuple(known[key] for key in row if key in known) for row in keys]
    return Ablation(
        study=folder.name,
        trial=path.trial,
        architecture=path.configs[0].architecture,
        start=path.configs[0].word_for_defaults(),
        order="predicted gain" if path.by_model else "declaration",
        source="trained",
        num_seeds=num_seeds,
        num_modelled=None,
        steps=path_steps(
            path.changes(),
            [float(np.mean(values)) if values else None for values in by_seed],
            [mean_interval(values) for values in by_seed],
            by_seed,
            [num_seeds - len(values) for values in by_seed],
        ),
    )


def predicted_ablation(folder: StudyFolder, path: AblationPath) -> Ablation | None:
    """Return what the model of the study's trials predicts for a path.

    None is returned if the trials allow no model (see `fitted_surrogate`).
    """
    model = fitted_surrogate(folder.records(), path.configs[0].architecture)
    if model is None:
        return None
    predicted = model.predict(path.configs)
    nothing: Sequence[tuple[float, ...]] = [()] * len(predicted)
    return Ablation(
        study=folder.name,
        trial=path.trial,
        architecture=path.configs[0].architecture,
        start=path.configs[0].word_for_defaults(),
        order="predicted gain" if path.by_model else "declaration",
        source="predicted",
        num_seeds=None,
        num_modelled=model.num_trials,
        steps=path_steps(
            path.changes(),
            [p.median for p in predicted],
            [(p.low, p.high) for p in predicted],
            nothing,
            [0] * len(predicted),
        ),
    )


def study_ablation(folder: StudyFolder) -> Ablation | str:
    """Return the ablation of a study for its report, or a sentence on why there is none.

    The ablation is trained if all trainings of the path have ended for some number of seeds; the
    largest such number counts. Otherwise the ablation is predicted. Nothing is trained or written.
    """
    try:
        path = ablation_path(folder)
        for num_seeds in known_seed_counts(folder, path):
            if not missing_trainings(folder, path, num_seeds):
                return trained_ablation(folder, path, num_seeds)
    except InvalidInput as reason:
        return f"There is no path to the best config: {reason}."
    first = path.configs[0]
    return predicted_ablation(folder, path) or (
        f"The path from the {first.word_for_defaults()} to the best config cannot be predicted, "
        f"because a model needs at least {FEWEST_TRIALS} complete trials of {first.architecture} "
        f"with different values. `galaxytune ablate {folder.name}` trains every config of the "
        "path."
    )
