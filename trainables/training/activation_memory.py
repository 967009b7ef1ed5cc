"""The memory that a training step needs for each galaxy, measured on a few galaxies."""

import torch
from torch import Tensor

from trainables.device import MicroBatch, computed_in, is_out_of_memory, memory_for_training
from trainables.layers import GalaxyNetwork
from trainables.training.batches import TrainingBatch

_MEASURED = (2, 4)  # galaxies; BatchNorm may refuse one galaxy
# A step takes so many times the activations that PyTorch saves: the gradients that flow back, and
# gaps between tensors in memory that the process keeps. Measured with the parallel CNN: 1.45 times
# in float32, 1.75 times in bfloat16 (benchmarks/2026-11-28-memory-of-a-trial.md).
_OVERHEAD = 1.75
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
    """Halve the size of a micro-batch until a step fits into a share of the main memory.

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
    while micro_batch.size > 1 and _OVERHEAD * each * micro_batch.size > room:
        micro_batch.size = -(-micro_batch.size // 2)
