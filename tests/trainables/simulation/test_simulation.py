"""Simulated galaxies: reproducible, true to the tree, and not unlike the real ones."""

from dataclasses import replace

import numpy as np
import pytest

from search_spaces.declaration import InvalidInput
from trainables.decision_tree import COLUMNS, NUM_ANSWERS, QUESTIONS, SLICES, tree_residuals
from trainables.simulation.galaxies import SimulatedGalaxies, simulate_galaxies
from trainables.simulation.latents import ODD_FEATURES, draw_disk, draw_latents, draw_spheroid
from trainables.simulation.rendering import render
from trainables.simulation.volunteers import (
    ODD_STRENGTH,
    answer_probabilities,
    cast_votes,
    vote_fractions,
)


@pytest.fixture(scope="module")
def galaxies() -> SimulatedGalaxies:
    return simulate_galaxies(600, seed=3)


def column_means(votes: np.ndarray, *names: str) -> np.ndarray:
    return votes.mean(axis=0, dtype=np.float64)[[COLUMNS.index(name) for name in names]]


def test_shapes_and_types(galaxies):
    assert (galaxies.images.shape, galaxies.images.dtype) == ((600, 64, 64, 3), np.uint8)
    assert (galaxies.target.shape, galaxies.target.dtype) == ((600, 37), np.float32)
    assert (galaxies.counts.dtype, galaxies.num_votes.dtype) == (np.int16, np.int16)
    assert galaxies.ids.tolist() == list(range(1, 601))


def test_the_same_seed_draws_the_same_galaxies_however_many():
    few, more = simulate_galaxies(3, seed=5), simulate_galaxies(6, seed=5)
    for name in ("images", "target", "ids", "num_votes", "counts", "probabilities"):
        np.testing.assert_array_equal(getattr(few, name), getattr(more, name)[:3])


def test_galaxies_of_128_pixels_are_those_of_64_pixels_seen_sharper():
    coarse, fine = (simulate_galaxies(30, seed=5, side=side) for side in (64, 128))
    assert fine.images.shape == (30, 128, 128, 3)
    np.testing.assert_array_equal(coarse.target, fine.target)
    averaged = fine.images.reshape(30, 64, 2, 64, 2, 3).mean(axis=(2, 4))
    assert averaged.mean() == pytest.approx(coarse.images.mean(), rel=0.03)
    assert np.corrcoef(averaged.ravel(), coarse.images.ravel())[0, 1] > 0.93  # noise differs
    sky = (slice(None), slice(0, 8), slice(0, 8))
    assert averaged[sky].std() == pytest.approx(coarse.images[sky].std(), rel=0.25)
    doubled = averaged.repeat(2, axis=1).repeat(2, axis=2)
    assert np.abs(fine.images - doubled)[:, 56:72, 56:72].mean() > 2  # details within a pixel


def test_another_side_is_refused():
    with pytest.raises(InvalidInput, match="^the side must be 64 or 128, got 96$"):
        simulate_galaxies(1, side=96)


def test_another_seed_draws_other_galaxies():
    assert (simulate_galaxies(1, seed=5).images != simulate_galaxies(1, seed=6).images).any()


def test_fractions_and_probabilities_obey_the_tree(galaxies):
    assert np.abs(tree_residuals(galaxies.target)).max() < 1e-6
    assert np.abs(tree_residuals(galaxies.target.astype(np.float64))).max() < 1e-6
    assert np.abs(tree_residuals(galaxies.probabilities.astype(np.float64))).max() < 1e-6


def test_votes_add_up_exactly(galaxies):
    sums = np.stack([galaxies.counts[:, answers].sum(axis=1) for answers in SLICES], axis=1)
    asked = {1: galaxies.num_votes, 6: galaxies.num_votes - galaxies.counts[:, 2]}
    for question, answered in zip(QUESTIONS, sums.T):
        parents = [COLUMNS.index(name) for name in question.asked_after]
        expected = galaxies.counts[:, parents].sum(axis=1) if parents else asked[question.number]
        np.testing.assert_array_equal(answered, expected)


def test_everybody_who_answers_question_4_is_asked_question_5(galaxies):
    answered_4 = galaxies.counts[:, SLICES[3]].sum(axis=1)
    np.testing.assert_array_equal(galaxies.counts[:, SLICES[4]].sum(axis=1), answered_4)


def test_fractions_worked_by_hand():
    counts = np.zeros(NUM_ANSWERS, dtype=np.int64)
    counts[[0, 1, 2]] = 10, 20, 10
    counts[[13, 14]] = 6, 24  # 30 are asked whether anything is odd
    counts[[18, 23]] = 2, 4
    fractions = vote_fractions(counts)
    assert fractions[[0, 1, 2]] == pytest.approx([0.25, 0.5, 0.25])
    assert fractions[[13, 14]] == pytest.approx([0.2, 0.8])
    assert fractions[[18, 23]] == pytest.approx([2 / 30, 4 / 30])


def test_where_all_see_an_artifact_nothing_is_odd():
    certain = [np.eye(len(q.answers))[-1] for q in QUESTIONS]
    counts = cast_votes(tuple(certain), 40, np.random.default_rng(0))
    fractions = vote_fractions(counts)
    assert [COLUMNS[i] for i in np.flatnonzero(fractions)] == ["Class1.3", "Class6.2"]
    assert counts[SLICES[5]].tolist() == [0, 0]


def test_votes_scatter_about_the_probabilities(galaxies):
    rmse = np.sqrt(np.mean((galaxies.target - galaxies.probabilities) ** 2))
    assert 0.03 < rmse < 0.06  # what no network can better


def test_galaxies_shine_in_the_middle_of_a_dark_sky(galaxies):
    grey = galaxies.images.mean(axis=3)
    assert np.median(grey[:, 28:36, 28:36]) > 60
    assert np.median(grey[:, :4]) < 15


@pytest.mark.parametrize("odd", ODD_FEATURES)
def test_every_odd_feature_is_drawn_and_noticed(odd):
    rng = np.random.default_rng(1)
    plain = replace(draw_latents(rng), body=draw_disk(rng), odd=None)
    oddity = answer_probabilities(replace(plain, odd=odd))
    assert oddity[5][0] > answer_probabilities(plain)[5][0]
    assert ODD_FEATURES[int(np.argmax(oddity[7]))] == odd
    assert render(replace(plain, odd=odd), rng).shape == (64, 64, 3)
    assert set(ODD_STRENGTH) == set(ODD_FEATURES)


def test_round_galaxies_are_called_round():
    rng = np.random.default_rng(2)
    body = replace(draw_spheroid(rng), axis_ratio=0.97)
    latents = replace(draw_latents(rng), body=body, bulge_fraction=1.0, odd=None)
    smooth, roundness = (answer_probabilities(latents)[i] for i in (0, 6))
    assert (int(np.argmax(smooth)), int(np.argmax(roundness))) == (0, 0)


def test_progress_is_told_galaxy_by_galaxy():
    told: list[int] = []
    simulate_galaxies(3, on_progress=told.append)
    assert told == [1, 2, 3]


@pytest.mark.parametrize("bad", [{"num_galaxies": 0}, {"num_galaxies": 1, "seed": -1}])
def test_impossible_requests_are_refused(bad):
    with pytest.raises(InvalidInput, match="must be at least"):
        simulate_galaxies(**bad)


def test_means_resemble_the_debiased_real_galaxies(galaxies, real_npz):
    with np.load(real_npz) as archive:
        real = archive["target"][archive["unbiased"]]
    leading = ("Class1.1", "Class1.2", "Class2.2", "Class4.1", "Class6.1")
    for columns, within in ((COLUMNS, 0.08), (leading, 0.05)):
        gap = column_means(galaxies.target, *columns) - column_means(real, *columns)
        assert np.abs(gap).max() < within
