"""Images trained on a second: galaxytune, the usual way, and the way of a careful user.

All three are contenders of benchmarks/throughput.py, one process each for the whole part, so that
no process's choices change another's. In turns they train on the same network; the careful user's
way is autocast to bfloat16 and channels-last memory. Each measured round begins when the workers'
queues are empty of what they had prepared in advance.
"""

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import torch
import torch.nn.functional as F

from benchmarks.gpu_parts.setting import Row, Rows, Setting, or_failure
from benchmarks.throughput import Contender, matrix_rate, process_of
from trainables.galaxies import open_galaxies, save_galaxies

# Later networks are added here. A network with a fixed input sees images of 64 pixels, and its
# stored images of 128 pixels are reduced; timm's networks see images of the stored side.
NETWORKS = ("parallel_cnn", "vision_transformer", "simple_cnn", "timm:convnext_nano")
SIDES = (64, 128)
WAYS = ("galaxytune", "usual", "careful")
WORKERS = 8  # processes of the DataLoader of the two usual ways
ROUNDS = 2
SECONDS = 1.3  # of a round


def measure(setting: Setting) -> Rows:
    """Yield a row for each network, side and way, the most important networks first."""
    rate = matrix_rate(setting.device, torch.bfloat16)
    ways = WAYS[:2] if setting.is_tiny else WAYS
    contenders: list[Contender] = []
    try:
        for network, side in _pairs(setting):
            if not contenders:
                contenders = [process_of(way, sys.executable, "contender.py") for way in ways]
            compared = _compared(network, side, contenders, rate, setting)
            for row in or_failure(compared, network=network, side=side):
                yield row
                if "failure" in row:  # a contender may have ended with the error
                    _end(contenders)
    finally:
        _end(contenders)


def _end(contenders: list[Contender]) -> None:
    """End the processes, and leave the list empty."""
    for contender in contenders:
        contender.process.kill()
        contender.process.wait()
    contenders.clear()


def _pairs(setting: Setting) -> Iterator[tuple[str, int]]:
    if setting.is_tiny:
        yield "simple_cnn", 64
        return
    yield from ((network, side) for side in SIDES for network in NETWORKS)


def _compared(
    network: str, side: int, contenders: Sequence[Contender], rate: float, setting: Setting
) -> Rows:
    """Yield the rows of one network at one side of the stored images."""
    task = {
        "data": str(_stored(side, setting)),
        "config": _config(network, side, setting),
        "device": setting.device.type,
        "threads": torch.get_num_threads(),
        "workers": 1 if setting.is_tiny else WORKERS,
        "warm_up": 1 if setting.is_tiny else 3 * WORKERS,  # more than the workers prepare ahead
    }
    for contender in contenders:
        kind = "galaxytune" if contender.name == "galaxytune" else "usual"
        own = {"contender": kind, "careful": contender.name == "careful"}
        contender.tell(json.dumps({**task, **own}))
    for contender in contenders:
        contender.wait()
    counts = [_batches_a_round(contender, setting) for contender in contenders]
    rounds = [
        [contender.train(count)[0] for contender, count in zip(contenders, counts)]
        for _ in range(1 if setting.is_tiny else ROUNDS)
    ]
    for contender, *speeds in zip(contenders, *rounds):
        yield _row(network, side, contender, speeds, rate)


def _row(network: str, side: int, contender: Contender, speeds: list[float], rate: float) -> Row:
    speed, operations = median(speeds), contender.operations or 0
    return {
        "network": network,
        "side": side,
        "way": contender.name,
        "images_a_second": speed,
        "rounds": speeds,
        "peak_gib": contender.peak_bytes / 2**30,
        "operations_an_image": operations,
        "share_of_matrix_rate": speed * operations / rate,
    }


def _batches_a_round(contender: Contender, setting: Setting) -> int:
    """Return the batches that the contender trains on in the time of a round."""
    if setting.is_tiny:
        return 1
    speed, _ = contender.train(8)
    batch = 128  # about; the published batch sizes are 64 and 128
    return max(8, round(SECONDS * speed / batch))


def _config(network: str, side: int, setting: Setting) -> dict[str, Any]:
    """Return the values of the published config, or of a whole network of timm's."""
    config: dict[str, Any] = {"architecture": network}
    if network.startswith("timm:"):
        config |= {"weights": "none", "input_side": side, "unfreeze": "all"}
    if setting.is_tiny:
        config["batch_size"] = 8
    return config


def _stored(side: int, setting: Setting) -> Path:
    """Return a galaxy file with images of this side; the given images are enlarged if needed."""
    galaxies = open_galaxies(setting.data)
    if galaxies.images.shape[1] == side:
        return setting.data
    path = setting.folder / f"galaxies_{side}.npz"
    if not path.exists():
        chosen = slice(0, 1024)
        pixels = torch.from_numpy(galaxies.images[chosen].copy()).permute(0, 3, 1, 2).float()
        images = F.interpolate(pixels, size=(side, side), mode="bilinear", antialias=True)
        arrays = {
            "images": images.round().to(torch.uint8).permute(0, 2, 3, 1).contiguous().numpy(),
            "target": galaxies.target[chosen],
            "ids": galaxies.ids[chosen],
        }
        save_galaxies(path, arrays)
    return path
