"""Images trained on a second: galaxytune beside the usual way, and beside Zoobot.

    python benchmarks/throughput.py galaxies.npz [--quick] [--device cuda] [--zoobot PYTHON]

For each network the contenders take turns, round by round, each in a process of its own that
keeps its state: galaxytune, and peer A, the same network in plain PyTorch (torchvision's
transforms in a DataLoader with workers, float32, default memory format, plain Adam). With
`--zoobot`, the interpreter of an environment that holds Zoobot 2.9, also peer B: Zoobot's
training of one of timm's networks, beside galaxytune's of the same. Rounds are of whole batches
without validation. Printed are the medians, their ratio last, and what part of the device's
measured rate of matrix products galaxytune reaches, both in the precision that it trains in.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import IO, Any

import torch

from search_spaces.declaration import config_from_values
from trainables.device import training_precision

PEERS = Path(__file__).parent / "throughput_peers"
OWN = ("simple_cnn", "parallel_cnn", "vision_transformer")
SECONDS = 6.0  # that a round of the slower contender should take; a batch at least
QUICK_SECONDS = 1.0
Speeds = list[list[tuple[float, float]]]  # of each contender, in each round


@dataclass
class Contender:
    """A process that trains a round when asked.

    operations: floating-point operations of one image, or None if they are not known.
    peak_bytes: the most of a GPU's memory that the process has held since it got its task.
    """

    name: str
    process: subprocess.Popen[str]
    operations: int | None = None
    peak_bytes: int = 0

    def wait(self) -> None:
        """Wait until the process is ready for the task that it was told."""
        self.operations = self._answer()["operations"]

    def train(self, num_batches: int) -> tuple[float, float]:
        """Images a second over so many batches, and images a second of processor time."""
        self.tell(str(num_batches))
        answer = self._answer()
        images = answer["images"]
        self.peak_bytes = answer.get("peak_bytes", 0)
        return images / answer["seconds"], images / answer["processor_seconds"]

    def end(self) -> None:
        """Let the process go."""
        self._pipes()[0].close()
        self.process.wait()

    def tell(self, line: str) -> None:
        """Write one line to the process."""
        told, _ = self._pipes()
        told.write(f"{line}\n")
        told.flush()

    def _answer(self) -> dict[str, Any]:
        for line in self._pipes()[1]:
            if line.startswith("{"):  # some libraries print on their import
                answer: dict[str, Any] = json.loads(line)
                return answer
        raise RuntimeError(f"{self.name} ended, see above")

    def _pipes(self) -> tuple[IO[str], IO[str]]:
        """Return the standard input and the standard output of the process."""
        if self.process.stdin is None or self.process.stdout is None:
            raise RuntimeError(f"{self.name} has no pipes")
        return self.process.stdin, self.process.stdout


def started(name: str, python: str, script: str, task: dict[str, Any]) -> Contender:
    """Start one contender on its task, which it warms up for."""
    contender = process_of(name, python, script)
    contender.tell(json.dumps({**task, "contender": name}))
    contender.wait()
    return contender


def process_of(name: str, python: str, script: str) -> Contender:
    """Start the process of a contender, which waits for its task."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("WANDB_", "RAY_"))}
    process = subprocess.Popen(
        [python, "-W", "ignore", str(PEERS / script)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=kept,
    )
    return Contender(name, process)


def in_turns(contenders: Sequence[Contender], rounds: int, seconds: float) -> Speeds:
    """Return what `Contender.train` returns for each contender in each round."""
    counts = []
    for contender in contenders:
        begun = time.perf_counter()
        contender.train(1)
        counts.append(max(1, round(seconds / (time.perf_counter() - begun))))
    speeds: Speeds = [[] for _ in contenders]
    for _ in range(rounds):
        for contender, count, seen in zip(contenders, counts, speeds):
            seen.append(contender.train(count))
    return speeds


def matrix_rate(device: torch.device, dtype: torch.dtype) -> float:
    """Operations a second of the device's own products of large square matrices."""
    side, rounds = (8192, 20) if device.type == "cuda" else (2048, 5)
    matrix = torch.rand(side, side, device=device).to(dtype)
    seconds = []
    for _ in range(rounds):
        if device.type == "cuda":
            torch.cuda.synchronize()
        begun = time.perf_counter()
        matrix @ matrix
        if device.type == "cuda":
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - begun)
    return 2 * side**3 / min(seconds)


def compare(label: str, contenders: Sequence[Contender], arguments: argparse.Namespace) -> str:
    """Run the contenders in turns and let them go; returns the line with the ratio."""
    seconds = QUICK_SECONDS if arguments.quick else SECONDS
    try:
        speeds = in_turns(contenders, 2 if arguments.quick else arguments.rounds, seconds)
    finally:
        for contender in contenders:
            contender.end()
    medians = [[median(kind) for kind in zip(*seen)] for seen in speeds]
    for contender, (speed, a_core), seen in zip(contenders, medians, speeds):
        rounds = ", ".join(f"{speed:.1f}" for speed, _ in seen)
        print(
            f"{label}, {contender.name}: {speed:.1f} images/s (rounds {rounds}), "
            f"{a_core:.1f} a second of processor time"
        )
    (ours, ours_a_core), (theirs, theirs_a_core) = medians
    if contenders[0].operations:
        reached = ours * contenders[0].operations / arguments.rate
        print(
            f"{label}: {contenders[0].operations / 1e9:.2f} billion operations an image, so "
            f"galaxytune reaches {100 * reached:.0f} % of the rate of matrix products"
        )
    return (
        f"{label}: galaxytune {ours / theirs:.2f} x {contenders[1].name}"
        f" ({ours_a_core / theirs_a_core:.2f} x by processor time)"
    )


def tasks(arguments: argparse.Namespace) -> Iterator[tuple[str, list[Contender]]]:
    """Yield what is compared; each pair is started only when its turn comes."""
    threads = arguments.threads
    common = {
        "data": str(arguments.data.resolve()),
        "device": arguments.device,
        "threads": threads,
        "workers": arguments.workers,
        "warm_up": 8 if arguments.device == "cuda" else 1,
    }
    here = sys.executable
    for name in arguments.architectures:
        task = {**common, "config": {"architecture": name}}
        yield (
            name,
            [started(who, here, "contender.py", task) for who in ("galaxytune", "usual")],
        )
    if arguments.zoobot:
        name, side = arguments.encoder, arguments.side
        config: dict[str, Any] = {"architecture": f"timm:{name}", "weights": "none"}
        config |= {"input_side": side, "batch_size": 32, "rotation_degrees": 90, "flips": True}
        config |= {"unfreeze": "all", "optimizer": "adamw", "head_dropout": 0.5}
        task = {**common, "config": config}
        ours = started("galaxytune", here, "contender.py", task)
        theirs = started("zoobot", arguments.zoobot, "zoobot_contender.py", task)
        yield f"{name} at {side} pixels", [ours, theirs]


def main() -> None:
    """Compare all that is asked for; ratios last."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--architectures", nargs="*", choices=OWN, help="default: all of these")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--workers", type=int, default=2, help="of the peers' DataLoader")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--zoobot", metavar="PYTHON", help="interpreter that has Zoobot")
    parser.add_argument("--encoder", default="convnext_nano", help="of timm's, for Zoobot")
    parser.add_argument("--side", type=int, default=64, help="pixels, for Zoobot")
    parser.add_argument("--quick", action="store_true", help="under a minute: the simple CNN")
    arguments = parser.parse_args()
    if arguments.architectures is None:
        arguments.architectures = OWN[:1] if arguments.quick else OWN
    if not arguments.data.is_file():
        parser.error(f"no galaxy file {arguments.data}")
    torch.set_num_threads(arguments.threads)
    device = torch.device(arguments.device)
    trained_in = training_precision(config_from_values({"architecture": OWN[0]}), device)
    arguments.rate = matrix_rate(device, trained_in)
    precision = str(trained_in).removeprefix("torch.")
    print(
        f"torch {torch.__version__}, {arguments.device}, {arguments.threads} threads, peers with "
        f"{arguments.workers} workers; matrix products in {precision}: "
        f"{arguments.rate / 1e9:.0f} billion operations/s"
    )
    ratios = [compare(label, pair, arguments) for label, pair in tasks(arguments)]
    print("\n".join(ratios))


if __name__ == "__main__":
    main()
