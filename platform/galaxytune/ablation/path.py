"""The path of an ablation: single changes that lead from the published to the best config.

The order of the changes is that of Biedenkapp et al. 2017 ("Efficient parameter importance
analysis via ablation with surrogates", AAAI): in each step, the change with the largest gain that
a model predicts comes next.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from analysis.records import FieldChange, TrialRecord, best_trial
from galaxytune.ablation.surrogate import Surrogate, fitted_surrogate
from galaxytune.study import StudyFolder
from search_spaces.declaration import (
    InvalidInput,
    TrainingProtocol,
    build,
    conditions_of,
    config_from_values,
    used_values,
)
from trainables.files import write_atomically

# Maps configs to their predicted validation RMSEs, in the same order.
Predict = Callable[[Sequence[TrainingProtocol]], Sequence[float]]
_NO_VALUE = object()  # stands for the value of a field that a config does not use
_UNSEEN = ("seed",)  # fields that are no step of a path


@dataclass(frozen=True)
class AblationPath:
    """A path from the published config to the config of the best trial.

    trial: id of the best trial.
    by_model: True if a model chose the order of the steps, False for the order of declaration.
    configs: the configs of the path, at least two, all with the seed of the best trial. The first
    is the published config of the best trial's architecture, the last is the best trial's config.
    """

    trial: str
    by_model: bool
    configs: tuple[TrainingProtocol, ...]

    def changes(self) -> list[tuple[FieldChange, ...]]:
        """Return what each step changes, for each config of the path; () for the first config."""
        pairs = zip(self.configs, self.configs[1:])
        return [(), *(changes_between(before, after) for before, after in pairs)]


def _differing(start: TrainingProtocol, end: TrainingProtocol) -> list[str]:
    """Return the fields in which two configs of one architecture differ, as declared.

    A field that neither config uses does not count, and the seed does not count. A field that one
    of the configs uses, and the other does not, counts.
    """
    one, other = used_values(start), used_values(end)
    return [
        name
        for name in type(start).model_fields
        if name not in _UNSEEN and one.get(name, _NO_VALUE) != other.get(name, _NO_VALUE)
    ]


def changes_between(before: TrainingProtocol, after: TrainingProtocol) -> tuple[FieldChange, ...]:
    """Return the changes of the fields that differ and that the config `after` uses."""
    old, new = used_values(before), used_values(after)
    return tuple(
        FieldChange(field=name, old=old.get(name), new=new[name])
        for name in _differing(before, after)
        if name in new
    )


def single_changes(start: TrainingProtocol, end: TrainingProtocol) -> list[tuple[str, ...]]:
    """Return the groups of fields in which two configs differ; each group is one step.

    start, end: configs of one architecture. A field whose use depends on another field that
    differs too is in the group of this field, because the two only mean something together. The
    groups, and the fields of a group, are in the order of declaration. The list is empty if the
    configs differ in the seed at most, or in fields that they do not use.
    """
    groups: list[list[str]] = []
    for name in _differing(start, end):
        needed = {condition.field for condition in conditions_of(type(start), name)}
        joined = [group for group in groups if needed.intersection(group)]
        groups = [group for group in groups if group not in joined]
        groups.append([field for group in joined for field in group] + [name])
    order = list(type(start).model_fields)
    sorted_groups = [tuple(sorted(group, key=order.index)) for group in groups]
    return sorted(sorted_groups, key=lambda group: order.index(group[0]))


def _with_fields(
    config: TrainingProtocol, end: TrainingProtocol, fields: Sequence[str]
) -> TrainingProtocol:
    """Return the config with the values that `end` has in some fields."""
    taken = {name: getattr(end, name) for name in fields}
    return build(type(config), {**config.model_dump(), **taken})


def greedy_path(
    start: TrainingProtocol, end: TrainingProtocol, predict: Predict | None
) -> tuple[TrainingProtocol, ...]:
    """Return the configs of the path from one config to another, both included.

    start, end: configs of one architecture that differ in a field that one of them uses. predict:
    the predicted RMSEs of configs; each step takes the change after which the lowest RMSE is
    predicted, and of equal changes the change that is declared first. Without `predict` the
    changes are in the order of declaration. All configs have the seed of `end`.
    """
    left = single_changes(start, end)
    path = [_with_fields(start, end, _UNSEEN)]
    while left:
        offered = [_with_fields(path[-1], end, group) for group in left]
        predicted = [0.0] * len(left) if predict is None else list(predict(offered))
        chosen = min(range(len(left)), key=predicted.__getitem__)
        path.append(offered[chosen])
        del left[chosen]
    return tuple(path)


def predictor(model: Surrogate) -> Predict:
    """Return the function that maps configs to the medians that a model predicts."""
    return lambda configs: [predicted.median for predicted in model.predict(configs)]


def _published_config(
    folder: StudyFolder, records: Sequence[TrialRecord], best: TrialRecord
) -> TrainingProtocol:
    """Return the published config of the best trial's architecture, with the best trial's seed.

    The config of a trial that the study ran as the published config is taken if there is one, and
    otherwise the config that the study's plan makes of the architecture's defaults.
    """
    tried = [r.config for r in records if r.published and r.architecture == best.architecture]
    config = tried[0] if tried else folder.plan.spaces[best.architecture].published
    return _with_fields(config, best.config, _UNSEEN)


def ablation_path(folder: StudyFolder) -> AblationPath:
    """Return the path of a study: the stored path, or a new path if none is stored that fits.

    A stored path fits if it begins and ends at the configs at which a new path would. Nothing is
    written. InvalidInput is raised if no trial is complete, if the config of the best trial is the
    published config, or if the file of the path is damaged.
    """
    records = folder.records()
    best = best_trial(records)
    start = _published_config(folder, records, best)
    if not single_changes(start, best.config):
        raise InvalidInput(
            f"the best trial of study {folder.name!r}, {best.id}, has the "
            f"{start.word_for_defaults()} config of {best.architecture}, so there is nothing to "
            "ablate"
        )
    stored = _read_path(folder.ablation_file)
    if stored is not None and _fits(stored, start, best.config):
        return stored
    model = fitted_surrogate(records, best.architecture)
    predict = None if model is None else predictor(model)
    return AblationPath(best.id, model is not None, greedy_path(start, best.config, predict))


def _fits(path: AblationPath, start: TrainingProtocol, end: TrainingProtocol) -> bool:
    """Return whether a path begins and ends at two configs; unused fields may differ."""
    ends = (path.configs[0], start), (path.configs[-1], end)
    return all(used_values(stored) == used_values(config) for stored, config in ends)


def store_path(path: AblationPath, file: Path) -> None:
    """Write a path as JSON, so that a later call trains the same configs.

    The file is replaced in one step. OSError is raised if the file cannot be written.
    """
    values = {
        "trial": path.trial,
        "by_model": path.by_model,
        "configs": [config.model_dump(mode="json") for config in path.configs],
    }
    text = json.dumps(values, indent=1) + "\n"
    write_atomically(file, lambda temporary: temporary.write_text(text))


def _read_path(file: Path) -> AblationPath | None:
    """Return the path that `store_path` wrote; None if there is no file.

    InvalidInput is raised if the file is damaged.
    """
    try:
        values: Mapping[str, Any] = json.loads(file.read_text())
        configs = tuple(config_from_values(config) for config in values["configs"])
        trial, by_model = str(values["trial"]), bool(values["by_model"])
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError):  # InvalidInput of a wrong config is a ValueError
        raise InvalidInput(f"{file} is damaged; remove it, and a new path is made") from None
    if len(configs) < 2:
        raise InvalidInput(f"{file} is damaged; remove it, and a new path is made")
    return AblationPath(trial, by_model, configs)
