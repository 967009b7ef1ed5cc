"""The training step on a GPU as one CUDA graph, which launches hundreds of kernels together.

A graph repeats exactly the same kernels on exactly the same memory. So a graph is used only for
whole batches of galaxies that are resident on the GPU. The smaller last batch of an epoch, and any
step that a graph cannot hold, are computed without a graph, with the same result.
"""

from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor

from trainables.galaxies import ResidentGalaxies
from trainables.training.batches import TrainingBatch
from trainables.training.step import Sums, TrainingStep

_STEPS_BEFORE = 3  # without a graph, so that libraries choose their kernels and memory first


class GraphedStep:
    """A training step that uses a CUDA graph from the fourth whole batch on.

    A batch is whole if all galaxies of the file are in the GPU's memory, and if the batch has
    `batch_size` galaxies, no features of a frozen backbone, and no more galaxies than go through
    the network at once. If other code replaces a tensor of the network or the optimiser, the graph
    is dropped, and the whole batches are counted from 1 again.

    refusal: the first line of PyTorch's message that says why no graph could be made, or None if
        no graph has been refused. After a refusal no graph is tried any more.
    precision: the `precision` of the TrainingStep.
    """

    def __init__(self, step: TrainingStep, batch_size: int) -> None:
        """Wrap a TrainingStep, all of whose tensors are on one GPU.

        batch_size: number of galaxies in a whole batch.
        """
        self.refusal: str | None = None
        self.precision = step.precision
        self._step, self._batch_size = step, batch_size
        self._stream = torch.cuda.Stream()  # capture fails after autograd on the default one
        self._forget()

    def __call__(self, batch: TrainingBatch) -> Sums:
        """Take one step of the optimiser; return the sums of the batch, as `TrainingStep` does.

        The next call may overwrite the tensors of the sums, so the caller must use or copy the
        sums before. OutOfMemory is raised as by `TrainingStep`.
        """
        if self.refusal is not None or not self._is_whole(batch):
            return self._one_by_one(batch)
        if self._graph is not None and self._addresses() != self._captured:
            self._forget()  # a pack or a loaded state has replaced memory that the graph uses
        if self._graph is None and self._num_before < _STEPS_BEFORE:
            self._num_before += 1
            return self._one_by_one(batch)
        if self._graph is None and not self._capture(batch):
            return self._one_by_one(batch)
        return self._replay(batch)

    def _is_whole(self, batch: TrainingBatch) -> bool:
        """Return whether a graph can hold the step of a batch (see the class)."""
        return (
            isinstance(batch.source, ResidentGalaxies)
            and batch.features is None
            and len(batch) == self._batch_size <= self._step.micro_batch.size
        )

    def _forget(self) -> None:
        """Drop the graph, and begin to count whole batches anew."""
        self._graph: torch.cuda.CUDAGraph | None = None
        self._held: TrainingBatch | None = None  # the batch that the graph reads
        self._sums: Sums = []  # the sums that the graph writes
        self._captured: tuple[int, ...] = ()
        self._num_before = 0

    def _one_by_one(self, batch: TrainingBatch) -> Sums:
        """Take one step without a graph, on the stream on which graphs are captured."""
        self._stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self._stream):
            sums = self._step(batch)
        torch.cuda.current_stream().wait_stream(self._stream)
        return sums

    def _capture(self, batch: TrainingBatch) -> bool:
        """Capture a graph of the step; return False if no graph can be made.

        The capture takes no step of the optimiser. A failure is kept in `refusal`.
        """
        held = replace(
            batch,
            rows=batch.rows.clone(),
            movement=None if batch.movement is None else batch.movement.clone(),
            brightness=None if batch.brightness is None else batch.brightness.clone(),
        )
        self._step.optimiser.zero_grad(set_to_none=True)  # the graph makes its own gradients
        graph = torch.cuda.CUDAGraph()
        try:
            # "thread_local" leaves other threads, such as a tracker's, free to use CUDA meanwhile
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
        """Take one step by the graph; return the sums, which the next replay overwrites."""
        assert self._graph is not None and self._held is not None
        self._held.rows.copy_(batch.rows)
        if self._held.movement is not None and batch.movement is not None:
            self._held.movement.copy_(batch.movement)
        if self._held.brightness is not None and batch.brightness is not None:
            self._held.brightness.copy_(batch.brightness)
        self._graph.replay()
        return self._sums

    def _addresses(self) -> tuple[int, ...]:
        """Return the memory addresses of all tensors that `_tensors` yields, in order."""
        return tuple(tensor.data_ptr() for tensor in self._tensors())

    def _tensors(self) -> Iterator[Tensor]:
        """Yield every tensor that a step changes and that other code may have replaced."""
        optimiser, network = self._step.optimiser, self._step.network
        yield from network.parameters()
        yield from network.buffers()
        for state in optimiser.state.values():
            yield from (value for value in state.values() if isinstance(value, Tensor))
        yield from (group["lr"] for group in optimiser.param_groups)
