"""The trials of earlier studies from which a study learns, as its folder keeps them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from trainables.files import read_json_lines


@dataclass(frozen=True)
class EarlierTrial:
    """A trial of an earlier study.

    study: name of the study. trial: id of the trial. values: the config's values by field name,
    `architecture` among them. searched: names of the fields that the study searched. num_epochs:
    the epochs of the config, E. curve: the validation RMSE of the epochs that were trained, the
    first epoch first; from 1 to E numbers. is_whole: whether the training came to its own end, by
    its last epoch or by early stopping.
    """

    study: str
    trial: str
    values: Mapping[str, Any]
    searched: tuple[str, ...]
    num_epochs: int
    curve: tuple[float, ...]
    is_whole: bool

    def as_values(self) -> dict[str, Any]:
        """Return the trial as values for a line of JSON."""
        return {
            "study": self.study,
            "trial": self.trial,
            "values": dict(self.values),
            "searched": list(self.searched),
            "num_epochs": self.num_epochs,
            "curve": list(self.curve),
            "is_whole": self.is_whole,
        }

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> Self:
        """Return the trial that `as_values` gave."""
        return cls(
            study=values["study"],
            trial=values["trial"],
            values=values["values"],
            searched=tuple(values["searched"]),
            num_epochs=int(values["num_epochs"]),
            curve=tuple(values["curve"]),
            is_whole=bool(values["is_whole"]),
        )


def read_earlier_trials(path: Path) -> list[EarlierTrial]:
    """Return the earlier trials that a study keeps in a file; [] if the file does not exist."""
    return [EarlierTrial.from_values(line) for line in read_json_lines(path)]
