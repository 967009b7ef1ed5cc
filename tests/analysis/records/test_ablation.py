"""The gains of a path, and what is said of them."""

import math

import pytest

from analysis.records.ablation import FieldChange, gains
from tests.support.ablations import predicted, trained


def test_gains_are_percent_of_the_published_rmse_and_sum_to_the_whole_gain() -> None:
    found = gains([0.10, 0.09, 0.095, 0.08])
    assert found[0] is None and found[1:] == pytest.approx([10.0, -5.0, 15.0])
    assert sum(gain for gain in found if gain is not None) == pytest.approx(20.0)


def test_a_missing_rmse_has_no_gain_and_the_next_step_is_compared_with_the_one_before() -> None:
    assert gains([0.10, None, 0.08])[1:] == [None, pytest.approx(20.0)]
    assert gains([None, 0.09, 0.08]) == [None, None, None]
    assert gains([]) == []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (FieldChange(field="flips", old=True, new=False), "flips: True → False"),
        (FieldChange(field="dropout", old=0.0, new=0.123456), "dropout: 0 → 0.1235"),
        (FieldChange(field="warmup_epochs", old=None, new=2), "warmup_epochs: not used → 2"),
        (FieldChange(field="x", old=(1.0, 2.5), new=(0.1,) * 11), "x: (1, 2.5) → (11 values)"),
    ],
)
def test_a_change_is_told_with_its_old_and_new_value(change: FieldChange, told: str) -> None:
    assert change.text() == told


def test_the_sentences_say_whether_the_path_was_trained_or_predicted() -> None:
    real, guessed = " ".join(trained().sentences()), " ".join(predicted().sentences())
    assert "was trained to its end with one seed" in real and "predicted" not in real
    assert "predicted by the study's model" in guessed and "20 complete trials" in guessed
    assert "`galaxytune ablate s`" in guessed
    assert real.endswith(
        "goes from 0.1000 to 0.0700, which is a gain of 30.0 %. The step with the largest gain, "
        "20.0 %, is learning_rate: 0.001 → 0.003123."
    )


def test_the_outcome_is_left_out_if_an_end_of_the_path_is_missing() -> None:
    assert "Along the path" not in " ".join(trained((None, 0.08, 0.09, 0.07)).sentences())
    assert "Along the path" not in " ".join(trained((0.1, 0.08, 0.09, None)).sentences())


def test_the_frame_has_a_row_for_each_config() -> None:
    frame = trained((0.1, None, 0.09, 0.07)).to_frame()
    assert frame["step"].tolist() == [0, 1, 2, 3]
    assert frame["change"][0] == "published config"
    assert frame["change"][2] == "optimizer: adam → adamw; weight_decay: not used → 0.02"
    assert math.isnan(frame["val_rmse"][1]) and frame["failed"].tolist() == [0, 1, 0, 0]
    assert frame["gain_percent"][2] == pytest.approx(10.0)
    assert frame["seeds"].tolist() == [1, 0, 1, 1]


def test_the_path_of_a_network_that_nobody_published_begins_at_the_default_config() -> None:
    found = trained().model_copy(update={"start": "default"})
    assert found.sentences()[0].startswith("The path begins at the default config of")
    assert list(found.to_frame()["change"])[0] == "default config"
