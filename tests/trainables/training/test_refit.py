"""Training on all galaxies with votes, for a number of epochs that is known before."""

from dataclasses import replace

import numpy as np
import torch

from search_spaces.declaration import config_from_values
from trainables.galaxies import Galaxies
from trainables.training.refit import refit, refit_epochs

CPU = torch.device("cpu")
SMALL = {"architecture": "simple_cnn", "width": 0.1, "batch_size": 32, "epochs": 9}


def test_a_cosine_is_trained_to_its_end() -> None:
    assert refit_epochs(config_from_values({**SMALL, "schedule": "cosine"}), best_epoch=4) == 9
    assert refit_epochs(config_from_values(SMALL), best_epoch=4) == 4


def test_a_refit_learns_from_all_rows_that_it_is_given(toys: Galaxies) -> None:
    config = config_from_values(SMALL | {"learning_rate": 3e-3})
    told: list[tuple[int, float]] = []

    def weights(rows: np.ndarray) -> dict[str, torch.Tensor]:
        return refit(
            config,
            toys,
            rows,
            CPU,
            resembled=rows[:0],
            num_epochs=2,
            on_epoch=lambda e, r: told.append((e, r)),
        )

    all_rows = np.arange(len(toys))
    first, again, fewer = weights(all_rows), weights(all_rows), weights(all_rows[:150])
    assert [epoch for epoch, _ in told] == [1, 2] * 3
    assert told[1][1] < told[0][1]  # the training RMSE falls
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not all(torch.equal(first[name], fewer[name]) for name in first)


def test_a_refit_of_averaged_weights_returns_the_averages(toys: Galaxies) -> None:
    raw, averaged = (
        refit(
            config_from_values(SMALL | {"kept_weights": kept}),
            toys,
            np.arange(100),
            CPU,
            resembled=np.arange(0),
            num_epochs=1,
        )
        for kept in ("raw", "averaged")
    )
    assert raw.keys() == averaged.keys()
    assert not all(torch.equal(raw[name], averaged[name]) for name in raw)


def test_a_refit_that_resamples_resembles_the_rows_it_is_told(toys: Galaxies) -> None:
    flagged = replace(toys, unbiased=np.arange(len(toys)) % 2 == 0)
    smooth = np.argsort(toys.target[:, 0])

    def weights(resembled: np.ndarray, resampling: str = "votes") -> dict[str, torch.Tensor]:
        config = config_from_values(SMALL | {"resampling": resampling, "output_bias": "votes"})
        rows = np.arange(len(toys))
        return refit(config, flagged, rows, CPU, resembled=resembled, num_epochs=1)

    few, many, all_alike = weights(smooth[:50]), weights(smooth[-50:]), weights(smooth, "none")
    assert not all(torch.equal(few[name], many[name]) for name in few)
    assert not all(torch.equal(few[name], all_alike[name]) for name in few)
