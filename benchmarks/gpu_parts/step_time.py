"""A profile of a training step, and a comparison of ways to take the step.

Each way takes the steps of a run of its own, in turns with the others. Beside the ways of a step,
the part measures galaxytune's own step at several batch sizes.
"""

import re
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import islice
from statistics import median
from typing import Any

import numpy as np
import torch
from torch.profiler import ProfilerActivity, profile

from benchmarks.endless_steps import endless_steps
from benchmarks.gpu_parts.setting import Row, Rows, Setting, or_failure
from search_spaces.declaration import TrainingProtocol, config_from_values
from trainables.device import MicroBatch, training_precision
from trainables.galaxies import Split, open_galaxies
from trainables.training import Sums, TrainingRun
from trainables.training.graphed_step import GraphedStep
from trainables.training.step import TrainingStep

NETWORK = "parallel_cnn"
BATCH_SIZES = {"parallel_cnn": (32, 64, 128, 256, 512), "vision_transformer": (64, 128, 256, 512)}
STEPS = 40  # of a round
ROUNDS = 3
PROFILED = 8  # steps
KERNELS = 15  # rows of the profile
Way = Callable[["_Step"], object]


class _Step:
    """The step of a run with its parts in reach, so that a way can change one of them."""

    def __init__(self, config: TrainingProtocol, setting: Setting) -> None:
        galaxies, device = open_galaxies(setting.data), setting.device
        rows = np.arange(200 * config.batch_size) % len(galaxies)
        self.run = TrainingRun(config, galaxies, Split(rows, rows[:8], rows[:8]), device)
        self.precision = training_precision(config, device)
        self.has_graph = setting.is_gpu
        self._graphed: GraphedStep | None = None

    @property
    def refusal(self) -> str | None:
        """The reason why no graph of the step could be made, or None."""
        return None if self._graphed is None else self._graphed.refusal

    def steps(self) -> Iterator[Sums]:
        """Return the endless steps of the run, as the way has made them."""
        run, config = self.run, self.run.config
        whole = MicroBatch("training", config.batch_size, run.network.image_side, run.device)
        step = TrainingStep(run.network, run.loss, run.optimiser, whole, self.precision)
        self._graphed = GraphedStep(step, config.batch_size) if self.has_graph else None
        return endless_steps(run, self._graphed or step)


def _as_it_is(step: _Step) -> None:
    """Change nothing: galaxytune's own step."""


def _without_graph(step: _Step) -> None:
    step.has_graph = False


def _float32(step: _Step) -> None:
    step.precision = torch.float32


def _contiguous(step: _Step) -> None:
    """Let the channels come first in memory, in the weights and in the images."""
    network = step.run.network
    for parameter in network.parameters():
        parameter.data = parameter.data.contiguous()
    network.register_forward_pre_hook(lambda _, images: (images[0].contiguous(),))


def _compiled(step: _Step) -> None:
    """Let torch.compile make the kernels of the network's passes."""
    network: Any = step.run.network
    network.forward = torch.compile(network.forward)


def _layer_by_layer(step: _Step) -> None:
    """Let the optimiser work in several passes over all weights, without its fused kernel."""
    for group in step.run.optimiser.param_groups:
        group.update(fused=False, foreach=True)


# A way's name says what differs from galaxytune's own step.
WAYS: dict[str, Way] = {
    "as it is": _as_it_is,
    "no graph": _without_graph,
    "float32": _float32,
    "channels first": _contiguous,
    "optimiser not fused": _layer_by_layer,
}
COMPILED: dict[str, Way] = {"as it is": _as_it_is, "compiled": _compiled}
TINY = {name: WAYS[name] for name in ("as it is", "channels first", "optimiser not fused")}


def measure(setting: Setting) -> Rows:
    """Yield the profile, then the ways of a step, then the batch sizes."""
    torch.set_num_threads(1 if setting.is_tiny else torch.get_num_threads())
    yield from _profiled(setting)
    if setting.is_tiny:
        yield from _ways(TINY, setting)
        return
    yield from _ways(WAYS, setting)
    yield from or_failure(_batch_sizes(setting), measured="batch sizes")
    yield from _ways(COMPILED, setting)  # last, because the compiler takes a while


def _config(setting: Setting, **values: Any) -> TrainingProtocol:
    small = {"width": 0.1, "batch_size": 8} if setting.is_tiny else {}
    return config_from_values({"architecture": NETWORK, **small, **values})


def _taken(steps: Iterator[Sums], count: int) -> None:
    """Take so many steps."""
    for _ in islice(steps, count):
        pass


def _profiled(setting: Setting) -> Rows:
    """Yield the kernels of a step without a graph, and the GPU's busy share with and without."""
    for way, kernels in {"no graph": KERNELS, "as it is": 0}.items():
        if setting.is_gpu or way == "no graph":
            yield from or_failure(_profile(way, setting, kernels=kernels), profile=way)


def _profile(way: str, setting: Setting, *, kernels: int) -> Rows:
    """Yield the device's busy share in the steps of a way, and so many of its kernels."""
    step = _Step(_config(setting), setting)
    WAYS[way](step)
    steps = step.steps()
    count = 1 if setting.is_tiny else PROFILED
    _taken(steps, 1 if setting.is_tiny else 10)
    with profile(
        activities=[ProfilerActivity.CPU] + [ProfilerActivity.CUDA] * setting.is_gpu
    ) as p:
        seconds = setting.seconds_of(lambda: _taken(steps, count))
    spent = [(_microseconds(event, setting), event) for event in p.key_averages()]
    spent = sorted((pair for pair in spent if pair[0]), key=lambda pair: -pair[0])
    total = sum(microseconds for microseconds, _ in spent)
    yield {"profile": way, "busy_share": total / 1e6 / seconds}
    for microseconds, event in spent[:kernels]:
        yield {
            "kernel": _short(event.key),
            "share": microseconds / total,
            "microseconds_a_step": microseconds / count,
            "calls_a_step": event.count / count,
        }


def _microseconds(event: Any, setting: Setting) -> float:
    """Return the time that the device itself spent on an entry of a profile.

    On a GPU only kernels and copies count. The operators on the host that started the kernels, and
    the spans that PyTorch marks around an optimiser's step, would count the same time again.
    """
    if not setting.is_gpu:
        return float(event.self_cpu_time_total)
    if "CUDA" not in str(event.device_type) or event.is_user_annotation:
        return 0.0
    return float(event.self_device_time_total)


def _short(name: str) -> str:
    """Return the name of a kernel without template arguments, at most 90 characters."""
    plain = re.sub(r"<.*", "", name.removeprefix("void "))
    return (plain or name)[:90]


def _ways(ways: Mapping[str, Way], setting: Setting) -> Rows:
    """Yield the seconds of a step in each way, and how the way compares with the step as it is."""
    steps: dict[str, Iterator[Sums]] = {}
    for name, change in ways.items():
        started = time.perf_counter()
        try:
            step = _Step(_config(setting), setting)
            change(step)
            steps[name] = step.steps()
            _taken(steps[name], 1 if setting.is_tiny else 8)  # graphs and kernels are made here
            setting.settle()
        except Exception as error:  # a way may fail on a machine, and the others go on
            steps.pop(name, None)
            yield {"way": name, "failure": f"{type(error).__name__}: {str(error)[:300]}"}
            continue
        before = time.perf_counter() - started
        yield {"way": name, "seconds_before": before, "graph_refused": step.refusal}
    seconds = _in_turns(steps, setting)
    for name, each in seconds.items():
        row: Row = {"way": name, "seconds_a_step": median(each), "rounds": each}
        yield row | {"times_as_fast": median(seconds["as it is"]) / median(each)}


def _in_turns(steps: dict[str, Iterator[Sums]], setting: Setting) -> dict[str, list[float]]:
    """Return the seconds of a step of each kind, round by round."""
    count, rounds = (2, 1) if setting.is_tiny else (STEPS, ROUNDS)
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(rounds):
        for name, kind in steps.items():
            taken = setting.seconds_of(partial(_taken, kind, count))
            seconds[name].append(taken / count)
    return seconds


def _batch_sizes(setting: Setting) -> Rows:
    """Yield galaxytune's own images a second by network and batch size."""
    for network, sizes in BATCH_SIZES.items():
        steps = {}
        for size in sizes:
            config = config_from_values({"architecture": network, "batch_size": size})
            steps[str(size)] = _Step(config, setting).steps()
            _taken(steps[str(size)], 8)
        for size, each in _in_turns(steps, setting).items():
            yield {
                "network": network,
                "batch_size": int(size),
                "images_a_second": int(size) / median(each),
            }
