"""Halving applied to a running study: which trials pause, which go on, which end there."""

import json
from collections.abc import Callable

from galaxytune.halving import MOST_MEASURED, Rungs, choose_grace, first_grace
from galaxytune.ledger import Ledger
from trainables.files import write_atomically


class Promotion:
    """The rungs of a study, kept level with its ledger.

    Published configs are always trained to the end: they are what the others are measured by.
    """

    def __init__(self, ledger: Ledger) -> None:
        """Rebuild the rungs from the curves that the ledger has, and who pauses there."""
        self.ledger = ledger
        self._first_grace = first_grace(ledger.plan.longest_epochs)
        self._num_measured = -1  # whole trials
        self._has_correlations = False
        grace_epochs = ledger.plan.grace_epochs or self._first_grace
        if ledger.folder.halving_file.exists():
            chosen = json.loads(ledger.folder.halving_file.read_text())
            self._num_measured = chosen["num_whole"]
            self._has_correlations = bool(chosen["correlations"])
            grace_epochs = chosen["grace_epochs"]
        self.rungs = self._new_rungs(grace_epochs if ledger.plan.stops_early else None)
        with ledger.writing():
            self._take_up()
            self.measure()

    def passes(self, trial_id: str) -> bool:
        """Whether a trial goes on after the epoch that it has just reported."""
        curve = self.ledger.curves[trial_id]
        self.rungs.enter(trial_id, curve)
        return self.rungs.may_pass(trial_id, len(curve)) or self.ledger.is_published(trial_id)

    def pause(self, trial_id: str) -> None:
        """Let a trial pause where it is.

        Those that it leaves without hope end, and so do the last of their rungs while checkpoints
        take more of the disk than the plan allows.
        """
        self.rungs.paused[trial_id] = len(self.ledger.curves[trial_id])
        self.ledger.pause(trial_id)
        self._end(self.rungs.hopeless(self.ledger.plan.trials))
        while self.rungs.paused and self.ledger.keeper.is_over_quota():
            self._end([self.rungs.least_hopeful()])
        self._write()

    def next_promoted(self, fits: Callable[[str], bool] = lambda trial_id: True) -> str | None:
        """A trial that is to go on now, of those that fit; it pauses no more.

        Once no trial is left to begin, the best of each rung goes on, however few came there.
        """
        is_last_call = self.ledger.journal.num_begun() >= self.ledger.plan.trials
        for trial_id in filter(fits, self.rungs.promotable(is_last_call=is_last_call)):
            del self.rungs.paused[trial_id]
            self._write()
            return trial_id
        return None

    def end_paused(self) -> None:
        """Nothing runs and nothing is left to begin: who pauses now has come to an end."""
        self._end(list(self.rungs.paused))
        self._write()

    def measure(self) -> None:
        """Choose the grace period anew by what the trials that were trained whole show."""
        plan, ledger = self.ledger.plan, self.ledger
        has_rungs = plan.stops_early and self._first_grace < plan.longest_epochs
        if not has_rungs or plan.grace_epochs is not None:
            return
        complete = (r for r in ledger.records.values() if r.status == "complete")
        whole = [r.id for r in complete if r.epochs > self._first_grace][:MOST_MEASURED]
        if len(whole) <= self._num_measured:
            return
        choice = choose_grace(
            [ledger.curves[i] for i in whole],
            first_epoch=self._first_grace,
            reduction_factor=plan.reduction_factor,
        )
        text = json.dumps({**choice.as_json(), "sentence": choice.sentence()}, indent=2) + "\n"
        write_atomically(ledger.folder.halving_file, lambda path: path.write_text(text))
        grace = min(self.rungs.counts, default=None)
        if choice.correlations and (not self._has_correlations or choice.grace_epochs != grace):
            ledger.note(choice.sentence())
            self.rungs = self._new_rungs(choice.grace_epochs, self.rungs.paused)
        self._num_measured, self._has_correlations = len(whole), bool(choice.correlations)

    def _take_up(self) -> None:
        """Of the trials that an earlier driver left, let those pause that did, or were to."""
        for trial_id in list(self.ledger.unfinished):
            if self.ledger.curves.get(trial_id) and not self.passes(trial_id):
                self.ledger.unfinished.remove(trial_id)
                self.rungs.paused[trial_id] = len(self.ledger.curves[trial_id])
        self._end(self.rungs.hopeless(self.ledger.plan.trials))
        self._write()

    def _end(self, trial_ids: list[str]) -> None:
        for trial_id in trial_ids:
            epoch = self.rungs.paused.pop(trial_id)
            self.ledger.finish(trial_id, "pruned", f"stopped by halving at epoch {epoch}")

    def _new_rungs(self, grace_epochs: int | None, paused: dict[str, int] | None = None) -> Rungs:
        """Rungs from `grace_epochs` on, or none; who pauses where none is any more may go on."""
        longest = self.ledger.plan.longest_epochs
        rungs = Rungs(
            grace_epochs=longest if grace_epochs is None else grace_epochs,
            reduction_factor=self.ledger.plan.reduction_factor,
            max_epochs=longest,
        )
        for trial_id, curve in self.ledger.curves.items():
            rungs.enter(trial_id, curve)
        rungs.paused.update(paused or {})
        return rungs

    def _write(self) -> None:
        """Note for `status` who pauses; the rungs themselves follow from the curves."""
        text, file = json.dumps(self.rungs.paused), self.ledger.folder.paused_file
        if self.rungs.paused:
            write_atomically(file, lambda path: path.write_text(text), wait=False)
        else:
            file.unlink(missing_ok=True)
