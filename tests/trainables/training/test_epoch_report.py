"""Epoch reports: the numbers by name and back, which are unusable, and when a run is over."""

import json
import math
from dataclasses import replace
from typing import Any

import pytest

from search_spaces.declaration import config_from_values
from tests.support.records import curve, epoch_report
from trainables.training.epoch_report import (
    EpochReport,
    best_epoch,
    why_finished,
    why_unusable,
)

WHOLE = EpochReport(
    epoch=3,
    train_loss=0.04,
    train_rmse=0.2,
    val_loss=0.05,
    val_rmse=0.21,
    val_tree_residual=0.3,
    learning_rate=1e-3,
    seconds=1.5,
    val_question_rmse=tuple(q / 100 for q in range(1, 12)),
    micro_batch=16,
)
# The second line of a curve that galaxytune 0.1.0 (commit c4ec6b0) wrote.
OLDER_LINE = (
    '{"epoch": 2.0, "train_loss": 0.1999899462649697, "train_rmse": 0.43418067693710327, '
    '"val_loss": 0.19060391187667847, "val_rmse": 0.4232540616626016, '
    '"val_tree_residual": 1.0418111085891724, "val_rmse_q1": 0.3723025488306243, '
    '"val_rmse_q2": 0.36442764633023267, "val_rmse_q3": 0.33775039876827057, '
    '"val_rmse_q4": 0.3236069063160609, "val_rmse_q5": 0.41959465390617534, '
    '"val_rmse_q6": 0.3282237039937806, "val_rmse_q7": 0.412503613665012, '
    '"val_rmse_q8": 0.4666822504943768, "val_rmse_q9": 0.4755164097675418, '
    '"val_rmse_q10": 0.4336454070312263, "val_rmse_q11": 0.46763145873975626, '
    '"learning_rate": 0.001, "seconds": 0.11263137399964762, "micro_batch": 16.0}'
)


@pytest.mark.parametrize(
    "report",
    [
        WHOLE,
        replace(WHOLE, val_question_rmse=()),
        replace(WHOLE, micro_batch=None),
        epoch_report(1, 0.2),
    ],
)
def test_a_report_survives_its_values(report: EpochReport) -> None:
    assert EpochReport.from_values(report.as_values()) == report
    assert EpochReport.from_values(json.loads(json.dumps(report.as_values()))) == report


def test_values_stand_in_the_order_of_a_curve_file() -> None:
    questions = [f"val_rmse_q{q}" for q in range(1, 12)]
    assert list(WHOLE.as_values()) == [
        *("epoch", "train_loss", "train_rmse", "val_loss", "val_rmse", "val_tree_residual"),
        *questions,
        *("learning_rate", "seconds", "micro_batch"),
    ]
    assert [WHOLE.as_values()[name] for name in questions] == [q / 100 for q in range(1, 12)]
    assert "micro_batch" not in replace(WHOLE, micro_batch=None).as_values()


def test_a_line_of_an_older_version_is_read_and_means_the_same() -> None:
    values = json.loads(OLDER_LINE)
    assert all(type(value) is float for value in values.values())
    report = EpochReport.from_values(values)
    assert (report.epoch, report.micro_batch) == (2, 16)
    assert type(report.epoch) is int and type(report.micro_batch) is int
    assert report.val_question_rmse[6] == values["val_rmse_q7"]
    assert report.as_values() == values and list(report.as_values()) == list(values)


def test_what_tune_adds_to_a_result_is_passed_over() -> None:
    result = {"trial_id": "00001", "config/task": object(), "finished": "x", **WHOLE.as_values()}
    assert EpochReport.from_values(result) == WHOLE


@pytest.mark.parametrize("name", ["epoch", "val_rmse", "val_tree_residual", "seconds"])
def test_a_number_that_is_missing_is_no_report(name: str) -> None:
    values = {k: v for k, v in WHOLE.as_values().items() if k != name}
    with pytest.raises(KeyError, match=name):
        EpochReport.from_values(values)


def test_a_report_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        WHOLE.val_rmse = 0.0  # type: ignore[misc]


# which reports are unusable


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"val_rmse": math.nan}, "reported val_rmse = nan at epoch 3"),
        ({"val_rmse": None}, "reported val_rmse = None at epoch 3"),
        ({"val_rmse": "0.1"}, "reported val_rmse = 0.1 at epoch 3"),
        ({"val_loss": math.inf}, "reported val_loss = inf at epoch 3"),
        ({"train_rmse": -math.inf}, "reported train_rmse = -inf at epoch 3"),
        ({"val_rmse_q7": math.nan}, "reported val_rmse_q7 = nan at epoch 3"),
        ({"seconds": None}, "reported seconds = None at epoch 3"),
        ({"learning_rate": math.nan}, "reported learning_rate = nan at epoch 3"),
        ({"epoch": None}, "reported no epoch, but None"),
        ({"epoch": "3"}, "reported no epoch, but '3'"),
    ],
)
def test_a_number_that_is_none_or_not_finite_is_named(changes: dict[str, Any], told: str) -> None:
    assert why_unusable(WHOLE.as_values() | changes) == told


@pytest.mark.parametrize("name", ["val_rmse", "train_loss", "val_tree_residual", "seconds"])
def test_a_number_that_was_not_reported_is_named(name: str) -> None:
    values = {k: v for k, v in WHOLE.as_values().items() if k != name}
    assert why_unusable(values) == f"reported {name} = None at epoch 3"


def test_a_result_without_an_epoch_says_so() -> None:
    assert why_unusable({"val_rmse": 0.1}) == "reported no epoch, but None"


@pytest.mark.parametrize(
    "values",
    [WHOLE.as_values(), json.loads(OLDER_LINE), {**WHOLE.as_values(), "hostname": "node7"}],
)
def test_a_whole_report_is_usable(values: dict[str, Any]) -> None:
    assert why_unusable(values) is None


# when a run is over


def test_the_best_epoch_is_the_first_of_the_lowest() -> None:
    assert best_epoch(curve([0.3, 0.1, 0.2, 0.1]), "val_rmse") == 2
    assert best_epoch([], "val_rmse") == 0


def test_the_monitored_metric_decides_the_best_epoch() -> None:
    reports = [
        replace(epoch_report(1, 0.2), val_loss=0.5),
        replace(epoch_report(2, 0.3), val_loss=0.4),
    ]
    assert best_epoch(reports, "val_loss") == 2
    assert best_epoch(reports, "val_rmse") == 1


@pytest.mark.parametrize(
    ("rmses", "reason"),
    [
        ([], None),
        ([0.3, 0.2, 0.3], None),
        ([0.3, 0.2, 0.3, 0.2], "no better epoch in 2"),
        ([0.3, 0.2, 0.1, 0.09, 0.08], "all epochs trained"),
    ],
)
def test_a_run_is_over_at_its_last_epoch_or_out_of_patience(
    rmses: list[float], reason: str | None
) -> None:
    values = {"architecture": "simple_cnn", "epochs": 5, "early_stopping_patience": 2}
    assert why_finished(config_from_values(values), curve(rmses)) == reason


def test_no_patience_is_never_out_of_patience() -> None:
    values = {"architecture": "simple_cnn", "epochs": 9, "early_stopping_patience": 0}
    assert why_finished(config_from_values(values), curve([0.1] * 8)) is None
