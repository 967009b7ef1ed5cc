"""Halving of a running study: which trials pause, which go on, and which end at a rung."""

import json
from collections.abc import Callable
from typing import Any

from galaxytune.driver.ledger import Ledger
from galaxytune.halving import (
    COMPARED_WITH,
    MOST_MEASURED,
    Rungs,
    choose_grace,
    first_grace,
    rung_epochs,
    values_at_rungs,
)
from trainables.files import write_atomically
from trainables.training import why_finished

_STOPPED = "stopped by halving at epoch"  # the reason of a trial that its rank ended begins so


class Promotion:
    """The rungs of a study, kept in step with the study's ledger.

    Trials with a published config never pause, because the study's results are compared with their
    results; nor do trials with a further seed, whose configs were trained whole before. These
    trials are excluded from the rungs, so that they do not take the place of another trial. When
    the rungs are built from the ledger, trials that a budget, the quota of the checkpoints or the
    end of the study has stopped are excluded too, because they cannot go on.

    Methods that write to the study's folder raise OSError if the folder cannot be written.

    ledger: the ledger of the study.
    rungs: the rungs with the trials that have come to them and the trials that pause; `measure`
        may replace the object.
    """

    def __init__(self, ledger: Ledger) -> None:
        """Build the rungs from the ledger's curves, with the trials that pause there.

        An unfinished trial of the ledger pauses if it may not pass the rung at which an earlier
        driver left it; it is then no longer among the ledger's unfinished trials. Paused trials
        that are hopeless end. The grace period is that of the plan, or of halving.json, or else
        that of `first_grace`; then `measure` is called. From now on the ledger ends paused trials
        to make room on the disk. An OSError is not raised; the ledger ends the run.
        """
        self.ledger = ledger
        self._first_grace = first_grace(ledger.plan.longest_epochs)
        self._num_measured = -1  # whole trials in the last measurement; -1 before the first
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
        ledger.make_room_by(self._give_up_one)
        with ledger.writing():
            self._take_up()
            self.measure()

    def enter(self, trial_id: str) -> None:
        """Enter a trial at the rungs that the trial's curve in the ledger has reached.

        A trial that never pauses is not entered. KeyError if the ledger has no curve of the trial.
        """
        if not self.ledger.drawn.is_trained_whole(trial_id):
            self.rungs.enter(trial_id, self.ledger.curves[trial_id])

    def passes(self, trial_id: str) -> bool:
        """Return whether a trial that was entered goes on after its latest epoch.

        The result is True if the latest epoch has no rung, or if the trial never pauses.
        """
        epoch = len(self.ledger.curves[trial_id])
        return self.ledger.drawn.is_trained_whole(trial_id) or self.rungs.may_pass(trial_id, epoch)

    def pause(self, trial_id: str) -> None:
        """Pause a running trial after its latest epoch; end all paused trials that are hopeless.

        The paused trial itself may end. The ledger is told, and paused.json is written.
        """
        self.rungs.paused[trial_id] = len(self.ledger.curves[trial_id])
        self.ledger.pause(trial_id)
        self._end(self.rungs.hopeless(self._num_searched), _STOPPED)
        self._write()

    def next_promoted(
        self,
        fits: Callable[[str], bool] = lambda trial_id: True,
        *,
        is_last_call: bool = False,
    ) -> str | None:
        """Return the id of a paused trial that goes on now; None if no paused trial may go on.

        fits: returns whether the trial of an id may be chosen. The trial at the latest rung comes
        first, then the trial with the best rank. The chosen trial no longer counts as paused, and
        paused.json is written. is_last_call: if True, or if all trials of the study were drawn,
        the best trial of each rung goes on, even if few trials have come to the rung.
        """
        is_last_call = is_last_call or self.ledger.num_begun >= self.ledger.plan.trials
        for trial_id in filter(fits, self.rungs.promotable(is_last_call=is_last_call)):
            del self.rungs.paused[trial_id]
            self._write()
            return trial_id
        return None

    def end_paused(self) -> None:
        """Record all paused trials as pruned, and remove paused.json.

        The method is to be called when no trial runs and no trial is left to begin.
        """
        self._end(list(self.rungs.paused), "the study ended while it paused after epoch")
        self._write()

    def measure(self) -> None:
        """Choose the grace period again, from the trials that went on from one rung to the next.

        The choice is written to halving.json. If the choice follows from a correlation, and is the
        first such choice or another epoch than the first rung, then the observers are told and
        `rungs` is built anew from the chosen epoch.

        Nothing is done if the plan sets the grace period, or if there are no rungs. A whole trial
        is a complete trial with more epochs than `first_grace`. After the first measurement,
        nothing is done if there are no more whole trials than in the last measurement, or if there
        are more than 30. Trials with a further seed are left out, because they are all alike.
        """
        plan, ledger = self.ledger.plan, self.ledger
        has_rungs = plan.stops_early and self._first_grace < plan.longest_epochs
        if not has_rungs or plan.grace_epochs is not None:
            return
        searched = [r for r in ledger.records.values() if not r.further_seed]
        complete = {r.id for r in searched if r.status == "complete"}
        num_whole = sum(ledger.records[i].epochs > self._first_grace for i in complete)
        is_enough = self._num_measured >= 0 and num_whole > MOST_MEASURED
        if is_enough or num_whole <= self._num_measured:
            return
        epochs = rung_epochs(self._first_grace, plan.longest_epochs, plan.reduction_factor)
        further = set(ledger.drawn.further_seeds)
        values = [
            values_at_rungs(curve, epochs, is_whole=trial_id in complete)
            for trial_id, curve in ledger.curves.items()
            if trial_id not in further
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
        """Return the measurement in halving.json, as `GraceChoice.as_json` returns it.

        None if the file does not exist, or if its ranks were not compared with the next rung.
        """
        file = self.ledger.folder.halving_file
        if not file.exists():
            return None
        chosen: dict[str, Any] = json.loads(file.read_text())
        return chosen if chosen.get("compared_with") == COMPARED_WITH else None

    def _take_up(self) -> None:
        """Pause the trials that an earlier driver left at a rung that they may not pass.

        A trial whose training ends at this epoch does not pause. Hopeless trials end, and
        paused.json is written.
        """
        for trial_id in self.ledger.unfinished:
            curve = self.ledger.curves.get(trial_id)
            if not curve or self.passes(trial_id):
                continue
            if why_finished(self.ledger.config(trial_id), curve) is None:
                self.ledger.take_up(trial_id)
                self.rungs.paused[trial_id] = len(curve)
        self._end(self.rungs.hopeless(self._num_searched), _STOPPED)
        self._write()

    def _give_up_one(self) -> bool:
        """End the least hopeful paused trial to make room on the disk, and return True.

        Return False if no trial pauses.
        """
        if not self.rungs.paused:
            return False
        self._end([self.rungs.least_hopeful()], "checkpoints filled their quota after epoch")
        self._write()
        return True

    def _end(self, trial_ids: list[str], why: str) -> None:
        """Record paused trials as pruned; the reason is `why` and the trial's epoch.

        A trial that does not pause is skipped.
        """
        for trial_id in trial_ids:
            epoch = self.rungs.paused.pop(trial_id, None)
            if epoch is not None:  # making room for another trial may have ended this trial
                self.ledger.finish(trial_id, "pruned", f"{why} {epoch}")

    def _new_rungs(self, grace_epochs: int | None, paused: dict[str, int] | None = None) -> Rungs:
        """Return rungs that begin at epoch `grace_epochs` and hold the trials of the ledger.

        grace_epochs: None for no rungs. paused: the epoch at which each paused trial pauses, by
        trial id; None for no paused trials. A trial that pauses at an epoch without a rung may go
        on.
        """
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
        """Return whether a trial has a place in the rungs that the trial has reached.

        A trial that never pauses has none, nor has a pruned trial that halving did not stop.
        """
        record = self.ledger.records.get(trial_id)
        if record is None:
            return not self.ledger.drawn.is_trained_whole(trial_id)
        was_cut_off = record.status == "pruned" and not record.reason.startswith(_STOPPED)
        return not (record.published or record.further_seed or was_cut_off)

    def _write(self) -> None:
        """Write the paused trials to paused.json in the study's folder; delete it if none pause.

        The file maps the id of each paused trial to the epoch at which the trial pauses. The
        command `status` reads the file. A resumed study does not read the file: it builds the
        rungs from the epochs that the trials have reported. OSError is raised if the file cannot
        be written.
        """
        text, file = json.dumps(self.rungs.paused), self.ledger.folder.paused_file
        if self.rungs.paused:
            write_atomically(file, lambda path: path.write_text(text), wait=False)
        else:
            file.unlink(missing_ok=True)
