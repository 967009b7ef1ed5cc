"""The commands around single networks."""

import json

import pytest

from tests.support.command_line import Cli


@pytest.mark.slow
def test_architectures_are_listed_with_published_counts(
    cli: Cli, capfd: pytest.CaptureFixture[str]
) -> None:
    assert cli("architectures", "--json") == 0
    rows = {row["name"]: row for row in json.loads(capfd.readouterr().out)}
    assert {n: (r["total_parameters"], r["trainable_parameters"]) for n, r in rows.items()} == {
        "parallel_cnn": (1_160_165, 1_159_653),
        "residual_cnn": (700_245, 697_941),  # not published: galaxytune's own
        "simple_cnn": (522_469, 522_469),
        "vision_transformer": (1_821_477, 1_821_477),
        "resnet50": (27_859_877, 4_272_165),
        "vgg16": (27_579_237, 12_864_549),
    }
    assert cli("architectures", "timm:test_vit", "--json") == 0
    (row,) = json.loads(capfd.readouterr().out)
    assert row["name"] == "timm:test_vit" and row["total_parameters"] > 0


def test_the_epochs_of_a_training_are_given_once(
    cli: Cli, capfd: pytest.CaptureFixture[str]
) -> None:
    twice = ["--set", "epochs=3", "--epochs", "4"]
    assert cli("train", "simple_cnn", "out", "--data", "a.npz", *twice) == 2
    told = "galaxytune: --epochs and --set epochs both stand; leave one out\n"
    assert capfd.readouterr().err == told
