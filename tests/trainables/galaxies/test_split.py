"""Splits: by id alone, held-out rows from the unbiased, or exactly the notebooks'."""

from pathlib import Path

import numpy as np
import pytest
from sklearn.model_selection import train_test_split

from search_spaces.declaration import InvalidInput
from trainables.galaxies.galaxy_file import Galaxies
from trainables.galaxies.split import (
    Split,
    hashed_positions,
    load_split,
    split_as_notebooks,
    split_by_hash,
    split_galaxies,
)

IDS = np.random.default_rng(0).permutation(900_000)[:5000] + 100_000


def galaxies(ids: np.ndarray, unbiased: np.ndarray | None = None) -> Galaxies:
    images = np.zeros((len(ids), 1, 1, 3), np.uint8)
    target = np.zeros((len(ids), 37), np.float32)
    return Galaxies(images, target, ids, unbiased, num_votes=None, crop=210, identity="")


def parts(split: Split) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return split.training, split.validation, split.test


def assert_partition(split: Split, num_rows: int) -> None:
    assert sorted(np.concatenate(parts(split)).tolist()) == list(range(num_rows))
    assert all((np.diff(rows) > 0).all() for rows in parts(split))


def test_shares_are_64_16_and_20_percent() -> None:
    split = split_by_hash(IDS)
    assert_partition(split, 5000)
    shares = [len(rows) / 5000 for rows in parts(split)]
    assert shares == pytest.approx([0.64, 0.16, 0.20], abs=0.02)


def test_a_galaxy_falls_to_the_same_part_in_every_file() -> None:
    some = np.random.default_rng(1).permutation(5000)[:700]
    for whole, subset in zip(parts(split_by_hash(IDS)), parts(split_by_hash(IDS[some]))):
        assert set(IDS[some][subset]) == set(IDS[whole]) & set(IDS[some])


def test_positions_are_uniform_and_never_change() -> None:
    positions = hashed_positions(IDS)
    assert np.histogram(positions, 10, (0, 1))[0].min() > 400
    # python -c "import hashlib; print(hashlib.blake2b(b'100008', digest_size=8).hexdigest())"
    assert hashed_positions(np.array([100008]))[0] == int("356f6f93e7286e6a", 16) / 2**64


@pytest.mark.parametrize("share", [0.2, 0.36, 0.6])
def test_held_out_rows_are_unbiased_ones(share: float) -> None:
    unbiased = np.random.default_rng(2).random(5000) < share
    split = split_by_hash(IDS, unbiased)
    assert_partition(split, 5000)
    assert unbiased[split.validation].all() and unbiased[split.test].all()
    held_out = min(share, 0.36)
    sizes = [len(split.validation) / 5000, len(split.test) / 5000]
    assert sizes == pytest.approx([held_out * 16 / 36, held_out * 20 / 36], abs=0.02)


def test_all_rows_unbiased_is_the_same_as_no_flags() -> None:
    for plain, flagged in zip(*map(parts, (split_by_hash(IDS), split_by_hash(IDS, IDS > 0)))):
        np.testing.assert_array_equal(plain, flagged)


@pytest.mark.parametrize("num_rows", [10, 11, 1003, 61578])
def test_the_notebooks_split_is_scikit_learns(num_rows: int) -> None:
    rest, test = train_test_split(np.arange(num_rows), test_size=0.2, random_state=42)
    training, validation = train_test_split(rest, test_size=0.2, random_state=42)
    split = split_as_notebooks(num_rows)
    for ours, theirs in zip(parts(split), (training, validation, test)):
        np.testing.assert_array_equal(ours, np.sort(theirs))


def test_kaggles_61578_galaxies_split_as_the_report_says() -> None:
    sizes = [len(rows) for rows in parts(split_as_notebooks(61578))]
    assert sizes == [39409, 9853, 12316]


@pytest.mark.parametrize("name", ["hash", "seed"])
def test_fewer_galaxies_are_a_subset_of_each_part(name) -> None:
    whole, fewer = (split_galaxies(galaxies(IDS), name, n) for n in (None, 500))
    for all_rows, some_rows in zip(parts(whole), parts(fewer)):
        assert len(some_rows) == pytest.approx(len(all_rows) / 10, abs=0.5)
        assert set(some_rows) <= set(all_rows)
    assert sum(map(len, parts(fewer))) == pytest.approx(500, abs=1.5)


def test_more_galaxies_contain_the_fewer() -> None:
    few, more = (split_galaxies(galaxies(IDS), "hash", n) for n in (300, 900))
    for some_rows, more_rows in zip(parts(few), parts(more)):
        assert set(some_rows) < set(more_rows)


@pytest.mark.parametrize("num_galaxies", [0, 9, 5001])
def test_an_impossible_number_of_galaxies_is_refused(num_galaxies: int) -> None:
    with pytest.raises(InvalidInput, match=rf"must lie in 10\.\.5000, got {num_galaxies}"):
        split_galaxies(galaxies(IDS), "hash", num_galaxies)


def test_a_file_too_small_to_validate_is_refused() -> None:
    with pytest.raises(InvalidInput, match="the validation part would hold no galaxy; give more"):
        split_galaxies(galaxies(IDS[:1]), "hash")


def test_a_file_without_unbiased_rows_is_refused() -> None:
    with pytest.raises(InvalidInput, match="the validation part would hold no galaxy"):
        split_galaxies(galaxies(IDS, IDS < 0), "hash")


def test_an_unknown_split_is_refused() -> None:
    with pytest.raises(InvalidInput, match="^the split must be hash or seed, got 'hsah'$"):
        split_galaxies(galaxies(IDS), "hsah")  # type: ignore[arg-type]


@pytest.mark.parametrize("content", [None, b"", b"no zip", b"PK"], ids=str)
def test_a_split_that_is_missing_or_damaged_is_named(
    content: bytes | None, tmp_path: Path
) -> None:
    path = tmp_path / "split.npz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InvalidInput, match="split.npz, the split of the study, is missing or dam"):
        load_split(path)
