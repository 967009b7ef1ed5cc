"""The ledger's own accounts: sums and short lists that need no look at every trial."""

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest
from optuna.samplers import RandomSampler

from galaxytune.driver.ledger import Ledger
from tests.support.misbehaving import report_of
from tests.support.studies import BeginStudy


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
    """Return the bytecode instructions of an action, with those of Optuna and Python's library."""
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
    """Return the steps of a report, and of the end of a trial."""
    trial_id = begin(ledger)
    report = report_of(trial_id, 1)
    return (
        num_steps(lambda: ledger.record_epoch(trial_id, report)),
        num_steps(lambda: ledger.finish(trial_id, "pruned", "stopped")),
    )


@pytest.mark.slow
def test_a_report_and_a_record_take_no_more_work_after_many_trials(
    begin_study: BeginStudy,
) -> None:
    ledger = Ledger(begin_study(trials=1000, max_device_hours=1, plateau_trials=900))
    ledger._journal.study.sampler = RandomSampler(seed=0)
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
    assert resumed.num_begun == 3
    assert [*resumed.unfinished, resumed.draw(), resumed.draw()] == ["00002", "00003", None]


def test_a_finished_trials_curve_and_record_are_there_before_anyone_is_told(
    begin_study: BeginStudy,
) -> None:
    folder = begin_study(trials=1)
    seen: list[tuple[int, int]] = []

    class Observer:
        def study_started(self, *_: Any) -> None: ...

        def trial_started(self, *_: Any) -> None: ...

        def epoch_reported(self, trial_id: str, _: Any) -> None:
            seen.append((len(folder.curve(trial_id)), len(folder.records())))

        def trial_paused(self, *_: Any) -> None: ...

        def trial_finished(self, ended: Any) -> None:
            seen.append((len(folder.curve(ended.id)), len(folder.records())))

        def study_noted(self, *_: Any) -> None: ...

    run_one(Ledger(folder, [Observer()]))
    assert seen == [(1, 0), (2, 0), (2, 1)]


def test_records_that_were_lost_are_made_again(begin_study: BeginStudy) -> None:
    folder = begin_study(trials=4)
    ledger = Ledger(folder)
    for _ in range(2):
        run_one(ledger)
    failed = begin(ledger)
    ledger.finish(failed, "failed", "no luck", config_failed=True)
    before = folder.records()
    folder.records_file.unlink()
    resumed = Ledger(folder)
    assert resumed.num_left == 1 and resumed.unfinished == ()
    restored = folder.records()
    lost = {"reason": "its record was lost and was made again"}
    assert [r.model_copy(update=lost) for r in before[:2]] == restored[:2]
    assert before[2] == restored[2]
    (folder.curve_file("00000")).unlink()
    folder.records_file.unlink()
    assert [record.status for record in Ledger(folder).records.values()] == [
        "failed", "complete", "failed"
    ]  # fmt: skip
