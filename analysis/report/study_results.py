"""The results that a report shows: trials of one or more studies, and their best networks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from analysis.records import Ablation, Curves, HeldOut, TrialRecord
from trainables.layers import GalaxyNetwork


@dataclass(frozen=True)
class BestNetwork:
    """A network of an architecture's best complete trial, with predictions of test galaxies.

    record: record of the trial.
    network: the network with the weights of its best epoch, on the device of `StudyResults`; None
    if only the predictions were kept, and not the weights.
    tested: the test galaxies with their votes and the network's predictions.
    """

    record: TrialRecord
    network: GalaxyNetwork | None
    tested: HeldOut


@dataclass(frozen=True)
class SurveyImages:
    """A set of n test galaxies with the images from which the study's images were made.

    ids: ids of the galaxies, [n]; each must be the id of a test galaxy.
    pixels: the survey's images, [n, H, W, 3] uint8.
    crop: side, in pixels, of the central square of a survey image that was cut out.
    """

    ids: NDArray[np.int64]
    pixels: NDArray[np.uint8]
    crop: int


@dataclass(frozen=True)
class StudyResults:
    """A collection of everything that one report shows.

    name: name of the study; names of several studies are joined by commas.
    records: finished trials of all studies; no two trials have the same id.
    curves: the reported epochs of each trial, by trial id.
    noise_floor: RMSE that a perfect predictor reaches.
    best: best network of each architecture by name, the best architecture first; all networks are
    tested on the same galaxies. Empty if no trial is complete, or if neither weights nor
    predictions were kept.
    num_votes: number of volunteers of each test galaxy, [N]; None if the numbers are unknown.
    device: device that the heat maps are computed on.
    survey: survey images of some test galaxies; None for no images.
    facts: what the report is based on, as texts by name.
    studies: finished trials of each study by the study's name; may be empty for a single study,
    whose trials are then those of `records`.
    only_grids: True if every trial comes from a grid, so that no search could gain anything.
    two_objectives: True if a study has the tree residual as its second objective.
    max_tree_residual: limit on the tree residual, the strictest if studies have different limits.
    None without a limit.
    notes: sentences on what is missing in the report.
    ablations: by the study's name, the path from the published to the best config, or a sentence
    on why there is none. A study without an entry has no such section.
    """

    name: str
    records: Sequence[TrialRecord]
    curves: Curves
    noise_floor: float
    best: Mapping[str, BestNetwork] = field(default_factory=dict)
    num_votes: NDArray[np.integer] | None = None
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    survey: SurveyImages | None = None
    facts: Mapping[str, str] = field(default_factory=dict)
    studies: Mapping[str, Sequence[TrialRecord]] = field(default_factory=dict)
    only_grids: bool = False
    two_objectives: bool = False
    max_tree_residual: float | None = None
    notes: Sequence[str] = ()
    ablations: Mapping[str, Ablation | str] = field(default_factory=dict)

    @property
    def architectures(self) -> list[str]:
        """Names of all architectures that have a trial, in alphabetical order."""
        return sorted({record.architecture for record in self.records})
