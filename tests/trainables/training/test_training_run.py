"""Training runs: same numbers for the same seed, stopped or not, and no NaN ever passed on."""

import dataclasses
import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from search_spaces.declaration.known_architectures import config_from_values
from tests.support.epochs import numbers_of
from tests.support.memory import Room
from trainables.files.checkpoint import load_state, save_state
from trainables.galaxies.galaxy_file import Galaxies
from trainables.galaxies.split import Split, split_galaxies
from trainables.training.divergence import Diverged
from trainables.training.metrics import rmse
from trainables.training.prediction import predict
from trainables.training.training_run import TrainingRun

CPU = torch.device("cpu")
SIMPLE = {"architecture": "simple_cnn", "width": 0.1, "batch_size": 32, "epochs": 4}
PARALLEL = SIMPLE | {"architecture": "parallel_cnn", "width": 0.03, "batch_size": 64}
COSINE = {"optimizer": "adamw", "schedule": "cosine", "warmup_epochs": 1}
CRAMPED = SIMPLE | {"batch_size": 16, "precision": "float32"}
STILL = {"learning_rate": 1e-30}  # too small a step to change any weight


@pytest.fixture(scope="module")
def split(toys: Galaxies) -> Split:
    return split_galaxies(toys, "seed")  # 128 training, 32 validation, 40 test rows


@pytest.fixture
def start(toys: Galaxies, split: Split):
    """A function that makes a run of the toy galaxies."""

    def begin(base: dict[str, Any], **values: Any) -> TrainingRun:
        return TrainingRun(config_from_values({**base, **values}), toys, split, CPU)

    return begin


def train(run: TrainingRun, num_epochs: int | None = None) -> list[dict[str, float]]:
    """Train to the end or for some epochs; returns the numbers but for the seconds."""
    for _ in itertools.repeat(None) if num_epochs is None else range(num_epochs):
        if run.finished:
            break
        run.run_epoch()
    return numbers_of(run.reports)


def test_the_same_seed_gives_the_same_numbers(start) -> None:
    first, second = train(start(SIMPLE), 2), train(start(SIMPLE), 2)
    assert first == second


def test_another_seed_gives_other_numbers(start) -> None:
    assert train(start(SIMPLE), 1) != train(start(SIMPLE, seed=1), 1)


def test_every_epoch_moves_the_galaxies_anew(start) -> None:
    first, second = train(start(SIMPLE, **STILL), 2)
    assert first["val_rmse"] == second["val_rmse"]
    assert first["train_rmse"] != second["train_rmse"]


def test_galaxies_are_drawn_by_votes_only_where_some_are_marked_as_unbiased(
    toys: Galaxies, split: Split
) -> None:
    some = np.zeros(len(toys), dtype=bool)
    some[split.validation] = True

    def trained(flags: np.ndarray | None, resampling: str) -> list[dict[str, float]]:
        config = config_from_values({**SIMPLE, "resampling": resampling})
        galaxies = dataclasses.replace(toys, unbiased=flags)
        return train(TrainingRun(config, galaxies, split, CPU), 1)

    once = trained(some, "none")
    assert trained(some, "votes") != once
    assert trained(None, "votes") == once == trained(np.ones(len(toys), dtype=bool), "votes")


def test_training_lowers_the_error(start) -> None:
    curve = train(start(SIMPLE, learning_rate=3e-3))
    assert curve[-1]["train_rmse"] < 0.75 * curve[0]["train_rmse"]
    assert curve[-1]["val_rmse"] < curve[0]["val_rmse"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "values",
    [SIMPLE, PARALLEL | COSINE],
    ids=["simple, adam, constant", "parallel, adamw, cosine"],
)
def test_a_run_that_was_stopped_goes_on_as_if_it_had_not(
    values: dict[str, Any], start, tmp_path: Path
) -> None:
    whole, stopped, resumed = (start(values) for _ in range(3))
    expected = train(whole)
    train(stopped, 2)
    save_state(tmp_path, stopped.state())
    state = load_state(tmp_path, CPU)
    assert state is not None
    resumed.load_state(state)
    assert resumed.epoch == 2
    assert train(resumed) == expected
    for name, tensor in whole.network.state_dict().items():
        assert torch.equal(resumed.network.state_dict()[name], tensor), name
    for name, tensor in whole.best_weights.items():
        assert torch.equal(resumed.best_weights[name], tensor), name


@pytest.mark.parametrize("learning_rate", [1e9, 1e30])
def test_a_diverging_run_says_which_metric_and_when(learning_rate: float, start) -> None:
    run = start(SIMPLE, learning_rate=learning_rate)
    with pytest.raises(Diverged, match=r"^(train|val)_\w+ is (nan|inf) (at|in) epoch \d$"):
        train(run)
    assert run.finished is None
    assert all(np.isfinite(list(r.as_values().values())).all() for r in run.reports)


@pytest.mark.slow
def test_every_reported_number_is_finite(start) -> None:
    run = start(PARALLEL, optimizer="adamw")
    train(run, 2)
    questions = {f"val_rmse_q{q}" for q in range(1, 12)}
    named = {"epoch", "train_loss", "train_rmse", "val_loss", "val_rmse", "val_tree_residual"}
    for epoch, report in enumerate(run.reports, start=1):
        values = report.as_values()
        assert set(values) == named | questions | {"learning_rate", "seconds", "micro_batch"}
        assert report.epoch == epoch
        assert np.isfinite(list(values.values())).all()


def test_a_run_ends_when_patience_does(start) -> None:
    run = start(SIMPLE, early_stopping_patience=2, epochs=9, **STILL)
    train(run)
    assert (run.epoch, run.best_epoch) == (3, 1)
    assert run.finished == "no better epoch in 2"


def test_no_patience_trains_to_the_end(start) -> None:
    run = start(SIMPLE, early_stopping_patience=0, **STILL)
    train(run)
    assert (run.epoch, run.finished) == (4, "all epochs trained")


def test_restored_weights_predict_as_in_the_best_epoch(start, toys, split) -> None:
    run = start(SIMPLE, learning_rate=0.02, early_stopping_patience=1, epochs=20)
    train(run)
    assert run.best_epoch == run.epoch - 1
    rows = split.validation

    def error_now() -> float:
        return rmse(predict(run.network, toys.images[rows], CPU), toys.target[rows])

    assert error_now() == run.reports[-1].val_rmse
    assert error_now() > run.reports[-2].val_rmse
    run.restore_best_weights()
    assert error_now() == run.reports[-2].val_rmse == min(r.val_rmse for r in run.reports)


def test_the_coefficient_is_in_the_loss_and_not_in_the_rmse(start) -> None:
    (free,), (bound,) = (
        train(start(SIMPLE, constraint_coefficient=c, **STILL), 1) for c in (0.0, 0.1)
    )
    assert free["val_rmse"] == bound["val_rmse"]
    assert free["val_loss"] == pytest.approx(free["val_rmse"] ** 2)
    added = bound["val_loss"] - free["val_loss"]
    assert added == pytest.approx(0.1 * 11 * free["val_tree_residual"], rel=1e-4)


def test_the_penalty_on_kernels_is_in_the_loss(start) -> None:
    values = {"constraint_coefficient": 0.0, **STILL}
    run = start(PARALLEL, **values)
    (report,) = train(run, 1)
    penalty = float(run.network.regularisation().detach())
    assert report["val_loss"] == pytest.approx(report["val_rmse"] ** 2 + penalty, rel=1e-5)


# states, and how many galaxies memory held


@pytest.mark.slow
def test_the_micro_batch_is_part_of_the_state(start, tmp_path: Path) -> None:
    through, stopped, resumed = (start(CRAMPED) for _ in range(3))
    Room(through.network, 5)
    Room(stopped.network, 5)
    stopped.run_epoch()
    save_state(tmp_path, stopped.state())
    state = load_state(tmp_path, CPU)
    assert state is not None
    resumed.load_state(state)
    assert resumed.micro_batch == 4
    room = Room(resumed.network, 5)
    resumed.run_epoch()
    assert room.seen[0] == 4
    for _ in range(2):
        through.run_epoch()
    for name, tensor in through.network.state_dict().items():
        assert torch.equal(resumed.network.state_dict()[name], tensor), name
    assert [report.micro_batch for report in resumed.reports] == [4, 4]


def test_each_report_holds_the_micro_batch(start) -> None:
    run = start(CRAMPED)
    assert run.run_epoch().micro_batch == 16
    Room(run.network, 5)
    report = run.run_epoch()
    assert report == run.reports[1] and report.micro_batch == 4


def as_written_by_0_1_0(state: dict[str, Any]) -> dict[str, Any]:
    """The state as galaxytune 0.1.0 (commit c4ec6b0) wrote it: micro-batches in their own list."""
    sizes = [values["micro_batch"] for values in state["history"]]
    return without_micro_batches(state) | {
        "micro_batch": state["micro_batch"],
        "micro_batches": sizes,
    }


def without_micro_batches(state: dict[str, Any]) -> dict[str, Any]:
    """The state as a version wrote it that had no micro-batches yet."""
    history = [{k: v for k, v in each.items() if k != "micro_batch"} for each in state["history"]]
    return {k: v for k, v in state.items() if k != "micro_batch"} | {"history": history}


@pytest.mark.slow
def test_a_state_of_version_0_1_0_is_loaded_and_goes_on(start, tmp_path: Path) -> None:
    through, stopped, resumed = (start(CRAMPED, **COSINE) for _ in range(3))
    for run in (through, stopped):
        run.run_epoch()
        Room(run.network, 5)
        run.run_epoch()
    older = as_written_by_0_1_0(stopped.state())
    assert older["micro_batches"] == [16, 4] and "micro_batch" not in older["history"][0]
    save_state(tmp_path, older)
    state = load_state(tmp_path, CPU)
    assert state is not None
    resumed.load_state(state)
    assert resumed.reports == stopped.reports and resumed.micro_batch == 4
    Room(resumed.network, 5)
    assert train(resumed) == train(through)
    for name, tensor in through.network.state_dict().items():
        assert torch.equal(resumed.network.state_dict()[name], tensor), name


def test_a_state_of_before_there_were_micro_batches_is_whole(start) -> None:
    old, resumed = start(CRAMPED), start(CRAMPED)
    old.run_epoch()
    resumed.load_state(without_micro_batches(old.state()))
    resumed.run_epoch()
    assert [report.micro_batch for report in resumed.reports] == [16, 16]


@pytest.mark.parametrize("head", ["sigmoid", "tree_softmax", "tree_softplus"])
def test_training_may_begin_at_the_mean_votes(start, toys: Galaxies, split: Split, head) -> None:
    rows = split.validation
    mean = toys.target[split.training].mean(axis=0)
    level = rmse(np.tile(mean, (len(rows), 1)), toys.target[rows])
    begun = start(SIMPLE, head=head, output_bias="votes")
    assert rmse(predict(begun.network, toys.images, CPU, rows), toys.target[rows]) < 1.1 * level
    plain = start(SIMPLE, head=head, output_bias="zero")
    assert rmse(predict(plain.network, toys.images, CPU, rows), toys.target[rows]) > 1.2 * level
