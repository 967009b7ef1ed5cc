"""Whole searches with Ray on the device: their cost a trial, and what memory and deaths do.

Four searches follow one another: one trial at a time, four trials sharing the GPU, a search whose
batches the GPU's memory does not hold, and a search one of whose workers is killed.
"""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from statistics import mean
from typing import Any

import psutil
import torch

import galaxytune
from analysis.records import TrialRecord
from benchmarks.gpu_parts.setting import Row, Rows, Setting, or_failure
from search_spaces.declaration import TrainingProtocol
from trainables.galaxies import open_galaxies
from trainables.training import EpochReport

GALAXIES = 2500  # at most, of the file
LONG, SHORT = 80, 20  # epochs of trials of about 10 s and 3 s
LARGE_BATCH = 1500
FREE_GIB = 6.0  # that the GPU has left for the batches that do not fit
LEAST_FREED = 256 * 2**20  # bytes; a context of CUDA alone holds more
POLLS_A_SECOND = 20


@dataclass
class Times:
    """An observer of a study that notes when trials start, report and end, by `time.monotonic`."""

    started: dict[str, float] = field(default_factory=dict)
    ended: dict[str, float] = field(default_factory=dict)
    reported: threading.Event = field(default_factory=threading.Event)
    training: float = 0.0
    num_epochs: int = 0
    micro_batches: set[int | None] = field(default_factory=set)

    def study_started(self, num_trials: int, num_epochs: int, ended: list[TrialRecord]) -> None:
        """Need nothing of the study."""

    def trial_started(self, trial_id: str, config: TrainingProtocol, published: bool) -> None:
        """Note the first start of a trial."""
        self.started.setdefault(trial_id, time.monotonic())

    def trial_paused(self, trial_id: str, epoch: int) -> None:
        """Need nothing of a pause."""

    def epoch_reported(self, trial_id: str, report: EpochReport) -> None:
        """Add up the seconds of training, and wake whoever waits for the first epoch."""
        self.training += report.seconds
        self.num_epochs += 1
        self.micro_batches.add(report.micro_batch)
        self.reported.set()

    def trial_finished(self, record: TrialRecord) -> None:
        """Note the end of a trial."""
        self.ended[record.id] = time.monotonic()

    def study_noted(self, sentence: str) -> None:
        """Print what the study says, for the log of the part."""
        print(sentence, flush=True)

    @property
    def seconds(self) -> float:
        """Seconds from the first trial's start to the last trial's end."""
        return max(self.ended.values()) - min(self.started.values())


class BusyShare:
    """A thread that asks the driver how busy the GPU is, and the moments at which it was asked."""

    def __init__(self, setting: Setting) -> None:
        """Prepare; on a processor nothing is asked."""
        self._is_gpu, self._done = setting.is_gpu, threading.Event()
        self._seen: list[tuple[float, float]] = []

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Ask while the block runs."""
        thread = threading.Thread(target=self._watch, daemon=True)
        if self._is_gpu:
            thread.start()
        try:
            yield
        finally:
            self._done.set()
            if self._is_gpu:
                thread.join()

    def _watch(self) -> None:
        import pynvml  # on machines with a GPU alone

        pynvml.nvmlInit()
        card = pynvml.nvmlDeviceGetHandleByIndex(0)
        while not self._done.wait(1 / POLLS_A_SECOND):
            busy = pynvml.nvmlDeviceGetUtilizationRates(card).gpu / 100
            self._seen.append((time.monotonic(), busy))

    def between(self, start: float, end: float) -> float | None:
        """Return the mean busy share, 0..1, from start to end; None if it was not asked."""
        seen = [busy for moment, busy in self._seen if start <= moment <= end]
        return mean(seen) if seen else None


def measure(setting: Setting) -> Rows:
    """Yield a row for each of the searches."""
    searches = {
        "one at a time": partial(_timed, trials=3, epochs=LONG),
        "four at a time": partial(_timed, gpus_per_trial=0.25, trials=4, epochs=SHORT),
        "short of memory": _short_of_memory,
        "with a death": _with_a_death,
    }
    for name, search in searches.items():
        if setting.is_gpu or name == "one at a time":
            yield from or_failure(search(name, setting), search=name)


def _plan(name: str, setting: Setting, **changes: Any) -> dict[str, Any]:
    """Return the plan of a search of the parallel CNN without halving and without packs."""
    plan: dict[str, Any] = {
        "name": name.replace(" ", "_"),
        "architectures": ["parallel_cnn"],
        "data": str(setting.data),
        "halving": False,
        "pack": "off",
        "wandb": "disabled",
        "gpus_per_trial": 1.0 if setting.is_gpu else 0.0,
        "num_galaxies": min(GALAXIES, len(open_galaxies(setting.data))),
        "set": {"early_stopping_patience": 0},
        **changes,
    }
    if setting.is_tiny:
        small = {"width": 0.05, "batch_size": 32}
        plan |= {"trials": 2, "epochs": 1, "num_galaxies": 100, "set": small}
    return plan


def _search(plan: dict[str, Any], setting: Setting, times: Times) -> list[TrialRecord]:
    """Run a search to its end; return its records."""
    storage = setting.folder / "studies"
    cluster = galaxytune.ClusterAddress(local_cpus=None if setting.is_gpu else 1)
    study = galaxytune.search(plan, storage=storage, cluster=cluster, observers=[times])
    return list(study.records())


def _outcome(records: Sequence[TrialRecord]) -> Row:
    """Return how many trials ended in which way, and the restarts of workers."""
    statuses = [record.status for record in records]
    row: Row = {status: statuses.count(status) for status in dict.fromkeys(statuses)}
    return row | {"retries": sum(record.retries for record in records)}


def _timed(name: str, setting: Setting, **changes: Any) -> Rows:
    """Yield what a search costs: seconds of the whole, of training, and a trial's overhead."""
    times, busy = Times(), BusyShare(setting)
    began = time.monotonic()
    with busy.watched():
        records = _search(_plan(name, setting, **changes), setting, times)
    whole = time.monotonic() - began
    first, last = min(times.started.values()), max(times.ended.values())
    share = busy.between(first, last)
    row = {
        "search": name,
        "seconds": whole,
        "seconds_of_trials": times.seconds,
        "seconds_of_training": times.training,
        "epochs_a_second": times.num_epochs / times.seconds,
        "idle_share": None if share is None else 1 - share,
        **_outcome(records),
    }
    if name == "one at a time":
        row["overhead_a_trial"] = (times.seconds - times.training) / len(records)
    yield row


def _short_of_memory(name: str, setting: Setting) -> Rows:
    """Yield whether trials end whose batches are too large for what the GPU has left."""
    free, _ = torch.cuda.mem_get_info()
    ballast = torch.empty(int(free - FREE_GIB * 2**30), dtype=torch.uint8, device="cuda")
    plan = _plan(name, setting, trials=1, epochs=2, set={"batch_size": LARGE_BATCH})
    times = Times()
    try:
        records = _search(plan, setting, times)
    finally:
        del ballast
        torch.cuda.empty_cache()
    sizes = sorted(size for size in times.micro_batches if size is not None)
    row = {"search": name, "batch_size": LARGE_BATCH, "micro_batches": sizes}
    yield row | {"free_gib": FREE_GIB, **_outcome(records)}


def _with_a_death(name: str, setting: Setting) -> Rows:
    """Yield how soon a killed worker's memory is free, and how the search ends."""
    times, found = Times(), {}

    def kill() -> None:
        times.reported.wait()
        found.update(_killed())

    killer = threading.Thread(target=kill, daemon=True)
    killer.start()
    plan = _plan(name, setting, trials=2, epochs=2 * SHORT, gpus_per_trial=0.5)
    records = _search(plan, setting, times)
    killer.join(timeout=5)
    yield {"search": name, **found, **_outcome(records)}


def _killed() -> Row:
    """Kill a worker of this search that trains; return when the GPU's memory was free again."""
    import pynvml

    pynvml.nvmlInit()
    card = pynvml.nvmlDeviceGetHandleByIndex(0)

    def used() -> int:
        return int(pynvml.nvmlDeviceGetMemoryInfo(card).used)

    workers = [child for child in psutil.Process().children(recursive=True) if _is_worker(child)]
    holding = {p.pid for p in pynvml.nvmlDeviceGetComputeRunningProcesses(card)}
    workers.sort(key=lambda worker: worker.pid in holding)
    before, began = used(), time.monotonic()
    workers[-1].kill()
    while before - used() < LEAST_FREED and time.monotonic() - began < 10:
        time.sleep(0.01)
    seconds, freed = time.monotonic() - began, before - used()
    return {"seconds_until_memory_is_free": seconds, "gib_freed": freed / 2**30}


def _is_worker(process: psutil.Process) -> bool:
    """Return whether a process is a worker of Ray that runs a trial."""
    try:
        name = process.cmdline()[:1]
    except psutil.Error:
        return False
    return bool(name) and name[0].startswith("ray::") and "IDLE" not in name[0]
