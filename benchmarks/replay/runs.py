"""Simulated searches, many at once, kept in a file so that a broken-off benchmark goes on."""

import json
import multiprocessing
import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.replay.curve_forest import CurveForest
from benchmarks.replay.earlier_recordings import earlier_recordings
from benchmarks.replay.methods import makers
from benchmarks.replay.nearest_curves import NearestCurves
from benchmarks.replay.recorded_curves import RecordedCurves, read_curves
from benchmarks.replay.simulation import CurveSource, Outcome, simulate
from trainables.files import append_line

_SHARE = 0.75  # of the recorded configs in one of several landscapes
_FIRST_SEED = 1000  # the recording has drawn its configs with seed 0


@dataclass(frozen=True)
class Landscape:
    """The object of a search: a recording, one of its columns, and the source of values between.

    It is one landscape, or `num_variants` of them, each of three quarters of the configs, drawn
    anew: one alone would say as much of where its luck lies as of the methods.

    source: `forest` or `nearest`. half: None, or 0 or 1 for every other recorded config, the
    published one always among them: what is chosen on one can be judged on the other. learn_from:
    recordings of other networks or data, which count as earlier studies.
    """

    curves: Path
    metric: str = "val_rmse"
    source: str = "forest"
    half: int | None = None
    num_variants: int = 1
    learn_from: tuple[Path, ...] = ()

    def read(self) -> RecordedCurves:
        """Return the recorded curves; InvalidInput if there are none."""
        recorded = read_curves(self.curves, self.metric)
        if self.half is None:
            return recorded
        return recorded.part(np.array([0, *range(1 + self.half, len(recorded), 2)]))

    def variant(self, seed: int) -> int:
        """Return the number of the landscape that the search with this seed is in."""
        return seed % self.num_variants

    def part(self, recorded: RecordedCurves, variant: int) -> RecordedCurves:
        """Return the part of the recorded curves from which one of the landscapes is made."""
        if self.num_variants == 1:
            return recorded
        shuffled = 1 + np.random.default_rng(variant).permutation(len(recorded) - 1)
        return recorded.part(np.sort([0, *shuffled[: round(_SHARE * len(shuffled))]]))


@dataclass(frozen=True)
class Search:
    """One search to simulate; it also ends when it has reached `target`, if one is given.

    least: worker-seconds to search for in any case.
    """

    method: str
    num_workers: int
    seed: int
    budget: float  # worker-seconds
    target: float | None = None
    least: float = 0.0

    @property
    def key(self) -> tuple[str, int, int, float, float | None, float]:
        """Return the values that tell this search from others of the same landscape."""
        return self.method, self.num_workers, self.seed, self.budget, self.target, self.least


class Searcher:
    """Simulates searches of one landscape, in one process."""

    def __init__(self, landscape: Landscape, syne_tune: Path | None) -> None:
        """Read; what is to be fitted is fitted when it is first searched."""
        self._landscape, self._recorded = landscape, landscape.read()
        earlier = earlier_recordings(landscape.learn_from, landscape.metric)
        self._makers = makers(syne_tune, earlier)
        self._made: dict[int, CurveForest | NearestCurves] = {}  # by variant

    def outcome(self, search: Search) -> Outcome:
        """Simulate one."""
        curves = self._curves(search.seed)
        seed = _FIRST_SEED + search.seed
        method = self._makers[search.method](self._recorded.architecture, curves.num_epochs, seed)
        try:
            return simulate(
                method,
                curves,
                num_workers=search.num_workers,
                budget=search.budget,
                target=search.target,
                least=search.least,
            )
        finally:
            method.close()

    def _curves(self, seed: int) -> CurveSource:
        variant = self._landscape.variant(seed)
        if variant not in self._made:
            make = NearestCurves if self._landscape.source == "nearest" else CurveForest
            self._made[variant] = make(self._landscape.part(self._recorded, variant))
        made = self._made[variant]
        return made.drawn(seed) if isinstance(made, CurveForest) else made


_searcher: Searcher | None = None  # of a worker process


def _prepare(landscape: Landscape, syne_tune: Path | None) -> None:
    global _searcher
    _searcher = Searcher(landscape, syne_tune)


def _run(search: Search) -> tuple[Search, Outcome]:
    if _searcher is None:
        raise RuntimeError("the process was not prepared")
    return search, _searcher.outcome(search)


class Runs:
    """The outcomes of searches of one landscape, in a file of JSON lines."""

    def __init__(self, file: Path, landscape: Landscape, syne_tune: Path | None = None) -> None:
        """Read what the file holds of this landscape."""
        self._file, self._landscape, self._syne_tune = file, landscape, syne_tune
        self._mark = json.dumps({k: str(v) for k, v in asdict(landscape).items()})
        self._known = dict(self._read()) if file.exists() else {}

    def get(self, searches: Iterable[Search], processes: int) -> dict[Search, Outcome]:
        """The outcomes; those that the file does not hold are simulated, and kept in it."""
        wanted = list(searches)
        missing = [search for search in wanted if search.key not in self._known]
        for search, outcome in self._simulated(missing, processes):
            self._known[search.key] = outcome
            line = {"landscape": self._mark, "search": search.key, **asdict(outcome)}
            append_line(self._file, line)
        return {search: self._known[search.key] for search in wanted}

    def _simulated(
        self, searches: list[Search], processes: int
    ) -> Iterator[tuple[Search, Outcome]]:
        if not searches:
            return
        os.environ["OMP_NUM_THREADS"] = "1"  # of the processes, which share the cores
        prepared = self._landscape, self._syne_tune
        with multiprocessing.get_context("spawn").Pool(processes, _prepare, prepared) as pool:
            yield from pool.imap_unordered(_run, searches)

    def _read(self) -> Iterator[tuple[Any, Outcome]]:
        for line in self._file.read_text().splitlines():
            kept = json.loads(line)
            if kept.pop("landscape") == self._mark:
                yield tuple(kept.pop("search")), Outcome(**kept)
