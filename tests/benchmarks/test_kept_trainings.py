"""The benchmarks on first weights: a finished training is read, and pairs are compared by seed."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks import earlier_weights, imagenet_weights, timm_members
from benchmarks.earlier_weights import difference
from benchmarks.kept_trainings import Result, Training, config_of, kept_result, summary
from search_spaces.declaration import InvalidInput
from trainables.galaxies import open_galaxies, split_galaxies

TINY = {"width": 0.1, "depth": 1, "input_side": 16, "epochs": 1}


def training(data: Path, num_labels: int | None = 40, **values: object) -> Training:
    """A tiny training on some galaxies of a file."""
    config = config_of("residual_cnn", TINY, values)
    return Training("tiny, seed 0", config, data, num_labels)


def test_a_finished_training_is_read_and_not_trained_again(toy_npz: Path, tmp_path: Path) -> None:
    first = kept_result(training(toy_npz), tmp_path)
    assert 0 < first.rmse < 0.5 and first.epochs == 1
    (path,) = tmp_path.iterdir()
    assert path.name == "tiny--seed-0.json"
    kept = json.loads(path.read_text())
    path.write_text(json.dumps({**kept, "result": {**kept["result"], "rmse": 0.25}}))
    assert kept_result(training(toy_npz), tmp_path).rmse == 0.25


def test_the_result_of_another_training_is_refused(toy_npz: Path, tmp_path: Path) -> None:
    kept_result(training(toy_npz), tmp_path)
    with pytest.raises(InvalidInput, match="a training with another config; give another --out"):
        kept_result(training(toy_npz, dropout=0.4), tmp_path)
    with pytest.raises(InvalidInput, match="a training with another num_labels"):
        kept_result(training(toy_npz, 50), tmp_path)


def test_fewer_labels_leave_the_validation_as_it_is(toy_npz: Path) -> None:
    whole = split_galaxies(open_galaxies(toy_npz), "hash")
    few, other = training(toy_npz, 40).split(), training(toy_npz, 40, seed=1).split()
    assert len(few.training) == 40 and set(few.training) < set(whole.training)
    assert set(few.training) != set(other.training)
    np.testing.assert_array_equal(few.validation, whole.validation)
    with pytest.raises(InvalidInput, match=f"{len(whole.training)} training galaxies, not 9999"):
        training(toy_npz, 9999).split()


def test_differences_are_paired_by_seed() -> None:
    scratch = [Result(0.100, 4, 1.0), Result(0.110, 4, 3.0), Result(0.120, 4, 2.0)]
    begun = [Result(0.090, 4, 1.0), Result(0.098, 4, 1.0), Result(0.106, 4, 1.0)]
    # differences -0.010, -0.012, -0.014: mean -0.012, standard error 0.002 / sqrt(3), t 4.3027
    assert difference(begun, scratch) == (
        "-0.0120 | -0.0170 to -0.0070 | -0.0100, -0.0120, -0.0140"
    )
    assert summary(scratch) == "0.1100 | 0.0100 | 4 | 2.0"


def run(module: object, *arguments: object) -> None:
    """Run a benchmark with these arguments."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["benchmark", *map(str, arguments)])
        module.main()  # type: ignore[attr-defined]


@pytest.mark.slow
def test_the_benchmark_of_earlier_weights_runs_and_goes_on(
    toy_npz: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(earlier_weights, toy_npz, "--quick", "--out", tmp_path)
    rows = [line for line in capsys.readouterr().out.splitlines() if line.startswith("| 50")]
    assert ["scratch" in row for row in rows] == [True, False]
    run(earlier_weights, toy_npz, "--quick", "--out", tmp_path)
    again = capsys.readouterr()
    assert "epoch" not in again.err and all(row in again.out for row in rows)


@pytest.mark.slow
def test_the_benchmark_of_timms_members_runs(
    toy_npz: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(timm_members, toy_npz, "--quick", "--out", tmp_path)
    told = capsys.readouterr().out
    assert "| test_resnet | 0." in told and "| test_efficientnet | 0." in told


def test_an_unknown_variant_is_told(
    toy_npz: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("--weights", "w.pth", "--variants", "al", "--out", tmp_path)
    with pytest.raises(SystemExit) as ended:
        run(imagenet_weights, toy_npz, *arguments)
    assert ended.value.code == 2
    assert "no variant 'al'; did you mean 'all'?" in capsys.readouterr().err
