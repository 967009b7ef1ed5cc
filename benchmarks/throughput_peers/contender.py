"""One contender of benchmarks/throughput.py, in a process of its own: a round whenever asked.

Reads the task as one line of JSON, then a line for each round; prints a JSON line once it is
ready, with the floating-point operations of an image, and one a round: images trained on,
seconds, seconds of processor time.
"""

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

from benchmarks.throughput_peers.processor_time import processor_seconds
from benchmarks.throughput_peers.usual_networks import usual_network, usual_penalty
from search_spaces.declaration import TrainingProtocol, config_from_values
from trainables.galaxies import Galaxies, Split, open_galaxies
from trainables.training import TrainingRun
from trainables.training.loss import ConstrainedLoss
from trainables.training.training_run import initial_network

Round = Callable[[int], int]  # trains on so many batches; returns the number of images


def of_galaxytune(config: TrainingProtocol, task: dict[str, Any]) -> Round:
    """Epochs of 500 batches of one run, without their validation, one after the other."""
    galaxies, device = open_galaxies(Path(task["data"])), torch.device(task["device"])
    rows = np.arange(500 * config.batch_size) % len(galaxies)
    run = TrainingRun(config, galaxies, Split(rows, rows[:8], rows[:8]), device)

    def sums() -> Iterator[object]:
        while True:
            steps = run.epoch_in_steps()
            batch = next(steps)
            for _ in range(run.steps_per_epoch - 1):
                yield (taken := run.step(batch))
                batch = steps.send(taken)
            yield run.step(batch)

    steps_taken = sums()

    def train(num_batches: int) -> int:
        for _ in range(num_batches):
            next(steps_taken)
        return num_batches * config.batch_size

    return train


class UsualGalaxies(Dataset[tuple[Tensor, Tensor]]):
    """A galaxy at a time, through torchvision's transforms."""

    def __init__(self, galaxies: Galaxies, config: TrainingProtocol, num: int) -> None:
        """The first `num` galaxies, moved as the config says."""
        self._galaxies, self._num = galaxies, num
        shift, zoom = config.shift_fraction, config.zoom_fraction
        flips = [v2.RandomHorizontalFlip()] if config.flips else []
        self._transform = v2.Compose(
            [
                v2.ToImage(),
                v2.ToDtype(torch.float32, scale=True),
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
        """Image [3, 64, 64] and votes [37]."""
        row = number % len(self._galaxies)
        image = self._transform(np.array(self._galaxies.images[row]))
        return image, torch.from_numpy(self._galaxies.target[row])


def of_the_usual_way(config: TrainingProtocol, task: dict[str, Any]) -> Round:
    """The same network by DataLoader, float32, default memory format and plain Adam."""
    device = torch.device(task["device"])
    network = usual_network(config, initial_network(config)).to(device).train()
    loss_function = ConstrainedLoss(config.coefficients(), config.tree).to(device)
    optimiser = torch.optim.Adam(network.parameters(), lr=config.learning_rate)
    galaxies = UsualGalaxies(open_galaxies(Path(task["data"])), config, 10**9)
    loader = DataLoader(
        galaxies,
        config.batch_size,
        num_workers=task["workers"],
        pin_memory=device.type == "cuda",
    )
    batches: Iterator[tuple[Tensor, Tensor]] = iter(loader)  # endless, its workers kept

    def train(num_batches: int) -> int:
        running = 0.0
        for _ in range(num_batches):
            images, votes = (part.to(device, non_blocking=True) for part in next(batches))
            optimiser.zero_grad()
            loss = loss_function(network(images), votes) + usual_penalty(network)
            loss.backward()
            optimiser.step()
            running += loss.item()
        return num_batches * config.batch_size

    return train


CONTENDERS = {"galaxytune": of_galaxytune, "usual": of_the_usual_way}


def operations_an_image(config: TrainingProtocol) -> int:
    """Multiplications and additions of one image's forward and backward pass."""
    network = initial_network(config.model_copy(update={"precision": "float32"})).train()
    side = network.image_side
    with FlopCounterMode(display=False) as counter:
        network(torch.rand(2, 3, side, side)).sum().backward()
    return counter.get_total_flops() // 2


def main() -> None:
    """Do rounds for as long as they are asked for."""
    task = json.loads(sys.stdin.readline())
    torch.set_num_threads(task["threads"])
    config = config_from_values(task["config"])
    is_gpu = task["device"] == "cuda"
    train = CONTENDERS[task["contender"]](config, task)
    train(task["warm_up"])
    is_own = not config.architecture.startswith("timm:")  # depthwise layers are counted wrongly
    print(json.dumps({"operations": operations_an_image(config) if is_own else None}), flush=True)
    for line in sys.stdin:
        if is_gpu:
            torch.cuda.synchronize()
        started, spent = time.perf_counter(), processor_seconds()
        num_images = train(int(line))
        if is_gpu:
            torch.cuda.synchronize()
        seconds = time.perf_counter() - started
        answer = {"images": num_images, "seconds": seconds}
        answer["processor_seconds"] = processor_seconds() - spent
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
