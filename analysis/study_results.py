"""All that a report is made of: the trials of one or more studies and their best networks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from analysis.held_out import HeldOut
from analysis.trial_record import TrialRecord
from search_spaces.declaration.training_protocol import TrainingProtocol
from trainables.network import GalaxyNetwork


@dataclass(frozen=True)
class BestNetwork:
    """An architecture's best complete trial: its network and its predictions of test galaxies.

    network: None where its weights are gone and the predictions were kept.
    """

    record: TrialRecord
    config: TrainingProtocol
    network: GalaxyNetwork | None
    tested: HeldOut


@dataclass(frozen=True)
class SurveyImages:
    """JPEGs as the survey made them, [n, H, W, 3] uint8, of the galaxies with these ids.

    crop: the central pixels that the study's images were cut to.
    """

    ids: NDArray[np.int64]
    pixels: NDArray[np.uint8]
    crop: int


@dataclass(frozen=True)
class StudyResults:
    """What one report shows.

    curves: reported epochs by trial id. best: by architecture, best first; empty while no trial
    is complete. num_votes [N]: volunteers of each test galaxy, None where unknown. studies: the
    records by study where there are several. only_grids: nothing was searched, so nothing was
    gained by a search. two_objectives: whether a study has the tree residual as its second;
    max_tree_residual: the limit of the studies, the strictest where they differ, None without
    any. notes: what the reader should know is missing.
    """

    name: str
    records: Sequence[TrialRecord]
    curves: Mapping[str, Sequence[Mapping[str, Any]]]
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

    @property
    def architectures(self) -> list[str]:
        """Names of all architectures that have a trial, sorted."""
        return sorted({record.architecture for record in self.records})
