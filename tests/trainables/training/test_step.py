"""Steps: a batch that memory does not hold goes through in parts, to the whole one's numbers."""

import gc
import weakref
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from search_spaces.declaration import WorkFailed, config_from_values
from tests.support.epochs import numbers_of
from tests.support.memory import FailsOnce, Room, gpu_is_full, host_is_full
from trainables.device.micro_batch import OutOfMemory
from trainables.galaxies.galaxy_file import Galaxies
from trainables.galaxies.split import Split, split_galaxies
from trainables.training.training_run import TrainingRun

CPU = torch.device("cpu")
EXACT: dict[str, Any] = {"precision": "float32"}  # bfloat16 would hide what is compared here
SIMPLE: dict[str, Any] = {"architecture": "simple_cnn", "width": 0.1, "batch_size": 16, **EXACT}
PARALLEL: dict[str, Any] = {
    "architecture": "parallel_cnn",
    "width": 0.03,
    "batch_size": 64,
    "convolution_dropout": 0.0,
    "dense_dropout": 0.0,
    **EXACT,
}
HEAD: dict[str, Any] = {
    "architecture": "timm:test_resnet",  # timm's own miniature for tests
    "weights": "none",
    "input_side": 32,
    "head_width": 16,
    "head_dropout": 0.0,
    "batch_size": 16,
    **EXACT,
}
STILL = {"rotation_degrees": 0, "shift_fraction": 0, "zoom_fraction": 0}
Start = Callable[..., TrainingRun]


@pytest.fixture(scope="module")
def split(toys: Galaxies) -> Split:
    whole = split_galaxies(toys, "seed")
    return replace(whole, training=whole.training[:37])  # batches of 16, 16 and 5


@pytest.fixture
def start(toys: Galaxies, split: Split) -> Start:
    def begin(base: dict[str, Any], num_galaxies: int = 37, **values: Any) -> TrainingRun:
        rows = replace(split, training=split.training[:num_galaxies])
        return TrainingRun(config_from_values({**base, **values}), toys, rows, CPU)

    return begin


def gradients(run: TrainingRun) -> dict[str, Tensor]:
    return {n: p.grad for n, p in run.network.named_parameters() if p.grad is not None}


def same_numbers(run: TrainingRun, expected: TrainingRun, rtol: float = 1e-5) -> None:
    """Parameters within float noise of their size, reports but for seconds and micro-batch."""
    wanted = expected.network.state_dict()
    for name, tensor in run.network.state_dict().items():
        atol = 1e-6 * float(wanted[name].abs().max())
        torch.testing.assert_close(tensor, wanted[name], rtol=rtol, atol=atol, msg=name)
    found = numbers_of(run.reports, "micro_batch")
    for numbers, report in zip(found, numbers_of(expected.reports, "micro_batch"), strict=True):
        assert numbers == pytest.approx(report, rel=1e-5)


@pytest.mark.parametrize("when_full", [gpu_is_full, host_is_full])
def test_a_cramped_epoch_gives_the_numbers_of_a_roomy_one(
    when_full: Callable[[], None], start: Start
) -> None:
    roomy, cramped = start(SIMPLE), start(SIMPLE)
    Room(cramped.network, 5, when_full)
    for run in (roomy, cramped):
        run.run_epoch()
    assert (roomy.micro_batch, cramped.micro_batch) == (16, 4)
    same_numbers(cramped, roomy)


def test_the_gradient_of_a_ragged_batch_is_that_of_the_whole(start: Start) -> None:
    roomy, cramped = start(SIMPLE, num_galaxies=11), start(SIMPLE, num_galaxies=11)
    Room(cramped.network, 4)
    for run in (roomy, cramped):
        run.run_epoch()
    assert cramped.micro_batch == 5  # in parts of 3, 4 and 4
    for name, gradient in gradients(roomy).items():
        size = float(gradient.abs().max())
        torch.testing.assert_close(
            gradients(cramped)[name], gradient, rtol=1e-5, atol=1e-6 * size, msg=name
        )


def test_a_batch_is_halved_once_and_stays_so(start: Start) -> None:
    run = start(SIMPLE)
    room = Room(run.network, 5)
    run.run_epoch()
    training = [16, 8, 4, 4, 4, 4] + 4 * [4] + [2, 3]
    assert room.seen[: len(training)] == training
    assert room.seen[len(training) :] == [32, 16, 8] + 8 * [4]  # 32 galaxies to validate
    del room.seen[:]
    run.run_epoch()
    assert max(room.seen) == 4


def test_a_later_shortage_halves_again(start: Start) -> None:
    roomy, cramped = start(SIMPLE), start(SIMPLE)
    room = Room(cramped.network, 8)
    for limit in (8, 3, 1):
        room.limit = limit
        cramped.run_epoch()
        roomy.run_epoch()
    assert [report.micro_batch for report in cramped.reports] == [8, 2, 1]
    same_numbers(cramped, roomy, rtol=1e-4)


def test_parts_of_two_epochs_agree_where_dropout_is_none_and_adamw_decays(start: Start) -> None:
    values = {"optimizer": "adamw", "schedule": "cosine", "constraint_coefficient": 0.05}
    roomy, cramped = start(SIMPLE, **values), start(SIMPLE, **values)
    Room(cramped.network, 5)
    for run in (roomy, roomy, cramped, cramped):
        run.run_epoch()
    same_numbers(cramped, roomy, rtol=1e-4)


@pytest.mark.parametrize("at_pass", [1, 3])  # of whole batches; see the next test for parts
def test_a_shortage_in_the_backward_pass_leaks_no_gradient(at_pass: int, start: Start) -> None:
    roomy, cramped = start(SIMPLE), start(SIMPLE)
    FailsOnce(cramped.network.convolutions[1], at_pass)  # type: ignore[index, arg-type]
    for run in (roomy, cramped):
        run.run_epoch()
    assert cramped.micro_batch == {1: 8, 3: 2}[at_pass]  # the third batch has 5 galaxies
    same_numbers(cramped, roomy)


def test_a_shortage_in_the_second_part_leaks_no_gradient_of_the_first(start: Start) -> None:
    roomy, cramped = start(SIMPLE), start(SIMPLE)
    Room(cramped.network, 8)
    FailsOnce(cramped.network.convolutions[1], 2)  # type: ignore[index, arg-type]
    for run in (roomy, cramped):
        run.run_epoch()
    assert cramped.micro_batch == 4
    same_numbers(cramped, roomy)


def without_batch_norm(run: TrainingRun) -> TrainingRun:
    for module in list(run.network.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.BatchNorm2d):
                setattr(module, name, nn.Identity())
    return run


def test_regularisation_counts_once_among_other_gradients(start: Start) -> None:
    roomy, cramped = (without_batch_norm(start(PARALLEL, kernel_l2=0.1)) for _ in range(2))
    Room(cramped.network, 5)
    for run in (roomy, cramped):
        run.run_epoch()  # one batch of 37 galaxies
    assert cramped.micro_batch == 4
    for name, gradient in gradients(roomy).items():
        size = float(gradient.abs().max())
        torch.testing.assert_close(
            gradients(cramped)[name], gradient, rtol=1e-4, atol=1e-5 * size, msg=name
        )
    assert cramped.reports[0].train_loss == pytest.approx(roomy.reports[0].train_loss)


def test_regularisation_of_a_network_with_batch_norm_adds_twice_its_kernel(start: Start) -> None:
    free, bound = start(PARALLEL, kernel_l2=0.0), start(PARALLEL, kernel_l2=0.5)
    kernels = {n: p.detach().clone() for n, p in bound.network.named_parameters()}
    for run in (free, bound):
        Room(run.network, 10)
        run.run_epoch()
    for name in [f"dense.{i}.weight" for i in range(3)]:
        added = gradients(bound)[name] - gradients(free)[name]
        torch.testing.assert_close(added, 2 * 0.5 * kernels[name], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("values", [STILL, {}], ids=["cached training", "cached validation"])
def test_a_head_on_frozen_features_is_cramped_to_the_same_numbers(
    values: dict[str, Any], start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GALAXYTUNE_CACHE", str(tmp_path / "cache"))
    roomy, cramped = start(HEAD, **values), start(HEAD, **values)
    room = Room(cramped.network.classifier, 5)  # type: ignore[arg-type]
    for run in (roomy, roomy, cramped, cramped):
        run.run_epoch()
    assert cramped.micro_batch == 4 and max(room.seen[-8:]) <= 4
    same_numbers(cramped, roomy, rtol=1e-4)


def test_no_room_for_one_galaxy_says_what_did_not_fit_and_what_to_set(start: Start) -> None:
    run = start(SIMPLE)
    room = Room(run.network, 0)
    with pytest.raises(OutOfMemory) as raised:
        run.run_epoch()
    assert room.seen == [16, 8, 4, 2, 1]
    message = str(raised.value)
    assert message.startswith("a training batch of 16 images of 64 x 64 pixels does not fit")
    assert "input_side" in message and "gpus_per_trial" in message
    assert message.endswith("CUDA out of memory. Tried to allocate 2.00 GiB.")
    assert run.reports == [] and gradients(run) == {}


def test_gradients_are_let_go_of_though_no_attempt_follows(start: Start) -> None:
    run = start(SIMPLE)
    first: nn.Module = run.network.convolutions[1]  # type: ignore[index, assignment]
    first.register_full_backward_hook(lambda *_: gpu_is_full())
    with pytest.raises(OutOfMemory):
        run.run_epoch()
    assert gradients(run) == {}  # the layers above had theirs


def test_a_network_that_does_not_fit_is_no_matter_of_batches(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nn.Module, "to", lambda *_, **__: gpu_is_full())
    with pytest.raises(
        OutOfMemory, match="^a network of simple_cnn does not fit in memory at any batch"
    ):
        start(SIMPLE)


def test_other_errors_pass_unchanged_and_halve_nothing(start: Start) -> None:
    run = start(SIMPLE)

    def break_down() -> None:
        raise RuntimeError("shapes cannot be multiplied")

    Room(run.network, 0, break_down)
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied") as raised:
        run.run_epoch()
    assert not isinstance(raised.value, OutOfMemory) and run.micro_batch == 16


def test_an_optimiser_that_does_not_fit_is_no_matter_of_batches(start: Start) -> None:
    run = start(SIMPLE)
    run.optimiser.register_step_pre_hook(lambda *_: gpu_is_full())
    with pytest.raises(
        OutOfMemory, match="^the optimiser's step does not fit in memory at any batch"
    ):
        run.run_epoch()
    assert run.micro_batch == 16


@pytest.mark.parametrize("limit", [5, 16])
def test_a_failed_attempt_lets_go_of_all_it_held(limit: int, start: Start) -> None:
    run = start(SIMPLE)
    held: list[weakref.ref[Tensor]] = []
    alive_before: list[int] = []
    dense: nn.Module = run.network.dense  # type: ignore[assignment]

    def begin(module: nn.Module, inputs: tuple[Tensor]) -> None:
        alive_before.append(sum(tensor() is not None for tensor in held))
        held.append(weakref.ref(inputs[0]))

    run.network.register_forward_pre_hook(begin)
    dense.register_forward_hook(lambda module, inputs, output: held.append(weakref.ref(output)))
    Room(dense, limit)
    FailsOnce(dense, 2)
    gc.disable()
    try:
        run.run_epoch()
    finally:
        gc.enable()
    assert run.micro_batch == (2 if limit == 5 else 8)
    assert not any(alive_before)


@pytest.mark.slow
def test_batch_norm_on_a_single_value_says_what_to_set(start: Start) -> None:
    alone = {"architecture": "resnet50", "weights": "none", "unfreeze": "all", "batch_size": 4}
    run = start(alone, num_galaxies=5, input_side=32)  # batches of 4 and 1; maps of one pixel
    with pytest.raises(WorkFailed, match="BatchNorm cannot train on 1 galaxy .* batch_size"):
        run.run_epoch()
