"""Whole searches that are kept as files, so that a broken-off benchmark goes on."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from benchmarks.real_search_parts.asked_search import AskedSearch
from search_spaces.declaration import InvalidInput, WorkFailed

CLOCKS = ("wall seconds", "device-seconds", "epochs")


@dataclass(frozen=True)
class Course:
    """The course of a search: after each of its E reported epochs, three clocks and the best RMSE.

    clocks: by name of CLOCKS, arrays [E]: the seconds since the search began, the seconds that all
    workers have spent in the reported epochs, and the number of reported epochs. best: the lowest
    validation RMSE so far [E]. num_trials: the number of trials that reported an epoch. seconds:
    those of the whole search by the wall clock.
    """

    clocks: Mapping[str, NDArray[np.float64]]
    best: NDArray[np.float64]
    num_trials: int
    seconds: float

    @classmethod
    def of(cls, found: Mapping[str, Any]) -> Self:
        """Return the course of a search that `one_search.py` wrote."""
        reports = found["reports"]
        wall, _, _, rmse, seconds = (np.array(column, dtype=float) for column in zip(*reports))
        clocks = (wall, np.cumsum(seconds), np.arange(1.0, len(reports) + 1))
        return cls(
            clocks=dict(zip(CLOCKS, clocks)),
            best=np.minimum.accumulate(rmse),
            num_trials=len({trial for _, trial, *_ in reports}),
            seconds=found["seconds"],
        )

    def time_to(self, target: float, clock: str) -> float:
        """Return the clock's time at the first RMSE of at most `target`; infinite if never."""
        reached = np.flatnonzero(self.best <= target)
        return float(self.clocks[clock][reached[0]]) if len(reached) else np.inf

    def spent(self, clock: str) -> float:
        """Return the clock's time at the last report."""
        return float(self.clocks[clock][-1])

    def best_at(self, time: float, clock: str) -> float:
        """Return the lowest RMSE by a time; infinite before the first report."""
        known = int(np.searchsorted(self.clocks[clock], time, side="right"))
        return float(self.best[known - 1]) if known else np.inf


def kept_course(asked: AskedSearch, out: Path) -> Course:
    """Return the course of a search: from its file in the folder `out`, or searched now.

    A search of now runs in a process of its own, and its file is OUT/NAME.json. InvalidInput is
    raised if the kept file is that of another search, WorkFailed if a search fails; what the
    process of such a search printed is kept in OUT/NAME.log.
    """
    path = out / f"{asked.name}.json"
    if path.exists():
        found = json.loads(path.read_text())
        other = [key for key, value in asked.described().items() if found.get(key) != value]
        if other:
            raise InvalidInput(
                f"{path} holds a search with another {' and '.join(other)}; give another --out"
            )
        return Course.of(found)
    _search(asked, path)
    course = Course.of(json.loads(path.read_text()))
    print(
        f"{asked.name}: RMSE {course.best[-1]:.4f} after {course.num_trials} trials, "
        f"{course.seconds:.0f} s",
        file=sys.stderr,
        flush=True,
    )
    return course


def _search(asked: AskedSearch, path: Path) -> None:
    """Run a search in a process of its own, which writes `path`; WorkFailed if it does not."""
    path.parent.mkdir(parents=True, exist_ok=True)
    log = path.with_suffix(".log")
    with tempfile.TemporaryDirectory() as folder, log.open("wb") as output:
        asked_file = Path(folder) / "asked.json"
        asked_file.write_text(json.dumps(asdict(asked)))
        script = Path(__file__).with_name("one_search.py")
        command = [sys.executable, str(script), str(asked_file), str(path.absolute())]
        done = subprocess.run(command, env=_environment(), stdout=output, stderr=output)
    if done.returncode or not path.exists():
        last = next(iter(log.read_text(errors="replace").strip().splitlines()[-1:]), "no output")
        raise WorkFailed(f"the search {asked.name} failed: {last}; see {log}")
    log.unlink()


def _environment() -> dict[str, str]:
    """Return the environment without the settings of Ray and W&B, except Ray's folder."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("RAY_", "WANDB_"))}
    return kept | {k: os.environ[k] for k in ("RAY_TMPDIR",) if k in os.environ}


def kept_courses(
    asked: Mapping[tuple[str, int], AskedSearch], out: Path
) -> dict[str, dict[int, Course]]:
    """Return the courses of searches by method, then by seed; see `kept_course`.

    asked: the searches by method and seed. They run one after the other, all methods of a seed
    before the next seed, so that a benchmark that is broken off compares like with like.
    """
    courses: dict[str, dict[int, Course]] = {method: {} for method, _ in asked}
    for method, seed in sorted(asked, key=lambda key: key[1]):
        courses[method][seed] = kept_course(asked[method, seed], out)
    return courses
