"""A step is done in parts before memory is full, and measuring it changes no numbers."""

from collections.abc import Iterator
from typing import Any

import pytest
import torch

from search_spaces.declaration import config_from_values
from trainables.device import main_memory
from trainables.device.host_memory import keep_freed_memory
from trainables.galaxies import Galaxies, Split
from trainables.training import TrainingRun
from trainables.training.activation_memory import saved_bytes

MIB = 2**20


def run(toys: Galaxies, **values: Any) -> TrainingRun:
    config = config_from_values(
        {"architecture": "parallel_cnn", "batch_size": 32, "precision": "float32", **values}
    )
    rows = torch.arange(len(toys)).numpy()
    return TrainingRun(config, toys, Split(rows[:32], rows[32:40], rows[:0]), torch.device("cpu"))


def bound(monkeypatch: pytest.MonkeyPatch, mebibytes: float) -> None:
    """Let the machine have so much more memory than this process takes."""
    more = mebibytes * MIB + main_memory._resident_bytes()
    monkeypatch.setattr(main_memory, "memory_limit", lambda: int(more / main_memory._USABLE))


@pytest.fixture(autouse=True)
def keeping() -> Iterator[None]:
    """Leave the process's allocator as the other tests expect it."""
    yield
    keep_freed_memory()


def test_a_machine_with_room_trains_on_whole_batches(toys: Galaxies) -> None:
    assert run(toys, width=0.25).micro_batch == 32


def test_the_activations_are_counted_once_each(toys: Galaxies) -> None:
    trained = run(toys)
    batch = trained._batches.first().part(slice(0, 2))
    each = saved_bytes(trained.network, batch, torch.float32) / 2
    # 64 x 64 pixels: two maps of 64 and two of 128 channels on each of two paths, of 4 bytes
    assert 64 * 64 * 768 * 4 < each < 2 * 64 * 64 * 768 * 4


@pytest.mark.parametrize(("mebibytes", "size"), [(1000, 32), (600, 16), (430, 8), (1, 1)])
def test_a_batch_that_does_not_fit_is_halved_before_the_first_step(
    mebibytes: int, size: int, toys: Galaxies, monkeypatch: pytest.MonkeyPatch
) -> None:
    bound(monkeypatch, mebibytes)
    assert run(toys).micro_batch == size


def test_measuring_changes_neither_weights_nor_statistics_nor_chance(toys: Galaxies) -> None:
    trained = run(toys, width=0.25)
    state = {name: tensor.clone() for name, tensor in trained.network.state_dict().items()}
    chance = torch.get_rng_state()
    saved_bytes(trained.network, trained._batches.first().part(slice(0, 2)), torch.float32)
    assert torch.equal(torch.get_rng_state(), chance)
    found = trained.network.state_dict()
    assert all(torch.equal(found[name], tensor) for name, tensor in state.items())


@pytest.mark.slow
def test_the_report_tells_the_parts(toys: Galaxies, monkeypatch: pytest.MonkeyPatch) -> None:
    bound(monkeypatch, 20)
    trained = run(toys, width=0.25)
    size = trained.micro_batch
    assert size < 32 and trained.run_epoch().micro_batch == size
