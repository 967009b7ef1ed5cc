"""Building from Kaggle's download: the real one where it is, a tiny one drawn here."""

import io
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from search_spaces.declaration import InvalidInput
from tests.support.kaggle import IDS, jpeg, jpegs, pack, votes_of
from trainables.galaxies.galaxy_file import open_galaxies
from trainables.galaxies.image_files import read_image
from trainables.galaxies.kaggle import build_from_kaggle
from trainables.galaxies.kaggle_places import IMAGES, SOLUTIONS
from trainables.galaxies.skipped import Skipped


def unpack(folder: Path, out: Path) -> Path:
    for packed in folder.glob("*.zip"):
        zipfile.ZipFile(packed).extractall(out)
    return out


@pytest.fixture
def kaggle(tmp_path: Path) -> Path:
    return pack(tmp_path / "kaggle", jpegs(), votes_of())


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
    files = jpegs() | {"100023.jpg": content}
    whole = pack(tmp_path / "whole", jpegs(), votes_of())
    report = build(pack(tmp_path / "broken", files, votes_of()), tmp_path / "broken.npz")
    assert report.num_galaxies == 3
    (skipped,) = report.skipped
    assert "100023.jpg: not a readable image" in str(skipped)
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
    assert [s.name for s in report.skipped] == [f"{IMAGES}/100008.jpg"]
    assert open_galaxies(tmp_path / "out.npz").ids.tolist() == [100_023, 100_053, 200_001]


def test_images_without_votes_and_votes_without_images_are_counted(tmp_path: Path) -> None:
    files = {f"{i}.jpg": jpeg(i) for i in (*IDS, 5)} | {"readme.txt": b"hello"}
    folder = pack(tmp_path / "kaggle", files, votes_of([*IDS, 6, 7]))
    report = build(folder, tmp_path / "out.npz")
    assert report.skipped == (Skipped(f"{IMAGES}/5.jpg", "has no votes"),)
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


@pytest.mark.parametrize("spoilt", [(), (100_008,), IDS[:3]])
def test_the_file_is_the_one_that_numpy_would_write(spoilt: tuple[int, ...], tmp_path) -> None:
    files = jpegs() | {f"{i}.jpg": b"spoilt" for i in spoilt}
    folder = pack(tmp_path / "kaggle", files, votes_of())
    report = build_from_kaggle(folder, tmp_path / "out.npz", crop=32, side=16)
    ids = sorted(set(IDS) - set(spoilt))
    pixels = [read_image(io.BytesIO(jpeg(i)), crop=32, side=16) for i in ids]
    votes = votes_of(ids).set_index("GalaxyID").to_numpy(np.float32)
    np.savez(
        tmp_path / "numpy.npz",
        images=np.stack(pixels),
        target=votes,
        ids=np.array(ids),
        crop=np.array(32),
    )
    assert (tmp_path / "out.npz").read_bytes() == (tmp_path / "numpy.npz").read_bytes()
    assert {s.name for s in report.skipped} == {f"{IMAGES}/{i}.jpg" for i in spoilt}


def test_images_whose_names_are_no_galaxy_ids_are_named(tmp_path: Path) -> None:
    others = [
        "100008_cutout.jpg",
        "J1234.jpg",
        "100008 (1).jpg",
        "\u0661.jpg",
        "\u00b2.jpg",
        "-5.jpg",
    ]
    files = jpegs() | dict.fromkeys(others, jpeg(1)) | {"5.fits": b"", "9" * 25 + ".jpg": b""}
    report = build(pack(tmp_path / "kaggle", files, votes_of()), tmp_path / "out.npz")
    assert report.num_galaxies == 4
    reasons = {s.name.removeprefix(f"{IMAGES}/"): s.reason for s in report.skipped}
    assert reasons == {
        **dict.fromkeys(others, "the name is no galaxy id, such as 100008.jpg"),
        "5.fits": "FITS is not read; give JPEG, PNG, TIFF or WebP",
        "9" * 25 + ".jpg": "has no votes",
    }


def test_leading_zeros_in_a_name_do_not_matter_but_two_images_of_a_galaxy_do(tmp_path) -> None:
    files = jpegs(IDS[1:]) | {"00100023.jpg": jpeg(100_023)}
    folder = pack(tmp_path / "kaggle", files, votes_of())
    assert build(folder, tmp_path / "out.npz").num_galaxies == 4
    pack(folder, files | jpegs(), votes_of())
    with pytest.raises(InvalidInput, match="00100023.jpg and .*/100023.jpg are both images of"):
        build(folder, tmp_path / "out.npz")


def test_it_is_said_why_no_image_could_be_used(tmp_path: Path) -> None:
    files = jpegs([1, 2, 3]) | {"x.jpg": b""}
    folder = pack(tmp_path / "kaggle", files, votes_of())
    told = (
        "could be used: 3 files, such as images_training_rev1/1.jpg: has no votes; .*/x.jpg: the"
    )
    with pytest.raises(InvalidInput, match=told):
        build(folder, tmp_path / "out.npz")
    pack(folder, jpegs(), votes_of())
    told = "could be used: 4 files, such as .*: 60x60 pixels is smaller than the crop of 61"
    with pytest.raises(InvalidInput, match=told):
        build_from_kaggle(folder, tmp_path / "out.npz", crop=61, side=16)
    assert not (tmp_path / "out.npz").exists()


def test_an_output_that_cannot_be_is_refused_before_an_image_is_read(kaggle, tmp_path) -> None:
    def never(done: int, num_all: int) -> None:
        raise AssertionError("an image was read")

    (tmp_path / "folder.npz").mkdir()
    (tmp_path / "file").touch()
    before = sorted(tmp_path.rglob("*"))
    for out, told in {
        kaggle / f"{IMAGES}.zip": "galaxy files end in .npz",
        tmp_path / "folder.npz": "Is a directory",
        tmp_path / "file" / "g.npz": "Not a directory|File exists",
        tmp_path / ("g" * 300 + ".npz"): "File name too long",
        tmp_path / "new" / ("g" * 300) / "g.npz": "File name too long",
        tmp_path / "\0.npz": "no name for a file",
        tmp_path / "\ud800.npz": "no name for a file",
    }.items():
        with pytest.raises(InvalidInput, match=told):
            build_from_kaggle(kaggle, out, crop=32, side=16, on_progress=never)
    told = "out.npz needs 11 TiB, but the disk of .* free; take a smaller --side or another output"
    with pytest.raises(InvalidInput, match=told):
        huge = 1_000_000
        build_from_kaggle(kaggle, tmp_path / "out.npz", crop=huge, side=huge, on_progress=never)
    assert sorted(tmp_path.rglob("*")) == before


def test_an_output_that_is_read_is_refused(kaggle: Path, tmp_path: Path) -> None:
    packed_images = kaggle / f"{IMAGES}.zip"
    (tmp_path / "g.npz").hardlink_to(packed_images)
    with pytest.raises(InvalidInput, match="g.npz is the file that is read; name another output"):
        build(kaggle, tmp_path / "g.npz")


def test_an_interrupted_build_leaves_the_old_file_and_nothing_else(kaggle, tmp_path) -> None:
    out = tmp_path / "out" / "g.npz"
    build(kaggle, out)
    before = out.read_bytes()

    def interrupt(done: int, num_all: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_from_kaggle(kaggle, out, crop=32, side=32, on_progress=interrupt)
    assert list(out.parent.iterdir()) == [out] and out.read_bytes() == before
