"""The image files of a folder or a zip: what counts, what is passed over, what is refused."""

import io
import os
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from search_spaces.declaration import InvalidInput
from tests.support.kaggle import packed, put
from trainables.galaxies.image_listing import list_images
from trainables.galaxies.skipped import Skipped

Make = Callable[[Path, dict[str, bytes]], Path]


def as_folder(path: Path, files: dict[str, bytes]) -> Path:
    return put(path / "images", {name.replace("\\", "/"): c for name, c in files.items()})


def as_zip(path: Path, files: dict[str, bytes]) -> Path:
    return put(path, {"images.zip": packed(files)}) / "images.zip"


@pytest.fixture(params=[as_folder, as_zip])
def make(request: pytest.FixtureRequest) -> Make:
    made: Make = request.param
    return made


def test_images_of_all_folders_are_listed_by_name(make: Make, tmp_path: Path) -> None:
    files = {"b/2.JPG": b"two", "a\\1.jpeg": b"one!", "3.png": b"", "a/x.v2.Jpg": b"x"}
    listing = list_images(make(tmp_path, files))
    assert [(i.name, i.id) for i in listing.images] == [
        ("3.png", "3"),
        ("a/1.jpeg", "1"),
        ("a/x.v2.Jpg", "x.v2"),
        ("b/2.JPG", "2"),
    ]
    assert [i.size() for i in listing.images if i.size is not None] == [0, 4, 1, 3]
    assert listing.skipped == ()
    with ThreadPoolExecutor(4) as pool:  # the openers are called by several threads
        assert (
            list(pool.map(lambda i: i.open().read(), listing.images * 50))
            == [
                b"",
                b"one!",
                b"x",
                b"two",
            ]
            * 50
        )


def test_what_systems_and_programs_add_is_passed_over(make: Make, tmp_path: Path) -> None:
    files = dict.fromkeys(
        [
            "__MACOSX/a/._1.jpg",
            "a/._1.jpg",
            ".ipynb_checkpoints/1.jpg",
            "@eaDir/1.jpg",
            "a/.hidden.png",
            "Thumbs.db",
            "readme.txt",
            "votes.csv",
        ],
        b"",
    )
    listing = list_images(make(tmp_path, files))
    assert (listing.images, listing.skipped) == ((), ())


def test_images_of_other_formats_are_skipped_with_the_reason(make: Make, tmp_path: Path) -> None:
    listing = list_images(make(tmp_path, {"1.jpg": b"", "b/2.FITS": b"", "a/3.gif": b""}))
    assert [image.id for image in listing.images] == ["1"]
    assert listing.skipped == (
        Skipped("a/3.gif", "GIF is not read; give JPEG, PNG, TIFF or WebP"),
        Skipped("b/2.FITS", "FITS is not read; give JPEG, PNG, TIFF or WebP"),
    )


@pytest.mark.parametrize("other", ["thumbs/1.jpg", "1.png", "a/1.JPEG"])
def test_two_images_of_one_name_are_refused_naming_both(
    make: Make, other: str, tmp_path: Path
) -> None:
    source = make(tmp_path, {"1.jpg": b"", other: b""})
    with pytest.raises(InvalidInput, match="holds the image '1' twice, as") as error:
        list_images(source)
    assert " 1.jpg" in str(error.value) and other in str(error.value)


def test_only_the_wanted_images_are_listed(make: Make, tmp_path: Path) -> None:
    source = make(tmp_path, {"a/1.jpg": b"", "b/1.jpg": b"", "b/2.fits": b""})
    listing = list_images(source, lambda name: name.startswith("a/"))
    assert [image.name for image in listing.images] == ["a/1.jpg"] and not listing.skipped


def test_a_source_that_is_missing_or_no_zip_is_refused(tmp_path: Path) -> None:
    put(tmp_path, {"text.zip": b"text"})
    with pytest.raises(InvalidInput, match="no file or folder"):
        list_images(tmp_path / "none")
    with pytest.raises(InvalidInput, match="text.zip is not a whole zip file"):
        list_images(tmp_path / "text.zip")


def test_entries_of_a_zip_that_cannot_be_unpacked_are_skipped(tmp_path: Path) -> None:
    content = bytearray(packed({"1.jpg": b"one", "2.jpg": b"two", "3.jpg": b"three"}))
    first = content.index(b"PK\x01\x02")  # the directory's entry of 1.jpg
    second = content.index(b"PK\x01\x02", first + 4)
    content[first + 8] |= 1  # encrypted
    content[second + 10] = 9  # Deflate64, as Windows packs large files
    put(tmp_path, {"g.zip": bytes(content)})
    listing = list_images(tmp_path / "g.zip")
    assert [image.id for image in listing.images] == ["3"]
    assert [skipped.name for skipped in listing.skipped] == ["1.jpg", "2.jpg"]
    assert "encrypted" in listing.skipped[0].reason and "unpack" in listing.skipped[1].reason


def test_a_link_is_followed_a_circle_ends_and_a_lost_file_is_listed(tmp_path: Path) -> None:
    put(tmp_path / "disk", {"1.jpg": b"one"})
    folder = put(tmp_path / "images", {"2.jpg": b"two"})
    (folder / "link").symlink_to(tmp_path / "disk")
    (folder / "circle").symlink_to(folder)
    (folder / "3.jpg").symlink_to(folder / "lost.jpg")
    images = list_images(folder).images
    assert [image.name for image in images] == ["2.jpg", "3.jpg", "link/1.jpg"]
    with pytest.raises(OSError):
        images[1].open()


@pytest.mark.slow
def test_a_large_zip_of_many_members_is_listed(tmp_path: Path) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for i in range(70_000):  # more than a zip without Zip64 can name
            archive.writestr(f"{i}.jpg", b"")
    put(tmp_path, {"g.zip": file.getvalue()})
    assert len(list_images(tmp_path / "g.zip").images) == 70_000


def test_a_fifo_is_no_image_and_no_zip(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "1.jpg")
    (tmp_path / "2.jpg").symlink_to(tmp_path / "1.jpg")
    for image in list_images(tmp_path).images:
        with pytest.raises(InvalidInput, match="^is no regular file$"):
            image.open()
    os.mkfifo(tmp_path / "g.zip")
    with pytest.raises(InvalidInput, match="g.zip is no regular file"):
        list_images(tmp_path / "g.zip")
