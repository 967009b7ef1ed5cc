"""What benchmarks/record_curves.py makes of a training run."""

from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks.record_curves import Recording, recorded, write
from benchmarks.replay.averaged_weights import AveragedWeights
from benchmarks.replay.search_plan import random_configs, search_plan
from search_spaces.declaration import config_from_values
from trainables.galaxies import Galaxies, split_galaxies
from trainables.training import TrainingRun

SMALL = {"architecture": "simple_cnn", "width": 0.1, "batch_size": 32, "epochs": 2}


def rows(data: Path, **values: Any) -> list[dict[str, Any]]:
    return Recording(0, config_from_values(SMALL | values), data, 100).rows()


@pytest.mark.slow
def test_a_row_an_epoch_holds_config_and_report(toy_npz: Path) -> None:
    first, second = rows(toy_npz)
    assert (first["epoch"], second["epoch"]) == (1, 2)
    assert first["config.batch_size"] == 32
    assert 0 < second["val_rmse"] < 1 and 0 < second["val_rmse_average_1"] < 1
    assert first["cpu_seconds"] > 0


def test_a_diverged_config_ends_with_its_reason(toy_npz: Path) -> None:
    last = rows(toy_npz, learning_rate=1e30)[-1]
    assert "train_loss is nan" in last["failure"]
    assert "val_rmse" not in last


def test_the_file_reads_back_and_refuses_other_settings(tmp_path: Path) -> None:
    kept: list[dict[str, Any]] = [
        {"trial": 1, "epoch": 1},
        {"trial": 0, "epoch": 1, "failure": "x"},
    ]
    write(tmp_path / "a.parquet", kept, {"seed": 0})
    assert [row["trial"] for row in recorded(tmp_path / "a.parquet", {"seed": 0})] == [0, 1]
    with pytest.raises(ValueError, match="another seed"):
        recorded(tmp_path / "a.parquet", {"seed": 1})


def test_a_longer_recording_begins_with_the_same_configs() -> None:
    few, more = (search_plan("simple_cnn", trials=n, epochs=27) for n in (3, 6))
    assert random_configs(few, seed=0) == random_configs(more, seed=0)[:3]
    published = config_from_values({"architecture": "simple_cnn", "epochs": 27})
    assert random_configs(few, seed=0)[0] == published


def test_averaged_weights_follow_every_step_with_their_decay(toys: Galaxies) -> None:
    split = split_galaxies(toys, "seed")
    run = TrainingRun(config_from_values(SMALL), toys, split, torch.device("cpu"))
    average = AveragedWeights(run, epochs=1e-9)  # no memory: the average is the last weights
    slow = AveragedWeights(run, epochs=1.0)
    report = run.run_epoch()
    assert average.num_steps == run.steps_per_epoch == 4
    assert average.validation_rmse() == pytest.approx(report.val_rmse, abs=1e-6)
    assert slow.validation_rmse() != pytest.approx(report.val_rmse, abs=1e-6)
