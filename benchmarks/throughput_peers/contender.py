"""One contender of benchmarks/throughput.py, in a process of its own: a round whenever asked.

The process reads lines. A line of JSON is a task: the contender prepares for the task and prints
one JSON line with the floating-point operations of an image. Any other line is a number of
batches: the contender trains on so many batches and prints one JSON line with the images trained
on, the seconds, the seconds of processor time and the peak of the GPU's memory in bytes.
"""

import gc
import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torch.utils.flop_counter import FlopCounterMode
from torchvision.transforms import InterpolationMode, v2

from benchmarks.endless_steps import endless_steps
from benchmarks.throughput_peers.processor_time import processor_seconds
from benchmarks.throughput_peers.usual_networks import usual_network, usual_penalty
from search_spaces.declaration import TrainingProtocol, config_from_values
from trainables.device import computed_in
from trainables.galaxies import Galaxies, Split, open_galaxies
from trainables.training import TrainingRun
from trainables.training.beginning import initial_network
from trainables.training.loss import ConstrainedLoss

Round = Callable[[int], int]  # trains on so many batches; returns the number of images


def of_galaxytune(config: TrainingProtocol, task: dict[str, Any]) -> Round:
    """Return the steps of one run in epochs of 500 batches, without validation."""
    galaxies, device = open_galaxies(Path(task["data"])), torch.device(task["device"])
    rows = np.arange(500 * config.batch_size) % len(galaxies)
    run = TrainingRun(config, galaxies, Split(rows, rows[:8], rows[:8]), device)
    steps = endless_steps(run, run.step)

    def train(num_batches: int) -> int:
        for _ in range(num_batches):
            next(steps)
        return num_batches * config.batch_size

    return train


class UsualGalaxies(Dataset[tuple[Tensor, Tensor]]):
    """A galaxy at a time, through torchvision's transforms."""

    def __init__(self, galaxies: Galaxies, config: TrainingProtocol, side: int, num: int) -> None:
        """Begin with the first galaxy, and go round until there are `num` galaxies.

        config: decides how the images are moved. side: of the network's images, in pixels.
        """
        self._galaxies, self._num = galaxies, num
        shift, zoom = config.shift_fraction, config.zoom_fraction
        stored = galaxies.images.shape[1]
        resizing = [v2.Resize((side, side), antialias=True)] if side != stored else []
        flips = [v2.RandomHorizontalFlip()] if config.flips else []
        self._transform = v2.Compose(
            [
                v2.ToImage(),
                v2.ToDtype(torch.float32, scale=True),
                *resizing,
                *flips,
                v2.RandomAffine(
                    degrees=config.rotation_degrees,
                    translate=(shift, shift),
                    scale=(1 - zoom, 1 + zoom),
                    shear=config.shear_degrees or None,
                    interpolation=InterpolationMode.BILINEAR,
                ),
            ]
        )

    def __len__(self) -> int:
        """Number of galaxies."""
        return self._num

    def __getitem__(self, number: int) -> tuple[Tensor, Tensor]:
        """Image [3, side, side] and votes [37]."""
        row = number % len(self._galaxies)
        image = self._transform(np.array(self._galaxies.images[row]))
        return image, torch.from_numpy(self._galaxies.target[row])


def of_the_usual_way(config: TrainingProtocol, task: dict[str, Any]) -> Round:
    """The same network by DataLoader and plain Adam, in one of two usual ways.

    The first way is float32 in the default memory format. The second, if the task says `careful`,
    is what a user writes who knows GPUs: autocast to bfloat16, channels-last memory, cuDNN's own
    choice of kernels, a fused Adam, and no wait for the GPU in each step.
    """
    device, is_careful = torch.device(task["device"]), task.get("careful", False)
    ours = initial_network(config)
    network = usual_network(config, ours).to(device).train()
    if is_careful:
        network.to(memory_format=torch.channels_last)
        torch.backends.cudnn.benchmark = True
    loss_function = ConstrainedLoss(config.coefficients(), config.tree).to(device)
    optimiser = torch.optim.Adam(network.parameters(), config.learning_rate, fused=is_careful)
    stored = open_galaxies(Path(task["data"]))
    loader = DataLoader(
        UsualGalaxies(stored, config, ours.image_side, 10**9),
        config.batch_size,
        num_workers=task["workers"],
        pin_memory=device.type == "cuda",
    )
    batches: Iterator[tuple[Tensor, Tensor]] = iter(loader)  # endless, its workers kept
    precision = torch.bfloat16 if is_careful else torch.float32

    def train(num_batches: int) -> int:
        running = torch.zeros((), device=device)
        for _ in range(num_batches):
            images, votes = (part.to(device, non_blocking=True) for part in next(batches))
            if is_careful:
                images = images.contiguous(memory_format=torch.channels_last)
            optimiser.zero_grad()
            with computed_in(precision, device):
                predicted = network(images)
            loss = loss_function(predicted.float(), votes) + usual_penalty(network)
            loss.backward()
            optimiser.step()
            running += loss.detach() if is_careful else loss.item()
        return num_batches * config.batch_size

    return train


CONTENDERS = {"galaxytune": of_galaxytune, "usual": of_the_usual_way}


def operations_an_image(config: TrainingProtocol) -> int:
    """Multiplications and additions of one image's forward and backward pass.

    The backward pass of one of timm's networks is counted as twice the forward pass, because
    PyTorch's counter does not know the backward pass of grouped convolutions.
    """
    network = initial_network(config.model_copy(update={"precision": "float32"})).train()
    side = network.image_side
    with FlopCounterMode(display=False) as counter:
        predicted = network(torch.rand(2, 3, side, side)).sum()
        forward = counter.get_total_flops()
        if config.architecture.startswith("timm:"):
            return 3 * forward // 2
        predicted.backward()
    return counter.get_total_flops() // 2


def prepared(task: dict[str, Any]) -> tuple[Round, int]:
    """Return the warmed-up training of a task, and the operations of an image."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.init()
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    torch.set_num_threads(task["threads"])
    config = config_from_values(task["config"])
    train = CONTENDERS[task["contender"]](config, task)
    train(task["warm_up"])
    return train, operations_an_image(config)


def timed(train: Round, num_batches: int) -> dict[str, float]:
    """Train on so many batches; return what the round has taken (see the module)."""
    is_gpu = torch.cuda.is_available()
    if is_gpu:
        torch.cuda.synchronize()
    started, spent = time.perf_counter(), processor_seconds()
    num_images = train(num_batches)
    if is_gpu:
        torch.cuda.synchronize()
    return {
        "images": num_images,
        "seconds": time.perf_counter() - started,
        "processor_seconds": processor_seconds() - spent,
        "peak_bytes": torch.cuda.max_memory_allocated() if is_gpu else 0,
    }


def main() -> None:
    """Do rounds for as long as they are asked for."""
    train: Round | None = None
    for line in sys.stdin:
        if line.startswith("{"):
            train = None  # free the memory of the task before
            train, operations = prepared(json.loads(line))
            print(json.dumps({"operations": operations}), flush=True)
        elif train is not None:
            print(json.dumps(timed(train, int(line))), flush=True)


if __name__ == "__main__":
    main()
