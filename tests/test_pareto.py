"""Two goals told: the figure of both, its sentences and their place in the report."""

from pathlib import Path

import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.figures.pareto import pareto_figure
from analysis.pareto_section import pareto_section
from analysis.report import write_report
from analysis.report_page import Section
from analysis.study_results import StudyResults
from analysis.trial_record import TrialRecord
from tests.test_hyperparameter_importance import made_up_record

# RMSE and tree residual; the first is published, the front is 1, 2 and 4
POINTS = [(0.12, 0.40), (0.10, 0.50), (0.11, 0.30), (0.14, 0.20), (0.13, 0.10)]


def trial(number: int, rmse: float, residual: float, status: str = "complete") -> TrialRecord:
    metrics = {"validation": {"rmse": rmse, "tree_residual": residual}}
    return made_up_record(number, status=status).model_copy(update={"metrics": metrics})


TRIALS = [trial(number, *point) for number, point in enumerate(POINTS)]
STOPPED = trial(9, 0.01, 0.01, status="pruned")


def drawn(figure: Figure) -> tuple[Axes, list[str]]:
    """The panel and what stands in it."""
    (axes,) = figure.axes
    return axes, [text.get_text() for text in axes.texts]


def explained(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()]


def places(axes: Axes) -> set[tuple[float, float]]:
    """Where single marks stand."""
    return {
        (float(line.get_xdata()[0]), float(line.get_ydata()[0]))  # type: ignore[index, arg-type]
        for line in axes.lines
        if len(line.get_xdata()) == 1  # type: ignore[arg-type]
    }


def hatched(axes: Axes) -> list[tuple[float, float]]:
    """From which tree residual to which."""
    boxes = [p.get_extents().transformed(axes.transData.inverted()) for p in axes.patches]
    return [(box.y0, box.y1) for box in boxes if box.height]


def told(
    trials: list[TrialRecord], limit: float | None, folder: Path
) -> tuple[Section, list[str]]:
    results = StudyResults(
        "s", trials, {}, noise_floor=0.05, two_objectives=True, max_tree_residual=limit
    )
    found = pareto_section(results, folder)
    assert found is not None
    return found


def test_every_complete_trial_is_a_mark_and_no_other() -> None:
    axes, _ = drawn(pareto_figure([*TRIALS, STOPPED]))
    assert places(axes) == set(POINTS)


def test_the_front_is_a_staircase_that_bears_its_trials_ids() -> None:
    axes, texts = drawn(pareto_figure(TRIALS))
    assert set(texts) == {"00001", "00002", "00004"}
    (stairs,) = [line for line in axes.lines if line.get_drawstyle() == "steps-post"]
    inner = list(zip(stairs.get_xdata(), stairs.get_ydata()))[1:-1]  # type: ignore[arg-type]
    assert inner == [POINTS[1], POINTS[2], POINTS[4]]


def test_of_trials_too_close_together_one_is_named() -> None:
    close = [trial(10 + i, 0.11 + i / 1e6, 0.3 - i / 1e6) for i in range(1, 5)]
    _, texts = drawn(pareto_figure([*TRIALS, *close]))
    assert len(texts) == 3 and {"00001", "00004"} < set(texts)


def test_published_configs_are_ringed() -> None:
    axes, _ = drawn(pareto_figure(TRIALS))
    rings = [line for line in axes.lines if line.get_markersize() == 10]
    assert [(ring.get_xdata()[0], ring.get_ydata()[0]) for ring in rings] == [POINTS[0]]  # type: ignore[index]


def test_a_trial_far_off_is_an_arrow_on_the_edge() -> None:
    figure = pareto_figure([*TRIALS, trial(7, 9.0, 0.2)])
    axes, _ = drawn(figure)
    assert axes.get_xlim()[1] < 1 and "beyond the frame: 1 trial" in explained(figure)
    assert "$\\rightarrow$" in [line.get_marker() for line in axes.lines]


@pytest.mark.parametrize(
    ("limit", "label", "from_where"),
    [
        (0.25, "limit of 0.25", [0.25]),
        (0.09, "limit of 0.09", [0.09]),
        (9.0, "limit of 9, above the frame", []),
    ],
)
def test_the_side_that_breaks_the_limit_is_hatched(
    limit: float, label: str, from_where: list[float]
) -> None:
    figure = pareto_figure(TRIALS, max_tree_residual=limit)
    axes, _ = drawn(figure)
    top = axes.get_ylim()[1]
    assert label in explained(figure)
    assert hatched(axes) == [pytest.approx((bottom, top)) for bottom in from_where]


def test_below_the_frame_the_limit_leaves_nothing_unhatched() -> None:
    near = [trial(i, 0.1 + i / 1e4, 5.0 + i / 1e4) for i in range(3)]
    figure = pareto_figure(near, max_tree_residual=0.01)
    axes, _ = drawn(figure)
    assert hatched(axes) == [pytest.approx(axes.get_ylim())]
    assert "limit of 0.01, below the frame" in explained(figure)


def test_without_a_complete_trial_there_is_nothing_to_draw() -> None:
    with pytest.raises(ValueError, match="no trial is complete yet"):
        pareto_figure([STOPPED])


def test_the_sentences_say_what_is_traded_and_what_the_limit_leaves(tmp_path: Path) -> None:
    section, (front, published, limit) = told(TRIALS, 0.25, tmp_path)
    assert front == (
        "3 of 5 complete trials are on the Pareto front, beaten by none in both validation RMSE "
        "and tree residual: from trial 00001 (RMSE 0.1000, residual 0.5000) to trial 00004 "
        "(RMSE 0.1300, residual 0.1000), 80.0 % less residual costs 30.0 % more RMSE."
    )
    assert published.endswith("is not on the front: 1 trial is as good or better in both.")
    assert limit == (
        "2 of 5 complete trials keep the limit of 0.25 on the tree residual, trial 00004 (RMSE "
        "0.1300, residual 0.1000) with the lowest RMSE; trial 00001 (RMSE 0.1000, residual "
        "0.5000) has a lower one and breaks it."
    )
    assert section.tables[0].rows == [
        ["00001", "simple_cnn", 0.10, 0.50, "broken"],
        ["00002", "simple_cnn", 0.11, 0.30, "broken"],
        ["00004", "simple_cnn", 0.13, 0.10, "kept"],
    ]


@pytest.mark.parametrize(
    ("limit", "expected"),
    [
        (0.05, "None of 5 complete trials keeps the limit of 0.05 on the tree residual."),
        (0.5, "5 of 5 complete trials keep the limit of 0.5 on the tree residual, among them"),
        (0.1, "1 of 5 complete trials keeps the limit of 0.1"),
    ],
)
def test_a_limit_that_all_or_none_keep_is_told(
    limit: float, expected: str, tmp_path: Path
) -> None:
    _, sentences = told(TRIALS, limit, tmp_path)
    assert sentences[-1].startswith(expected)


def test_where_one_trial_is_best_in_both_the_goals_do_not_compete(tmp_path: Path) -> None:
    section, sentences = told([trial(0, 0.1, 0.1), trial(1, 0.2, 0.2)], None, tmp_path)
    assert sentences[0].endswith("among these trials the two goals do not compete.")
    assert sentences[1].endswith("is on the front.")
    assert [column.title for column in section.tables[0].columns][-1] == "tree residual"


@pytest.mark.parametrize(
    ("two", "limit", "there"), [(True, None, 1), (False, 0.3, 1), (False, None, 0)]
)
def test_the_report_tells_of_two_goals_where_there_are_two(
    two: bool, limit: float | None, there: int, tmp_path: Path
) -> None:
    results = StudyResults(
        "s", TRIALS, {}, noise_floor=0.05, two_objectives=two, max_tree_residual=limit
    )
    text = write_report(results, tmp_path).read_text()
    assert text.count(">RMSE against tree residual</h2>") == there
    assert len(list(tmp_path.glob("pareto.*"))) == 2 * there
    assert ("Pareto front" in (tmp_path / "findings.txt").read_text()) == bool(there)


def test_a_study_without_a_complete_trial_has_no_such_section(tmp_path: Path) -> None:
    results = StudyResults("s", [STOPPED], {}, noise_floor=0.05, two_objectives=True)
    assert pareto_section(results, tmp_path) is None
