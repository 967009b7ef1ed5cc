"""A pack: several configs of one architecture that are trained together.

Every member of a pack is a complete `TrainingRun` with its own optimiser, schedule, loss,
augmentation, reports and end of training; only the steps are computed together. The reports and
states of a member equal those of the same run alone within float noise, except for the seconds. So
a run can leave a pack, join another pack, or continue alone.

Two things differ from a run alone. A step that memory does not hold is not cut into parts: the
pack is halved instead. And a network whose attention drops inside a fused kernel, as on a GPU,
gets other dropout masks in a pack, because a pack cannot use that kernel.
"""

import time
from collections.abc import Sequence
from dataclasses import replace

import torch

from search_spaces.declaration import pack_refusal
from trainables.device import OutOfMemory, RandomState, is_out_of_memory
from trainables.packs.stacked_step import StackedStep
from trainables.packs.supplied_dropout import DropoutCall
from trainables.training import Diverged, EpochReport, EpochSteps, Sums, TrainingBatch, TrainingRun

Outcome = EpochReport | Diverged | OutOfMemory


class _Member:
    """A run in the middle of an epoch, with its next batch and its own random state.

    run: the run.
    chance: the random state from which the run's dropout draws.
    batch: the next batch, or None if the epoch is over.
    outcome: the report of the epoch, or the error that ended the run; the attribute does not exist
        before the epoch is over.
    """

    batch: TrainingBatch | None
    outcome: Outcome

    def __init__(self, run: TrainingRun) -> None:
        """Begin the next epoch of a run; torch's global random state is set."""
        self.run = run
        self._steps: EpochSteps = run.epoch_in_steps()
        self.batch = next(self._steps)
        self.chance = RandomState(run.device)  # the epoch has just seeded the global state

    def step_alone(self) -> None:
        """Take the next step of this run alone, without the other members.

        An OutOfMemory of the step becomes the outcome.
        """
        assert self.batch is not None
        try:
            with self.chance.in_use():
                sums = self.run.step(self.batch)
        except OutOfMemory as error:
            self._end(error)
        else:
            self.hear(sums)

    def hear(self, sums: Sums | OutOfMemory) -> None:
        """Pass the sums of a step to the run, and get its next batch or its outcome.

        sums: the sums of the step, or the OutOfMemory that ended the run. After the last batch the
        run is validated. A Diverged or OutOfMemory of the run becomes the outcome.
        """
        if isinstance(sums, OutOfMemory):
            return self._end(sums)
        try:
            self.batch = self._steps.send(sums)
        except StopIteration as end:
            self._end(end.value)
        except (Diverged, OutOfMemory) as error:
            self._end(error)

    def _end(self, outcome: Outcome) -> None:
        """End the epoch of this run with an outcome."""
        self.batch, self.outcome = None, outcome


class PackedTraining:
    """Runs that are trained together, one epoch at a time, until `runs` is empty.

    The members may be at different epochs. A run that diverges, runs out of memory or has finished
    is removed from the pack by `run_epoch`; any other run is removed by `leave`. The other runs
    continue unchanged.

    runs: the runs in the pack, without the runs that have finished or ended with an error.
    """

    def __init__(self, runs: Sequence[TrainingRun]) -> None:
        """Pack runs that train on the same galaxies and on the same device.

        runs: at least one run; IndexError is raised if there is none. Runs that have finished are
        left out. ValueError is raised if the configs cannot be trained as one pack (see
        `pack_refusal`), or if the runs differ in the number of training galaxies. Galaxies and
        devices are not compared.
        """
        refusal = pack_refusal([run.config for run in runs])
        if refusal is not None:
            raise ValueError(refusal)
        counts = sorted({len(run.split.training) for run in runs})
        if len(counts) > 1:
            raise ValueError(f"a pack's runs must train on equally many galaxies, got {counts}")
        self.runs = [run for run in runs if run.finished is None]
        self._device = runs[0].device
        self._largest = len(runs)  # runs in a stack; halved if memory does not hold it
        self._stacks: list[StackedStep] = []
        self._calls: dict[int, list[DropoutCall]] = {}

    @property
    def largest_stack(self) -> int:
        """The most runs that are computed together: all runs, or as many as memory holds."""
        return self._largest

    def leave(self, run: TrainingRun) -> None:
        """Remove a run from the pack; the other runs are trained without this run from now on.

        The run has its own tensors again and can be trained alone or in another pack. ValueError
        is raised if the run is not in the pack.
        """
        self.runs.remove(run)
        self._unstack([run])

    def run_epoch(self) -> list[tuple[TrainingRun, Outcome]]:
        """Train every run for one epoch; return each run with its report or an error.

        The pairs are in the order of `runs`; the list is empty if the pack has no run. A run that
        ends early is returned with the error that ended it, Diverged or OutOfMemory. A run that
        ended early or has finished is removed from `runs`. The seconds of the epoch are divided
        equally among the runs that reach the end of the epoch, and replace the seconds in their
        last reports. Any other error is raised unchanged, in the middle of the epoch.
        """
        started = time.perf_counter()
        members = [_Member(run) for run in self.runs]
        self._train(members)
        alive = [m.run for m in members if isinstance(m.outcome, EpochReport)]
        share = (time.perf_counter() - started) / max(1, len(alive))
        for run in alive:
            run.reports[-1] = replace(run.reports[-1], seconds=share)
        for run in [m.run for m in members if m.run not in alive or m.run.finished is not None]:
            self.leave(run)
        return [(m.run, m.run.reports[-1] if m.run in alive else m.outcome) for m in members]

    def _train(self, members: Sequence[_Member]) -> None:
        """Take the members to the end of their epoch, as many together as memory holds.

        `largest_stack` is lowered if memory does not hold a step.
        """
        size = self._largest
        for start in range(0, len(members), size):
            going = list(members[start : start + size])
            while going := [member for member in going if member.batch is not None]:
                if len(going) == 1:
                    self._unstack([going[0].run])
                    going[0].step_alone()
                elif len(going) > self._largest:  # an earlier group has lowered it
                    self._train(going)
                elif not self._step_together(going):
                    self._largest = len(going) // 2
                    self._train(going)

    def _step_together(self, members: Sequence[_Member]) -> bool:
        """Take a step of two or more members; return False if memory does not hold the step.

        After False no member has changed, except that BatchNorm's running statistics may have
        moved by the failed attempt.
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
        # after the except clause, because the error's traceback keeps the attempt's tensors alive
        self._unstack([member.run for member in members])
        for member, state in zip(members, before):
            member.chance.state = state
        if self._device.type == "cuda":
            torch.cuda.empty_cache()
        return False

    def _stacked(self, runs: list[TrainingRun]) -> StackedStep:
        """Return the stack of exactly these runs; a new stack is made if none exists."""
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
