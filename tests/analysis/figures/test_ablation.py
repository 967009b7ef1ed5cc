"""The figure of an ablation: a bar from the RMSE before each step to the RMSE after the step."""

import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from analysis.figures.ablation import ablation_figure
from analysis.figures.style import COLOURS
from search_spaces.declaration import InvalidInput
from tests.support.ablations import predicted, trained


def bars(figure: Figure) -> list[Rectangle]:
    (axes,) = figure.axes
    return [patch for patch in axes.patches if isinstance(patch, Rectangle)]


def test_a_bar_spans_from_the_rmse_before_to_the_rmse_after() -> None:
    found = bars(ablation_figure(trained()))
    spans = [(bar.get_x(), bar.get_x() + bar.get_width()) for bar in found]
    assert spans == [pytest.approx(s) for s in [(0.1, 0.08), (0.08, 0.09), (0.09, 0.07)]]


def test_a_step_that_raises_the_rmse_has_another_colour() -> None:
    colours = [to_hex(bar.get_facecolor()).upper() for bar in bars(ablation_figure(trained()))]
    assert colours == [COLOURS["blue"], COLOURS["vermilion"], COLOURS["blue"]]


def test_predicted_bars_are_hatched_and_the_title_says_so() -> None:
    figure = ablation_figure(predicted())
    assert all(bar.get_hatch() for bar in bars(figure))
    assert "predicted from 20 complete trials" in figure.get_suptitle()
    real = ablation_figure(trained())
    assert not any(bar.get_hatch() for bar in bars(real))
    assert "trained, 1 seed" in real.get_suptitle()


def test_a_config_without_an_rmse_has_a_row_and_no_bar() -> None:
    figure = ablation_figure(trained((0.1, None, 0.09, 0.07)))
    (axes,) = figure.axes
    assert len(bars(figure)) == 2 and len(axes.get_yticks()) == 4
    assert "not completed" in [text.get_text() for text in axes.texts]


def test_a_path_without_any_rmse_is_refused() -> None:
    with pytest.raises(InvalidInput, match="nothing to draw"):
        ablation_figure(trained((None, None, None, None)))
