"""The training of a config on more galaxies than before, once its score is known."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from search_spaces.declaration import TrainingProtocol
from trainables.galaxies import Galaxies, Split
from trainables.training.training_run import TrainingRun


def refit_epochs(config: TrainingProtocol, best_epoch: int) -> int:
    """Return for how many epochs a config is trained again without validation galaxies.

    best_epoch: the best epoch, from 1, of the training with validation galaxies. A cosine schedule
    has its low learning rates at the end, so that all epochs of the config are trained. With a
    constant learning rate the training ends after `best_epoch`.
    """
    return config.epochs if config.schedule == "cosine" else best_epoch


def refit(
    config: TrainingProtocol,
    galaxies: Galaxies,
    rows: NDArray[np.int64],
    device: torch.device,
    *,
    resembled: NDArray[np.int64],
    num_epochs: int,
    on_epoch: Callable[[int, float], None] = lambda epoch, rmse: None,
) -> dict[str, Tensor]:
    """Train a config on some galaxies, without validation, and return the weights by name.

    rows: the sorted row numbers of the training galaxies. resembled: the row numbers of the
    unbiased galaxies whose votes the drawn training galaxies resemble if the config resamples;
    these rows may be among `rows`. num_epochs: number of epochs, at least 1. on_epoch: is called
    after each epoch with its number, from 1, and its training RMSE.

    The weights are those after the last epoch, on the CPU, with the frozen ones, and averaged if
    the config keeps averaged weights. The config's seed decides all random draws. The call sets
    torch's global random state. InvalidInput is raised if pretrained weights cannot be had,
    Diverged and OutOfMemory, both a WorkFailed, if the training fails, and OSError if the cached
    features of a frozen backbone cannot be written.
    """
    none = np.array([], np.int64)
    run = TrainingRun(config, galaxies, Split(rows, none, none), device, resembled=resembled)
    for epoch in range(1, num_epochs + 1):
        on_epoch(epoch, run.train_epoch(epoch)["train_rmse"])
    return run.last_weights()
