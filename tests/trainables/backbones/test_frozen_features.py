"""Frozen features: computed once, and training on them gives the same numbers as without."""

import importlib.metadata
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from search_spaces.declaration.known_architectures import config_from_values
from tests.support.epochs import numbers_of
from tests.support.memory import Room
from trainables.backbones.frozen_features import cached_features, frozen_digest
from trainables.device.micro_batch import OutOfMemory
from trainables.files.checkpoint import load_best, save_best, save_frozen
from trainables.galaxies.galaxy_file import Galaxies
from trainables.galaxies.split import split_galaxies
from trainables.training.beginning import initial_network
from trainables.training.training_run import TrainingRun

CPU = torch.device("cpu")
STILL = {"rotation_degrees": 0, "shift_fraction": 0, "zoom_fraction": 0}
HEAD: dict[str, Any] = {
    "architecture": "timm:test_resnet",  # timm's own miniature for tests
    "weights": "none",
    "input_side": 32,
    "head_width": 16,
    "batch_size": 32,
}


@pytest.fixture
def start(toys: Galaxies, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("GALAXYTUNE_CACHE", str(tmp_path / "cache"))
    split = split_galaxies(toys, "seed")

    def begin(**values: Any) -> TrainingRun:
        return TrainingRun(config_from_values({**HEAD, **values}), toys, split, CPU)

    return begin


def numbers(run: TrainingRun, num_epochs: int = 2) -> list[list[float]]:
    for _ in range(num_epochs):
        run.run_epoch()
    return [list(report.values()) for report in numbers_of(run.reports)]


def test_numbers_are_those_of_training_without_a_cache(start) -> None:
    cached, plain = start(**STILL), start(**STILL, cache_frozen_features=False)
    np.testing.assert_allclose(numbers(cached), numbers(plain), rtol=2e-4)


def test_augmented_galaxies_are_not_cached_but_validation_is(start, tmp_path: Path) -> None:
    cached, plain = start(), start(cache_frozen_features=False)
    assert len(list((tmp_path / "cache" / "features").glob("*.npy"))) == 1
    np.testing.assert_allclose(numbers(cached, 1), numbers(plain, 1), rtol=2e-4)


@pytest.mark.parametrize("unfreeze", ["last_stage", "all"])
def test_nothing_is_cached_of_a_backbone_that_trains(unfreeze: str, start, tmp_path: Path) -> None:
    start(unfreeze=unfreeze, **STILL)
    assert not (tmp_path / "cache" / "features").exists()


def test_a_second_run_reads_what_the_first_computed(start, tmp_path: Path) -> None:
    start(**STILL)
    files = {p: p.stat().st_mtime_ns for p in (tmp_path / "cache" / "features").glob("*.npy")}
    start(**STILL, learning_rate=1e-4, head_dropout=0.3)
    assert {p: p.stat().st_mtime_ns for p in files} == files and len(files) == 2
    start(**STILL, as_published=True)
    assert len(list((tmp_path / "cache" / "features").glob("*.npy"))) == 4


def test_features_are_the_backbones_row_by_row(toys: Galaxies, start) -> None:
    config = config_from_values(HEAD)
    network = initial_network(config)
    rows = np.array([5, 3, 150])
    found = cached_features(config, network, toys, rows, CPU)
    image = torch.from_numpy(toys.images[3].copy()).permute(2, 0, 1)[None].float() / 255
    small = torch.nn.functional.interpolate(image, size=(32, 32), mode="bilinear", antialias=True)
    with torch.no_grad():
        expected = network.eval().features(small)[0].numpy()
    np.testing.assert_allclose(found[1], expected, rtol=1e-3, atol=1e-4)
    assert found.shape == (3, len(expected))


@pytest.fixture
def compute(toys: Galaxies, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A function that makes features of 150 galaxies in a room that may shrink after a batch."""
    monkeypatch.setenv("GALAXYTUNE_CACHE", str(tmp_path / "cache"))
    config = config_from_values(HEAD)

    def made(limit: int, *, later: int | None = None) -> tuple[np.ndarray, list[int]]:
        network = initial_network(config)
        backbone: torch.nn.Module = network.backbone  # type: ignore[assignment]
        room = Room(backbone, limit)
        if later is not None:
            backbone.register_forward_hook(lambda *_: setattr(room, "limit", later))
        return cached_features(config, network, toys, np.arange(150), CPU), room.seen

    return made


@pytest.mark.parametrize(
    ("limit", "later", "tried"),
    [(40, 40, [64, *4 * [32], 22]), (64, 20, [64, 64, 32, *5 * [16], 6])],
    ids=["from the first", "from the second"],
)
def test_where_memory_holds_fewer_the_features_are_the_same(
    limit: int, later: int, tried: list[int], compute, tmp_path: Path, monkeypatch
) -> None:
    expected, seen = compute(64)
    assert seen == [64, 64, 22]
    monkeypatch.setenv("GALAXYTUNE_CACHE", str(tmp_path / "another"))
    found, seen = compute(limit, later=later)
    assert seen == tried  # what went through is not computed again
    assert (found.shape, found.dtype) == ((150, 96), np.float32)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


def test_without_room_for_one_galaxy_nothing_is_left_and_nothing_is_lost(
    compute, tmp_path: Path
) -> None:
    with pytest.raises(OutOfMemory, match="^a feature batch of 64 images of 32 x 32 pixels"):
        compute(0)
    left = (tmp_path / "cache" / "features").iterdir()
    assert [path.suffix for path in left] == [".lock"]
    assert compute(64)[0].shape == (150, 96)


def test_a_disk_that_refuses_is_named_and_keeps_no_part(
    compute, small_disk: Path, monkeypatch
) -> None:
    monkeypatch.setenv("GALAXYTUNE_CACHE", str(small_disk))
    disk = os.statvfs(small_disk)
    room = 32 << 10  # one batch takes 24 KiB, all of them 56
    (small_disk / "filler").write_bytes(bytes(disk.f_bavail * disk.f_bsize - room))
    with pytest.raises(OSError, match="No space left on device") as refused:
        compute(64)
    assert refused.value.filename.endswith(".partial")
    left = (small_disk / "features").iterdir()
    assert [path.suffix for path in left] == [".lock"]


def test_the_digest_tells_one_backbone_from_another() -> None:
    values = [{"seed": 0}, {"seed": 1}, {"seed": 0, "head_width": 8}]
    digests = [frozen_digest(initial_network(config_from_values({**HEAD, **v}))) for v in values]
    assert digests[0] != digests[1] and digests[0] == digests[2]


def test_the_digest_holds_what_a_state_dict_leaves_out() -> None:
    network = initial_network(config_from_values(HEAD))
    before = frozen_digest(network)
    dict(network.named_buffers())["normalisation.deviation"] += 0.1
    assert "normalisation.deviation" not in network.state_dict()
    assert frozen_digest(network) != before


def test_another_side_or_another_version_of_a_library_is_another_key(
    toys: Galaxies, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GALAXYTUNE_CACHE", str(tmp_path))
    config = config_from_values(HEAD)
    network = initial_network(config)

    def num_files() -> int:
        cached_features(config, network, toys, np.array([1, 2]), CPU)
        return len(list((tmp_path / "features").glob("*.npy")))

    assert [num_files(), num_files()] == [1, 1]
    network.image_side = 64
    assert num_files() == 2
    for count, library in enumerate(("torch", "torchvision", "timm"), start=3):
        of = importlib.metadata.version
        monkeypatch.setattr(
            importlib.metadata,
            "version",
            lambda name, of=of, x=library: of(name) + (x == name) * "9",
        )
        assert num_files() == count


def test_checkpoints_leave_the_frozen_part_out_and_find_it_again(start, tmp_path: Path) -> None:
    run = start(**STILL)
    run.run_epoch()
    assert all(name.startswith("classifier") for name in run.best_weights)
    frozen = save_frozen(tmp_path, run.frozen_weights())
    save_best(tmp_path / "00000", run.best_weights, frozen)
    whole, expected = load_best(tmp_path / "00000"), run.network.state_dict()
    assert whole.keys() == expected.keys()
    assert all(torch.equal(whole[name], expected[name]) for name in expected)


def test_a_run_goes_on_from_its_state_as_if_never_stopped(start) -> None:
    through = start(unfreeze="last_stage")
    for _ in range(2):
        through.run_epoch()
    stopped = start(unfreeze="last_stage")
    stopped.run_epoch()
    resumed = start(unfreeze="last_stage")
    resumed.load_state(stopped.state())
    assert numbers(resumed, 1) == numbers(through, 0)
