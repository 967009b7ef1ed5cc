"""Measure what a Gaussian process can learn from recorded learning curves; nothing is simulated.

    python benchmarks/curve_model.py benchmarks/curves/simple_cnn.parquet [--splits 12] [--quick]

First: how it ranks configs that it has not seen by their lowest RMSE so far, as the sampler asks
of it. Then: how what a trial comes to follows from its value at a rung alone, and from value and
config, as would be asked to choose which paused trial goes on. Configs that diverged or learned
nothing are left out. Spearman's correlations, means over random splits.
"""

import argparse
import os
import sys
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # small matrices

import numpy as np  # noqa: E402
from numpy.typing import NDArray  # noqa: E402
from scipy import stats  # noqa: E402

from benchmarks.replay.recorded_curves import RecordedCurves, read_curves  # noqa: E402
from benchmarks.replay.search_plan import search_space  # noqa: E402
from galaxytune.sampling.gaussian_process import GaussianProcess  # noqa: E402
from galaxytune.sampling.rung_model import RungModel  # noqa: E402
from galaxytune.sampling.search_cube import SearchCube  # noqa: E402
from search_spaces.declaration import InvalidInput  # noqa: E402

Array = NDArray[np.float64]
Rows = NDArray[np.integer]  # of configs


def coordinates_and_lowest(recorded: RecordedCurves) -> tuple[Array, Array]:
    """Return coordinates [N, C] and log lowest RMSEs by epoch [N, E] of N configs that learned."""
    learned = np.flatnonzero(recorded.learned)
    space = search_space(recorded.architecture)
    cube = SearchCube(space)
    configs = [recorded.configs[i] for i in learned]
    params = [{space.prefix + name: v for name, v in config.items()} for config in configs]
    coordinates = np.array([cube.coordinates(values) for values in params])
    lowest = np.minimum.accumulate(recorded.rmse[learned], axis=1)
    return cube.inputs(coordinates), np.log(lowest)


def correlation(first: Array, second: Array) -> float:
    """Spearman's."""
    return float(stats.spearmanr(first, second).statistic)


def by_config(places: Array, values: Array, seen: Rows, unseen: Rows) -> float:
    """Return the correlation of the model's forecast for unseen configs with their values."""
    model = RungModel(places.shape[1], num_rungs=1)
    model.fit(places[seen], values[seen, None], pending=places[:0])
    return correlation(model.predict(places[unseen]).mean, values[unseen])


def by_value_and_config(
    places: Array, early: Array, final: Array, seen: Rows, unseen: Rows
) -> float:
    """Return the correlation of final values with a forecast from early values and configs."""
    shift, scale = early[seen].mean(), early[seen].std()
    early, final = (early - shift) / scale, (final - shift) / scale
    process = GaussianProcess(places.shape[1])
    process.fit(places[seen], (final - early)[seen], early[seen], learn=True)
    gain, _ = process.predict(places[unseen], early[unseen])
    return correlation(early[unseen] + gain, final[unseen])


def report(recorded: RecordedCurves, num_splits: int) -> None:
    """Print both tables."""
    places, lowest = coordinates_and_lowest(recorded)
    epochs = [e for e in (1, 3, 9, 27, 81) if e <= lowest.shape[1]]
    print(f"{len(places)} of {len(recorded)} configs learned something; {num_splits} splits")
    orders = [np.random.default_rng(s).permutation(len(places)) for s in range(num_splits)]
    print("\nconfigs seen  correlation of what is expected with the lowest RMSE by epoch")
    for count in (15, 30, 60, 100):
        means = [
            np.mean([by_config(places, lowest[:, e - 1], o[:count], o[count:]) for o in orders])
            for e in epochs
        ]
        print(f"{count:12d}  " + "  ".join(f"{e}: {m:.2f}" for e, m in zip(epochs, means)))
    print(
        "\ntrained whole  correlation with the end of the value at an epoch | of value and config"
    )
    for count in (15, 30, 60, 100):
        cells = []
        for epoch in epochs[:-1]:
            early, final = lowest[:, epoch - 1], lowest[:, -1]
            alone = [correlation(early[o[count:]], final[o[count:]]) for o in orders]
            both = [
                by_value_and_config(places, early, final, o[:count], o[count:]) for o in orders
            ]
            cells.append(f"{epoch}: {np.mean(alone):.2f} | {np.mean(both):.2f}")
        print(f"{count:13d}  " + "  ".join(cells))


def main() -> None:
    """Exit code 2 with one line for what is wrong with the arguments."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("curves", type=Path)
    parser.add_argument("--splits", type=int, default=12)
    parser.add_argument("--quick", action="store_true", help="under a minute: two splits")
    arguments = parser.parse_args()
    try:
        report(read_curves(arguments.curves), 2 if arguments.quick else arguments.splits)
    except InvalidInput as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
