"""Steps on a GPU as a graph: the numbers of single steps. Skipped where there is no GPU."""

from typing import Any

import pytest
import torch

from search_spaces.declaration.known_architectures import config_from_values
from trainables.galaxies.galaxy_file import Galaxies
from trainables.galaxies.galaxy_sources import ResidentGalaxies
from trainables.galaxies.split import split_galaxies
from trainables.training.graphed_step import GraphedStep
from trainables.training.training_run import TrainingRun

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
EXACT = {"precision": "float32", "batch_size": 16, "optimizer": "adamw", "schedule": "cosine"}
SIMPLE = {"architecture": "simple_cnn", "width": 0.1, **EXACT}
PARALLEL = {
    "architecture": "parallel_cnn",
    "width": 0.1,
    "convolution_dropout": 0.0,
    "dense_dropout": 0.0,
    **EXACT,
}
TRANSFORMER = {
    "architecture": "vision_transformer",
    "depth": 2,
    "attention_dropout": 0.0,
    "dense_dropout": 0.0,
    **EXACT,
}


def begin(toys: Galaxies, values: dict[str, Any], *, graphed: bool = True) -> TrainingRun:
    """A run of 120 galaxies, so that an epoch ends with half a batch."""
    split = split_galaxies(toys, "seed")
    cut = type(split)(split.training[:120], split.validation, split.test)
    run = TrainingRun(config_from_values(values), toys, cut, torch.device("cuda"))
    assert isinstance(run.step, GraphedStep)
    if not graphed:
        run.step.refusal = "not wanted here"
    return run


def graph_of(run: TrainingRun) -> torch.cuda.CUDAGraph | None:
    assert isinstance(run.step, GraphedStep) and run.step.refusal is None
    return run.step._graph


def same_numbers(run: TrainingRun, expected: TrainingRun) -> None:
    wanted = expected.network.state_dict()
    for name, tensor in run.network.state_dict().items():
        atol = 1e-3 * float(wanted[name].abs().max())
        torch.testing.assert_close(tensor, wanted[name], rtol=1e-2, atol=atol, msg=name)
    for found, report in zip(run.reports, expected.reports, strict=True):
        for name in ("train_loss", "train_rmse", "val_rmse", "learning_rate"):
            assert getattr(found, name) == pytest.approx(getattr(report, name), rel=1e-3)


@pytest.mark.parametrize("values", [SIMPLE, PARALLEL, TRANSFORMER])
def test_a_graph_gives_the_numbers_of_steps_taken_one_by_one(
    values: dict[str, Any], toys: Galaxies
) -> None:
    run, expected = begin(toys, values), begin(toys, values, graphed=False)
    for _ in range(3):
        run.run_epoch()
        expected.run_epoch()
    assert graph_of(run) is not None
    same_numbers(run, expected)


def test_dropout_draws_anew_in_every_step_of_a_graph(toys: Galaxies) -> None:
    values = {**SIMPLE, "dropout": 0.5, "learning_rate": 1e-30, "rotation_degrees": 0}
    run = begin(toys, {**values, "flips": False, "shift_fraction": 0, "zoom_fraction": 0})
    losses = [run.run_epoch().train_loss for _ in range(4)]
    assert len(set(losses)) == 4


def test_a_loaded_state_is_what_the_next_steps_train(toys: Galaxies) -> None:
    through, stopped = begin(toys, SIMPLE), begin(toys, SIMPLE)
    stopped.run_epoch()
    state = stopped.state()
    resumed = begin(toys, SIMPLE)
    resumed.run_epoch()  # so that there is a graph of the memory that is now replaced
    resumed.load_state(state)
    resumed.run_epoch()
    for _ in range(2):
        through.run_epoch()
    same_numbers(resumed, through)


def test_what_cannot_be_a_graph_is_told_and_trained_without(toys: Galaxies) -> None:
    run = begin(toys, SIMPLE)
    run.network.register_forward_hook(lambda _, __, votes: None if votes.sum() > 0 else 1 / 0)
    report = run.run_epoch()  # the sum's sign is asked for, which no graph can do
    assert isinstance(run.step, GraphedStep) and run.step.refusal
    assert report.train_rmse > 0


def test_galaxies_are_copied_to_a_gpu_once(toys: Galaxies) -> None:
    first, second = begin(toys, SIMPLE), begin(toys, PARALLEL)
    sources = [next(run.epoch_in_steps()).source for run in (first, second)]
    assert isinstance(sources[0], ResidentGalaxies) and sources[0] is sources[1]
