"""The training step on a GPU as one graph: its hundreds of kernels are launched together.

A graph repeats the very same kernels on the very same memory. So it serves whole batches of
galaxies that are resident on the GPU; what is left over at an epoch's end, and whatever a graph
cannot hold, is trained step by step to the same end.
"""

from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor

from trainables.epoch_steps import Sums
from trainables.galaxy_source import ResidentGalaxies
from trainables.training_batches import TrainingBatch
from trainables.training_step import TrainingStep

_STEPS_BEFORE = 3  # taken one by one, so that libraries have chosen their kernels and memory


class GraphedStep:
    """Takes a `TrainingStep`'s steps, from the fourth whole batch on as a graph.

    refusal: why no graph could be made, in PyTorch's words; None as long as nothing was refused.
    """

    def __init__(self, step: TrainingStep, batch_size: int) -> None:
        """Batches of `batch_size` are whole. All of the step must be on one GPU."""
        self.refusal: str | None = None
        self.precision = step.precision
        self._step, self._batch_size = step, batch_size
        self._stream = torch.cuda.Stream()  # autograd must not have worked on the default one
        self._forget()

    def __call__(self, batch: TrainingBatch) -> Sums:
        """Step once; returns the sums of the batch, as `TrainingStep` does."""
        if self.refusal is not None or not self._is_whole(batch):
            return self._one_by_one(batch)
        if self._graph is not None and self._addresses() != self._captured:
            self._forget()  # a pack or a loaded state has put other memory in place of it
        if self._graph is None and self._num_before < _STEPS_BEFORE:
            self._num_before += 1
            return self._one_by_one(batch)
        if self._graph is None and not self._capture(batch):
            return self._one_by_one(batch)
        return self._replay(batch)

    def _is_whole(self, batch: TrainingBatch) -> bool:
        return (
            isinstance(batch.source, ResidentGalaxies)
            and batch.features is None
            and len(batch) == self._batch_size <= self._step.micro_batch.size
        )

    def _forget(self) -> None:
        self._graph: torch.cuda.CUDAGraph | None = None
        self._held: TrainingBatch | None = None  # what the graph reads
        self._sums: Sums = []  # and what it writes
        self._captured: tuple[int, ...] = ()
        self._num_before = 0

    def _one_by_one(self, batch: TrainingBatch) -> Sums:
        self._stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self._stream):
            sums = self._step(batch)
        torch.cuda.current_stream().wait_stream(self._stream)
        return sums

    def _capture(self, batch: TrainingBatch) -> bool:
        """Make the graph, which takes no step yet; False, and the reason kept, if it cannot be."""
        movement = None if batch.movement is None else batch.movement.clone()
        held = replace(batch, rows=batch.rows.clone(), movement=movement)
        self._step.optimiser.zero_grad(set_to_none=True)  # the graph has gradients of its own
        graph = torch.cuda.CUDAGraph()
        try:
            # other threads, such as those of a tracker, may do as they please meanwhile
            mode = "thread_local"
            with torch.cuda.graph(graph, stream=self._stream, capture_error_mode=mode):
                sums = self._step(held)
        except RuntimeError as error:
            self._forget()
            self._step.optimiser.zero_grad(set_to_none=True)
            self.refusal = (str(error).splitlines() or [type(error).__name__])[0]
            return False
        self._graph, self._held, self._sums = graph, held, sums
        self._captured = self._addresses()
        return True

    def _replay(self, batch: TrainingBatch) -> Sums:
        assert self._graph is not None and self._held is not None
        self._held.rows.copy_(batch.rows)
        if self._held.movement is not None and batch.movement is not None:
            self._held.movement.copy_(batch.movement)
        self._graph.replay()
        return self._sums

    def _addresses(self) -> tuple[int, ...]:
        return tuple(tensor.data_ptr() for tensor in self._tensors())

    def _tensors(self) -> Iterator[Tensor]:
        """All that a step changes and an outsider could have replaced."""
        optimiser, network = self._step.optimiser, self._step.network
        yield from network.parameters()
        yield from network.buffers()
        for state in optimiser.state.values():
            yield from (value for value in state.values() if isinstance(value, Tensor))
        yield from (group["lr"] for group in optimiser.param_groups)
