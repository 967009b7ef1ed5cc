"""The network with which a training begins, and the random state of each epoch."""

import numpy as np
import torch
from numpy.typing import NDArray

from search_spaces.declaration import TrainingProtocol
from trainables.architectures import build_network
from trainables.device import within_memory
from trainables.layers import GalaxyNetwork


def seed_chance(config: TrainingProtocol, epoch: int) -> torch.Generator:
    """Seed torch's global random state for one epoch; return a generator on the CPU.

    Dropout draws from the global state, the order and the augmentation from the generator. The
    config's seed and the epoch's number decide both seeds. Epoch 0 is the initialisation of the
    network.
    """
    words = np.random.SeedSequence([config.seed, epoch]).generate_state(2)
    torch.manual_seed(int(words[0]))
    return torch.Generator().manual_seed(int(words[1]))


def initial_network(config: TrainingProtocol) -> GalaxyNetwork:
    """Return the network with which a training run of `config` begins, on the CPU.

    The config's seed sets torch's global random state and so decides the drawn weights. Pretrained
    weights are read from their file or from an earlier export, or downloaded if this machine lacks
    them. InvalidInput is raised if there is no such network or if such weights cannot be loaded.
    The last layer's bias is that of an untrained layer (see `begun_network`).
    """
    seed_chance(config, epoch=0)
    return build_network(config)


def begun_network(
    config: TrainingProtocol,
    votes: NDArray[np.floating],
    importance: NDArray[np.float64] | None,
    device: torch.device,
) -> GalaxyNetwork:
    """Return the network with which a training begins, on `device`.

    The network is that of `initial_network`. If the config begins at the votes, the last layer's
    bias is set to their mean, unless the last layer has the weights of an earlier export.

    votes: vote fractions [N, 37] of the training galaxies. importance: how often each galaxy is
    drawn in an epoch, [N], or None for once each; weights of the mean. OutOfMemory is raised if
    memory does not hold the network.
    """
    network = within_memory(
        lambda: initial_network(config).to(device), f"a network of {config.architecture}"
    )
    if config.output_bias == "votes" and not network.has_trained_output:
        mean = np.average(votes, axis=0, weights=importance)
        network.begin_at(torch.from_numpy(mean.astype(np.float32)))
    return network.to(memory_format=torch.channels_last)
