"""The figures: drawn from real objects, whole within their border, saved twice."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib import rcParams
from matplotlib.figure import Figure
from matplotlib.text import Text

from analysis.figures.ablation import ablation_figure
from analysis.figures.calibration import calibration_figure
from analysis.figures.decision_tree import decision_tree_figure
from analysis.figures.field_scale import field_label, field_scale
from analysis.figures.gallery import MORPHOLOGIES, gallery_figure
from analysis.figures.hyperparameter_effects import (
    importance_figure,
    parallel_coordinates_figure,
    slices_figure,
)
from analysis.figures.leaderboard import leaderboard_figure
from analysis.figures.learning_curves import learning_curves_figure
from analysis.figures.pareto import pareto_figure
from analysis.figures.preprocessing import preprocessing_figure
from analysis.figures.question_error import question_error_figure
from analysis.figures.style import (
    WIDTH,
    architecture_colours,
    architecture_markers,
    new_figure,
    save_figure,
)
from analysis.records.held_out import HeldOut
from analysis.statistics.hyperparameter_importance import searched_fields
from search_spaces.declaration import InvalidInput
from search_spaces.parallel_cnn import Config
from tests.support.ablations import predicted, trained
from tests.support.records import curve, made_up_record, made_up_records, record
from trainables.decision_tree import QUESTIONS
from trainables.galaxies.galaxy_file import Galaxies

RECORDS = made_up_records(25) + [made_up_record(i, status="pruned") for i in range(25, 30)]
LONG_NAME = "timm:a_backbone_with_a_very_long_name_that_goes_on"
MANY = [
    record(i, made.val_rmse, residual=0.01, architecture=f"{LONG_NAME}_{i % 9}")
    for i, made in enumerate(made_up_records(60))
]
WEIGHED = [
    made.model_copy(
        update={
            "metrics": {"validation": {"rmse": 0.1 + i / 1000, "tree_residual": 0.05 - i / 500}}
        }
    )
    for i, made in enumerate(RECORDS[:20])
]
CURVES = {
    made.id: [
        replace(report, train_rmse=1.5 * report.val_rmse)
        for report in curve([0.2 / epoch for epoch in (1, 2, 3)])
    ]
    for made in RECORDS
}


def held_out(toys: Galaxies, label: str = "simple_cnn, trial 00003") -> HeldOut:
    noise = np.random.default_rng(0).normal(0, 0.05, toys.target.shape)
    predicted = np.clip(toys.target + noise, 0, 1).astype(np.float32)
    return HeldOut(label, toys.ids, toys.images, toys.target, predicted)


def tree_figure(toys: Galaxies) -> Figure:
    voted = np.arange(37) / 100
    return decision_tree_figure(toys.images[0], voted, voted + 0.5, "Galaxy 1: a network")


def pieces(toys: Galaxies, survey: bool, fraction: float = 1.0) -> Figure:
    config, images = Config(field_fraction=fraction), toys.images[:2]
    if not survey:
        return preprocessing_figure(images, config, input_side=96)
    large = np.repeat(np.repeat(images, 3, axis=1), 3, axis=2)
    return preprocessing_figure(images, config, input_side=64, survey_images=large, crop=100)


FIGURES: dict[str, Callable[[Galaxies], Figure | None]] = {
    "leaderboard": lambda toys: leaderboard_figure("toy", RECORDS),
    "leaderboard_of_many": lambda toys: leaderboard_figure("toy", MANY),
    "learning_curves": lambda toys: learning_curves_figure(RECORDS, CURVES),
    "parallel_coordinates": lambda toys: parallel_coordinates_figure(RECORDS, "simple_cnn"),
    "importance": lambda toys: importance_figure(RECORDS, "simple_cnn"),
    "slices": lambda toys: slices_figure(RECORDS, "simple_cnn"),
    "slices_of_two": lambda toys: slices_figure(RECORDS[:2], "simple_cnn"),
    "pareto": lambda toys: pareto_figure(WEIGHED, max_tree_residual=0.03),
    "pareto_of_many": lambda toys: pareto_figure(MANY, max_tree_residual=1.0),
    "pareto_of_one": lambda toys: pareto_figure(RECORDS[:1]),
    "ablation": lambda toys: ablation_figure(trained((0.1, None, 0.09, 0.07))),
    "ablation_predicted": lambda toys: ablation_figure(predicted()),
    "question_error": lambda toys: question_error_figure([held_out(toys)], toys.num_votes),
    "calibration": lambda toys: calibration_figure(held_out(toys)),
    "gallery": lambda toys: gallery_figure(held_out(toys)),
    "preprocessing": lambda toys: pieces(toys, survey=False),
    "preprocessing_of_a_part": lambda toys: pieces(toys, survey=False, fraction=0.6),
    "preprocessing_of_survey_images": lambda toys: pieces(toys, survey=True),
    "decision_tree": tree_figure,
}


def texts(figure: Figure) -> list[str]:
    artists = [t for t in figure.findobj(Text) if isinstance(t, Text) and t.get_visible()]
    return [artist.get_text() for artist in artists]


@pytest.fixture(scope="module", params=FIGURES)
def figure(request: pytest.FixtureRequest, toys: Galaxies) -> Figure:
    drawn = FIGURES[request.param](toys)
    assert drawn is not None
    return drawn


@pytest.mark.slow
def test_a_figure_is_saved_whole_within_its_border(figure: Figure, tmp_path: Path) -> None:
    png = save_figure(figure, tmp_path, "figure")
    assert png.read_bytes().startswith(b"\x89PNG")
    assert png.with_suffix(".pdf").read_bytes().startswith(b"%PDF")
    width, height = figure.get_size_inches()
    drawn = figure.get_tightbbox()
    assert width <= WIDTH
    assert drawn.x0 >= -0.01 and drawn.x1 <= width + 0.01
    assert drawn.y0 >= -0.01 and drawn.y1 <= height + 0.01


def test_no_letter_is_smaller_than_seven_points(figure: Figure) -> None:
    written = [t for t in figure.findobj(Text) if isinstance(t, Text) and t.get_text()]
    assert min(float(text.get_fontsize()) for text in written) >= 7


def test_the_tree_shows_every_answer_with_both_numbers(toys: Galaxies) -> None:
    shown = texts(tree_figure(toys))
    for i in range(37):
        assert f"{i / 100:.2f}" in shown and f"{i / 100 + 0.5:.2f}" in shown
    for question in QUESTIONS:
        assert f"{question.number}  {question.name}" in shown
        assert set(question.answers) <= set(shown)


@pytest.mark.slow
def test_the_calibration_error_stands_in_every_panel(toys: Galaxies) -> None:
    shown = texts(calibration_figure(held_out(toys)))
    assert len([text for text in shown if text.startswith("error 0.")]) == 12


def test_the_gallery_shows_the_surest_galaxy_first(toys: Galaxies) -> None:
    galaxies = held_out(toys)
    figure = gallery_figure(galaxies)
    for row, morphology in enumerate(MORPHOLOGIES):
        best = int(np.argmax(morphology.fraction(galaxies.predicted)))
        first = figure.axes[row * 9 + 1]
        np.testing.assert_array_equal(first.get_images()[0].get_array(), galaxies.images[best])


def test_a_barred_spiral_is_the_product_of_two_answers() -> None:
    barred = next(m for m in MORPHOLOGIES if m.name == "Barred\nspiral")
    fractions = np.zeros((1, 37))
    fractions[0, [5, 7]] = 0.5, 0.4  # Class3.1 and Class4.1 in Kaggle's order
    assert barred.fraction(fractions) == pytest.approx([0.2])


@pytest.mark.parametrize("draw", [parallel_coordinates_figure, importance_figure, slices_figure])
def test_where_nothing_was_searched_there_is_no_figure(
    draw: Callable[..., Figure | None],
) -> None:
    alike = made_up_records(25, learning_rate=1e-3, dropout=0.1, batch_size=64)
    assert draw(alike, "simple_cnn") is None
    assert draw([], "simple_cnn") is None
    assert draw(RECORDS, "parallel_cnn") is None


def test_coefficients_by_question_share_one_axis() -> None:
    records = [
        made_up_record(i, coefficient_sharing="per_question", constraint_coefficients=(c,) * 11)
        for i, c in enumerate((1e-4, 1e-2))
    ]
    figure = slices_figure(records, "simple_cnn")
    assert figure is not None
    labels = [axes.get_xlabel() for axes in figure.axes]
    assert labels == ["Batch size", "Learning rate", "Constraint coefficients (mean)", "Dropout"]


def test_a_logarithmic_field_is_placed_by_its_logarithm() -> None:
    records = [made_up_record(i, learning_rate=10.0**-e) for i, e in enumerate((2, 3, 4))]
    fields = {field.name: field for field in searched_fields(records, "simple_cnn")}
    scale = field_scale(fields["learning_rate"])  # declared over 1e-4 to 1e-2
    assert scale.positions == pytest.approx((1, 0.5, 0))
    assert [text for _, text in scale.ticks] == ["$10^{-4}$", "$10^{-3}$", "$10^{-2}$"]


def test_a_label_names_its_unit() -> None:
    assert field_label("rotation_degrees") == "Rotation (degrees)"
    assert field_label("constraint_coefficients.3") == "Constraint coefficients, no. 3"


def test_networks_of_other_galaxies_are_not_compared(toys: Galaxies) -> None:
    first = held_out(toys)
    other = HeldOut("b", first.ids + 1, first.images, first.voted, first.predicted)
    with pytest.raises(ValueError, match="b and simple_cnn, trial 00003 are not of the same"):
        question_error_figure([first, other])


def test_without_a_curve_there_is_nothing_to_draw() -> None:
    with pytest.raises(InvalidInput, match="no trial has reported an epoch yet"):
        learning_curves_figure(RECORDS, {})


def test_names_keep_apart_beyond_the_seventh_colour() -> None:
    names = [f"n{i:02d}" for i in range(28)]
    colours, markers = architecture_colours(names), architecture_markers(names)
    assert len({(colours[name], markers[name]) for name in names}) == 28
    assert architecture_colours(reversed(names)) == colours


def test_the_same_figure_is_the_same_file_and_names_no_machine(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        figure = new_figure(2, 1)
        figure.add_subplot().plot([0, 1])
        save_figure(figure, tmp_path / folder, "line")
    for name in ("line.png", "line.pdf"):
        first = (tmp_path / "one" / name).read_bytes()
        assert first == (tmp_path / "two" / name).read_bytes()
        assert b"Matplotlib" not in first and str(tmp_path).encode() not in first


def test_drawing_leaves_matplotlibs_settings_alone(toys: Galaxies) -> None:
    before = dict(rcParams)
    leaderboard_figure("toy", RECORDS)
    assert dict(rcParams) == before


def test_the_axis_of_errors_holds_better_trials_that_break_the_limit() -> None:
    good = made_up_record(0, learning_rate=1e-3).model_copy(update={"feasible": True})
    better = made_up_record(1, learning_rate=1e-4).model_copy(update={"feasible": False})
    metrics = {"validation": {"rmse": (good.val_rmse or 0) / 2, "tree_residual": 0.1}}
    better = better.model_copy(update={"metrics": metrics})
    figure = parallel_coordinates_figure([good, better], "simple_cnn")
    assert figure is not None
    low, high = figure.axes[0].get_ylim()
    for line in figure.axes[0].lines:
        assert all(low <= y <= high for y in np.asarray(line.get_ydata(), dtype=float))


def test_the_axis_of_learning_curves_holds_each_architectures_training() -> None:
    trials = [record(0, 0.1), record(1, 0.12, architecture="parallel_cnn")]
    curves = {"00000": curve([0.13, 0.1]), "00001": curve([0.14, 0.12])}
    curves["00001"] = [replace(epoch, train_rmse=0.02) for epoch in curves["00001"]]
    figure = learning_curves_figure(trials, curves)
    assert figure.axes[0].get_ylim()[0] < 0.02
