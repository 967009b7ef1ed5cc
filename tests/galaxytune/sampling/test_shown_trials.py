"""What the sampler is shown: everything at first, later the best and the latest, never more."""

import random

import optuna
from optuna.trial import FrozenTrial, TrialState, create_trial

from galaxytune.sampling.failure_aware_sampler import BLAMED, FailureAwareSampler
from galaxytune.sampling.shown_trials import MOST_SHOWN, NUM_BEST, TrialHistory
from galaxytune.sampling.tpe import QuickTPESampler

X = {"x": optuna.distributions.FloatDistribution(0, 1)}


def ended(value: float | None = None, **changes: object) -> FrozenTrial:
    state = TrialState.PRUNED if value is None else TrialState.COMPLETE
    return create_trial(
        **{"state": state, "value": value, "params": {"x": 0.5}, "distributions": X, **changes}  # type: ignore[arg-type]
    )


def numbered(trials: list[FrozenTrial]) -> list[FrozenTrial]:
    study = optuna.create_study()
    study.add_trials(trials)
    return study.get_trials(deepcopy=False)


def test_the_best_are_shown_however_old_they_are() -> None:
    trials = numbered([ended(0.1 if i < 30 else 0.2 + i / 1e6) for i in range(2000)])
    shown = [t.number for t in TrialHistory(BLAMED).shown(trials)]
    assert shown == [*range(NUM_BEST), *range(2000 - MOST_SHOWN + NUM_BEST, 2000)]


def test_a_look_at_a_time_shows_what_one_look_does() -> None:
    chance = random.Random(1)
    values = [None if chance.random() < 0.7 else chance.random() for _ in range(900)]
    trials = numbered([ended(value) for value in values])
    history = TrialHistory(BLAMED)
    for end in range(0, 900, 7):
        history.shown(trials[:end])
    assert history.shown(trials) == TrialHistory(BLAMED).shown(trials)


def test_pruned_trials_stand_behind_complete_ones_the_longest_first() -> None:
    short = ended(intermediate_values={1: 0.01})
    long = ended(intermediate_values={1: 0.5, 3: 0.4})
    rest = [ended(0.9) for _ in range(NUM_BEST - 1)]
    late = [ended(intermediate_values={1: 0.6}) for _ in range(MOST_SHOWN)]
    shown = TrialHistory(BLAMED).shown(numbered([short, long, *rest, *late]))
    assert [t.number for t in shown[:2]] == [1, 2]


def test_of_two_objectives_the_outer_fronts_are_the_best() -> None:
    front = [ended(values=[i / 30, 1 - i / 30]) for i in range(NUM_BEST)]
    beaten = [ended(values=[0.9, 2.0 + i]) for i in range(MOST_SHOWN)]
    study = optuna.create_study(directions=["minimize"] * 2)
    study.add_trials([*front, *beaten])
    shown = TrialHistory(BLAMED).shown(study.get_trials())
    assert [t.number for t in shown[:NUM_BEST]] == list(range(NUM_BEST))


def test_a_value_without_end_stands_behind_and_does_not_hold_the_sampler_up() -> None:
    front = [ended(values=[0.1, 0.1]) for _ in range(MOST_SHOWN)]
    study = optuna.create_study(directions=["minimize"] * 2)
    study.add_trials([ended(values=[0.0, float("inf")]), *front])
    assert len(TrialHistory(BLAMED).shown(study.get_trials())) == MOST_SHOWN


def test_running_trials_are_always_shown_and_unblamed_failures_never() -> None:
    failed = ended(state=TrialState.FAIL)
    blamed = ended(state=TrialState.FAIL, user_attrs={BLAMED: True})
    running = ended(state=TrialState.RUNNING)
    trials = numbered([running, failed, blamed, *(ended(0.5) for _ in range(50))])
    assert [t.number for t in TrialHistory(BLAMED).shown(trials)][:3] == [0, 2, 3]


def test_of_a_long_study_the_sampler_still_calls_the_best_25_good() -> None:
    chance = random.Random(2)
    values = [chance.random() for _ in range(400)]
    sampler = QuickTPESampler(seed=0)
    study = optuna.create_study(sampler=FailureAwareSampler(sampler))
    study.add_trials([ended(value) for value in values])
    study.ask().suggest_float("x", 0, 1)
    good = {trial.value for trial in sampler.good_trials}
    assert good == set(sorted(values)[:NUM_BEST])
