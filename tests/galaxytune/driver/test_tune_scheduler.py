"""What the scheduler tells Tune, and that it asks no more of Tune than it needs."""

from types import SimpleNamespace

from ray.tune.experiment import Trial

from galaxytune.driver.ledger import Ledger
from galaxytune.driver.promotion import Promotion
from galaxytune.driver.tune_scheduler import StudyScheduler
from tests.support.driver import HALVED, Driver
from tests.support.misbehaving import report_of
from tests.support.studies import BeginStudy


def waiting(trial_id: str, status: str = Trial.PENDING) -> SimpleNamespace:
    task = SimpleNamespace(trial_id=trial_id)
    return SimpleNamespace(trial_id=trial_id, config={"task": task}, status=status)


def test_the_lowest_id_runs_next_and_only_live_trials_are_looked_at(
    begin_study: BeginStudy,
) -> None:
    ledger = Ledger(begin_study())
    scheduler = StudyScheduler(ledger, Promotion(ledger))
    trials = [waiting("00003"), waiting("00001", Trial.RUNNING), waiting("00002")]
    tune = SimpleNamespace(get_live_trials=lambda: trials)
    assert scheduler.choose_trial_to_run(tune) is trials[2]
    tune = SimpleNamespace(get_live_trials=lambda: trials[1:2])
    assert scheduler.choose_trial_to_run(tune) is None


def test_a_trial_that_is_over_leaves_no_statistics_in_tunes_object(
    begin_study: BeginStudy,
) -> None:
    driver = Driver(begin_study(**HALVED))
    (trial_id,) = driver.begin()
    trial = Trial("x", config={"task": driver.task(trial_id)}, stub=True)
    report = report_of(trial_id, 1).as_values()
    driver.scheduler.on_trial_result(None, trial, report)
    trial.update_last_result(dict(report))
    assert trial.metric_analysis["val_rmse"]["last"] == report["val_rmse"]
    driver.scheduler.on_trial_complete(None, trial, report)
    assert trial.metric_analysis == trial.metric_n_steps == {}
    assert trial.last_result["val_rmse"] == report["val_rmse"]
