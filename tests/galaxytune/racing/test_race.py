"""Who races over further seeds, who leaves the race, and that the race finds the best config."""

import numpy as np

from analysis.records import Status, TrialRecord
from galaxytune.racing.race import Leader, leaders_of, left_in_race, next_seed
from tests.support.records import record

RATES = (1e-3, 2e-3, 3e-3, 4e-3, 5e-3, 6e-3)


def searched(*rmses: float) -> list[TrialRecord]:
    """Complete trials of a search, each with a learning rate of its own."""
    return [record(i, rmse, learning_rate=RATES[i]) for i, rmse in enumerate(rmses)]


def further(number: int, of: int, seed: int, rmse: float | None) -> TrialRecord:
    """The trial `number`, which has the config of trial `of` with another seed."""
    status: Status = "failed" if rmse is None else "complete"
    made = record(number, rmse, status=status, learning_rate=RATES[of], seed=seed)
    return made.model_copy(update={"further_seed": True})


def ids(leaders: list[Leader]) -> list[str]:
    return [leader.trial_id for leader in leaders]


def test_the_four_best_that_are_near_the_best_race() -> None:
    trials = searched(0.1040, 0.1000, 0.1049, 0.1010, 0.1020, 0.1051)
    assert ids(leaders_of(trials, [], num_trials=20)) == ["00001", "00003", "00004", "00000"]
    near = searched(0.1000, 0.1049, 0.1051)  # 5 % above the best is the limit
    assert ids(leaders_of(near, [], num_trials=20)) == ["00000", "00001"]


def test_fewer_race_if_there_are_few_trials_for_the_race() -> None:
    trials = searched(0.100, 0.101, 0.102, 0.103)
    found = [len(leaders_of(trials, [], num_trials=number)) for number in (1, 4, 6, 8)]
    assert found == [2, 2, 3, 4]


def test_trials_that_are_not_complete_or_break_the_limit_do_not_race() -> None:
    pruned = record(0, 0.09, status="pruned", learning_rate=1e-3)
    beyond = record(1, 0.1, learning_rate=2e-3).model_copy(update={"feasible": False})
    within = record(2, 0.102, learning_rate=3e-3).model_copy(update={"feasible": True})
    assert ids(leaders_of([pruned, beyond, within], [], num_trials=20)) == ["00002"]
    assert leaders_of([pruned], [], num_trials=20) == []


def test_a_leader_knows_its_seeds_those_that_failed_or_run_included() -> None:
    ended = [further(2, 0, 500, 0.103), further(3, 0, 501, None)]
    runs = further(4, 1, 500, 0.1).config
    trials = [*searched(0.100, 0.101), *ended]
    first, second = leaders_of(trials, [*(r.config for r in ended), runs], num_trials=20)
    assert first == Leader("00000", {0: 0.100, 500: 0.103}, frozenset({500, 501}))
    assert second == Leader("00001", {0: 0.101}, frozenset({500}))


def test_a_lucky_further_seed_makes_no_new_leader() -> None:
    lucky = further(2, 1, 500, 0.05)
    assert ids(leaders_of([*searched(0.100, 0.101), lucky], [], num_trials=4)) == [
        "00000",
        "00001",
    ]


def test_all_leaders_get_the_same_seeds_in_turn() -> None:
    leaders = [Leader(name, {0: 0.1}, frozenset()) for name in "abc"]
    given = []
    for _ in range(7):
        found = next_seed(leaders, 500)
        assert found is not None
        given.append(found)
        leaders = [
            Leader(leader.trial_id, leader.rmses, leader.given | {found[1]})
            if leader.trial_id == found[0]
            else leader
            for leader in leaders
        ]
    assert given == [
        ("a", 500), ("b", 500), ("c", 500), ("a", 501), ("b", 501), ("c", 501), ("a", 502)
    ]  # fmt: skip


def test_nothing_is_next_for_one_leader_or_after_eight_seeds() -> None:
    new = Leader("a", {0: 0.1}, frozenset())
    whole = Leader("b", {0: 0.1}, frozenset(range(500, 508)))
    assert next_seed([], 500) is None and next_seed([new], 500) is None
    assert next_seed([whole, whole], 500) is None
    assert next_seed([whole, new], 500) == ("a", 500)  # a trial that ended late catches up


def test_seeds_stay_seeds_at_the_end_of_their_range() -> None:
    leaders = [Leader(name, {0: 0.1}, frozenset({2**32 - 1})) for name in "ab"]
    assert next_seed(leaders, 2**32 - 1) == ("a", 0)


def test_a_leader_leaves_when_its_mean_is_worse_by_more_than_scatter_explains() -> None:
    best = Leader("a", {0: 0.100, 1: 0.102, 2: 0.101}, frozenset({1, 2}))
    near = Leader("b", {0: 0.101, 1: 0.101, 2: 0.102}, frozenset({1, 2}))
    worse = Leader("c", {0: 0.105, 1: 0.106, 2: 0.106}, frozenset({1, 2}))
    assert ids(left_in_race([best, near, worse])) == ["a", "b"]
    alone = [Leader(name, {0: rmse}, frozenset()) for name, rmse in (("a", 0.1), ("b", 0.104))]
    assert ids(left_in_race(alone)) == ["a", "b"]  # one seed each says nothing about scatter


def test_the_best_config_wins_more_often_than_by_its_single_draw() -> None:
    chance, scatter, trainings = np.random.default_rng(0), 0.001, 12
    true = {"00000": 0.1000, "00001": 0.1010, "00002": 0.1010, "00003": 0.1010}
    by_single, by_race, spent = 0, 0, 0
    for _ in range(100):  # searches
        rmses = {i: {0: level + scatter * chance.standard_normal()} for i, level in true.items()}
        by_single += min(rmses, key=lambda i: rmses[i][0]) == "00000"
        for _ in range(trainings):
            leaders = [Leader(i, known, frozenset(known) - {0}) for i, known in rmses.items()]
            chosen = next_seed(left_in_race(leaders), 500)
            if chosen is None:
                break
            spent += 1
            rmses[chosen[0]][chosen[1]] = true[chosen[0]] + scatter * chance.standard_normal()
        most = max(map(len, rmses.values()))
        left = [i for i in rmses if len(rmses[i]) >= most - 1]
        by_race += min(left, key=lambda i: np.mean([*rmses[i].values()])) == "00000"
    assert by_race >= by_single + 10, (by_single, by_race)
    assert spent < 100 * trainings  # some races are decided before their last training
