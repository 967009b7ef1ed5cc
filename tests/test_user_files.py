"""Files of a person's: whatever is wrong with one is InvalidInput, in one line that names it."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from analysis.records import read_records
from analysis.statistics.galaxy_file_check import check_galaxy_file
from search_spaces.declaration import InvalidInput, config_from_values, read_yaml
from tests.support.damaged_files import (
    Make,
    csv,
    cut_short,
    galaxy_arrays,
    jpeg,
    nothing,
    npz,
    pickled,
    pickled_by_an_older_torch,
    png,
    target_with,
    tensors,
    votes,
    words,
    write,
)
from trainables.architectures import check_network
from trainables.backbones.weight_files import read_state
from trainables.files import load_weights, read_json_lines
from trainables.galaxies import open_galaxies
from trainables.galaxies.galaxy_file import fingerprint
from trainables.galaxies.image_files import fitted_image, read_image
from trainables.galaxies.kaggle import build_from_kaggle
from trainables.galaxies.kaggle_places import IMAGES, SOLUTIONS
from trainables.galaxies.kaggle_solutions import read_solutions

Read = Callable[[Path], object]


READERS: dict[str, tuple[str, list[Read], dict[str, Make]]] = {
    "galaxy file": (
        "galaxies.npz",
        [open_galaxies, check_galaxy_file],
        {
            "empty": nothing,
            "no zip": words,
            "truncated": cut_short(npz, 0.5),
            "images of another type": lambda p: npz(p, images=np.zeros((12, 16, 16, 3))),
            "images of another shape": lambda p: npz(p, images=np.zeros((12, 16), np.uint8)),
            "votes of another type": lambda p: npz(p, target=np.zeros((12, 37), int)),
            "votes of another shape": lambda p: npz(p, target=np.zeros((12, 36), np.float32)),
            "a vote that is NaN": lambda p: npz(p, target=target_with(np.nan)),
            "a vote above 1": lambda p: npz(p, target=target_with(1.5)),
            "no votes": lambda p: np.savez(p, images=galaxy_arrays()["images"]),
            "ids that are no numbers": lambda p: npz(p, ids=np.array(["a"] * 12)),
            "Python objects": lambda p: np.savez(p, **galaxy_arrays(target=np.array([None] * 12))),
        },
    ),
    "fingerprint": (
        "galaxies.npz",
        [fingerprint],
        {"empty": nothing, "no zip": words, "truncated": cut_short(npz, 0.9)},
    ),
    "Kaggle's votes": (
        f"{SOLUTIONS}.csv",
        [read_solutions],
        {
            "empty": nothing,
            "no text": words,
            "no table": lambda p: write(p, 'a,"b\n1,2,3\n4'),
            "a column lacks": lambda p: csv(p, votes().drop(columns="Class3.1")),
            "a vote that is no number": lambda p: csv(p, votes(**{"Class1.1": "much"})),
            "a vote that lacks": lambda p: csv(p, votes(**{"Class1.1": ""})),
            "a galaxy named twice": lambda p: csv(p, votes(GalaxyID=2)),
            "an id that is no number": lambda p: csv(p, votes(GalaxyID="first")),
            "an id that lacks": lambda p: csv(p, votes(GalaxyID="")),
            "an id between two": lambda p: csv(p, votes(GalaxyID=1.5)),
        },
    ),
    "weights by pickle": (
        "weights.pth",
        [read_state],
        {
            "empty": nothing,
            "no weights": words,
            "truncated": cut_short(pickled, 0.5),
            "almost whole": cut_short(pickled, 0.99),
            "no tensors": lambda p: torch.save([1, 2], p),
            "texts alone": lambda p: torch.save({"a": "b", "c": {"d": 1}}, p),
            "Python's own objects": lambda p: torch.save({"a": np.random.default_rng()}, p),
        },
    ),
    "weights by safetensors": (
        "weights.safetensors",
        [read_state, load_weights],
        {
            "empty": nothing,
            "no weights": words,
            "truncated": cut_short(tensors, 0.5),
            "almost whole": cut_short(tensors, 0.999),
        },
    ),
    "YAML": (
        "config.yaml",
        [read_yaml],
        {
            "no text": words,
            "not YAML": lambda p: write(p, "a: ["),
            "a date that is none": lambda p: write(p, "a: 2026-13-01"),
            "a list": lambda p: write(p, "- 1"),
            "empty": nothing,
        },
    ),
    "records": (
        "trials.jsonl",
        [read_records],
        {
            "not JSON": lambda p: write(p, "{\n{}\n"),
            "no record": lambda p: write(p, "{}\n"),
            "a list": lambda p: write(p, "[1]\n"),
            "no text": lambda p: write(p, b"\xff\xfe\n"),
            "no object": lambda p: write(p, "3\n"),
        },
    ),
    "JSON lines": (
        "lines.jsonl",
        [read_json_lines],
        {"not JSON": lambda p: write(p, "{\n{}\n"), "no text": lambda p: write(p, b"\xff\n{}\n")},
    ),
}


CASES = [
    pytest.param(file, read, make, id=f"{kind}, {read.__name__}: {wrong}")
    for kind, (file, readers, damages) in READERS.items()
    for read in readers
    for wrong, make in damages.items()
]


@pytest.mark.parametrize(("file", "read", "make"), CASES)
def test_a_file_that_is_wrong_is_named_in_one_line(
    file: str, read: Read, make: Make, tmp_path: Path
) -> None:
    make(tmp_path / file)
    with pytest.raises(InvalidInput) as error:
        read(tmp_path / file)
    assert file in str(error.value) and "\n" not in str(error.value)


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize("make", [pickled, pickled_by_an_older_torch])
def test_no_flipped_byte_of_a_weight_file_brings_a_traceback(make: Make, tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    make(path)
    whole, chance = path.read_bytes(), np.random.default_rng(0)
    refused = 0
    for place in chance.choice(len(whole), 300, replace=False):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :])
        try:
            read_state(path)
        except InvalidInput as error:
            refused += 1
            assert str(path) in str(error) and "\n" not in str(error)
    assert refused > 50


@pytest.mark.parametrize(
    "make",
    [nothing, words, *(cut_short(image, share) for image in (jpeg, png) for share in (0.1, 0.6))],
)
def test_an_image_that_is_damaged_is_not_readable(make: Make, tmp_path: Path) -> None:
    make(tmp_path / "galaxy.png")
    with pytest.raises(InvalidInput, match="^not a readable image ") as error:
        read_image(tmp_path / "galaxy.png", crop=64, side=64)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((64, 64), np.uint8),
        np.zeros((64, 64, 4), np.uint8),
        np.zeros((64, 64, 3)),
        np.zeros((40, 64, 3), np.uint8),
    ],
)
def test_pixels_that_are_no_image_are_refused(pixels: np.ndarray) -> None:
    with pytest.raises(InvalidInput, match="must be uint8|smaller than the crop of 50"):
        fitted_image(pixels, crop=50, side=32)


@pytest.mark.parametrize("name", ["weights.pth", "weights.safetensors", "weights.bin", "imagnet"])
@pytest.mark.parametrize("architecture", ["resnet50", "timm:test_resnet"])
def test_weights_that_are_not_there_are_refused_before_anything_runs(
    architecture: str, name: str, tmp_path: Path
) -> None:
    weights = name if name == "imagnet" else str(tmp_path / name)
    config = config_from_values({"architecture": architecture, "weights": weights})
    with pytest.raises(InvalidInput, match="no weight file|weights must be imagenet, none or"):
        check_network(config)


def test_a_damaged_zip_of_kaggles_is_named_in_one_line(tmp_path: Path) -> None:
    csv(tmp_path / f"{SOLUTIONS}.csv", votes())
    for content in (b"", b"PK", b"no zip" * 99):
        (tmp_path / f"{IMAGES}.zip").write_bytes(content)
        with pytest.raises(InvalidInput, match=f"{IMAGES}.zip is not a whole zip") as error:
            build_from_kaggle(tmp_path, tmp_path / "out.npz")
        assert "\n" not in str(error.value)
