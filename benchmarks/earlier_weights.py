"""Compare a training on real galaxies from scratch with one that begins from an earlier export.

    python benchmarks/earlier_weights.py galaxies.npz [--num-simulated 20000] [--first-epochs 40]
        [--epochs 40] [--labels 1000,0] [--seeds 0,1,2] [--begun-rates 3e-3,1e-3]
        [--out earlier_weights]
    python benchmarks/earlier_weights.py galaxies.npz --quick --out /tmp/earlier

A residual CNN is trained on simulated galaxies and exported. Then it is trained on the real file,
from scratch and from the export, with the same epochs and the same seeds, on as many labels as
`--labels` says (0 for all training galaxies). All trainings are validated on the same galaxies.
The table has the mean of the best validation RMSE over the seeds, and its difference to the
training from scratch, paired by seed: the mean, its 95 % interval by Student's t, and the
difference of each seed.

Each finished training is kept in the folder OUT; called again, the benchmark trains what is
missing.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

import galaxytune
from benchmarks.kept_trainings import (
    Result,
    Training,
    config_of,
    kept_result,
    machine_line,
    numbers,
    run_or_tell,
    summary,
)

ARCHITECTURE = "residual_cnn"
_SCRATCH = "scratch"


def first_export(arguments: argparse.Namespace, settings: dict[str, Any]) -> Path:
    """Return the folder of the network trained on simulated galaxies; train the network first."""
    simulated = arguments.out / f"simulated_{arguments.num_simulated}.npz"
    if not simulated.exists():
        galaxytune.simulate(simulated, arguments.num_simulated, seed=0)
    config = config_of(ARCHITECTURE, settings, {"epochs": arguments.first_epochs})
    folder: Path = arguments.out / f"first_{arguments.num_simulated}_{arguments.first_epochs}"
    model = galaxytune.train(config, simulated, folder)
    print(f"{model} on {arguments.num_simulated} simulated galaxies", flush=True)
    return folder


def difference(results: Sequence[Result], scratch: Sequence[Result]) -> str:
    """Return the cells `difference | 95 % interval | by seed` of results, paired by seed."""
    found = np.array([one.rmse - other.rmse for one, other in zip(results, scratch, strict=True)])
    by_seed = ", ".join(f"{value:+.4f}" for value in found)
    if len(found) < 2:
        return f"{found.mean():+.4f} | | {by_seed}"
    half = stats.t.ppf(0.975, len(found) - 1) * stats.sem(found)
    low, high = found.mean() - half, found.mean() + half
    return f"{found.mean():+.4f} | {low:+.4f} to {high:+.4f} | {by_seed}"


def compare(arguments: argparse.Namespace) -> None:
    """Train what is missing, and print the table."""
    print(machine_line(), flush=True)
    settings: dict[str, Any] = {"width": 0.25, "depth": 1} if arguments.quick else {}
    folder = first_export(arguments, settings)
    starts: dict[str, dict[str, Any]] = {_SCRATCH: {}}
    for rate in arguments.begun_rates:
        starts[f"export, rate {rate:g}"] = {"begin_from": str(folder), "learning_rate": rate}
    rows = []
    for labels in arguments.labels:
        results: dict[str, list[Result]] = {}
        for start, more in starts.items():
            for seed in arguments.seeds:
                own = {"epochs": arguments.epochs, "seed": seed}
                config = config_of(ARCHITECTURE, settings, own, more)
                name = f"{start}, {labels or 'all'} labels, seed {seed}"
                training = Training(name, config, arguments.data, labels or None)
                results.setdefault(start, []).append(kept_result(training, arguments.out))
            paired = (
                " | | " if start == _SCRATCH else difference(results[start], results[_SCRATCH])
            )
            rows.append(f"| {labels or 'all'} | {start} | {summary(results[start])} | {paired} |")
    print("| labels | start | RMSE | s.d. | epochs | minutes | difference | 95 % | by seed |")
    print("|---|---|---|---|---|---|---|---|---|")
    print("\n".join(rows))


def main() -> None:
    """Read the arguments; exit code 2 with one line for what is wrong with them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--num-simulated", type=int, default=20_000)
    parser.add_argument("--first-epochs", type=int, default=40)
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--labels", type=numbers, default=(1000, 0), help="0 stands for all")
    parser.add_argument("--seeds", type=numbers, default=(0, 1, 2))
    parser.add_argument(
        "--begun-rates",
        type=lambda text: tuple(float(part) for part in text.split(",")),
        default=(3e-3, 1e-3),
        help="learning rates of the trainings that begin from the export",
    )
    parser.add_argument("--out", type=Path, default=Path("earlier_weights"))
    parser.add_argument("--quick", action="store_true", help="under a minute: a tiny network")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.num_simulated, arguments.first_epochs, arguments.epochs = 200, 1, 1
        arguments.labels, arguments.seeds, arguments.begun_rates = (50,), (0, 1), (1e-3,)
    arguments.out = arguments.out.resolve()
    run_or_tell(compare, arguments)


if __name__ == "__main__":
    main()
