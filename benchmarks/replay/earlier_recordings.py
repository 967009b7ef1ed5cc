"""Recordings as earlier studies, from which a search in simulated time learns."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.replay.recorded_curves import RecordedCurves, read_curves
from benchmarks.replay.search_plan import search_space
from galaxytune.study import EarlierTrial


def earlier_recordings(paths: Sequence[Path], metric: str) -> list[EarlierTrial]:
    """Return the trials of recordings as those of earlier studies, all trained whole.

    paths: files of record_curves.py. metric: the column that is taken for the validation RMSE.
    Configs that diverged are left out. InvalidInput is raised for a file that is no recording.
    """
    return [
        trial for path in paths for trial in trials_of(read_curves(path, metric), name=path.stem)
    ]


def trials_of(recorded: RecordedCurves, *, name: str) -> list[EarlierTrial]:
    """Return the recorded configs with their curves; name: what the study is called."""
    space = search_space(recorded.architecture)
    default = space.config({"epochs": recorded.num_epochs}).model_dump(mode="json")
    searched = tuple(h.name for h in space.hyperparameters)
    return [
        EarlierTrial(
            study=name,
            trial=f"{number:05d}",
            values=_with(default, config),
            searched=searched,
            num_epochs=recorded.num_epochs,
            curve=tuple(map(float, curve)),
            is_whole=True,
        )
        for number, (config, curve) in enumerate(zip(recorded.configs, recorded.rmse))
        if np.isfinite(curve).all()
    ]


def misleading(trials: Sequence[EarlierTrial]) -> list[EarlierTrial]:
    """Return the trials of each study with the curves in reverse order of merit.

    The best config of a study gets the curve of the worst, the second best that of the second
    worst, and so on.
    """
    found: list[EarlierTrial] = []
    for study in dict.fromkeys(trial.study for trial in trials):
        own = sorted((t for t in trials if t.study == study), key=lambda t: min(t.curve))
        curves = [trial.curve for trial in own]
        found += [replace(trial, curve=curve) for trial, curve in zip(own, reversed(curves))]
    return found


def _with(default: dict[str, Any], config: dict[str, Any]) -> dict[str, Any]:
    """Return the values of a config by field name.

    default: the values of the defaults. config: the recorded values by entry, such as `dropout` or
    `constraint_coefficients.3`.
    """
    values = dict(default)
    for entry, value in config.items():
        name, _, place = entry.partition(".")
        if place:
            entries = list(values[name])
            entries[int(place) - 1] = value
            values[name] = entries
        else:
            values[name] = value
    return values
