"""Precision: bfloat16 in the passes, float32 in the weights, and nothing else changed by it."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from search_spaces.declaration.known_architectures import config_from_values
from trainables.device.precision import computed_in, is_faster_in_bfloat16, training_precision
from trainables.galaxies.galaxy_file import Galaxies
from trainables.galaxies.split import split_galaxies
from trainables.training.training_run import TrainingRun

CPU = torch.device("cpu")
SIMPLE = {"architecture": "simple_cnn", "width": 0.1, "batch_size": 32}
PARALLEL = SIMPLE | {"architecture": "parallel_cnn", "width": 0.03}
TRANSFORMER = SIMPLE | {"architecture": "vision_transformer", "depth": 2}
everywhere = pytest.mark.parametrize("values", [SIMPLE, PARALLEL, TRANSFORMER])


def begin(toys: Galaxies, values: dict[str, Any], precision: str) -> TrainingRun:
    config = config_from_values({**values, "precision": precision})
    return TrainingRun(config, toys, split_galaxies(toys, "seed"), CPU)


def seen_types(run: TrainingRun) -> set[torch.dtype]:
    """Types of what the convolutions and hidden dense layers return while an epoch is trained."""
    found = set()

    def note(module: nn.Module, _: object, output: Tensor) -> None:
        if module.training:
            found.add(output.dtype)

    for name, module in run.network.named_modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)) and name != "output":
            module.register_forward_hook(note)
    run.run_epoch()
    return found


@pytest.mark.slow
@everywhere
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_layers_compute_in_what_was_asked_for(
    values: dict[str, Any], precision: str, toys: Galaxies
) -> None:
    assert seen_types(begin(toys, values, precision)) == {getattr(torch, precision)}


@pytest.mark.slow
@everywhere
def test_weights_moments_and_votes_are_float32(values: dict[str, Any], toys: Galaxies) -> None:
    run = begin(toys, values, "bfloat16")
    votes = []
    run.network.register_forward_hook(lambda _, __, output: votes.append(output.dtype))
    run.run_epoch()
    state: dict[int, dict[str, Tensor]] = run.optimiser.state_dict()["state"]
    moments = [tensor for one in state.values() for tensor in one.values()]
    weights = [t for t in run.network.state_dict().values() if t.is_floating_point()]
    assert {t.dtype for t in [*weights, *moments]} == {torch.float32} == set(votes)


@pytest.mark.slow
@everywhere
def test_an_epoch_in_bfloat16_ends_near_one_in_float32(
    values: dict[str, Any], toys: Galaxies
) -> None:
    low, full = (begin(toys, values, p) for p in ("bfloat16", "float32"))
    found, expected = low.run_epoch(), full.run_epoch()
    assert found.train_rmse != expected.train_rmse
    assert found.train_rmse == pytest.approx(expected.train_rmse, rel=0.02)
    assert found.val_rmse == pytest.approx(expected.val_rmse, rel=0.02)


def test_auto_takes_what_the_device_computes_itself() -> None:
    chosen = {p: training_precision(config_from_values({**SIMPLE, "precision": p}), CPU)
              for p in ("auto", "float32", "bfloat16")}  # fmt: skip
    native = torch.bfloat16 if is_faster_in_bfloat16(CPU) else torch.float32
    assert chosen == {"auto": native, "float32": torch.float32, "bfloat16": torch.bfloat16}
    assert config_from_values(SIMPLE).precision == "auto"


def test_float32_is_left_alone() -> None:
    images = torch.rand(2, 3, 8, 8)
    layer = nn.Conv2d(3, 4, 3)
    with computed_in(torch.float32, CPU):
        within = layer(images)
    assert torch.equal(within, layer(images))


def test_validation_is_that_of_the_float32_weights(toys: Galaxies) -> None:
    run = begin(toys, SIMPLE, "bfloat16")
    report = run.run_epoch()
    rows = run.split.validation
    pixels = torch.from_numpy(toys.images[rows]).permute(0, 3, 1, 2) / 255
    with torch.no_grad():
        votes = run.network.double()(pixels.double()).numpy()
    exact = np.sqrt(np.mean((votes - toys.target[rows]) ** 2))
    assert report.val_rmse == pytest.approx(float(exact), rel=1e-5)
