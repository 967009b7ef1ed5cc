"""Building from Kaggle's download: the real one where it is, a tiny one drawn here."""

import io
import shutil
import zipfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from search_spaces.declaration import InvalidInput
from trainables.decision_tree import COLUMNS
from trainables.galaxies.galaxy_file import open_galaxies
from trainables.galaxies.image_files import read_image
from trainables.galaxies.kaggle import IMAGES, SOLUTIONS, build_from_kaggle, read_solutions

IDS = (100_023, 100_008, 200_001, 100_053)  # not sorted, as in no real file


def jpeg(galaxy_id: int) -> bytes:
    """A blurred JPEG of 60 pixels, its brightness its id's."""
    rough = np.random.default_rng(galaxy_id).integers(0, 255, (6, 6, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(rough).resize((60, 60)).save(file, "JPEG", quality=95)
    return file.getvalue()


def votes_of(ids: Iterable[int]) -> pd.DataFrame:
    rows = {i: np.random.default_rng(i).random(37).round(6) for i in ids}
    table = pd.DataFrame.from_dict(rows, orient="index", columns=list(COLUMNS))
    return table.rename_axis("GalaxyID").reset_index()


def pack(folder: Path, files: dict[str, bytes], votes: pd.DataFrame) -> Path:
    """Two zips as Kaggle makes them."""
    folder.mkdir(exist_ok=True)
    with zipfile.ZipFile(folder / f"{IMAGES}.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(f"{IMAGES}/{name}", content)
    with zipfile.ZipFile(folder / f"{SOLUTIONS}.zip", "w") as archive:
        archive.writestr(f"{SOLUTIONS}.csv", votes.to_csv(index=False))
    return folder


def unpack(folder: Path, out: Path) -> Path:
    for packed in folder.glob("*.zip"):
        zipfile.ZipFile(packed).extractall(out)
    return out


@pytest.fixture
def kaggle(tmp_path: Path) -> Path:
    return pack(tmp_path / "kaggle", {f"{i}.jpg": jpeg(i) for i in IDS}, votes_of(IDS))


def build(folder: Path, out: Path):
    return build_from_kaggle(folder, out, crop=32, side=16)


def test_each_galaxy_has_its_own_pixels_and_votes_in_order_of_id(kaggle, tmp_path) -> None:
    report = build(kaggle, tmp_path / "out.npz")
    assert (report.num_galaxies, report.skipped, report.num_without_image) == (4, (), 0)
    galaxies = open_galaxies(tmp_path / "out.npz")
    assert galaxies.ids.tolist() == sorted(IDS)
    assert galaxies.crop == 32
    for i, pixels, target in zip(galaxies.ids, galaxies.images, galaxies.target):
        image = Image.open(io.BytesIO(jpeg(i))).crop((14, 14, 46, 46))  # the central 32 of 60
        np.testing.assert_array_equal(pixels, image.resize((16, 16), Image.Resampling.BICUBIC))
        np.testing.assert_allclose(target, votes_of([i]).iloc[0, 1:].to_numpy(float), atol=1e-7)


def test_an_unpacked_folder_gives_the_same_file(kaggle: Path, tmp_path: Path) -> None:
    build(kaggle, tmp_path / "zip.npz")
    build(unpack(kaggle, tmp_path / "plain"), tmp_path / "folder.npz")
    assert (tmp_path / "zip.npz").read_bytes() == (tmp_path / "folder.npz").read_bytes()


@pytest.mark.parametrize("content", [b"", b"\xff\xd8 not a picture", jpeg(100_023)[:900]])
def test_a_broken_jpeg_is_skipped_and_named(content: bytes, tmp_path: Path) -> None:
    files = {f"{i}.jpg": jpeg(i) for i in IDS} | {"100023.jpg": content}
    whole = pack(tmp_path / "whole", {f"{i}.jpg": jpeg(i) for i in IDS}, votes_of(IDS))
    report = build(pack(tmp_path / "broken", files, votes_of(IDS)), tmp_path / "broken.npz")
    assert report.num_galaxies == 3
    (skipped,) = report.skipped
    assert "100023.jpg: not a readable image" in skipped
    build(whole, tmp_path / "whole.npz")
    expected, found = (open_galaxies(tmp_path / f"{n}.npz") for n in ("whole", "broken"))
    kept = expected.ids != 100_023
    np.testing.assert_array_equal(found.ids, expected.ids[kept])
    np.testing.assert_array_equal(found.images, expected.images[kept])
    np.testing.assert_array_equal(found.target, expected.target[kept])


def test_a_member_whose_checksum_fails_is_skipped_and_named(kaggle, tmp_path) -> None:
    packed = kaggle / f"{IMAGES}.zip"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        for i in IDS:
            archive.writestr(f"{IMAGES}/{i}.jpg", jpeg(i))
    content = packed.read_bytes()
    middle = content.index(jpeg(100_008)) + len(jpeg(100_008)) - 100
    packed.write_bytes(content[:middle] + bytes([content[middle] ^ 0xFF]) + content[middle + 1 :])
    report = build(kaggle, tmp_path / "out.npz")
    assert [s.split(":")[0] for s in report.skipped] == [f"{IMAGES}/100008.jpg"]
    assert open_galaxies(tmp_path / "out.npz").ids.tolist() == [100_023, 100_053, 200_001]


def test_images_without_votes_and_votes_without_images_are_counted(tmp_path: Path) -> None:
    files = {f"{i}.jpg": jpeg(i) for i in (*IDS, 5)} | {"readme.txt": b"hello"}
    folder = pack(tmp_path / "kaggle", files, votes_of([*IDS, 6, 7]))
    report = build(folder, tmp_path / "out.npz")
    assert report.skipped == (f"{IMAGES}/5.jpg: has no votes",)
    assert (report.num_galaxies, report.num_without_image) == (4, 2)


def test_an_image_smaller_than_the_crop_is_skipped(kaggle: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="no image in .* could be used"):
        build_from_kaggle(kaggle, tmp_path / "out.npz", crop=61, side=16)
    with pytest.raises(InvalidInput, match="60x60 pixels is smaller than the crop of 61"):
        read_image(io.BytesIO(jpeg(1)), crop=61, side=16)


def test_an_image_of_the_right_size_is_taken_as_it_is() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    np.testing.assert_array_equal(read_image(file, crop=32, side=16), pixels)


def test_progress_is_told_image_by_image(kaggle: Path, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    out = tmp_path / "out.npz"
    build_from_kaggle(kaggle, out, crop=32, side=16, on_progress=lambda *t: told.append(t))
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_missing_columns_are_named(tmp_path: Path) -> None:
    votes = votes_of(IDS).drop(columns=["Class3.1", "GalaxyID"])
    folder = pack(tmp_path / "kaggle", {"1.jpg": jpeg(1)}, votes)
    with pytest.raises(InvalidInput, match=r"lacks the columns GalaxyID, Class3\.1"):
        read_solutions(folder)


def test_columns_are_found_by_name_whatever_their_order(kaggle: Path) -> None:
    expected = read_solutions(kaggle)
    shuffled = votes_of(IDS)[["Class5.2", "GalaxyID", *sorted(set(COLUMNS) - {"Class5.2"})]]
    pd.testing.assert_frame_equal(read_solutions(pack(kaggle, {}, shuffled)), expected)


def test_a_galaxy_named_twice_is_refused(tmp_path: Path) -> None:
    folder = pack(tmp_path / "kaggle", {}, votes_of(IDS).iloc[[0, 1, 1]])
    with pytest.raises(InvalidInput, match="names a galaxy twice"):
        read_solutions(folder)


def test_an_unusable_folder_is_refused_in_one_line(kaggle: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="no folder"):
        build(tmp_path / "none", tmp_path / "out.npz")
    with pytest.raises(InvalidInput, match=r"must lie in 1\.\.32 \(the crop\), got 33"):
        build_from_kaggle(kaggle, tmp_path / "out.npz", crop=32, side=33)
    (kaggle / f"{IMAGES}.zip").write_bytes(b"PK")
    with pytest.raises(InvalidInput, match="not a whole zip file"):
        build(kaggle, tmp_path / "out.npz")
    (kaggle / f"{IMAGES}.zip").unlink()
    with pytest.raises(InvalidInput, match=f"holds neither {IMAGES}.zip nor a folder"):
        build(kaggle, tmp_path / "out.npz")
    (kaggle / f"{SOLUTIONS}.zip").write_bytes(b"PK")
    with pytest.raises(InvalidInput, match="cannot be read"):
        build(kaggle, tmp_path / "out.npz")
    shutil.rmtree(kaggle)
    kaggle.mkdir()
    with pytest.raises(InvalidInput, match=f"holds neither {SOLUTIONS}.zip nor"):
        build(kaggle, tmp_path / "out.npz")
    assert not (tmp_path / "out.npz").exists()


@pytest.mark.slow
def test_the_real_sample_gives_the_real_file_pixel_for_pixel(
    kaggle_sample: Path, real_npz: Path, tmp_path: Path
) -> None:
    report = build_from_kaggle(kaggle_sample, tmp_path / "out.npz")
    assert (report.num_galaxies, report.skipped) == (400, ())
    built, real = open_galaxies(tmp_path / "out.npz"), open_galaxies(real_npz)
    row_of = {int(i): row for row, i in enumerate(real.ids)}
    rows = [row_of[int(i)] for i in built.ids]
    np.testing.assert_array_equal(built.images, real.images[rows])
    np.testing.assert_array_equal(built.target, real.target[rows])


def test_a_vote_that_is_no_number_is_named(kaggle: Path, tmp_path: Path) -> None:
    for cell, message in (
        ("x", "holds a value that is not a number"),
        ("", "has no vote in a cell"),
        (1.5, "has a vote fraction outside 0..1"),
    ):
        table = votes_of([7]).astype(object)
        table.iloc[0, -1] = cell
        folder = tmp_path / message.replace(" ", "_")
        folder.mkdir()
        table.to_csv(folder / "training_solutions_rev1.csv", index=False)
        with pytest.raises(InvalidInput, match=f"training_solutions_rev1.csv {message}"):
            read_solutions(folder)
