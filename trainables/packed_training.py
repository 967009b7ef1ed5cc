"""Several configs of one architecture trained as one: a pack.

Every member is a whole `TrainingRun` with its own optimiser, schedule, loss, augmentation,
history and end; only the steps are taken together. What a member reports and stores is what it
would alone, within float noise, so it can leave a pack, join another, or go on alone.

Two things differ. A step is not cut into parts where memory does not hold it: the pack is
halved instead. And where attention drops inside a fused kernel, as on a GPU, a pack draws other
masks, because it cannot use that kernel.
"""

import time
from collections.abc import Sequence

import torch

from search_spaces.declaration.packing import pack_refusal
from trainables.epoch_steps import EpochSteps, Report, Sums
from trainables.micro_batch import OutOfMemory, is_out_of_memory
from trainables.random_state import RandomState
from trainables.stacked_step import StackedStep
from trainables.supplied_dropout import DropoutCall
from trainables.training import Diverged, TrainingRun
from trainables.training_batches import TrainingBatch

Outcome = Report | Diverged | OutOfMemory


class _Member:
    """A run in the middle of an epoch: its next batch, and its own random state.

    batch: None once the epoch is over; outcome: then its report, or what ended the run.
    """

    batch: TrainingBatch | None
    outcome: Outcome

    def __init__(self, run: TrainingRun) -> None:
        self.run = run
        self._steps: EpochSteps = run.epoch_in_steps()
        self.batch = next(self._steps)
        self.chance = RandomState(run.device)  # as the epoch has just seeded it

    def step_alone(self) -> None:
        """Take the step as a run does that is in no pack."""
        assert self.batch is not None
        try:
            with self.chance.in_use():
                sums = self.run.step(self.batch)
        except OutOfMemory as error:
            self._end(error)
        else:
            self.hear(sums)

    def hear(self, sums: Sums | OutOfMemory) -> None:
        """Account for a step that was taken."""
        if isinstance(sums, OutOfMemory):
            return self._end(sums)
        try:
            self.batch = self._steps.send(sums)
        except StopIteration as end:
            self._end(end.value)
        except (Diverged, OutOfMemory) as error:
            self._end(error)

    def _end(self, outcome: Outcome) -> None:
        self.batch, self.outcome = None, outcome


class PackedTraining:
    """Runs trained as one, an epoch at a time, until none is left in `runs`.

    Members may stand at different epochs. One that diverges, finds no memory or has finished
    leaves by itself, one that is not wanted any more by `leave`; the others go on unchanged.
    """

    def __init__(self, runs: Sequence[TrainingRun]) -> None:
        """Pack runs of the same galaxies; ValueError if their configs cannot be trained as one."""
        refusal = pack_refusal([run.config for run in runs])
        if refusal is not None:
            raise ValueError(refusal)
        counts = sorted({len(run.split.training) for run in runs})
        if len(counts) > 1:
            raise ValueError(f"a pack's runs must train on as many galaxies, got {counts}")
        self.runs = [run for run in runs if run.finished is None]
        self._device = runs[0].device
        self._largest = len(runs)  # how many are stacked; halved where memory does not hold it
        self._stacks: list[StackedStep] = []
        self._calls: dict[int, list[DropoutCall]] = {}

    @property
    def largest_stack(self) -> int:
        """How many members are trained as one: all, or what memory holds."""
        return self._largest

    def leave(self, run: TrainingRun) -> None:
        """Train the others alone from now on."""
        self.runs.remove(run)
        self._unstack([run])

    def run_epoch(self) -> list[tuple[TrainingRun, Outcome]]:
        """Train every member for one epoch; returns its report, or the error that ended it.

        The seconds of the epoch are shared among the members that reach its end.
        """
        started = time.perf_counter()
        members = [_Member(run) for run in self.runs]
        self._train(members)
        alive = [m.run for m in members if isinstance(m.outcome, dict)]
        share = (time.perf_counter() - started) / max(1, len(alive))
        for run in alive:
            run.history[-1]["seconds"] = share
        for run in [m.run for m in members if m.run not in alive or m.run.finished is not None]:
            self.leave(run)
        return [(m.run, m.run.reports[-1] if m.run in alive else m.outcome) for m in members]

    def _train(self, members: Sequence[_Member]) -> None:
        """Take the members to the end of their epoch, so many at a time as memory holds."""
        for start in range(0, len(members), self._largest):
            going = list(members[start : start + self._largest])
            while going := [member for member in going if member.batch is not None]:
                if len(going) == 1:
                    self._unstack([going[0].run])
                    going[0].step_alone()
                elif not self._step_together(going):
                    self._largest = len(going) // 2
                    self._train(going)

    def _step_together(self, members: Sequence[_Member]) -> bool:
        """Take a step of two or more members; False if memory did not hold it, none having moved.

        But for BatchNorm's running statistics, which move with what the attempt had seen.
        """
        before = [member.chance.state for member in members]
        batches = [member.batch for member in members if member.batch is not None]
        try:
            stack = self._stacked([member.run for member in members])
            sums = stack(batches, [member.chance for member in members], self._calls)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
        else:
            for member, own in zip(members, sums, strict=True):
                member.hear(own)
            return True
        # only here, where its traceback is gone, are the attempt's tensors gone too
        self._unstack([member.run for member in members])
        for member, state in zip(members, before):
            member.chance.state = state
        if self._device.type == "cuda":
            torch.cuda.empty_cache()
        return False

    def _stacked(self, runs: list[TrainingRun]) -> StackedStep:
        """The stack of just these runs, made anew where others have left it."""
        for stack in self._stacks:
            if stack.runs == runs:
                return stack
        self._unstack(runs)
        self._stacks.append(StackedStep(runs))
        return self._stacks[-1]

    def _unstack(self, runs: Sequence[TrainingRun]) -> None:
        """Dissolve every stack that holds one of these runs."""
        for stack in [s for s in self._stacks if any(run in s.runs for run in runs)]:
            stack.release()
            self._stacks.remove(stack)
