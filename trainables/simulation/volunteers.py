"""The votes of volunteers on a simulated galaxy, and Kaggle's vote fractions of the votes.

What can be seen of the latents decides the probabilities of the answers. The constants of the
answer functions are tuned so that the means of the 37 columns resemble those of the debiased
galaxies of Kaggle's training set.
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

TEMPERATURE = 1.35  # above 1, volunteers disagree more than the visible features alone suggest
# Concentration of the Dirichlet distribution by which groups of volunteers differ; infinity gives
# pure multinomial votes.
CONCENTRATION = 70.0
ARTIFACT = COLUMNS.index("Class1.3")
# Strength of an odd feature in a clear image, compared with ODD_THRESHOLD.
ODD_STRENGTH = {
    "ring": 0.75,
    "lens or arc": 0.7,
    "disturbed": 0.85,
    "irregular": 0.9,
    "other": 0.6,
    "merger": 1.1,
    "dust lane": 0.9,
}
# At these visible strengths half of the volunteers see an odd feature, arms or a bar.
ODD_THRESHOLD = 0.57
ARM_THRESHOLD = 0.20
BAR_THRESHOLD = 0.35
TYPICAL_EFFECTIVE_RADIUS, TYPICAL_SCALE_LENGTH = 0.37, 0.24  # half-widths: medians in latents.py

Probabilities = NDArray[np.float64]


@dataclass(frozen=True)
class Visible:
    """A set of the visible strengths of a galaxy's features, given depth, blur and inclination.

    clarity: quality of the image, 0..1; large if the galaxy is bright and the blur is small.
    edge_on, arms, bar: strength of each feature, 0..1. odd: strength of the odd feature, 0 (none)
    to 1.1. size: size relative to a typical galaxy; 0.5 for a star. axis_ratio: short axis divided
    by long axis, 0..1; 0.95 for a star.
    """

    clarity: float
    edge_on: float
    arms: float
    bar: float
    odd: float
    size: float
    axis_ratio: float

    @property
    def features(self) -> float:
        """The strength, 0..1, of an edge-on disk, arms and bar, which a smooth galaxy lacks."""
        return max(self.edge_on, 1 - (1 - self.arms) * (1 - 0.8 * self.bar))


def visible(latents: Latents) -> Visible:
    """Return what volunteers can see of the latents of a galaxy or star."""
    body = latents.body
    clarity = expit(1.3 * (latents.log_brightness + 1.0)) * expit(2.5 * (3.4 - latents.seeing))
    odd = 0.0
    if latents.odd is not None:  # odd features such as mergers show even in a poor image
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
    """Return the probabilities [2] of the answers yes and no, between 0.03 and 0.97.

    yes: the probability of yes, 0..1, before the limits are applied.
    """
    yes = 0.03 + 0.94 * float(yes)
    return np.array([yes, 1 - yes])


def nearest(value: float, prototypes: tuple[float, ...], scale: float) -> Probabilities:
    """Return the probability of each answer, which is larger for a prototype nearer to `value`.

    prototypes: the typical value of each of K answers. scale: the distance, in the unit of
    `value`, that makes an answer less likely by a factor of e; above 0. The result has shape [K]
    and sums to 1.
    """
    return softmax(-np.abs(np.array(prototypes) - value) / scale)


def smooth_or_featured(latents: Latents, seen: Visible) -> Probabilities:
    """Return the probabilities [3] of question 1: smooth, features or disk, star or artifact.

    latents: the galaxy. seen: the visible strengths of the galaxy's features.
    """
    is_disk, is_star = isinstance(latents.body, Disk), isinstance(latents.body, Star)
    bulge = latents.bulge_fraction
    smooth = 0.8 - 4.0 * seen.features * min(seen.size, 1.3) + 1.1 * bulge
    featured = 0.4 + 1.3 * is_disk + 0.8 * seen.odd - 0.9 * bulge
    return softmax(np.array([smooth, featured, -3.4 + 6.0 * is_star]))


def odd_feature(latents: Latents, seen: Visible) -> Probabilities:
    """Return the probabilities [7] of question 8, the odd feature, in the order of ODD_FEATURES.

    "other" is the most likely answer if the galaxy has no odd feature. latents: the galaxy. seen:
    the visible strengths of the galaxy's features.
    """
    utility = np.full(len(ODD_FEATURES), -1.2)
    utility[ODD_FEATURES.index("other")] = 0.2
    utility[ODD_FEATURES.index("dust lane")] = -2.2
    if latents.odd is not None:
        utility[ODD_FEATURES.index(latents.odd)] += 3.4 * (0.5 + 0.5 * seen.clarity)
    return softmax(utility)


def edge_on_bulge(latents: Latents, seen: Visible) -> Probabilities:
    """Return the probabilities [3] of question 9, the edge-on bulge: rounded, boxy, none.

    latents: the galaxy. seen: the visible strengths of the galaxy's features.
    """
    boxy = isinstance(latents.body, Disk) and latents.body.boxy_bulge
    bulge = latents.bulge_fraction
    return softmax(
        np.array([1.2 + 4 * bulge - 1.5 * boxy, -0.6 + 2.4 * boxy * seen.clarity, 1.9 - 9 * bulge])
    )


def number_of_arms(latents: Latents, seen: Visible) -> Probabilities:
    """Return the probabilities [6] of question 11: 1, 2, 3, 4, more arms, can't tell.

    latents: the galaxy. seen: the visible strengths of the galaxy's features.
    """
    utility = np.full(6, -1.5)
    utility[1] += 1.3  # volunteers expect two arms
    utility[5] += 3.0 - 3.2 * seen.arms
    if isinstance(latents.body, Disk):
        utility[NUM_ARMS.index(latents.body.num_arms)] += 3.2 * (
            0.4 + 0.6 * min(1, 1.6 * seen.arms)
        )
        utility[5] += 1.2 * latents.body.flocculence * (latents.body.num_arms > 2)
    return softmax(utility)


def answer_probabilities(latents: Latents) -> tuple[Probabilities, ...]:
    """Return the probabilities of the answers to each question, given that the question is asked.

    latents: the galaxy or star. The result has eleven arrays, one a question, in the order of the
    questions. Each array sums to 1.
    """
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
    """Return the vote fractions [37], in 0..1, that follow from the answers' probabilities.

    conditional: the probabilities of the answers to each question, given that the question is
    asked, as `answer_probabilities` returns them. Each probability is multiplied by the fraction
    of the volunteers who are asked; for question 6 this fraction is 1. The result is the mean of
    `vote_fractions` over many calls of `cast_votes`, apart from calls in which nobody is asked
    question 6. A single call differs from this mean even with infinitely many volunteers, because
    each call draws its own probabilities.
    """
    joint = np.zeros(NUM_ANSWERS)
    for question, answers, given in zip(QUESTIONS, SLICES, conditional):
        parents = parent_columns(question)
        joint[answers] = given * (joint[list(parents)].sum() if parents else 1.0)
    return joint


def cast_votes(
    conditional: tuple[Probabilities, ...], num_votes: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Return the number of votes [37] of `num_votes` volunteers for each answer.

    The decision tree decides how many volunteers are asked each question (see `num_asked`).
    conditional: the mean probabilities of the answers to each question, as `answer_probabilities`
    returns them. num_votes: number of volunteers, at least 0. The volunteers of a question have
    their own probabilities, drawn by `rng` from a Dirichlet distribution around the mean, the same
    for all of them.
    """
    counts = np.zeros(NUM_ANSWERS, dtype=np.int64)
    for question, answers, given in zip(QUESTIONS, SLICES, conditional):
        crowd = rng.dirichlet(CONCENTRATION * given + 1e-6)
        counts[answers] = rng.multinomial(num_asked(question, counts, num_votes), crowd)
    return counts


def num_asked(question: Question, counts: NDArray[np.int64], num_votes: int) -> int:
    """Return how many of `num_votes` volunteers are asked a question.

    Question 1 is asked of all volunteers, question 6 of all who did not see an artifact, and any
    other question of all who gave one of its parents as an answer. counts: votes [37], complete
    for all questions before this one in the order of the questions.
    """
    parents = parent_columns(question)
    if parents:
        return int(counts[list(parents)].sum())
    return num_votes if question.number == 1 else num_votes - int(counts[ARTIFACT])


def vote_fractions(counts: NDArray[np.int64]) -> Probabilities:
    """Return Kaggle's cumulative vote fractions [37] in 0..1 for the vote counts [37].

    The counts of question 6 ("anything odd") and question 8 ("odd feature") are divided by the
    number of votes in question 6, all other counts by the number of votes in question 1. If a
    divisor is 0, the fractions of the answers that it divides are 0, except that the last answer
    of question 6 ("no") or of question 1 ("star or artifact") gets 1.
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
