"""Two goals drawn: every complete trial, the front as a staircase, the limit hatched."""

import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.figures.pareto import pareto_figure
from search_spaces.declaration import InvalidInput
from tests.support.two_goals import POINTS, STOPPED, TRIALS, weighed


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
    close = [weighed(10 + i, 0.11 + i / 1e6, 0.3 - i / 1e6) for i in range(1, 5)]
    _, texts = drawn(pareto_figure([*TRIALS, *close]))
    assert len(texts) == 3 and {"00001", "00004"} < set(texts)


def test_published_configs_are_ringed() -> None:
    axes, _ = drawn(pareto_figure(TRIALS))
    rings = [line for line in axes.lines if line.get_markersize() == 10]
    assert [(ring.get_xdata()[0], ring.get_ydata()[0]) for ring in rings] == [POINTS[0]]  # type: ignore[index]


def test_a_trial_far_off_is_an_arrow_on_the_edge() -> None:
    figure = pareto_figure([*TRIALS, weighed(7, 9.0, 0.2)])
    axes, _ = drawn(figure)
    assert axes.get_xlim()[1] < 1 and "beyond the frame: 1 trial" in explained(figure)
    assert "$\\rightarrow$" in [line.get_marker() for line in axes.lines]


@pytest.mark.slow
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
    near = [weighed(i, 0.1 + i / 1e4, 5.0 + i / 1e4) for i in range(3)]
    figure = pareto_figure(near, max_tree_residual=0.01)
    axes, _ = drawn(figure)
    assert hatched(axes) == [pytest.approx(axes.get_ylim())]
    assert "limit of 0.01, below the frame" in explained(figure)


def test_without_a_complete_trial_there_is_nothing_to_draw() -> None:
    with pytest.raises(InvalidInput, match="no trial is complete yet"):
        pareto_figure([STOPPED])
