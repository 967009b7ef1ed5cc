"""Out of memory: a batch goes through in parts, to the numbers of the whole one."""

import gc
import weakref
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_pre_hook

from search_spaces import config_from_values
from trainables.architectures.simple_cnn import SimpleCNN
from trainables.architectures.timm import FeatureMap
from trainables.augmentation import Augmentation
from trainables.checkpoint import load_state, save_state
from trainables.galaxies.galaxy_file import Galaxies, open_galaxies
from trainables.galaxies.split import Split, save_split, split_galaxies
from trainables.image_batches import moved
from trainables.micro_batch import OutOfMemory, even_slices, is_out_of_memory
from trainables.prediction import predict, prediction_batch
from trainables.training import TrainingRun
from trainables.trial import TrialTask, run_trial

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


class Room:
    """Memory in which a module handles at most so many galaxies at once; `seen` are all tried."""

    def __init__(self, module: nn.Module, limit: int, when_full: Callable[[], None]) -> None:
        self.limit, self.when_full = limit, when_full
        self.seen: list[int] = []
        module.register_forward_pre_hook(self._enter)

    def _enter(self, module: nn.Module, inputs: tuple[Tensor]) -> None:
        self.seen.append(len(inputs[0]))
        if len(inputs[0]) > self.limit:
            self.when_full()


def gpu_is_full() -> None:
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.\nMore words.")


def host_is_full() -> None:
    torch.empty(1 << 50)  # a petabyte: the allocator of main memory refuses


def cramp(run: TrainingRun, limit: int, when_full: Callable[[], None] = gpu_is_full) -> Room:
    return Room(run.network, limit, when_full)


def gradients(run: TrainingRun) -> dict[str, Tensor]:
    return {n: p.grad for n, p in run.network.named_parameters() if p.grad is not None}


def same_numbers(run: TrainingRun, expected: TrainingRun, rtol: float = 1e-5) -> None:
    """Parameters within float noise of their size, reports but for the seconds."""
    wanted = expected.network.state_dict()
    for name, tensor in run.network.state_dict().items():
        atol = 1e-6 * float(wanted[name].abs().max())
        torch.testing.assert_close(tensor, wanted[name], rtol=rtol, atol=atol, msg=name)
    for found, report in zip(run.history, expected.history, strict=True):
        numbers = {k: v for k, v in report.items() if k != "seconds"}
        assert {k: found[k] for k in numbers} == pytest.approx(numbers, rel=1e-5)


@pytest.mark.parametrize("when_full", [gpu_is_full, host_is_full])
def test_a_cramped_epoch_gives_the_numbers_of_a_roomy_one(
    when_full: Callable[[], None], start: Start
) -> None:
    roomy, cramped = start(SIMPLE), start(SIMPLE)
    cramp(cramped, 5, when_full)
    for run in (roomy, cramped):
        run.run_epoch()
    assert (roomy.micro_batch, cramped.micro_batch) == (16, 4)
    same_numbers(cramped, roomy)


def test_the_gradient_of_a_ragged_batch_is_that_of_the_whole(start: Start) -> None:
    roomy, cramped = start(SIMPLE, num_galaxies=11), start(SIMPLE, num_galaxies=11)
    cramp(cramped, 4)
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
    room = cramp(run, 5)
    run.run_epoch()
    training = [16, 8, 4, 4, 4, 4] + 4 * [4] + [2, 3]
    assert room.seen[: len(training)] == training
    assert room.seen[len(training) :] == [32, 16, 8] + 8 * [4]  # 32 galaxies to validate
    del room.seen[:]
    run.run_epoch()
    assert max(room.seen) == 4


def test_a_later_shortage_halves_again(start: Start) -> None:
    roomy, cramped = start(SIMPLE), start(SIMPLE)
    room = cramp(cramped, 8)
    for limit in (8, 3, 1):
        room.limit = limit
        cramped.run_epoch()
        roomy.run_epoch()
    assert [report["micro_batch"] for report in cramped.reports] == [8, 2, 1]
    same_numbers(cramped, roomy, rtol=1e-4)


def test_parts_of_two_epochs_agree_where_dropout_is_none_and_adamw_decays(start: Start) -> None:
    values = {"optimizer": "adamw", "schedule": "cosine", "constraint_coefficient": 0.05}
    roomy, cramped = start(SIMPLE, **values), start(SIMPLE, **values)
    cramp(cramped, 5)
    for run in (roomy, roomy, cramped, cramped):
        run.run_epoch()
    same_numbers(cramped, roomy, rtol=1e-4)


class FailsOnce:
    """Memory that runs out at one backward pass, when the gradients are half computed."""

    def __init__(self, module: nn.Module, at_pass: int) -> None:
        self.at_pass, self.passes = at_pass, 0
        module.register_full_backward_hook(self._leave)

    def _leave(self, module: nn.Module, *gradients: Any) -> None:
        self.passes += 1
        if self.passes == self.at_pass:
            gpu_is_full()


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
    cramp(cramped, 8)
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
    cramp(cramped, 5)
    for run in (roomy, cramped):
        run.run_epoch()  # one batch of 37 galaxies
    assert cramped.micro_batch == 4
    for name, gradient in gradients(roomy).items():
        size = float(gradient.abs().max())
        torch.testing.assert_close(
            gradients(cramped)[name], gradient, rtol=1e-4, atol=1e-5 * size, msg=name
        )
    assert cramped.history[0]["train_loss"] == pytest.approx(roomy.history[0]["train_loss"])


def test_regularisation_of_a_network_with_batch_norm_adds_twice_its_kernel(start: Start) -> None:
    free, bound = start(PARALLEL, kernel_l2=0.0), start(PARALLEL, kernel_l2=0.5)
    kernels = {n: p.detach().clone() for n, p in bound.network.named_parameters()}
    for run in (free, bound):
        cramp(run, 10)
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
    room = Room(cramped.network.classifier, 5, gpu_is_full)  # type: ignore[arg-type]
    for run in (roomy, roomy, cramped, cramped):
        run.run_epoch()
    assert cramped.micro_batch == 4 and max(room.seen[-8:]) <= 4
    same_numbers(cramped, roomy, rtol=1e-4)


def test_no_room_for_one_galaxy_says_what_did_not_fit_and_what_to_set(start: Start) -> None:
    run = start(SIMPLE)
    room = cramp(run, 0)
    with pytest.raises(OutOfMemory) as raised:
        run.run_epoch()
    assert room.seen == [16, 8, 4, 2, 1]
    message = str(raised.value)
    assert message.startswith("a training batch of 16 images of 64 x 64 pixels does not fit")
    assert "input_side" in message and "gpus_per_trial" in message
    assert message.endswith("CUDA out of memory. Tried to allocate 2.00 GiB.")
    assert run.history == [] and gradients(run) == {}


def test_gradients_are_let_go_of_though_no_attempt_follows(start: Start) -> None:
    run = start(SIMPLE)
    first: nn.Module = run.network.convolutions[1]  # type: ignore[index, assignment]
    first.register_full_backward_hook(lambda *_: gpu_is_full())
    with pytest.raises(OutOfMemory):
        run.run_epoch()
    assert gradients(run) == {}  # the layers above had theirs


def test_no_room_to_predict_one_galaxy_says_so(start: Start, toys: Galaxies) -> None:
    run = start(SIMPLE)
    cramp(run, 0)
    with pytest.raises(OutOfMemory, match="^a prediction batch of 32 images of 64 x 64 pixels"):
        predict(run.network, toys.images, CPU)


def test_predictions_are_those_of_whole_batches(start: Start, toys: Galaxies) -> None:
    run = start(SIMPLE)
    expected = predict(run.network, toys.images, CPU)
    batch = prediction_batch(run.network, CPU)
    room = cramp(run, 30)
    found = predict(run.network, toys.images, CPU, batch=batch)
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    assert batch.size == 16 and room.seen == [32] + 12 * [16] + [8]


def test_a_network_that_does_not_fit_is_no_matter_of_batches(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nn.Module, "to", lambda *_, **__: gpu_is_full())
    with pytest.raises(OutOfMemory, match="^a network of simple_cnn does not fit in memory what"):
        start(SIMPLE)


def test_other_errors_pass_unchanged_and_halve_nothing(start: Start) -> None:
    run = start(SIMPLE)

    def break_down() -> None:
        raise RuntimeError("shapes cannot be multiplied")

    cramp(run, 0, break_down)
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied") as raised:
        run.run_epoch()
    assert not isinstance(raised.value, OutOfMemory) and run.micro_batch == 16


def test_an_optimiser_that_does_not_fit_is_no_matter_of_batches(start: Start) -> None:
    run = start(SIMPLE)
    run.optimiser.register_step_pre_hook(lambda *_: gpu_is_full())
    with pytest.raises(OutOfMemory, match="^the optimiser's step does not fit in memory whatever"):
        run.run_epoch()
    assert run.micro_batch == 16


def test_the_micro_batch_is_part_of_the_state(start: Start, tmp_path: Path) -> None:
    through, stopped, resumed = (start(SIMPLE) for _ in range(3))
    cramp(through, 5)
    cramp(stopped, 5)
    stopped.run_epoch()
    save_state(tmp_path, stopped.state())
    state = load_state(tmp_path, CPU)
    assert state is not None
    resumed.load_state(state)
    assert resumed.micro_batch == 4
    room = cramp(resumed, 5)
    resumed.run_epoch()
    assert room.seen[0] == 4
    for _ in range(2):
        through.run_epoch()
    for name, tensor in through.network.state_dict().items():
        assert torch.equal(resumed.network.state_dict()[name], tensor), name
    assert [report["micro_batch"] for report in resumed.reports] == [4, 4]


def test_a_state_of_before_there_were_micro_batches_is_whole(start: Start) -> None:
    old, resumed = start(SIMPLE), start(SIMPLE)
    old.run_epoch()
    state = {k: v for k, v in old.state().items() if not k.startswith("micro_batch")}
    resumed.load_state(state)
    resumed.run_epoch()
    assert [report["micro_batch"] for report in resumed.reports] == [16, 16]


def test_each_report_holds_the_micro_batch(start: Start) -> None:
    run = start(SIMPLE)
    assert run.run_epoch()["micro_batch"] == 16
    cramp(run, 5)
    assert run.run_epoch() == {**run.history[1], "micro_batch": 4}


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


@pytest.mark.parametrize(
    ("num", "size", "sizes"),
    [(16, 16, [16]), (5, 16, [5]), (16, 4, [4, 4, 4, 4]), (5, 4, [2, 3]), (11, 5, [3, 4, 4])],
)
def test_slices_are_few_and_even(num: int, size: int, sizes: list[int]) -> None:
    slices = even_slices(num, size)
    assert [s.stop - s.start for s in slices] == sizes
    assert [i for s in slices for i in range(num)[s]] == list(range(num))


def test_every_shortage_is_recognised_and_nothing_else() -> None:
    words = "DefaultCPUAllocator: not enough memory: you tried to allocate 8 bytes."
    full = [torch.OutOfMemoryError("CUDA out of memory"), RuntimeError(words), MemoryError()]
    other = [RuntimeError("CUDA error: an illegal address"), ValueError(words), OutOfMemory("so")]
    assert all(map(is_out_of_memory, full)) and not any(map(is_out_of_memory, other))


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
    Room(dense, limit, gpu_is_full)
    FailsOnce(dense, 2)
    gc.disable()
    try:
        run.run_epoch()
    finally:
        gc.enable()
    assert run.micro_batch == (2 if limit == 5 else 8)
    assert not any(alive_before)


def test_parts_are_moved_as_the_whole_batch_is(toys: Galaxies) -> None:
    images = torch.from_numpy(toys.images[:6].copy()).permute(0, 3, 1, 2).float() / 255
    config = config_from_values(SIMPLE)
    augmentation = Augmentation.of(config)
    whole = augmentation(images, torch.Generator().manual_seed(3))
    matrices = augmentation.matrices(6, torch.Generator().manual_seed(3))
    assert torch.equal(moved(images, matrices), whole)
    parts = [moved(images[s], matrices[s]) for s in even_slices(6, 4)]
    torch.testing.assert_close(torch.cat(parts), whole)
