"""The parts of Kaggle's download, found in the layouts that people have."""

import os
from pathlib import Path

import pytest

from search_spaces.declaration import InvalidInput
from tests.support.kaggle import IDS, csv_of, jpeg, jpegs, packed, put, votes_of
from trainables.galaxies.kaggle_parts import KaggleParts, kaggle_parts
from trainables.galaxies.kaggle_places import IMAGES, SOLUTIONS

CSV = csv_of(votes_of())
TABLE = {f"{SOLUTIONS}.csv": CSV}
IMAGES_ZIP = packed({f"{IMAGES}/{name}": content for name, content in jpegs().items()})
SOLUTIONS_ZIP = packed(TABLE)
OUTER = packed(
    {
        f"{IMAGES}.zip": IMAGES_ZIP,
        f"{SOLUTIONS}.zip": SOLUTIONS_ZIP,
        "images_test_rev1.zip": packed({"images_test_rev1/100008.jpg": jpeg(1)}),
        "all_zeros_benchmark.zip": packed({"all_zeros_benchmark.csv": CSV}),
    }
)


def under(folder: str, files: dict[str, bytes]) -> dict[str, bytes]:
    return {f"{folder}/{name}": content for name, content in files.items()}


LAYOUTS: dict[str, dict[str, bytes]] = {
    "two zips": {f"{IMAGES}.zip": IMAGES_ZIP, f"{SOLUTIONS}.zip": SOLUTIONS_ZIP},
    "each in a folder of its name": under(IMAGES, jpegs()) | under(SOLUTIONS, TABLE),
    "a folder in a folder of its name": under(f"{IMAGES}/{IMAGES}", jpegs())
    | under(f"{SOLUTIONS}/{SOLUTIONS}", TABLE),
    "zips in folders of their names": {
        f"{IMAGES}/{IMAGES}.zip": IMAGES_ZIP,
        f"{SOLUTIONS}/{SOLUTIONS}.zip": SOLUTIONS_ZIP,
    },
    "folders named like zips": under(f"{IMAGES}.zip", jpegs()) | under(f"{SOLUTIONS}.csv", TABLE),
    "a folder too high": under("input/galaxy-zoo", under(IMAGES, jpegs()) | TABLE),
    "images beside the table": jpegs() | TABLE,
    "images in another folder": under("galaxies", jpegs()) | TABLE,
    "capitals and copies": {
        "Images_Training_Rev1 (1).ZIP": IMAGES_ZIP,
        "Training_Solutions_rev1 - Copy.CSV": CSV,
    },
    "made on Windows": {
        f"{IMAGES}.zip": packed({f"{IMAGES}\\{n}": content for n, content in jpegs().items()}),
        **TABLE,
    },
    "made on macOS": {
        f"{IMAGES}.zip": packed(
            under(IMAGES, jpegs()) | under(f"__MACOSX/{IMAGES}", {"._100008.jpg": b"Mac"})
        ),
        f"._{IMAGES}.zip": b"Mac",
        f"._{SOLUTIONS}.csv": b"Mac",
        **TABLE,
    },
    "other formats of images": {
        "100023.jpeg": jpeg(100_023),
        "100008.JPG": jpeg(100_008),
        "200001.png": jpeg(200_001, "PNG"),
        "100053.PNG": jpeg(100_053, "PNG"),
        **TABLE,
    },
    "beside the images of the test": under(IMAGES, jpegs())
    | under("images_test_rev1", jpegs([5, 6]))
    | {"images_test_rev1.zip": packed(jpegs([5])), "all_ones_benchmark.csv": CSV}
    | TABLE,
    "images beside those of the test": jpegs() | under("images_test_rev1", jpegs(IDS)) | TABLE,
    "the competition's zip": {"galaxy-zoo-the-galaxy-challenge.zip": OUTER},
    "a folder that was packed again": {
        "galaxy-zoo-the-galaxy-challenge (2).zip": packed(
            under("kaggle", under(IMAGES, jpegs()) | under("images_test_rev1", jpegs()) | TABLE)
        )
    },
}


def found(source: Path, scratch: Path) -> KaggleParts:
    scratch.mkdir(exist_ok=True)
    with kaggle_parts(source, scratch) as parts:
        for image in parts.images.images:
            with image.open() as file:
                assert file.read() in (jpeg(int(image.id)), jpeg(int(image.id), "PNG"))
    assert not list(scratch.iterdir())
    return parts


@pytest.mark.parametrize("name", LAYOUTS)
def test_the_parts_are_found_in_every_layout(name: str, tmp_path: Path) -> None:
    parts = found(put(tmp_path / "download", LAYOUTS[name]), tmp_path / "scratch")
    assert sorted(int(image.id) for image in parts.images.images) == sorted(IDS)
    assert parts.votes.index.tolist() == sorted(IDS)
    assert parts.notes == () and parts.images.skipped == ()


@pytest.mark.parametrize("given", ["galaxy.zip", f"{IMAGES}.zip", f"{SOLUTIONS}.zip"])
def test_a_zip_can_be_given_in_place_of_the_folder(given: str, tmp_path: Path) -> None:
    folder = put(tmp_path / "download", LAYOUTS["two zips"] | {"galaxy.zip": OUTER})
    assert len(found(folder / given, tmp_path / "scratch").images.images) == 4


@pytest.mark.parametrize("given", [IMAGES, f"{SOLUTIONS}.csv"])
def test_an_unpacked_part_can_be_given_in_place_of_the_folder(given: str, tmp_path: Path) -> None:
    folder = put(tmp_path / "download", under(IMAGES, jpegs()) | TABLE)
    parts = found(folder / given, tmp_path / "scratch")
    assert len(parts.images.images) == 4 and len(parts.votes) == 4


def test_links_to_folders_are_followed_and_a_circle_ends(tmp_path: Path) -> None:
    put(tmp_path / "disk", under("pictures", jpegs()))
    folder = put(tmp_path / "download", TABLE)
    (folder / IMAGES).symlink_to(tmp_path / "disk" / "pictures")
    (tmp_path / "disk" / "pictures" / "above").symlink_to(tmp_path / "disk")
    (folder / "circle").symlink_to(folder)
    assert len(found(folder, tmp_path / "scratch").images.images) == 4


def test_of_two_places_with_the_same_content_one_is_read_and_both_are_named(
    tmp_path: Path,
) -> None:
    folder = put(tmp_path / "download", LAYOUTS["two zips"] | under(IMAGES, jpegs()) | TABLE)
    parts = found(folder, tmp_path / "scratch")
    assert parts.read == (folder / f"{IMAGES}.zip", folder / f"{SOLUTIONS}.csv")
    assert parts.notes == (
        f"read {folder / SOLUTIONS}.csv; {folder / SOLUTIONS}.zip holds the same votes",
        f"read {folder / IMAGES}.zip; {folder / IMAGES} holds the same images",
    )


def refusal(source: Path, scratch: Path) -> str:
    scratch.mkdir(exist_ok=True)
    with pytest.raises(InvalidInput) as error, kaggle_parts(source, scratch):
        pass
    assert not list(scratch.iterdir()) and "\n" not in str(error.value)
    return str(error.value)


OTHER_VOTES = {f"{SOLUTIONS} (1).csv": csv_of(votes_of(IDS[:3]))}
PARTLY = under(IMAGES, jpegs(IDS[:3]))


@pytest.mark.parametrize(
    ("files", "told"),
    [
        (TABLE | OTHER_VOTES | PARTLY, f"{SOLUTIONS} (1).csv and"),
        (LAYOUTS["two zips"] | PARTLY, f"{IMAGES} hold different images; remove or rename"),
        (TABLE | under(IMAGES, jpegs()) | under(f"{IMAGES}/s", jpegs(IDS[:1])), "s/100023.jpg"),
        (TABLE | {f"{IMAGES}.7z": b"7z"}, f"{IMAGES}.7z is not read; unpack it"),
        (PARTLY | {f"{SOLUTIONS}.xlsx": b"PK"}, f"{SOLUTIONS}.xlsx is not read"),
        (TABLE, f"{SOLUTIONS}.csv"),
        ({}, "it holds nothing"),
        ({"a.zip": OUTER}, "it holds a.zip"),
        ({f"{IMAGES}.zip": b"PK", **TABLE}, "is not a whole zip file"),
        (
            {
                "galaxy-zoo-the-galaxy-challenge.zip": OUTER,
                "galaxy-zoo-the-galaxy-challenge (1).zip": OUTER,
            },
            "give the path of one",
        ),
    ],
)
def test_what_is_ambiguous_or_missing_is_refused_and_named(
    files: dict[str, bytes], told: str, tmp_path: Path
) -> None:
    (tmp_path / "download").mkdir()
    assert told in refusal(put(tmp_path / "download", files), tmp_path / "scratch")


def test_a_damaged_part_of_the_competitions_zip_is_named_by_the_zip(tmp_path: Path) -> None:
    outer = packed({f"{IMAGES}.zip": b"PK", f"{SOLUTIONS}.csv": CSV})
    path = put(tmp_path, {"all.zip": outer}) / "all.zip"
    told = refusal(path, tmp_path / "scratch")
    assert told.startswith(f"{path}/{IMAGES}.zip is not a whole zip file")


@pytest.mark.parametrize("name", ["none", "text.csv"])
def test_a_source_that_is_no_download_is_refused(name: str, tmp_path: Path) -> None:
    put(tmp_path, {"text.csv": b"text"})
    told = refusal(tmp_path / name, tmp_path / "scratch")
    assert "no folder" in told or "neither a folder nor a whole zip" in told


@pytest.mark.parametrize("name", ["/outside", "C:\\outside", "../../outside"])
def test_no_part_of_a_zip_is_copied_outside_the_scratch_folder(name: str, tmp_path: Path) -> None:
    files = {f"{name}/{IMAGES}.zip": IMAGES_ZIP, f"{name}/{SOLUTIONS}.csv": CSV}
    path = put(tmp_path / "a" / "b", {"all.zip": packed(files)}) / "all.zip"
    before = sorted(os.listdir(tmp_path))
    if name.startswith("."):
        assert "holds neither" in refusal(path, tmp_path / "a" / "scratch")
    else:
        assert len(found(path, tmp_path / "a" / "scratch").images.images) == 4
    assert sorted(os.listdir(tmp_path)) == before and not Path("/outside").exists()


@pytest.mark.parametrize(
    "name", [f"{SOLUTIONS}.csv", f"{SOLUTIONS}.zip", "galaxy-zoo-the-galaxy-challenge.zip"]
)
def test_a_part_that_is_a_fifo_is_refused(name: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / name)
    for source in (tmp_path, tmp_path / name):
        with pytest.raises(InvalidInput, match=f"{name} is no regular file"):
            with kaggle_parts(source, tmp_path):
                raise AssertionError("the part was read")
