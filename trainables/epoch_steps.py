"""An epoch that leaves its steps to whoever drives it: one run alone, or several as one."""

from collections.abc import Callable, Generator

from torch import Tensor

from trainables.training_batches import TrainingBatch

Sums = list[tuple[Tensor, Tensor]]  # loss and squared error over the galaxies, for each part
Report = dict[str, float]
EpochSteps = Generator[TrainingBatch, Sums, Report]  # batches out, their sums in, a report last


def driven(epoch: EpochSteps, step: Callable[[TrainingBatch], Sums]) -> Report:
    """Take every step of an epoch by `step`; returns the epoch's report."""
    batch = next(epoch)
    while True:
        sums = step(batch)
        try:
            batch = epoch.send(sums)
        except StopIteration as end:
            report: Report = end.value
            return report
