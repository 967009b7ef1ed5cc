"""Simulated races over further seeds."""

from benchmarks.seed_races import table


def test_a_race_with_many_trainings_halves_the_loss_of_a_single_draw() -> None:
    rows = [line.strip("| ").split(" | ") for line in table(60)][2:]
    assert [(row[0], row[1]) for row in rows[:3]] == [
        ("0.0005", "4"),
        ("0.0005", "8"),
        ("0.0005", "20"),
    ]
    assert all(float(used) <= float(most) for _, most, used, *_ in rows)
    width, trainings, *_, ratio = rows[-1]
    assert (width, trainings) == ("0.003", "20") and float(ratio) < 0.8
