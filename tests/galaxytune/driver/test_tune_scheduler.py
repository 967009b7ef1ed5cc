"""What the scheduler tells Tune, and that it asks no more of Tune than it needs."""

from types import SimpleNamespace

from ray.tune.experiment import Trial

from galaxytune.driver.ledger import Ledger
from galaxytune.driver.promotion import Promotion
from galaxytune.driver.tune_scheduler import StudyScheduler
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
