"""A trial as Ray Tune runs the trial: what Tune is told where memory is short."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_pre_hook

from tests.support.memory import gpu_is_full
from trainables.architectures.simple_cnn import SimpleCNN
from trainables.backbones import FeatureMap
from trainables.galaxies.galaxy_file import Galaxies, open_galaxies
from trainables.galaxies.split import Split, save_split, split_galaxies
from trainables.trial.task import TrialTask
from trainables.trial.tune_trainable import run_trial

CPU = torch.device("cpu")
EXACT: dict[str, Any] = {"precision": "float32"}  # bfloat16 would hide what is compared here
SIMPLE: dict[str, Any] = {"architecture": "simple_cnn", "width": 0.1, "batch_size": 16, **EXACT}
HEAD: dict[str, Any] = {
    "architecture": "timm:test_resnet",  # timm's own miniature for tests
    "weights": "none",
    "input_side": 32,
    "head_width": 16,
    "head_dropout": 0.0,
    "batch_size": 16,
    **EXACT,
}


@pytest.fixture(scope="module")
def split(toys: Galaxies) -> Split:
    whole = split_galaxies(toys, "seed")
    return replace(whole, training=whole.training[:37])  # batches of 16, 16 and 5


@pytest.fixture
def reported(
    toy_npz: Path, split: Split, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[int], list[dict[str, Any]]]]:
    """A function that runs a trial, in room for so many galaxies; returns what Tune is told.

    The room is that of modules of one class.
    """
    told: list[dict[str, Any]] = []
    monkeypatch.setattr("ray.tune.report", told.append)
    save_split(tmp_path / "split.npz", split, open_galaxies(toy_npz).ids)
    task = TrialTask(
        trial_id="00000",
        config={},
        data=str(toy_npz),
        split=str(tmp_path / "split.npz"),
        checkpoints=str(tmp_path / "checkpoints" / "00000"),
        num_threads=1,
        uses_gpu=False,
    )

    def run(
        limit: int, within: type[nn.Module] = SimpleCNN, config: dict[str, Any] = SIMPLE
    ) -> list[dict[str, Any]]:
        def enter(module: nn.Module, inputs: tuple[Tensor]) -> None:
            images = inputs[0]
            if isinstance(module, within) and len(images) > limit and images.any():
                gpu_is_full()  # but not for the black image that a backbone is tried on

        told.clear()
        with register_module_forward_pre_hook(enter):
            run_trial({"task": replace(task, config={**config, "epochs": 2})})
        return list(told)

    threads = torch.get_num_threads()
    yield run
    torch.set_num_threads(threads)


def test_a_trial_reports_its_micro_batch_and_again_when_it_is_resumed(reported) -> None:
    first = reported(5)
    assert [(r["epoch"], r["micro_batch"]) for r in first] == [(1, 4), (2, 4)]
    assert reported(5) == first


def test_a_trial_without_room_fails_with_the_reason(reported) -> None:
    (report,) = reported(0)
    assert report["epoch"] == 1
    assert report["failure"].startswith("a training batch of 16 images of 64 x 64 pixels")


def test_a_trial_without_room_for_one_galaxys_features_fails_with_the_reason(
    reported, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GALAXYTUNE_CACHE", str(tmp_path / "cache"))
    (report,) = reported(0, FeatureMap, HEAD)
    assert report["epoch"] == 1
    assert report["failure"].startswith("a feature batch of 64 images of 32 x 32 pixels does not")
