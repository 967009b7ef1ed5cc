"""Which sampler a study has, and that its draws go on where an earlier driver's ended."""

import optuna

from galaxytune.sampling.sampler import study_sampler
from tests.support.studies import BeginStudy


def test_a_study_of_ten_thousand_trials_can_be_resumed(begin_study: BeginStudy) -> None:
    plan = begin_study(trials=20_000).plan
    drawn = [study_sampler(plan, num_drawn) for num_drawn in (0, 10_000)]
    values = {optuna.create_study(sampler=s).ask().suggest_float("x", 0, 1) for s in drawn}
    assert len(values) == 2
