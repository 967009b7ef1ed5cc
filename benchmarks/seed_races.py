"""Simulate races of a search's best configs over further seeds, whose true RMSEs are known.

    python benchmarks/seed_races.py [--races 600] [--quick]

A search has 12 complete configs. Their true RMSEs lie above 0.1 by half a normal deviate of a
given width, and each training scatters by 0.001 about the truth. The race chooses a config with a
number of trainings, by the same functions as a study. Shown is by how much the chosen config is
above the true best one on average, beside the choice by the single draws of the search.
"""

import argparse
from collections.abc import Iterator

import numpy as np

from galaxytune.racing import MOST_LEADERS, Leader, left_in_race, next_seed

_NUM_CONFIGS, _BEST, _SCATTER = 12, 0.1, 0.001
_NEAR = 1.05  # times the lowest RMSE; the race takes no config beyond


def excess(
    chance: np.random.Generator, width: float, num_trainings: int
) -> tuple[float, float, int]:
    """Simulate a search and its race.

    width: the width of the true RMSEs. num_trainings: the largest number of further seeds. Return
    by how much the config of the best single draw, and the config that the race chooses, are above
    the true best, and the number of trainings of the race.
    """
    true = _BEST + width * np.abs(chance.standard_normal(_NUM_CONFIGS))
    drawn = true + _SCATTER * chance.standard_normal(_NUM_CONFIGS)
    order = [i for i in np.argsort(drawn) if drawn[i] <= _NEAR * drawn.min()]
    leaders = order[: max(2, min(MOST_LEADERS, num_trainings // 2))]
    rmses = {str(i): {0: float(drawn[i])} for i in leaders}
    num_done = 0
    while num_done < num_trainings:
        known = [Leader(i, seeds, frozenset(seeds) - {0}) for i, seeds in rmses.items()]
        chosen = next_seed(left_in_race(known), 1)
        if chosen is None:
            break
        trial, seed = chosen
        rmses[trial][seed] = float(true[int(trial)] + _SCATTER * chance.standard_normal())
        num_done += 1
    most = max(map(len, rmses.values()))
    to_the_end = [i for i, seeds in rmses.items() if len(seeds) >= most - 1]
    winner = min(to_the_end, key=lambda i: float(np.mean([*rmses[i].values()])))
    return float(true[order[0]] - true.min()), float(true[int(winner)] - true.min()), num_done


def table(num_races: int) -> Iterator[str]:
    """Yield the lines of the table; each row is over `num_races` races."""
    yield "| width of the true RMSEs | trainings | used | best single draw | race | ratio |"
    yield "|---|---|---|---|---|---|"
    for width in (0.0005, 0.001, 0.003):
        for num_trainings in (4, 8, 20):
            chance = np.random.default_rng(0)
            found = [excess(chance, width, num_trainings) for _ in range(num_races)]
            single, raced, used = np.mean(found, axis=0)
            yield (
                f"| {width} | {num_trainings} | {used:.1f} | {single:.6f} | {raced:.6f} | "
                f"{raced / single:.2f} |"
            )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--races", type=int, default=600)
    parser.add_argument("--quick", action="store_true", help="20 races a row")
    arguments = parser.parse_args()
    for line in table(20 if arguments.quick else arguments.races):
        print(line, flush=True)


if __name__ == "__main__":
    main()
