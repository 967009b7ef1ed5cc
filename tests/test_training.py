"""Training: same numbers for the same seed, stopped or not, and no NaN ever passed on."""

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from search_spaces import config_from_values
from trainables.checkpoint import (
    LAST,
    load_state,
    load_weights,
    save_state,
    save_weights,
)
from trainables.galaxies.galaxy_file import Galaxies
from trainables.galaxies.split import Split, split_galaxies
from trainables.learning_rate_schedule import learning_rate_factor
from trainables.metrics import rmse
from trainables.prediction import predict
from trainables.training import Diverged, TrainingRun

CPU = torch.device("cpu")
SIMPLE = {"architecture": "simple_cnn", "width": 0.1, "batch_size": 32, "epochs": 4}
PARALLEL = SIMPLE | {"architecture": "parallel_cnn", "width": 0.03, "batch_size": 64}
COSINE = {"optimizer": "adamw", "schedule": "cosine", "warmup_epochs": 1}
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
    """Train to the end or for some epochs; returns the reports but for the seconds."""
    for _ in itertools.repeat(None) if num_epochs is None else range(num_epochs):
        if run.finished:
            break
        run.run_epoch()
    return [{k: v for k, v in r.items() if k != "seconds"} for r in run.history]


def test_the_same_seed_gives_the_same_numbers(start) -> None:
    first, second = train(start(SIMPLE), 2), train(start(SIMPLE), 2)
    assert first == second


def test_another_seed_gives_other_numbers(start) -> None:
    assert train(start(SIMPLE), 1) != train(start(SIMPLE, seed=1), 1)


def test_every_epoch_moves_the_galaxies_anew(start) -> None:
    first, second = train(start(SIMPLE, **STILL), 2)
    assert first["val_rmse"] == second["val_rmse"]
    assert first["train_rmse"] != second["train_rmse"]


def test_training_lowers_the_error(start) -> None:
    curve = train(start(SIMPLE, learning_rate=3e-3))
    assert curve[-1]["train_rmse"] < 0.75 * curve[0]["train_rmse"]
    assert curve[-1]["val_rmse"] < curve[0]["val_rmse"]


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


def test_a_folder_without_checkpoint_has_no_state(tmp_path: Path) -> None:
    assert load_state(tmp_path / "nowhere", CPU) is None


def test_checkpoints_are_replaced_whole(start, tmp_path: Path) -> None:
    run = start(SIMPLE)
    save_state(tmp_path, run.state())
    with pytest.raises(AttributeError):
        save_state(tmp_path, {"network": lambda: None})  # what torch cannot save
    assert [path.name for path in tmp_path.iterdir()] == [LAST]
    assert load_state(tmp_path, CPU) is not None


def test_weights_survive_safetensors_and_a_torn_file_is_refused(start, tmp_path: Path) -> None:
    path, weights = tmp_path / "w.safetensors", start(PARALLEL).network.state_dict()
    save_weights(path, weights)
    loaded = load_weights(path)
    assert all(torch.equal(loaded[name], tensor) for name, tensor in weights.items())
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(ValueError, match="w.safetensors is not a whole safetensors file"):
        load_weights(path)


@pytest.mark.parametrize("learning_rate", [1e9, 1e30])
def test_a_diverging_run_says_which_metric_and_when(learning_rate: float, start) -> None:
    run = start(SIMPLE, learning_rate=learning_rate)
    with pytest.raises(Diverged, match=r"^(train|val)_\w+ is (nan|inf) (at|in) epoch \d$"):
        train(run)
    assert run.finished is None
    assert all(np.isfinite(list(report.values())).all() for report in run.history)


def test_every_reported_number_is_finite(start) -> None:
    run = start(PARALLEL, optimizer="adamw")
    train(run, 2)
    questions = {f"val_rmse_q{q}" for q in range(1, 12)}
    named = {"epoch", "train_loss", "train_rmse", "val_loss", "val_rmse", "val_tree_residual"}
    for epoch, report in enumerate(run.history, start=1):
        assert set(report) == named | questions | {"learning_rate", "seconds"}
        assert report["epoch"] == epoch
        assert np.isfinite(list(report.values())).all()


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

    assert error_now() == run.history[-1]["val_rmse"]
    assert error_now() > run.history[-2]["val_rmse"]
    run.restore_best_weights()
    assert error_now() == run.history[-2]["val_rmse"] == min(r["val_rmse"] for r in run.history)


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


def test_monitored_metric_decides_the_best_epoch(start) -> None:
    run = start(SIMPLE, early_stopping_metric="val_loss")
    run.history = [{"val_rmse": 0.2, "val_loss": 0.5}, {"val_rmse": 0.3, "val_loss": 0.4}]
    assert run.best_epoch == 2
    run.config = run.config.model_copy(update={"early_stopping_metric": "val_rmse"})
    assert run.best_epoch == 1


def factors(**values: Any) -> list[float]:
    """The factor at every step of 11 epochs of 10 steps, and at the end."""
    config = config_from_values({"architecture": "simple_cnn", "epochs": 11, **values})
    return [learning_rate_factor(config, step, 10) for step in range(111)]


def test_the_cosine_falls_from_1_to_0() -> None:
    course = factors(schedule="cosine", warmup_epochs=1)
    assert course[:10] == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0])
    assert course[10] == 1
    assert course[60] == pytest.approx(0.5)  # half way through the last 100 steps
    assert course[35] == pytest.approx(0.5 + 0.5**1.5)  # a quarter: (1 + cos 45 degrees) / 2
    assert course[110] == pytest.approx(0)
    assert course[10:] == sorted(course[10:], reverse=True)


def test_without_warmup_the_cosine_starts_at_1() -> None:
    course = factors(schedule="cosine", warmup_epochs=0)
    assert (course[0], course[55]) == (1, pytest.approx(0.5))


def test_a_warmup_as_long_as_the_run_leaves_an_epoch_to_fall() -> None:
    course = factors(schedule="cosine", warmup_epochs=50)
    assert course[99] == course[100] == 1
    assert course[110] == pytest.approx(0)


def test_a_constant_rate_is_constant() -> None:
    assert factors(schedule="constant", warmup_epochs=3) == [1.0] * 111


def test_the_optimiser_follows_the_schedule(start) -> None:
    run = start(SIMPLE, **COSINE, learning_rate=1e-3)
    rates = [report["learning_rate"] for report in train(run)]  # of the last step of 4 an epoch
    falling = [0.5 * (1 + np.cos(np.pi * step / 12)) for step in (3, 7, 11)]
    assert rates == pytest.approx([1e-3, *(1e-3 * f for f in falling)])
