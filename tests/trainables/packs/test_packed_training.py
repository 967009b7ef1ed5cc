"""Packs: several configs trained as one give the numbers that each gives alone."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from search_spaces.declaration import config_from_values
from tests.support.epochs import numbers_of
from trainables.device.micro_batch import OutOfMemory
from trainables.files.checkpoint import load_state, save_state
from trainables.galaxies.galaxy_file import Galaxies
from trainables.galaxies.split import Split, split_galaxies
from trainables.packs.packed_training import PackedTraining
from trainables.packs.stacked_step import StackedStep
from trainables.training.divergence import Diverged
from trainables.training.epoch_report import EpochReport
from trainables.training.training_run import TrainingRun

CPU = torch.device("cpu")
# Float noise: both ways compute the same sums in float32, in another order. What was seen is
# below 1e-6 of a value after two epochs; a wrong mask, rate or coefficient moves the third digit.
# Adam's usual epsilon would make whole steps of gradients that are zero but for noise.
NOISE = 1e-5
EXACT: dict[str, Any] = {
    "precision": "float32",
    "epochs": 2,
    "batch_size": 16,
    "adam_epsilon": 1e-4,
}
NETWORKS: dict[str, dict[str, Any]] = {
    "simple_cnn": {"width": 0.05},
    "parallel_cnn": {"width": 0.02},
    "vision_transformer": {"width": 0.05, "depth": 2, "patch_side": 16, "num_heads": 2},
}
# Three members, one a row: what differs for each architecture, then what differs for all.
RATES: dict[str, list[dict[str, Any]]] = {
    "simple_cnn": [{"dropout": rate} for rate in (0.0, 0.2, 0.5)],
    "parallel_cnn": [
        {"convolution_dropout": 0.0, "dense_dropout": 0.2, "kernel_l2": 0.01},
        {"convolution_dropout": 0.1, "dense_dropout": 0.0, "kernel_l2": 0.1},
        {"convolution_dropout": 0.3, "dense_dropout": 0.5, "kernel_l2": 0.0},
    ],
    "vision_transformer": [
        {"attention_dropout": 0.0, "dense_dropout": 0.1},
        {"attention_dropout": 0.2, "dense_dropout": 0.0},
        {"attention_dropout": 0.3, "dense_dropout": 0.3},
    ],
}
OTHERS: list[dict[str, Any]] = [
    {"learning_rate": 1e-3, "seed": 0},
    {
        "learning_rate": 3e-3,
        "seed": 5,
        "optimizer": "adamw",
        "schedule": "cosine",
        "constraint_coefficient": 0.1,
        "flips": True,
    },
    {
        "learning_rate": 2e-4,
        "seed": 9,
        "tree": "as_published",
        "augmentation_strength": 2.0,
        "rotation_degrees": 180.0,
        "field_fraction": 0.8,
    },
]
Start = Callable[..., list[TrainingRun]]


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Networks as small as these are slower on two."""
    num_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(num_threads)


@pytest.fixture(scope="module")
def split(toys: Galaxies) -> Split:
    whole = split_galaxies(toys, "seed")
    return replace(whole, training=whole.training[:40])  # batches of 16, 16 and 8


@pytest.fixture
def start(toys: Galaxies, split: Split) -> Start:
    """A function that makes the three members' runs, some values changed for each."""

    def begin(name: str, *changes: dict[str, Any]) -> list[TrainingRun]:
        changed = [*changes, {}, {}, {}][:3]
        values = [
            {"architecture": name, **EXACT, **NETWORKS[name], **rates, **others, **own}
            for rates, others, own in zip(RATES[name], OTHERS, changed)
        ]
        return [TrainingRun(config_from_values(v), toys, split, CPU) for v in values]

    return begin


def train_alone(runs: list[TrainingRun]) -> list[TrainingRun]:
    for run in runs:
        while run.finished is None:
            run.run_epoch()
    return runs


def train_packed(runs: list[TrainingRun]) -> list[TrainingRun]:
    pack = PackedTraining(runs)
    while pack.runs:
        pack.run_epoch()
    return runs


def assert_same(
    runs: list[TrainingRun], expected: list[TrainingRun], noise: float = NOISE
) -> None:
    """Histories equal but for the seconds, and the weights of the best epoch."""
    for run, wanted in zip(runs, expected, strict=True):
        assert run.epoch == wanted.epoch > 0
        for found, numbers in zip(numbers_of(run.reports), numbers_of(wanted.reports)):
            assert found == pytest.approx(numbers, rel=noise)
        assert run.best_weights.keys() == wanted.best_weights.keys()


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_a_packed_run_gives_the_numbers_that_it_gives_alone(name: str, start: Start) -> None:
    assert_same(train_packed(start(name)), train_alone(start(name)))


@pytest.mark.slow
def test_a_packed_step_moves_weights_and_statistics_as_a_run_alone_does(start: Start) -> None:
    packed, alone = (start("parallel_cnn", *[{"epochs": 1}] * 3) for _ in range(2))
    train_packed(packed), train_alone(alone)
    for run, wanted in zip(packed, alone):
        state = wanted.network.state_dict()
        for key, tensor in run.network.state_dict().items():
            if key.endswith(("running_mean", "running_var", "num_batches_tracked")):
                torch.testing.assert_close(tensor, state[key], rtol=1e-4, atol=1e-6)


def test_members_that_drop_differently_get_masks_of_their_own(start: Start) -> None:
    still = {"learning_rate": 1e-30, "seed": 3, "constraint_coefficient": 0.0, "tree": "true"}
    still |= {"augmentation_strength": 1.0, "rotation_degrees": 25.0, "flips": False}
    errors = [run.reports[0].train_rmse for run in train_packed(start("simple_cnn", *[still] * 3))]
    assert len(set(errors)) == 3  # nothing but the rate of dropout tells them apart


def test_a_member_that_diverges_leaves_the_others_unchanged(start: Start) -> None:
    runs, alone = start("simple_cnn", {}, {"learning_rate": 1e30}), start("simple_cnn")
    pack = PackedTraining(runs)
    outcomes = [outcome for _, outcome in pack.run_epoch()]
    assert isinstance(outcomes[1], Diverged)
    assert str(outcomes[1]).startswith(("train_loss is", "val_"))
    assert pack.runs == [runs[0], runs[2]]
    train_packed(pack.runs)
    assert_same([runs[0], runs[2]], train_alone([alone[0], alone[2]]))


@pytest.mark.slow
def test_a_member_that_stops_early_leaves_the_others_unchanged(start: Start) -> None:
    changes = ({"epochs": 3}, {"epochs": 5, "early_stopping_patience": 1, "learning_rate": 1e-30})
    runs, alone = start("simple_cnn", *changes), start("simple_cnn", *changes)
    train_packed(runs), train_alone(alone)
    assert [run.epoch for run in runs] == [3, 2, 2]
    assert runs[1].finished == "no better epoch in 1"
    assert_same(runs, alone)


def test_a_member_that_is_sent_away_goes_on_alone(start: Start) -> None:
    runs = start("simple_cnn")
    pack = PackedTraining(runs)
    pack.run_epoch()
    pack.leave(runs[1])
    while pack.runs:
        pack.run_epoch()
    assert [run.epoch for run in runs] == [2, 1, 2]
    train_alone([runs[1]])
    assert_same(runs, train_alone(start("simple_cnn")))


def resumed(run: TrainingRun, fresh: TrainingRun, folder: Path) -> TrainingRun:
    """A fresh run that goes on from what another left on disk."""
    save_state(folder, run.state())
    state = load_state(folder, CPU)
    assert state is not None
    fresh.load_state(state)
    return fresh


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_a_packed_checkpoint_resumes_alone(name: str, start: Start, tmp_path: Path) -> None:
    runs = start(name)
    PackedTraining(runs).run_epoch()
    later = [resumed(a, b, tmp_path / str(i)) for i, (a, b) in enumerate(zip(runs, start(name)))]
    assert_same(train_alone(later), train_alone(start(name)))


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_members_at_different_epochs_resume_packed(
    name: str, start: Start, tmp_path: Path
) -> None:
    alone, fresh = start(name), start(name)
    alone[1].run_epoch()
    fresh[1] = resumed(alone[1], fresh[1], tmp_path)
    assert_same(train_packed(fresh), train_alone(start(name)))


def test_the_seconds_of_an_epoch_are_shared(start: Start) -> None:
    outcomes = [outcome for _, outcome in PackedTraining(start("simple_cnn")).run_epoch()]
    seconds = [outcome.seconds for outcome in outcomes if isinstance(outcome, EpochReport)]
    assert len(seconds) == 3 and len(set(seconds)) == 1 and min(seconds) > 0


@pytest.fixture
def cramped(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], list[int]]:
    """A function that lets memory hold so many networks; returns a list of all sizes tried."""

    def hold(limit: int) -> list[int]:
        tried: list[int] = []
        whole = StackedStep._add_gradients

        def attempt(stack: StackedStep, *inputs: Any) -> Any:
            tried.append(len(stack.runs))
            if len(stack.runs) > limit:
                raise torch.OutOfMemoryError("CUDA out of memory.")
            return whole(stack, *inputs)

        monkeypatch.setattr(StackedStep, "_add_gradients", attempt)
        return tried

    return hold


@pytest.mark.slow
@pytest.mark.parametrize("limit", [2, 1])
def test_a_pack_that_memory_does_not_hold_is_halved(
    limit: int, start: Start, cramped: Callable[[int], list[int]]
) -> None:
    tried = cramped(limit)
    runs = start("simple_cnn")
    train_packed(runs)
    assert tried[0] == 3 and tried[1:].count(3) == 0  # once is enough
    assert_same(runs, train_alone(start("simple_cnn")))


def test_a_member_alone_without_memory_is_told_so(start: Start, monkeypatch: Any) -> None:
    runs = start("simple_cnn")
    pack = PackedTraining(runs)

    def full(*_: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(runs[1].optimiser, "step", full)
    outcomes = [outcome for _, outcome in pack.run_epoch()]
    assert isinstance(outcomes[1], OutOfMemory)
    assert pack.runs == [runs[0], runs[2]]


@pytest.mark.parametrize(
    ("name", "change", "told"),
    [
        ("simple_cnn", {"width": 0.1}, "must agree in width, got 0.05 and 0.1"),
        ("simple_cnn", {"batch_size": 32}, "must agree in batch_size, got 16 and 32"),
        ("vision_transformer", {"depth": 1}, "must agree in depth, got 2 and 1"),
        ("vision_transformer", {"precision": "bfloat16"}, "must agree in precision"),
    ],
)
def test_what_changes_a_shape_is_refused(
    name: str, change: dict[str, Any], told: str, start: Start
) -> None:
    with pytest.raises(ValueError, match=told):
        PackedTraining(start(name, {}, change))


def test_two_architectures_are_refused(start: Start) -> None:
    with pytest.raises(ValueError, match="one architecture, got 'simple_cnn' and 'parallel_cnn'"):
        PackedTraining([start("simple_cnn")[0], start("parallel_cnn")[0]])


def test_a_frozen_backbone_is_refused(toys: Galaxies, split: Split) -> None:
    config = config_from_values(
        {"architecture": "timm:test_resnet", "weights": "none", "input_side": 32}
    )
    with pytest.raises(ValueError, match="'timm:test_resnet' cannot be trained as a pack"):
        PackedTraining([TrainingRun(config, toys, split, CPU)])


@pytest.mark.slow
def test_memory_that_shrinks_twice_leaves_no_member_behind(
    start: Start, cramped: Callable[[int], list[int]]
) -> None:
    runs = start("simple_cnn") + start("simple_cnn", *({"seed": 10 + i} for i in range(3)))
    pack = PackedTraining(runs)
    for limit in (4, 1):  # stacks of 3, then of 1
        cramped(limit)
        outcomes = pack.run_epoch()
        assert [run for run, _ in outcomes] == runs
        assert all(isinstance(outcome, EpochReport) for _, outcome in outcomes)
