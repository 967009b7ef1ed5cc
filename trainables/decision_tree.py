"""The Galaxy Zoo 2 decision tree as data, and the tree residuals that follow from it.

Source: Willett et al. 2013, figure 1 and table 2. The 37 answers are in the order of the columns
of Kaggle's "Galaxy Zoo - The Galaxy Challenge" (Class1.1 ... Class11.6).
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Tree = Literal["true", "as_published"]


@dataclass(frozen=True)
class Question:
    """One question of the decision tree.

    number: the question's number, 1 to 11.
    name: a short name.
    answers: the names of the answers, in order; different questions may have answers of one name,
        such as "yes".
    asked_after: Kaggle's names of the answers after which the question is asked; () means that the
        fractions of the question's answers sum to 1 in every galaxy.
    """

    number: int
    name: str
    answers: tuple[str, ...]
    asked_after: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """Kaggle's names of the answers, such as Class7.1, Class7.2, Class7.3."""
        return tuple(f"Class{self.number}.{i}" for i in range(1, len(self.answers) + 1))


QUESTIONS: tuple[Question, ...] = (
    Question(1, "smooth or featured", ("smooth", "features or disk", "star or artifact")),
    Question(2, "edge-on disk", ("yes", "no"), ("Class1.2",)),
    Question(3, "bar", ("yes", "no"), ("Class2.2",)),
    Question(4, "spiral arms", ("yes", "no"), ("Class2.2",)),
    Question(
        5,
        "bulge prominence",
        ("none", "just noticeable", "obvious", "dominant"),
        ("Class4.1", "Class4.2"),
    ),
    # Volunteers who saw an artifact are not asked, but Kaggle's columns sum to 1 all the same.
    Question(6, "anything odd", ("yes", "no")),
    Question(7, "roundness", ("round", "in between", "cigar"), ("Class1.1",)),
    Question(
        8,
        "odd feature",
        ("ring", "lens or arc", "disturbed", "irregular", "other", "merger", "dust lane"),
        ("Class6.1",),
    ),
    Question(9, "edge-on bulge", ("rounded", "boxy", "none"), ("Class2.1",)),
    Question(10, "arm winding", ("tight", "medium", "loose"), ("Class4.1",)),
    Question(11, "number of arms", ("1", "2", "3", "4", "more", "can't tell"), ("Class4.1",)),
)

COLUMNS: tuple[str, ...] = tuple(column for q in QUESTIONS for column in q.columns)
NUM_ANSWERS = len(COLUMNS)
NUM_QUESTIONS = len(QUESTIONS)


def answer_name(column: int) -> str:
    """Return the name of the answer in a column from 0 to 36, such as "features or disk".

    Answers of different questions may have the same name, such as "yes". A column above 36 raises
    IndexError.
    """
    return [name for question in QUESTIONS for name in question.answers][column]


def question_slices() -> tuple[slice, ...]:
    """Return for each question, in order, the slice of the 37 columns that holds its answers."""
    ends = np.cumsum([len(q.answers) for q in QUESTIONS])
    return tuple(slice(int(end) - len(q.answers), int(end)) for q, end in zip(QUESTIONS, ends))


SLICES = question_slices()


def parent_columns(question: Question, tree: Tree = "true") -> tuple[int, ...]:
    """Return the columns, 0 to 36, of the answers whose sum the question's answers must equal.

    An empty result means that the question's answers must sum to 1. tree: `true` is the tree of
    Willett et al. 2013; `as_published` ties question 7 to Class5.2, as the student project's
    report and code do.
    """
    if tree == "as_published" and question.number == 7:
        return (COLUMNS.index("Class5.2"),)
    return tuple(COLUMNS.index(name) for name in question.asked_after)


def residual_terms(tree: Tree = "true") -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return a matrix [37, 11] and a constant [11], both float32, of the tree residuals.

    For votes [N, 37], votes @ matrix - constant are the residuals [N, 11] (see `tree_residuals`).
    tree: decides the parents of question 7 (see `parent_columns`).
    """
    matrix = np.zeros((NUM_ANSWERS, NUM_QUESTIONS), dtype=np.float32)
    constant = np.zeros(NUM_QUESTIONS, dtype=np.float32)
    for i, (question, answers) in enumerate(zip(QUESTIONS, SLICES)):
        matrix[answers, i] = 1.0
        parents = parent_columns(question, tree)
        matrix[list(parents), i] -= 1.0
        constant[i] = 0.0 if parents else 1.0
    return matrix, constant


def tree_residuals(votes: NDArray[np.floating], tree: Tree = "true") -> NDArray[np.floating]:
    """Return the tree residuals [N, 11] of vote fractions [N, 37], in the float type of the votes.

    A residual is the sum of a question's answers minus the sum of its parents, or minus 1 if there
    are no parents. A residual is positive if the answers sum to too much. tree: decides the
    parents of question 7 (see `parent_columns`). Another shape of `votes` raises ValueError.
    """
    if votes.ndim != 2 or votes.shape[1] != NUM_ANSWERS:
        raise ValueError(f"votes must have shape [N, {NUM_ANSWERS}], got {list(votes.shape)}")
    matrix, constant = residual_terms(tree)
    return votes @ matrix.astype(votes.dtype) - constant.astype(votes.dtype)
