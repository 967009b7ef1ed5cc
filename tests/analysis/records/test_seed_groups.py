"""Which trial is the best where configs were trained with several seeds."""

from analysis.records import TrialRecord, best_trial, key_without_seed, make_leaderboard, ranked
from analysis.records.seed_groups import raced_groups
from tests.support.records import record


def trial(number: int, config: int, seed: int, rmse: float) -> TrialRecord:
    """A trial of a search: a further seed if the seed is not 0."""
    made = record(number, rmse, learning_rate=1e-3 * (config + 1), seed=seed)
    return made.model_copy(update={"further_seed": seed != 0})


LUCKY = [trial(0, 0, 0, 0.0990), trial(3, 0, 500, 0.1020), trial(5, 0, 501, 0.1020)]
STEADY = [trial(1, 1, 0, 0.0998), trial(4, 1, 500, 0.0996), trial(6, 1, 501, 0.1000)]
DROPPED = [trial(2, 2, 0, 0.0999)]


def test_the_best_trial_is_that_of_the_config_with_the_lowest_mean() -> None:
    trials = [*LUCKY, *STEADY, *DROPPED]
    assert best_trial(trials).id == "00004"
    assert [r.id for r in ranked(trials)][:4] == ["00004", "00000", "00001", "00002"]


def test_a_config_that_left_the_race_early_does_not_win_by_two_seeds() -> None:
    left = [trial(0, 0, 0, 0.0990), trial(3, 0, 500, 0.0991)]
    steady = [*STEADY, trial(7, 1, 502, 0.1), trial(8, 1, 503, 0.1)]
    assert best_trial([*left, *steady]).id == "00004"
    assert best_trial([*left, *STEADY]).id == "00000"  # one seed fewer: the last round was cut


def test_a_single_seed_wins_only_if_it_is_below_every_seed_of_the_winner() -> None:
    assert best_trial([*LUCKY, *STEADY, trial(9, 3, 0, 0.0997)]).id == "00004"
    assert best_trial([*LUCKY, *STEADY, trial(9, 3, 0, 0.0995)]).id == "00009"


def test_seeds_of_a_grid_do_not_change_its_best_trial() -> None:
    grid = [r.model_copy(update={"further_seed": False}) for r in (*LUCKY, *STEADY)]
    assert best_trial(grid).id == "00000"
    assert raced_groups(ranked(grid)) == []


def test_trials_that_break_the_limit_do_not_win_by_their_mean() -> None:
    beyond = [r.model_copy(update={"feasible": False}) for r in STEADY]
    within = [r.model_copy(update={"feasible": True}) for r in LUCKY]
    assert best_trial([*beyond, *within]).id == "00000"


def test_a_failed_seed_counts_for_nothing() -> None:
    failed = record(7, None, status="failed", learning_rate=2e-3, seed=502)
    trials = [*LUCKY, *STEADY, failed.model_copy(update={"further_seed": True})]
    assert best_trial(trials).id == "00004"


def test_the_leaderboard_tells_seeds_and_mean_of_each_config() -> None:
    pruned = record(9, 0.2, status="pruned", learning_rate=0.01)
    board = make_leaderboard({"s": [*LUCKY, *STEADY, *DROPPED, pruned]})
    rows = {row.id: row for row in board.trials}
    assert [board.trials[0].id, board.trials[0].rank] == ["00004", 1]
    assert {(rows[r.id].num_seeds, round(rows[r.id].mean_val_rmse or 0, 6)) for r in LUCKY} == {
        (3, 0.101)
    }
    assert (rows["00002"].num_seeds, rows["00002"].mean_val_rmse) == (1, 0.0999)
    assert (rows["00009"].num_seeds, rows["00009"].mean_val_rmse) == (0, None)


def test_seeds_of_two_studies_are_not_counted_together() -> None:
    one, other = [LUCKY[0], LUCKY[1]], [LUCKY[2]]
    rows = make_leaderboard({"a": one, "b": other}).trials
    assert {(row.study, row.num_seeds) for row in rows} == {("a", 2), ("b", 1)}
    named = [r.model_copy(update={"id": f"{s}/{r.id}"}) for s, r in zip("aab", LUCKY)]
    assert raced_groups(ranked(named)) == [[0, 1]]


def test_the_key_of_a_config_leaves_out_the_seed_alone() -> None:
    key = key_without_seed(LUCKY[0].config)
    assert key == key_without_seed(LUCKY[1].config) != key_without_seed(STEADY[0].config)
