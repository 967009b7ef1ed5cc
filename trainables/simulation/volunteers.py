"""Latents to votes: what volunteers answer of what can be seen, and Kaggle's fractions of it.

The constants of the answer functions are tuned so that the columns' means resemble those of
the debiased galaxies of Kaggle's training set.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, softmax

from trainables.decision_tree import (
    COLUMNS,
    NUM_ANSWERS,
    QUESTIONS,
    SLICES,
    Question,
    parent_columns,
)
from trainables.simulation.latents import NUM_ARMS, ODD_FEATURES, Disk, Latents, Spheroid, Star

TEMPERATURE = 1.35  # above 1 volunteers disagree more than the features alone would have it
CONCENTRATION = 70.0  # of the Dirichlet by which crowds differ; infinity: pure multinomial
ARTIFACT = COLUMNS.index("Class1.3")
# How striking an odd feature is when the image is clear; above ODD_THRESHOLD most say "odd".
ODD_STRENGTH = {
    "ring": 0.75,
    "lens or arc": 0.7,
    "disturbed": 0.85,
    "irregular": 0.9,
    "other": 0.6,
    "merger": 1.1,
    "dust lane": 0.9,
}
ODD_THRESHOLD = 0.57
ARM_THRESHOLD = 0.20
BAR_THRESHOLD = 0.35
TYPICAL_EFFECTIVE_RADIUS, TYPICAL_SCALE_LENGTH = 0.37, 0.24  # half-widths, as drawn

Probabilities = NDArray[np.float64]


@dataclass(frozen=True)
class Visible:
    """How much of each feature shows, 0..1, given depth, blur and inclination."""

    clarity: float
    edge_on: float
    arms: float
    bar: float
    odd: float
    size: float  # 1 is a typical galaxy
    axis_ratio: float

    @property
    def features(self) -> float:
        """How much tells the galaxy from a smooth one."""
        return max(self.edge_on, 1 - (1 - self.arms) * (1 - 0.8 * self.bar))


def visible(latents: Latents) -> Visible:
    """What volunteers can make out of the latents."""
    body = latents.body
    clarity = expit(1.3 * (latents.log_brightness + 1.0)) * expit(2.5 * (3.4 - latents.seeing))
    odd = 0.0
    if latents.odd is not None:  # mergers and the like show even in a poor image
        odd = ODD_STRENGTH[latents.odd] * (0.45 + 0.55 * clarity)
    if isinstance(body, Star):
        edge_on, size, axis_ratio = 0.5 if body.trail else 0.02, 0.5, 0.95
    elif isinstance(body, Spheroid):
        edge_on = expit((0.26 - body.axis_ratio) / 0.03)
        size, axis_ratio = body.effective_radius / TYPICAL_EFFECTIVE_RADIUS, body.axis_ratio
    else:
        edge_on = expit((0.28 - body.axis_ratio) / 0.035)
        size, axis_ratio = body.scale_length / TYPICAL_SCALE_LENGTH, body.axis_ratio
    face_on = expit((axis_ratio - 0.30) / 0.09)
    return Visible(
        clarity=float(clarity),
        edge_on=float(edge_on),
        arms=float(body.arm_strength * clarity * face_on) if isinstance(body, Disk) else 0.0,
        bar=float(body.bar_strength * clarity * face_on**0.7) if isinstance(body, Disk) else 0.0,
        odd=float(odd),
        size=size,
        axis_ratio=axis_ratio,
    )


def yes_no(yes: float) -> Probabilities:
    """Two answers, neither ever quite certain."""
    yes = 0.03 + 0.94 * float(yes)
    return np.array([yes, 1 - yes])


def nearest(value: float, prototypes: tuple[float, ...], scale: float) -> Probabilities:
    """Answers by how near the value is to each answer's prototype."""
    return softmax(-np.abs(np.array(prototypes) - value) / scale)


def smooth_or_featured(latents: Latents, seen: Visible) -> Probabilities:
    """Question 1: smooth, features or disk, star or artifact."""
    is_disk, is_star = isinstance(latents.body, Disk), isinstance(latents.body, Star)
    bulge = latents.bulge_fraction
    smooth = 0.8 - 4.0 * seen.features * min(seen.size, 1.3) + 1.1 * bulge
    featured = 0.4 + 1.3 * is_disk + 0.8 * seen.odd - 0.9 * bulge
    return softmax(np.array([smooth, featured, -3.4 + 6.0 * is_star]))


def odd_feature(latents: Latents, seen: Visible) -> Probabilities:
    """Question 8: which odd feature; "other" where there is none to name."""
    utility = np.full(len(ODD_FEATURES), -1.2)
    utility[ODD_FEATURES.index("other")] = 0.2
    utility[ODD_FEATURES.index("dust lane")] = -2.2
    if latents.odd is not None:
        utility[ODD_FEATURES.index(latents.odd)] += 3.4 * (0.5 + 0.5 * seen.clarity)
    return softmax(utility)


def edge_on_bulge(latents: Latents, seen: Visible) -> Probabilities:
    """Question 9: rounded, boxy, none."""
    boxy = isinstance(latents.body, Disk) and latents.body.boxy_bulge
    bulge = latents.bulge_fraction
    return softmax(
        np.array([1.2 + 4 * bulge - 1.5 * boxy, -0.6 + 2.4 * boxy * seen.clarity, 1.9 - 9 * bulge])
    )


def number_of_arms(latents: Latents, seen: Visible) -> Probabilities:
    """Question 11: 1, 2, 3, 4, more, can't tell."""
    utility = np.full(6, -1.5)
    utility[1] += 1.3  # two arms are what people expect
    utility[5] += 3.0 - 3.2 * seen.arms
    if isinstance(latents.body, Disk):
        utility[NUM_ARMS.index(latents.body.num_arms)] += 3.2 * (
            0.4 + 0.6 * min(1, 1.6 * seen.arms)
        )
        utility[5] += 1.2 * latents.body.flocculence * (latents.body.num_arms > 2)
    return softmax(utility)


def answer_probabilities(latents: Latents) -> tuple[Probabilities, ...]:
    """P(answer | the question is asked), one array a question, in the tree's order."""
    seen = visible(latents)
    pitch = latents.body.pitch_degrees if isinstance(latents.body, Disk) else 20.0
    sharp = (
        smooth_or_featured(latents, seen),
        yes_no(seen.edge_on),
        yes_no(expit(7.5 * (seen.bar - BAR_THRESHOLD))),
        yes_no(expit(9.0 * (seen.arms - ARM_THRESHOLD))),
        nearest(latents.bulge_fraction, (-0.04, 0.14, 0.38, 1.0), 0.085),
        yes_no(expit(5.5 * (seen.odd - ODD_THRESHOLD))),
        nearest(seen.axis_ratio, (0.93, 0.62, 0.26), 0.09),
        odd_feature(latents, seen),
        edge_on_bulge(latents, seen),
        nearest(pitch, (11.5, 21.0, 33.0), 5.0),
        number_of_arms(latents, seen),
    )
    return tuple(softmax(np.log(p + 1e-9) / TEMPERATURE) for p in sharp)


def joint_probabilities(conditional: tuple[Probabilities, ...]) -> Probabilities:
    """The 37 cumulative probabilities: what the fractions would be of endless volunteers."""
    joint = np.zeros(NUM_ANSWERS)
    for question, answers, given in zip(QUESTIONS, SLICES, conditional):
        parents = parent_columns(question)
        joint[answers] = given * (joint[list(parents)].sum() if parents else 1.0)
    return joint


def cast_votes(
    conditional: tuple[Probabilities, ...], num_votes: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Votes [37] of `num_votes` volunteers, each asked what the tree asks after their answers.

    Each question's crowd has probabilities of its own, Dirichlet about the given ones.
    """
    counts = np.zeros(NUM_ANSWERS, dtype=np.int64)
    for question, answers, given in zip(QUESTIONS, SLICES, conditional):
        crowd = rng.dirichlet(CONCENTRATION * given + 1e-6)
        counts[answers] = rng.multinomial(num_asked(question, counts, num_votes), crowd)
    return counts


def num_asked(question: Question, counts: NDArray[np.int64], num_votes: int) -> int:
    """How many of the volunteers reach a question, given the answers to those before it."""
    parents = parent_columns(question)
    if parents:
        return int(counts[list(parents)].sum())
    return num_votes if question.number == 1 else num_votes - int(counts[ARTIFACT])


def vote_fractions(counts: NDArray[np.int64]) -> Probabilities:
    """Kaggle's cumulative fractions [37] of counts [37].

    Every answer is divided by those who were asked the question that its branch begins with:
    question 6 for the odd features, else question 1. Where nobody was asked, nothing is odd.
    """
    fractions = np.zeros(NUM_ANSWERS)
    asked = np.zeros(NUM_ANSWERS)
    for question, answers in zip(QUESTIONS, SLICES):
        parents = parent_columns(question)
        asked[answers] = asked[parents[0]] if parents else counts[answers].sum()
        if asked[answers.start] > 0:
            fractions[answers] = counts[answers] / asked[answers]
        elif not parents:
            fractions[answers.stop - 1] = 1.0
    return fractions
