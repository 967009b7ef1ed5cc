"""Halving applied to a running study: which trials pause, which go on, which end there."""

import json
from collections.abc import Callable
from typing import Any

from galaxytune.grace_period import (
    COMPARED_WITH,
    MOST_MEASURED,
    choose_grace,
    first_grace,
    values_at_rungs,
)
from galaxytune.halving import Rungs, rung_epochs
from galaxytune.ledger import Ledger
from search_spaces import config_from_values
from trainables.early_stopping import why_finished
from trainables.files import write_atomically

_STOPPED = "stopped by halving at epoch"  # a trial's own rank says so, not the study's end


class Promotion:
    """The rungs of a study, kept level with its ledger.

    Published configs are always trained to the end and stand in no rung: they are what the others
    are measured by, and take nobody's place. Nor do trials that the study's end or a full disk
    stopped, should the study go on: they cannot.
    """

    def __init__(self, ledger: Ledger) -> None:
        """Rebuild the rungs from the curves that the ledger has, and who pauses there."""
        self.ledger = ledger
        self._first_grace = first_grace(ledger.plan.longest_epochs)
        self._num_measured = -1  # whole trials
        self._has_correlations = False
        grace_epochs = ledger.plan.grace_epochs or self._first_grace
        chosen = self._chosen_before()
        if chosen is not None:
            self._num_measured = chosen["num_whole"]
            self._has_correlations = bool(chosen["correlations"])
            grace_epochs = chosen["grace_epochs"]
        num_published = 0 if ledger.plan.grid else len(ledger.plan.architectures)
        self._num_searched = max(1, ledger.plan.trials - num_published)
        self.rungs = self._new_rungs(grace_epochs if ledger.plan.stops_early else None)
        ledger.give_up_one = self._give_up_one
        with ledger.writing():
            self._take_up()
            self.measure()

    def enter(self, trial_id: str) -> None:
        """Take in the epoch that a trial has just reported."""
        if not self.ledger.is_published(trial_id):
            self.rungs.enter(trial_id, self.ledger.curves[trial_id])

    def passes(self, trial_id: str) -> bool:
        """Whether a trial that was entered goes on after its latest epoch."""
        epoch = len(self.ledger.curves[trial_id])
        return self.ledger.is_published(trial_id) or self.rungs.may_pass(trial_id, epoch)

    def pause(self, trial_id: str) -> None:
        """Let a trial pause where it is; those that it leaves without hope end."""
        self.rungs.paused[trial_id] = len(self.ledger.curves[trial_id])
        self.ledger.pause(trial_id)
        self._end(self.rungs.hopeless(self._num_searched), _STOPPED)
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
        self._end(list(self.rungs.paused), "the study ended while it paused after epoch")
        self._write()

    def measure(self) -> None:
        """Choose the grace period anew by the trials that went on from a rung to the next."""
        plan, ledger = self.ledger.plan, self.ledger
        has_rungs = plan.stops_early and self._first_grace < plan.longest_epochs
        if not has_rungs or plan.grace_epochs is not None:
            return
        complete = {r.id for r in ledger.records.values() if r.status == "complete"}
        num_whole = sum(ledger.records[i].epochs > self._first_grace for i in complete)
        is_enough = self._num_measured >= 0 and num_whole > MOST_MEASURED
        if is_enough or num_whole <= self._num_measured:
            return
        epochs = rung_epochs(self._first_grace, plan.longest_epochs, plan.reduction_factor)
        values = [
            values_at_rungs(curve, epochs, is_whole=trial_id in complete)
            for trial_id, curve in ledger.curves.items()
        ]
        choice = choose_grace(values, epochs, num_whole=num_whole)
        text = json.dumps(choice.as_json(), indent=2) + "\n"
        write_atomically(ledger.folder.halving_file, lambda path: path.write_text(text))
        grace = min(self.rungs.counts, default=None)
        if choice.correlations and (not self._has_correlations or choice.grace_epochs != grace):
            ledger.note(choice.sentence())
            self.rungs = self._new_rungs(choice.grace_epochs, self.rungs.paused)
        self._num_measured, self._has_correlations = num_whole, bool(choice.correlations)

    def _chosen_before(self) -> dict[str, Any] | None:
        """What an earlier driver measured; None if nothing, or if it measured another thing."""
        file = self.ledger.folder.halving_file
        if not file.exists():
            return None
        chosen: dict[str, Any] = json.loads(file.read_text())
        return chosen if chosen.get("compared_with") == COMPARED_WITH else None

    def _take_up(self) -> None:
        """Of the trials that an earlier driver left, let those pause that did, or were to."""
        for trial_id in list(self.ledger.unfinished):
            curve = self.ledger.curves.get(trial_id)
            if not curve or self.passes(trial_id):
                continue
            if why_finished(config_from_values(self.ledger.config(trial_id)), curve) is None:
                self.ledger.unfinished.remove(trial_id)
                self.rungs.paused[trial_id] = len(curve)
        self._end(self.rungs.hopeless(self._num_searched), _STOPPED)
        self._write()

    def _give_up_one(self) -> bool:
        """To make room on the disk; False if none pauses."""
        if not self.rungs.paused:
            return False
        self._end([self.rungs.least_hopeful()], "checkpoints filled their quota after epoch")
        self._write()
        return True

    def _end(self, trial_ids: list[str], why: str) -> None:
        for trial_id in trial_ids:
            epoch = self.rungs.paused.pop(trial_id, None)
            if epoch is not None:  # the end of another may have ended it too, to make room
                self.ledger.finish(trial_id, "pruned", f"{why} {epoch}")

    def _new_rungs(self, grace_epochs: int | None, paused: dict[str, int] | None = None) -> Rungs:
        """Rungs from `grace_epochs` on, or none; who pauses where none is any more may go on."""
        longest = self.ledger.plan.longest_epochs
        rungs = Rungs(
            grace_epochs=longest if grace_epochs is None else grace_epochs,
            reduction_factor=self.ledger.plan.reduction_factor,
            max_epochs=longest,
        )
        for trial_id, curve in self.ledger.curves.items():
            if self._counts(trial_id):
                rungs.enter(trial_id, curve)
        rungs.paused.update(paused or {})
        return rungs

    def _counts(self, trial_id: str) -> bool:
        """Whether a trial stands in the rungs that it has reached."""
        record = self.ledger.records.get(trial_id)
        if record is None:
            return not self.ledger.is_published(trial_id)
        was_cut_off = record.status == "pruned" and not record.reason.startswith(_STOPPED)
        return not (record.published or was_cut_off)

    def _write(self) -> None:
        """Note for `status` who pauses; the rungs themselves follow from the curves."""
        text, file = json.dumps(self.rungs.paused), self.ledger.folder.paused_file
        if self.rungs.paused:
            write_atomically(file, lambda path: path.write_text(text), wait=False)
        else:
            file.unlink(missing_ok=True)
