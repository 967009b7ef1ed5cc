"""Training, validation and test rows: by hashed id, or exactly as the notebooks drew them."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from trainables.galaxies.galaxy_file import Galaxies

SplitName = Literal["hash", "seed"]
VALIDATION_SHARE = 0.16  # the notebooks' shares: 64 % training, 16 % validation, 20 % test
TEST_SHARE = 0.20
_NOTEBOOK_RANDOM_STATE = 42


@dataclass(frozen=True)
class Split:
    """Row numbers of the three parts, each sorted and disjoint from the others."""

    training: NDArray[np.int64]
    validation: NDArray[np.int64]
    test: NDArray[np.int64]

    def parts(self) -> dict[str, NDArray[np.int64]]:
        """The rows of each part under its name."""
        return {"training": self.training, "validation": self.validation, "test": self.test}


def hashed_positions(ids: NDArray[np.int64]) -> NDArray[np.float64]:
    """A number in 0..1 for each id, which depends on the id alone: [N] -> [N]."""
    digests = (hashlib.blake2b(str(int(i)).encode(), digest_size=8).digest() for i in ids)
    return np.array([int.from_bytes(d, "big") / 2.0**64 for d in digests])


def split_by_hash(ids: NDArray[np.int64], unbiased: NDArray[np.bool_] | None = None) -> Split:
    """Split 64/16/20 by id, the same in every file that holds the galaxy.

    Where only some rows are `unbiased`, validation and test rows come from those alone, in the
    same proportion, up to their shares of the whole file; all others are for training.
    """
    position = hashed_positions(ids)
    eligible = np.ones(len(ids), dtype=bool) if unbiased is None else unbiased
    held_out = VALIDATION_SHARE + TEST_SHARE
    scale = min(1.0 / held_out, len(ids) / max(1, int(eligible.sum())))
    test = eligible & (position < TEST_SHARE * scale)
    validation = eligible & ~test & (position < held_out * scale)
    rows = np.arange(len(ids))
    return Split(rows[~test & ~validation], rows[validation], rows[test])


def _shuffled_parts(num_rows: int, share: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """What scikit-learn's train_test_split(test_size=share, random_state=42) would pick."""
    order = np.random.RandomState(_NOTEBOOK_RANDOM_STATE).permutation(num_rows)
    num_test = int(np.ceil(share * num_rows))
    return order[num_test:], order[:num_test]


def split_as_notebooks(num_rows: int) -> Split:
    """The notebooks' split: a fifth for the test, then a fifth of the rest for validation."""
    rest, test = _shuffled_parts(num_rows, 0.2)
    training, validation = _shuffled_parts(len(rest), 0.2)
    return Split(np.sort(rest[training]), np.sort(rest[validation]), np.sort(test))


def split_galaxies(galaxies: Galaxies, name: SplitName, num_galaxies: int | None = None) -> Split:
    """Split a file by rule `name`; `num_galaxies` keeps that many, the first by hashed id."""
    if num_galaxies is not None and not 10 <= num_galaxies <= len(galaxies):
        raise ValueError(
            f"the number of galaxies must lie in 10..{len(galaxies)}, got {num_galaxies}"
        )
    if name == "seed":
        split = split_as_notebooks(len(galaxies))
    else:
        split = split_by_hash(galaxies.ids, galaxies.unbiased)
    if num_galaxies is not None:
        split = _thinned(split, galaxies.ids, num_galaxies / len(galaxies))
    for part, rows in split.parts().items():
        if len(rows) == 0:
            raise ValueError(f"no galaxy falls to the {part} part; give more galaxies")
    return split


def save_split(path: Path, split: Split, ids: NDArray[np.int64]) -> None:
    """Write the rows of each part, and for readers the galaxies' ids."""
    parts = split.parts()
    np.savez(path, **dict[str, Any](parts | {f"{n}_ids": ids[r] for n, r in parts.items()}))


def load_split(path: Path) -> Split:
    """Read what `save_split` wrote."""
    with np.load(path) as stored:
        return Split(stored["training"], stored["validation"], stored["test"])


def _thinned(split: Split, ids: NDArray[np.int64], share: float) -> Split:
    """The same share of each part, chosen by a hash that is independent of the split's."""
    position = hashed_positions(-1 - ids)

    def keep(rows: NDArray[np.int64]) -> NDArray[np.int64]:
        chosen = rows[np.argsort(position[rows], kind="stable")]
        return np.sort(chosen[: round(share * len(rows))])

    return Split(keep(split.training), keep(split.validation), keep(split.test))
