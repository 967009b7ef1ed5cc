"""The decision tree: what is derived from it, against hand-worked and real rows."""

import numpy as np
import pytest

from trainables.decision_tree import (
    COLUMNS,
    QUESTIONS,
    SLICES,
    answer_name,
    parent_columns,
    tree_residuals,
)


def test_the_37_columns_stand_in_kaggle_order():
    sizes = [3, 2, 2, 2, 4, 2, 3, 7, 3, 3, 6]
    expected = [f"Class{q}.{a}" for q, n in enumerate(sizes, 1) for a in range(1, n + 1)]
    assert list(COLUMNS) == expected


def test_slices_are_those_of_dielemans_code():
    printed = [(0, 3), (3, 5), (5, 7), (7, 9), (9, 13), (13, 15), (15, 18), (18, 25), (25, 28)]
    printed += [(28, 31), (31, 37)]
    assert [(s.start, s.stop) for s in SLICES] == printed


def test_an_answer_is_named_by_its_column():
    names = [answer_name(column) for column in range(37)]
    assert [names[i] for i in (0, 1, 3, 15, 36)] == [
        "smooth", "features or disk", "yes", "round", "can't tell"
    ]  # fmt: skip
    for question, answers in zip(QUESTIONS, SLICES):
        assert names[answers] == list(question.answers)


def test_parents_are_those_worked_out_by_hand():
    by_hand = {1: (), 2: (1,), 3: (4,), 4: (4,), 5: (7, 8), 6: (), 7: (0,), 8: (13,), 9: (3,)}
    by_hand |= {10: (7,), 11: (7,)}
    assert {q.number: parent_columns(q) for q in QUESTIONS} == by_hand


def test_as_published_moves_question_7_alone():
    moved = [q.number for q in QUESTIONS if parent_columns(q) != parent_columns(q, "as_published")]
    assert moved == [7]
    assert parent_columns(QUESTIONS[6], "as_published") == (10,)


def test_residual_of_a_hand_made_row():
    votes = np.zeros((1, 37))
    votes[0, [0, 1, 13, 14]] = 0.6, 0.4, 0.25, 0.75  # Q1 and Q6 sum to 1
    votes[0, 15] = 0.5  # Q7 should sum to .6
    residuals = tree_residuals(votes)[0]
    assert residuals[6] == pytest.approx(-0.1)
    assert residuals[1] == pytest.approx(-0.4)  # Q2 unanswered though .4 saw a disk
    assert residuals[[0, 2, 3, 4, 5, 8, 9, 10]] == pytest.approx(0)
    assert residuals[7] == pytest.approx(-0.25)


def test_wrong_width_is_refused():
    with pytest.raises(ValueError, match=r"\[N, 37\].*\[2, 36\]"):
        tree_residuals(np.zeros((2, 36)))


def test_real_galaxies_obey_the_true_tree_and_not_the_published_one(real_targets):
    assert np.abs(tree_residuals(real_targets)).max() < 1e-5
    published = tree_residuals(real_targets, "as_published")
    assert np.abs(published[:, 6]).mean() > 0.3
