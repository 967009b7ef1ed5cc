"""Rungs: which trials may go on, and which have hardly a chance to."""

from galaxytune.halving.rungs import Rungs
from tests.support.records import curve


def entered(values: dict[str, float], *, max_epochs: int = 9) -> Rungs:
    """Rungs at 1 and 3 where so many have come to the first, and pause there."""
    rungs = Rungs(grace_epochs=1, reduction_factor=3, max_epochs=max_epochs)
    for trial_id, value in values.items():
        rungs.enter(trial_id, curve([value]))
        rungs.paused[trial_id] = 1
    return rungs


def test_the_best_third_of_those_who_came_goes_on() -> None:
    rungs = entered({"a": 0.30, "b": 0.20})
    assert list(rungs.counts) == [1, 3]
    assert rungs.promotable() == []  # a third of two is none
    rungs.enter("c", curve([0.25]))
    rungs.paused["c"] = 1
    assert rungs.promotable() == ["b"]
    for trial_id, value in {"d": 0.10, "e": 0.40, "f": 0.35}.items():
        rungs.enter(trial_id, curve([value]))
    assert rungs.may_pass("d", 1) and rungs.promotable() == ["b"]  # "d" has not paused
    assert not rungs.may_pass("c", 1) and rungs.may_pass("c", 2)  # no rung at epoch 2


def test_whoever_came_furthest_goes_on_first() -> None:
    rungs = entered({"a": 0.1, "b": 0.2, "c": 0.3, "d": 0.4, "e": 0.5, "f": 0.6})
    for trial_id, value in {"x": 0.3, "y": 0.2, "z": 0.25}.items():
        rungs.enter(trial_id, curve([value, value, value]))
    rungs.paused |= {"x": 3, "y": 3}
    assert rungs.promotable() == ["y", "a", "b"]  # of nine at the first rung y is third


def test_a_rung_asks_for_the_lowest_value_up_to_its_epoch() -> None:
    rungs = Rungs(grace_epochs=3, reduction_factor=2, max_epochs=5)
    rungs.enter("a", curve([0.1, 0.3, 0.4, 0.5]))
    rungs.enter("b", curve([0.3, 0.2, 0.2]))
    assert rungs.may_pass("a", 3) and not rungs.may_pass("b", 3)


def test_the_best_of_a_rung_goes_on_at_last_however_few_came() -> None:
    rungs = entered({"a": 0.3, "b": 0.2})
    assert rungs.promotable(is_last_call=True) == ["b"]


def test_who_has_hardly_a_chance_is_given_up() -> None:
    rungs = entered({f"{i:02d}": i / 100 for i in range(30)})
    assert rungs.hopeless(1000) == [f"{i:02d}" for i in range(10 + 6, 30)]  # 30 / 3 + sqrt(30)
    assert rungs.hopeless(33) == [f"{i:02d}" for i in range(11, 30)]  # 33 / 3 at the very most
    del rungs.paused["20"]
    assert "20" not in rungs.hopeless(1000)


def test_who_pauses_where_no_rung_is_any_more_may_go_on() -> None:
    rungs = Rungs(grace_epochs=9, reduction_factor=3, max_epochs=9)
    rungs.enter("a", curve([0.3]))
    rungs.paused["a"] = 1
    assert rungs.promotable() == ["a"] and rungs.hopeless(100) == []
