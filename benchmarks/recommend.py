"""Choose the configs that galaxytune recommends for an architecture, in order, from recordings.

    python benchmarks/recommend.py residual_cnn RECORDING.parquet... [--num-configs 12]
        --out residual_cnn.yaml [--metric val_rmse]

The recordings are those of benchmarks/record_curves.py, of any architecture. A candidate is a
recorded config in the search space of the architecture, as `--learn-from` carries it over. What a
candidate reaches is predicted by a model of each recording (see galaxytune's EarlierModel), which
smooths the luck of single trainings. The predictions are compared as ranks among all candidates,
so that no recording counts more than another.

The configs are chosen one after the other: each one is the candidate that lowers the mean over the
recordings of the best rank so far the most (a greedy portfolio, Wistuba et al. 2015; Feurer et al.
2022). The first config is therefore good everywhere, and the later ones help where the others do
not. Recordings of the same architecture count twice.
"""

import argparse
import datetime
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray
from scipy.stats import rankdata

from benchmarks.replay.earlier_recordings import trials_of
from benchmarks.replay.recorded_curves import RecordedCurves, read_curves
from benchmarks.replay.search_plan import search_space
from galaxytune.sampling import CarriedTrials
from galaxytune.sampling.earlier_model import EarlierModel
from galaxytune.sampling.search_cube import SearchCube
from search_spaces.declaration import InvalidInput, SearchSpace, TrainingProtocol

Array = NDArray[np.float64]
_OWN_WEIGHT = 2.0
_BEST_SHARE = 0.25  # of the configs of a recording that are candidates


def candidates(space: SearchSpace, recordings: Sequence[RecordedCurves]) -> list[TrainingProtocol]:
    """Return the configs of the best quarter of each recording, as configs of a search space."""
    found: list[TrainingProtocol] = []
    for number, recorded in enumerate(recordings):
        trials = sorted(trials_of(recorded, name=str(number)), key=lambda t: min(t.curve))
        best = trials[: max(1, round(_BEST_SHARE * len(trials)))]
        for config in CarriedTrials(space, best).configs():
            if config not in found:
                found.append(config)
    return found


def predicted(space: SearchSpace, recorded: RecordedCurves, configs: Array) -> Array:
    """Return the ranks [M] in 0..1 that a model of a recording predicts for inputs [M, C]."""
    carried = CarriedTrials(space, trials_of(recorded, name="recording"))
    model = EarlierModel(carried, SearchCube(space), [1, recorded.num_epochs])
    if not model.teaches:
        raise InvalidInput(f"a recording of {recorded.architecture} teaches nothing here")
    lowest: Array = model(configs)[:, -1]
    return (rankdata(lowest) - 1) / max(1, len(lowest) - 1)


def greedy(ranks: Array, weights: Array, count: int) -> list[int]:
    """Return the numbers of `count` candidates in order (see the module).

    ranks: [R, M] of M candidates by R recordings, 0 for the best. weights: [R].
    """
    best, chosen = np.ones(len(ranks)), list[int]()
    for _ in range(min(count, ranks.shape[1])):
        after = weights @ np.minimum(best[:, None], ranks)
        after[chosen] = np.inf
        # where no candidate helps any more, the one with the best mean rank comes next
        tied = np.lexsort((weights @ ranks, after))
        chosen.append(int(tied[0]))
        best = np.minimum(best, ranks[:, chosen[-1]])
    return chosen


def recommended(
    architecture: str, recordings: Sequence[RecordedCurves], count: int
) -> list[dict[str, Any]]:
    """Return the recommended configs in order, each as the searched values that it uses."""
    space = search_space(architecture)
    cube = SearchCube(space)
    configs = candidates(space, recordings)
    inputs = cube.inputs(np.array([cube.coordinates(space.params(c)) for c in configs]))
    ranks = np.stack([predicted(space, recorded, inputs) for recorded in recordings])
    own = np.array([recorded.architecture == architecture for recorded in recordings])
    weights = np.where(own, _OWN_WEIGHT, 1.0)
    chosen = greedy(ranks, weights / weights.sum(), count)
    return [_values(space, configs[number]) for number in chosen]


def _values(space: SearchSpace, config: TrainingProtocol) -> dict[str, Any]:
    """Return the searched values that a config uses, by field name; floats have 4 digits."""
    values = config.model_dump(mode="json")
    names = {n.removeprefix(space.prefix).partition(".")[0] for n in space.params(config)}
    return {name: _rounded(values[name]) for name in values if name in names}


def _rounded(value: Any) -> Any:
    """Return a float with 4 significant digits; lists entry by entry, other values unchanged."""
    if isinstance(value, list):
        return [_rounded(one) for one in value]
    return float(f"{value:.4g}") if isinstance(value, float) else value


def main() -> None:
    """Read the arguments; exit code 2 with one line for what is wrong with them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("architecture")
    parser.add_argument("recordings", type=Path, nargs="+")
    parser.add_argument("--num-configs", type=int, default=12)
    parser.add_argument("--metric", default="val_rmse", help="a column of the recordings")
    parser.add_argument("--out", type=Path, required=True, help="YAML file to write")
    arguments = parser.parse_args()
    try:
        recordings = [read_curves(path, arguments.metric) for path in arguments.recordings]
        configs = recommended(arguments.architecture, recordings, arguments.num_configs)
    except InvalidInput as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    origin = {
        "script": "benchmarks/recommend.py",
        "recordings": [path.name for path in arguments.recordings],
        "date": datetime.date.today().isoformat(),
    }
    arguments.out.write_text(yaml.safe_dump({**origin, "configs": configs}, sort_keys=False))
    print(f"{len(configs)} configs in {arguments.out}")


if __name__ == "__main__":
    main()
