"""The split into training, validation and test rows: by hashed id, or as in the notebooks."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from search_spaces.declaration import InvalidInput, check_whole_number
from trainables.files import DAMAGE, one_line
from trainables.galaxies.galaxy_file import Galaxies

SplitName = Literal["hash", "seed"]
VALIDATION_SHARE = 0.16  # the notebooks' shares: 64 % training, 16 % validation, 20 % test
TEST_SHARE = 0.20
_NOTEBOOK_RANDOM_STATE = 42


@dataclass(frozen=True)
class Split:
    """A division of a galaxy file's rows into three parts without common rows.

    training, validation, test: the sorted row numbers of each part, int64 arrays.
    """

    training: NDArray[np.int64]
    validation: NDArray[np.int64]
    test: NDArray[np.int64]

    def parts(self) -> dict[str, NDArray[np.int64]]:
        """Return the row numbers of each part, by the keys "training", "validation" and "test"."""
        return {"training": self.training, "validation": self.validation, "test": self.test}


def hashed_positions(ids: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return a number in 0..1 for each galaxy id: ids [N] -> numbers [N] float64.

    The number is a hash of the id, so an id has the same number in every file. The numbers of many
    ids are spread evenly over 0..1.
    """
    digests = (hashlib.blake2b(str(int(i)).encode(), digest_size=8).digest() for i in ids)
    return np.array([int.from_bytes(d, "big") / 2.0**64 for d in digests])


def split_by_hash(ids: NDArray[np.int64], unbiased: NDArray[np.bool_] | None = None) -> Split:
    """Split galaxies by id into about 64 % training, 16 % validation and 20 % test rows.

    ids: galaxy ids [N]. unbiased: flags [N] of the rows that may serve for validation or test;
    None means all rows. Without flags a galaxy is in the same part in every file. With flags all
    validation and test rows are unbiased, in the proportion 16 to 20, and make up at most about
    16 % and 20 % of all N rows. All other rows are for training. If at most 36 % of the rows are
    unbiased, all of them serve for validation and test, and no unbiased row is for training. A
    part of few galaxies may be empty.
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
    """Return the (training, test) rows that scikit-learn draws from `num_rows` rows.

    The rows are those of train_test_split(test_size=share, random_state=42), in its order. share:
    the share of test rows, 0..1; the number of test rows is rounded up. Either part may be empty.
    """
    order = np.random.RandomState(_NOTEBOOK_RANDOM_STATE).permutation(num_rows)
    num_test = int(np.ceil(share * num_rows))
    return order[num_test:], order[:num_test]


def split_as_notebooks(num_rows: int) -> Split:
    """Return the notebooks' split of `num_rows` rows, which depends on the number of rows alone.

    A fifth of the rows, rounded up, is for the test, then a fifth of the remaining rows, rounded
    up, for validation. With fewer than 3 rows a part is empty.
    """
    rest, test = _shuffled_parts(num_rows, 0.2)
    training, validation = _shuffled_parts(len(rest), 0.2)
    return Split(np.sort(rest[training]), np.sort(rest[validation]), np.sort(test))


def split_galaxies(galaxies: Galaxies, name: SplitName, num_galaxies: int | None = None) -> Split:
    """Return the split of a galaxy file into training, validation and test rows.

    name: "hash" splits by hashed id and holds out unbiased galaxies only (see `split_by_hash`);
    "seed" splits as the notebooks do and ignores the flags `galaxies.unbiased`. num_galaxies: the
    number of galaxies to keep, from 10 to the number in the file. Each part then keeps the same
    share of its rows, rounded, chosen by a second hash of the id, so the sum may miss the number
    by 1. None keeps all galaxies. InvalidInput is raised if the name is unknown, if the number is
    out of range, or if a part would hold no galaxy.
    """
    if name not in get_args(SplitName):
        known = " or ".join(get_args(SplitName))
        raise InvalidInput(f"the split must be {known}, got {name!r}")
    if num_galaxies is not None:
        check_whole_number("num_galaxies", num_galaxies, at_least=0)
    if num_galaxies is not None and not 10 <= num_galaxies <= len(galaxies):
        raise InvalidInput(
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
            raise InvalidInput(f"the {part} part would hold no galaxy; give more galaxies")
    return split


def save_split(path: Path, split: Split, ids: NDArray[np.int64]) -> None:
    """Write a split as an npz file with the row numbers and the galaxy ids of each part.

    path: numpy adds .npz to a name with another ending. The folder must exist, and an existing
    file is overwritten. ids: ids [N] of all galaxies of the galaxy file. The ids are for people
    who read the file; `load_split` does not need them. OSError is raised if the file cannot be
    written; then a part of the file may remain.
    """
    parts = split.parts()
    np.savez(path, **dict[str, Any](parts | {f"{n}_ids": ids[r] for n, r in parts.items()}))


def load_split(path: Path) -> Split:
    """Read a split from the npz file that `save_split` wrote.

    A missing or damaged file raises InvalidInput.
    """
    try:
        with np.load(path) as stored:
            return Split(stored["training"], stored["validation"], stored["test"])
    except DAMAGE as error:
        raise InvalidInput(
            f"{path}, the split of the study, is missing or damaged ({one_line(error)}); put the "
            "file back"
        ) from None


def _thinned(split: Split, ids: NDArray[np.int64], share: float) -> Split:
    """Return a split that keeps the same share of the rows of each part.

    ids: ids [N] of all galaxies. share: the kept share, 0..1; the number of kept rows is rounded,
    and may be 0. The kept rows are those with the lowest hash of -1 - id, which is independent of
    the hash that made the split.
    """
    position = hashed_positions(-1 - ids)

    def keep(rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the kept rows of one part, sorted."""
        chosen = rows[np.argsort(position[rows], kind="stable")]
        return np.sort(chosen[: round(share * len(rows))])

    return Split(keep(split.training), keep(split.validation), keep(split.test))
