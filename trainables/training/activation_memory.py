"""The memory that a training step needs for each galaxy, measured on a few galaxies."""

import torch
from torch import Tensor

from trainables.device import (
    MicroBatch,
    computed_in,
    is_out_of_memory,
    memory_for_training,
    return_freed_memory,
)
from trainables.layers import GalaxyNetwork
from trainables.training.batches import TrainingBatch

_MEASURED = (2, 4)  # galaxies; BatchNorm may refuse one galaxy
# A step takes so many times the activations that PyTorch saves: the gradients that flow back, and
# gaps between tensors. There are many gaps in memory that the process keeps. Measured with the
# parallel CNN: 1.5 to 2.2 times, and 1.1 to 1.3 times if the process returns what it frees
# (benchmarks/2026-11-28-memory-of-a-trial.md).
_KEEPING, _RETURNING = 2.25, 1.4
_PER_PARAMETER = 3  # numbers for each trained number: a gradient and two moments of Adam


def saved_bytes(network: GalaxyNetwork, batch: TrainingBatch, precision: torch.dtype) -> int:
    """Return the bytes of the tensors that a forward pass saves for the backward pass.

    network: a network that is switched to training mode; its parameters and buffers stay as they
    are. batch: the galaxies to pass. precision: torch.float32 or torch.bfloat16. Parameters and
    gradients are not counted. Torch's global random state stays as it is.
    """
    own = {t.untyped_storage().data_ptr() for t in (*network.parameters(), *network.buffers())}
    sizes: dict[int, int] = {}

    def note(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            sizes[storage.data_ptr()] = storage.nbytes()
        return tensor

    before = {name: buffer.clone() for name, buffer in network.named_buffers()}
    network.train()
    with (
        torch.random.fork_rng(devices=[]),
        torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor),
    ):
        with computed_in(precision, batch.source.device):
            kept = batch.predicted(network)  # keeps the saved tensors, so that none shares a place
    del kept
    with torch.no_grad():
        for name, buffer in network.named_buffers():
            if name in before:
                buffer.copy_(before[name])
    return sum(sizes.values())


def bound_micro_batch(
    micro_batch: MicroBatch,
    network: GalaxyNetwork,
    batch: TrainingBatch,
    *,
    precision: torch.dtype,
    share: float,
) -> None:
    """Let a training step fit into a share of the main memory, at first by slower allocation.

    If a whole batch does not fit beside the gaps of memory that the process keeps, the process
    returns the memory that it frees (see `return_freed_memory`), which changes no numbers. Only if
    the batch does not fit then, the size of the micro-batch is halved until a step fits.

    On Linux an allocation rarely fails: a process that takes too much is killed later. So the size
    is chosen before the first step. The size is at least 1. The size stays as it is if the batch
    has fewer than four galaxies, or if memory does not hold four galaxies. micro_batch:
    changed in place. network: a network on the CPU. batch: galaxies of the training, of which four
    are passed through the network. precision: torch.float32 or torch.bfloat16. share: the
    training's share of the machine, above 0.
    """
    few, more = _MEASURED
    if len(batch) < more:
        return
    try:
        found = [saved_bytes(network, batch.part(slice(0, n)), precision) for n in _MEASURED]
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        return  # the first step halves its batch, and says what does not fit
    each = (found[1] - found[0]) / (more - few)  # without weights that autocast has rounded
    trained = [p for p in network.parameters() if p.requires_grad]
    fixed = _PER_PARAMETER * sum(p.numel() * p.element_size() for p in trained)
    room = memory_for_training(share) - fixed
    if _KEEPING * each * micro_batch.size <= room:
        return
    overhead = _RETURNING if return_freed_memory() else _KEEPING
    while micro_batch.size > 1 and overhead * each * micro_batch.size > room:
        micro_batch.size = -(-micro_batch.size // 2)
