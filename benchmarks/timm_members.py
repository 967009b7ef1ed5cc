"""Train small models of timm for equally many minutes on galaxies, to see which suit them.

    python benchmarks/timm_members.py galaxies.npz [--minutes 30] [--side 64] [--seeds 0]
        [--members resnet10t,mobilenetv3_small_100=FILE,...] [--out timm_members]
    python benchmarks/timm_members.py galaxies.npz --quick --out /tmp/members

Every model trains as a whole, from random weights, or from the weights in FILE. The number of
epochs is that which fits into the minutes: an epoch is timed first, and the learning rate falls
over this number. The table has the best validation RMSE, the epochs and the minutes, the best
model first. `residual_cnn` is a member too, as the point of reference.

Each finished training is kept in the folder OUT, with its number of epochs; called again, the
benchmark trains what is missing. The minutes compare models only on a machine without other work.
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.kept_trainings import (
    Result,
    Training,
    config_of,
    kept_result,
    machine_line,
    numbers,
    run_or_tell,
    seconds_of_an_epoch,
    summary,
)
from trainables.files import write_atomically

REFERENCE = "residual_cnn"
MEMBERS = (
    REFERENCE,
    "resnet10t",
    "resnet18",
    "tf_efficientnet_lite0",
    "mobilenetv3_small_100",
    "mobilenetv3_large_100",
    "convnext_atto",
    "regnety_002",
    "ghostnet_100",
    "repvgg_a0",
)
_RATES = {"random": 3e-3, "given": 1e-3}  # of a whole backbone; transformers may want less
_TIMES = "seconds_of_an_epoch.json"


def training_of(member: str, seed: int, arguments: argparse.Namespace) -> Training:
    """Return the training of a member, `NAME` or `NAME=FILE`, whose epochs are not decided yet."""
    name, _, weights = member.partition("=")
    common = {"seed": seed, "input_side": arguments.side, "epochs": 2}
    if name == REFERENCE:
        config = config_of(REFERENCE, common)
    else:
        own: dict[str, Any] = {"unfreeze": "all", "pooling": "avg"}
        if weights:
            own |= {"weights": str(Path(weights).resolve()), "learning_rate": _RATES["given"]}
        else:
            own |= {"weights": "none", "learning_rate": _RATES["random"], "layer_decay": 1.0}
        config = config_of(f"timm:{name}", common, own)
    words = f"{name}{', given weights' if weights else ''}, side {arguments.side}, seed {seed}"
    return Training(words, config, arguments.data, arguments.labels or None)


def epochs_in(minutes: float, member: str, arguments: argparse.Namespace) -> int:
    """Return the number of epochs of a member that fits into the minutes, at least 1.

    The seconds of an epoch are kept in OUT, so that a benchmark that goes on decides the same.
    """
    path = arguments.out / _TIMES
    times: dict[str, float] = json.loads(path.read_text()) if path.exists() else {}
    key = f"{member}, side {arguments.side}, {arguments.labels or 'all'} labels"
    if key not in times:
        times[key] = seconds_of_an_epoch(training_of(member, 0, arguments))
        arguments.out.mkdir(parents=True, exist_ok=True)
        write_atomically(path, lambda new: new.write_text(json.dumps(times, indent=2)))
    return max(1, int(minutes * 60 / times[key]))


def compare(arguments: argparse.Namespace) -> None:
    """Train what is missing, and print the table."""
    print(machine_line(), flush=True)
    found: dict[str, list[Result]] = {}
    for member in arguments.members:
        epochs = epochs_in(arguments.minutes, member, arguments)
        for seed in arguments.seeds:
            training = training_of(member, seed, arguments)
            config = training.config.model_copy(update={"epochs": epochs})
            result = kept_result(replace(training, config=config), arguments.out)
            found.setdefault(member, []).append(result)
    print("| model | RMSE | s.d. | epochs | minutes |\n|---|---|---|---|---|")
    for member in sorted(
        found, key=lambda m: np.nan_to_num(np.mean([r.rmse for r in found[m]]), nan=9)
    ):
        print(f"| {member} | {summary(found[member])} |")


def main() -> None:
    """Read the arguments; exit code 2 with one line for what is wrong with them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--members", type=lambda text: text.split(","), default=list(MEMBERS))
    parser.add_argument("--minutes", type=float, default=30.0, help="of each training")
    parser.add_argument("--side", type=int, default=64, help="in pixels")
    parser.add_argument("--seeds", type=numbers, default=(0,))
    parser.add_argument("--labels", type=int, default=0, help="training galaxies; 0 for all")
    parser.add_argument("--out", type=Path, default=Path("timm_members"))
    parser.add_argument("--quick", action="store_true", help="under a minute: two small models")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.members, arguments.minutes = ["test_resnet", "test_efficientnet"], 0.0
        arguments.labels = arguments.labels or 50
    run_or_tell(compare, arguments)


if __name__ == "__main__":
    main()
