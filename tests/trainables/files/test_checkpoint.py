"""Checkpoints: whole or as they were before, and of a damaged file told in one line."""

import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from search_spaces.declaration import InvalidInput
from tests.support.memory import gpu_is_full, host_is_full
from trainables.files.checkpoint import (
    BEST,
    LAST,
    frozen_name,
    load_best,
    load_state,
    load_weights,
    save_best,
    save_frozen,
    save_state,
    save_weights,
)

CPU = torch.device("cpu")
STATE: dict[str, Any] = {"network": {"weight": torch.arange(6.0)}, "history": [{"epoch": 1}]}
WEIGHTS: dict[str, Tensor] = {"a": torch.rand(3, 4), "b": torch.arange(5)}


def test_a_state_is_loaded_as_it_was_saved(tmp_path: Path) -> None:
    save_state(tmp_path, STATE)
    state = load_state(tmp_path, CPU)
    assert state is not None and state["history"] == STATE["history"]
    assert torch.equal(state["network"]["weight"], STATE["network"]["weight"])


def test_a_folder_without_checkpoint_has_no_state(tmp_path: Path) -> None:
    assert load_state(tmp_path / "nowhere", CPU) is None


def test_checkpoints_are_replaced_whole(tmp_path: Path) -> None:
    save_state(tmp_path, STATE)
    with pytest.raises((AttributeError, pickle.PicklingError)):
        save_state(tmp_path, {"network": lambda: None})  # what torch cannot save
    assert [path.name for path in tmp_path.iterdir()] == [LAST]
    assert load_state(tmp_path, CPU) is not None


@pytest.mark.parametrize("size", [6, 20_000])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.95])
def test_a_damaged_state_is_put_aside(share: float, size: int, tmp_path: Path) -> None:
    save_state(tmp_path, {"network": torch.zeros(size)})
    content = (tmp_path / LAST).read_bytes()
    (tmp_path / LAST).write_bytes(content[: int(share * len(content))])
    assert load_state(tmp_path, CPU) is None
    assert [path.name for path in tmp_path.iterdir()] == [f"{LAST}.damaged"]


def test_weights_survive_safetensors_and_a_torn_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    save_weights(path, WEIGHTS)
    loaded = load_weights(path)
    assert all(torch.equal(loaded[name], tensor) for name, tensor in WEIGHTS.items())
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(InvalidInput, match="w.safetensors is not a whole safetensors file"):
        load_weights(path)


def test_best_weights_find_the_frozen_part_that_they_belong_to(tmp_path: Path) -> None:
    frozen = save_frozen(tmp_path, {"backbone": torch.ones(4)})
    assert frozen is not None and frozen == save_frozen(tmp_path, {"backbone": torch.ones(4)})
    assert save_frozen(tmp_path, {}) is None
    save_best(tmp_path / "00000", WEIGHTS, frozen)
    save_best(tmp_path / "00001", WEIGHTS, None)
    assert (tmp_path / "00000" / BEST).exists()
    assert frozen_name(tmp_path / "00000") == frozen and frozen_name(tmp_path / "00001") is None
    assert set(load_best(tmp_path / "00000")) == {"backbone", *WEIGHTS}
    assert set(load_best(tmp_path / "00001")) == set(WEIGHTS)


def test_a_shortage_of_memory_puts_no_state_aside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_state(tmp_path, STATE)
    monkeypatch.setattr(torch, "load", lambda *_, **__: host_is_full())
    with pytest.raises(RuntimeError, match="DefaultCPUAllocator"):
        load_state(tmp_path, CPU)
    assert [path.name for path in tmp_path.iterdir()] == [LAST]


def test_weights_that_share_memory_are_written_each_in_full(tmp_path: Path) -> None:
    shared = torch.arange(6.0)
    save_weights(tmp_path / "w.safetensors", {"a": shared, "b": shared, "c": shared[2:]})
    loaded = load_weights(tmp_path / "w.safetensors")
    assert torch.equal(loaded["b"], shared) and torch.equal(loaded["c"], shared[2:])


def test_a_fault_of_the_gpu_is_no_fault_of_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch, "save", lambda *_: gpu_is_full())
    with pytest.raises(torch.OutOfMemoryError):
        save_state(tmp_path, STATE)


def test_the_frozen_name_of_a_damaged_file_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / BEST).write_bytes(b"no header")
    with pytest.raises(InvalidInput, match="is not a whole safetensors file"):
        frozen_name(tmp_path)
