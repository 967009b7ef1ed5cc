"""The training steps of a run, one after the other and without validation, without an end."""

from collections.abc import Callable, Iterator

from trainables.training import Sums, TrainingBatch, TrainingRun


def endless_steps(run: TrainingRun, step: Callable[[TrainingBatch], Sums]) -> Iterator[Sums]:
    """Yield the sums of one training step after the other, epoch after epoch, without an end.

    step: takes one step on a batch, such as `run.step`. No epoch is validated or reported, so that
    `run.reports` stays empty.
    """
    while True:
        epoch = run.epoch_in_steps()
        batch = next(epoch)
        for _ in range(run.steps_per_epoch - 1):
            sums = step(batch)
            yield sums
            batch = epoch.send(sums)
        yield step(batch)
