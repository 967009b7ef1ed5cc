"""Trainables of the overhead benchmarks: all is real up to the first step, the epochs are not.

Ray's workers import it from here. A trial marks when its first step could begin (torch loaded,
data open, network built) and when it hands over its last report.
"""

import json
import math
import os
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from galaxytune.study import StudyFolder
    from search_spaces.declaration import SearchSpace

MARKS = "marks.jsonl"
EPOCHS = 3
SECONDS_AN_EPOCH = 0.05
NETWORK: dict[str, Any] = {"architecture": "simple_cnn", "width": 0.1, "batch_size": 32}
_QUESTIONS = tuple(f"val_rmse_q{number}" for number in range(1, 12))
_VALUES = ("val_rmse", "val_loss", "val_tree_residual", "train_rmse", "train_loss")


def make_galaxies(folder: Path, num_galaxies: int) -> None:
    """Write simulated galaxies as g.npz, and their split as split.npz."""
    from trainables.galaxies import open_galaxies, save_galaxies, save_split, split_galaxies
    from trainables.simulation import simulate_galaxies

    made = simulate_galaxies(num_galaxies, seed=1)
    names = ("images", "target", "ids", "num_votes")
    save_galaxies(folder / "g.npz", {n: getattr(made, n) for n in names})
    galaxies = open_galaxies(folder / "g.npz")
    save_split(folder / "split.npz", split_galaxies(galaxies, "hash"), galaxies.ids)


def make_study(folder: Path, **changes: Any) -> "StudyFolder":
    """Make a study of simple CNNs that has not begun."""
    from galaxytune.plan import make_plan
    from galaxytune.study import new_study

    fixed = {name: value for name, value in NETWORK.items() if name != "architecture"}
    values = {"name": "s", "architectures": ["simple_cnn"], "data": str(folder / "g.npz"),
              "wandb": "disabled", "set": fixed}  # fmt: skip
    return new_study(make_plan(values | changes), folder)


def search_space() -> "SearchSpace":
    """Return the search space that galaxytune has for these networks."""
    from search_spaces.declaration import SearchSpace, config_class

    return SearchSpace(config_class("simple_cnn"), NETWORK)


def drawn(trial: Any, **constants: Any) -> dict[str, Any]:
    """Draw from the search space as a stack without galaxytune would; return the constants."""
    search_space().draw(trial)
    return constants


def epoch_reports(level: float, epochs: int) -> Iterator[dict[str, Any]]:
    """Plausible epochs: each a little better than the last, `level` the value they approach."""
    for epoch in range(1, epochs + 1):
        values = dict.fromkeys(_VALUES, level + 0.1 / epoch)
        last = {"finished": "all epochs trained"} if epoch == epochs else {}
        yield {"epoch": epoch, "seconds": 0.01, "learning_rate": 1e-3, **values, **last}


def mark(marks: Path, what: str) -> None:
    """Append one moment; a line is written at once, so that processes do not mix theirs."""
    line = json.dumps({"what": what, "time": time.time(), "process": os.getpid()}) + "\n"
    with marks.open("ab", buffering=0) as file:
        file.write(line.encode())


def pretend(
    marks: Path, reports: Iterator[dict[str, Any]], tell: Callable[[dict[str, Any]], object]
) -> None:
    """Mark the first step, then tell of epochs that take a moment each."""
    mark(marks, "ready")
    for report in reports:
        time.sleep(SECONDS_AN_EPOCH)
        if "finished" in report:
            mark(marks, "end")
        tell(report)


def moments(marks: Path, what: str) -> list[float]:
    """All marked moments of a kind, in seconds since 1970, sorted."""
    lines = [json.loads(line) for line in marks.read_text().splitlines()]
    return sorted(line["time"] for line in lines if line["what"] == what)


def gaps(marks: Path) -> list[float]:
    """Seconds from each trial's end to the next one's first step, trials run one at a time."""
    return [ready - end for end, ready in zip(moments(marks, "end"), moments(marks, "ready")[1:])]


def environment(folder: Path) -> dict[str, str]:
    """The environment without what Ray and W&B put into it, the cache in a folder that goes."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("RAY_", "WANDB_"))}
    return kept | {"WANDB_MODE": "offline", "GALAXYTUNE_CACHE": str(folder / "cache")}


def simulated_reports(trial: str, learning_rate: float, epochs: int) -> Iterator[dict[str, Any]]:
    """Yield the reports of a trial whose RMSE depends on its learning rate and on chance.

    The same trial has the same reports. The best learning rate is .001. A report has as many
    numbers as that of a real epoch.
    """
    chance = random.Random(trial).gauss(0.0, 0.003)
    level = 0.1 + 0.02 * abs(math.log10(learning_rate) + 3.0) + abs(chance)
    for report in epoch_reports(level, epochs):
        yield {**report, **dict.fromkeys(_QUESTIONS, report["val_rmse"]), "micro_batch": 32}
