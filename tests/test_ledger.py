"""The ledger's own accounts: sums and short lists that need no look at every trial."""

import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import optuna
import pytest
from optuna.samplers import RandomSampler

from galaxytune.budget import Budget
from galaxytune.checkpoint_keeper import CheckpointKeeper
from galaxytune.ledger import Ledger
from galaxytune.study_folder import StudyFolder
from galaxytune.study_plan import make_plan
from galaxytune.study_sampler import study_sampler
from tests.misbehaving import report_of
from tests.test_constraint_study import record
from trainables.checkpoint import BEST, LAST

BeginStudy = Callable[..., StudyFolder]


def begin(ledger: Ledger) -> str:
    drawn = ledger.draw()
    assert drawn is not None
    return ledger.hand_out(drawn)[0]


def run_one(ledger: Ledger, epochs: int = 2) -> str:
    trial_id = begin(ledger)
    for epoch in range(1, epochs + 1):
        ledger.record_epoch(trial_id, report_of(trial_id, epoch))
    ledger.finish(trial_id, "complete", "all epochs trained")
    return trial_id


def num_steps(action: Callable[[], object]) -> int:
    """How many bytecode instructions an action takes, Optuna's and the standard library's too."""
    steps = 0

    def count(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal steps
        frame.f_trace_opcodes = True
        steps += event == "opcode"
        return count

    before = sys.gettrace()
    sys.settrace(count)
    try:
        action()
    finally:
        sys.settrace(before)
    return steps


def steps_of_one(ledger: Ledger) -> tuple[int, int]:
    """Of a report, and of a trial's end."""
    trial_id = begin(ledger)
    report = report_of(trial_id, 1)
    return (
        num_steps(lambda: ledger.record_epoch(trial_id, report)),
        num_steps(lambda: ledger.finish(trial_id, "pruned", "stopped")),
    )


def test_a_report_and_a_record_take_no_more_work_after_many_trials(
    begin_study: BeginStudy,
) -> None:
    ledger = Ledger(begin_study(trials=1000, max_device_hours=1, plateau_trials=900))
    ledger.journal.study.sampler = RandomSampler(seed=0)
    for _ in range(10):
        run_one(ledger)
    early = steps_of_one(ledger)
    for _ in range(150):
        run_one(ledger)
    late = steps_of_one(ledger)
    assert all(now < 1.02 * before for before, now in zip(early, late)), (early, late)


def test_a_resumed_ledger_knows_how_many_trials_have_begun(begin_study: BeginStudy) -> None:
    folder = begin_study(trials=4)
    ledger = Ledger(folder)
    for _ in range(2):
        run_one(ledger)
    begin(ledger)
    resumed = Ledger(folder)
    assert resumed.journal.num_begun() == 3
    assert [*resumed.unfinished, resumed.draw(), resumed.draw()] == ["00002", "00003", None]


def test_a_study_of_ten_thousand_trials_can_be_resumed(begin_study: BeginStudy) -> None:
    plan = begin_study(trials=20_000).plan
    drawn = [study_sampler(plan, num_drawn) for num_drawn in (0, 10_000)]
    values = {optuna.create_study(sampler=s).ask().suggest_float("x", 0, 1) for s in drawn}
    assert len(values) == 2


@pytest.mark.parametrize(
    ("limits", "reached"),
    [
        ({"max_device_hours": 21 / 3600}, None),
        ({"max_device_hours": 20 / 3600}, "0.00555556 device-hours are spent"),
        ({"plateau_trials": 3}, None),
        ({"plateau_trials": 2}, "no better trial among the last 2"),
        ({"target_rmse": 0.09}, None),
        ({"target_rmse": 0.1}, "validation RMSE 0.1000 reaches the target of 0.1"),
    ],
)
def test_a_budget_counts_what_earlier_drivers_spent(limits: dict, reached: str | None) -> None:
    values = {"name": "s", "architectures": ["simple_cnn"], "data": "g.npz", "trials": 9}
    plan = make_plan(values | {"cpus_per_trial": 2.0} | limits)
    trials = [record(i, rmse) for i, rmse in enumerate((0.3, 0.1, 0.2, 0.15))]
    curves = [[{"seconds": 1.0}] * 4, [{"seconds": 2.0}] * 3]  # 10 s of two cores
    assert Budget(plan, trials, curves).reached() == reached
    told_later = Budget(plan, trials[:2], curves[:1])
    for report in curves[1]:
        told_later.spend(report)
    for trial in trials[2:]:
        told_later.enter(trial)
    assert told_later.reached() == reached


@pytest.fixture
def checkpoints(begin_study: BeginStudy) -> Callable[..., CheckpointKeeper]:
    """A function that makes a keeper of the two best of some trials, all with checkpoints."""

    def keeper(num_trials: int, *ended: Any, **changes: Any) -> CheckpointKeeper:
        folder = begin_study(keep_checkpoints=2, **changes)
        for number in range(num_trials):
            place = folder.checkpoint_folder(f"{number:05d}")
            place.mkdir()
            (place / BEST).write_bytes(b"b" * 1000)
            (place / LAST).write_bytes(b"l" * 1000)
        return CheckpointKeeper(folder, folder.plan, ended)

    return keeper


def kept(keeper: CheckpointKeeper) -> list[str]:
    return sorted(f"{p.parent.name}/{p.name}" for p in keeper.folder.checkpoints.glob("*/*"))


def test_the_best_of_all_trials_stay_and_live_ones_with_them(checkpoints) -> None:
    keeper = checkpoints(5)
    for number, rmse in enumerate((0.3, 0.1, 0.4, 0.2)):
        keeper.clean(record(number, rmse))
    assert kept(keeper) == [
        "00001/best.safetensors",
        "00003/best.safetensors",
        "00004/best.safetensors",
        "00004/last.pt",
    ]


def test_what_a_killed_driver_left_behind_is_dropped_by_the_next(checkpoints) -> None:
    ended = [record(number, rmse) for number, rmse in enumerate((0.3, 0.1, 0.2))]
    assert {path.partition("/")[0] for path in kept(checkpoints(4, *ended))} == {
        "00001",
        "00002",
        "00003",
    }


def test_over_the_quota_the_best_stays(checkpoints) -> None:
    keeper = checkpoints(3, checkpoint_quota_gb=1.5e-6)
    for number, rmse in enumerate((0.3, 0.1, 0.2)):
        keeper.clean(record(number, rmse))
        while keeper.is_over_quota() and keeper.drop_worst():
            pass
    assert kept(keeper) == ["00001/best.safetensors"]


def test_the_best_of_each_architecture_stays(checkpoints) -> None:
    keeper = checkpoints(4)
    others = [record(number, rmse) for number, rmse in enumerate((0.1, 0.2, 0.15))]
    keeper.clean(record(3, 0.5).model_copy(update={"architecture": "parallel_cnn"}))
    for trial in others:
        keeper.clean(trial)
    assert {path.partition("/")[0] for path in kept(keeper)} == {"00000", "00002", "00003"}


def test_a_finished_trials_curve_and_record_are_there_before_anyone_is_told(
    begin_study: BeginStudy, tmp_path: Path
) -> None:
    folder = begin_study(trials=1)
    ledger = Ledger(folder)
    seen: list[tuple[int, int]] = []

    class Observer:
        def trial_started(self, *_: Any) -> None: ...

        def epoch_reported(self, trial_id: str, _: Any) -> None:
            seen.append((len(folder.curve(trial_id)), len(folder.records())))

        def trial_paused(self, *_: Any) -> None: ...

        def trial_finished(self, ended: Any) -> None:
            seen.append((len(folder.curve(ended.id)), len(folder.records())))

        def study_noted(self, *_: Any) -> None: ...

    ledger.observers = (Observer(),)
    run_one(ledger)
    assert seen == [(1, 0), (2, 0), (2, 1)]
