"""What packs are worth on a device is measured, and only a clear gain counts."""

from collections.abc import Sequence
from typing import Any

import pytest
import torch

from search_spaces.declaration import TrainingProtocol, config_from_values
from trainables.device import OutOfMemory
from trainables.galaxies.galaxy_file import Galaxies
from trainables.packs import packing_speed
from trainables.packs.packing_speed import choose_size, measure_packing


@pytest.mark.parametrize(
    ("stacked", "size"),
    [
        ({}, 1),  # memory held not even two
        ({2: 119.0, 4: 90.0}, 1),  # too little gained
        ({2: 150.0, 4: 250.0, 8: 400.0, 16: 410.0}, 8),  # 16 are hardly faster
        ({2: 150.0, 4: 250.0, 8: 240.0}, 4),
    ],
)
def test_the_smallest_pack_that_is_about_as_fast_as_the_fastest_is_taken(
    stacked: dict[int, float], size: int
) -> None:
    assert choose_size(100.0, stacked) == size


@pytest.mark.slow
def test_larger_packs_are_tried_while_they_are_faster(toys: Galaxies) -> None:
    config = config_from_values({"architecture": "simple_cnn", "width": 0.05, "batch_size": 16})
    choice = measure_packing(config, toys, torch.device("cpu"))
    rates = list(choice.stacked.values())
    assert list(choice.stacked) == [2, 4, 8, 16][: len(rates)]
    assert min(rates) > 0 and rates[:-1] == sorted(rates[:-1])
    assert choice.size == choose_size(choice.in_turn, choice.stacked)
    assert f"in turn ({choice.in_turn:.0f})" in choice.sentence()


def test_memory_that_holds_no_larger_pack_ends_the_measurement(
    toys: Galaxies, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = packing_speed.seconds_per_step

    def cramped(configs: Sequence[TrainingProtocol], *given: Any) -> float | None:
        if len(configs) > 2:
            raise OutOfMemory("a network of simple_cnn does not fit in memory")
        return whole(configs, *given)

    monkeypatch.setattr(packing_speed, "seconds_per_step", cramped)
    config = config_from_values({"architecture": "simple_cnn", "width": 0.05, "batch_size": 16})
    assert list(measure_packing(config, toys, torch.device("cpu")).stacked) == [2]
