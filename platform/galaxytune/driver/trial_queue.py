"""The choice of the trials that are handed out next, one alone or several as one pack."""

from collections.abc import Mapping
from math import ceil

from galaxytune.driver.ledger import Ledger, Proposal
from galaxytune.driver.promotion import Promotion
from galaxytune.driver.seed_race import SeedRace
from search_spaces.declaration import TrainingProtocol, pack_refusal


class TrialQueue:
    """A queue of trials: first the trials of an earlier driver, then promoted, then new trials.

    Promoted trials are paused trials that may go on. The last new trials train the best configs
    with further seeds (see `SeedRace`). Trials are handed out in packs; a pack may be a single
    trial. The trials of a pack share the values of all hyperparameters that decide the shape of a
    network. The first trial of a pack is the next trial of the queue. The other trials are trials
    of the queue that fit, or new trials that are drawn to fit. A new trial that does
    not fit, because it had been queued with its own config, is kept for a later pack.
    """

    def __init__(
        self, ledger: Ledger, promotion: Promotion, sizes: Mapping[str, int], slots: int
    ) -> None:
        """Take the study's ledger and promotion, and the limits of packs.

        sizes: number of trials in the largest pack of each architecture, 1 if the name is missing.
        slots: number of packs that run at once. A pack holds at most the trials that are left now,
        divided by `slots` and rounded up.
        """
        self._ledger, self._promotion, self._sizes = ledger, promotion, sizes
        self._race = SeedRace(ledger)
        # a larger pack would hold trials that other slots need
        self._fair = ceil(ledger.num_left / max(1, slots))

    @property
    def is_over(self) -> bool:
        """True if no further trial will be handed out, not even after later reports."""
        ledger = self._ledger
        return ledger.ending is not None or not (ledger.running or ledger.num_left)

    def next_pack(self) -> list[Proposal]:
        """Return the trials to run next as one pack, as pairs of an id and a config.

        The ledger counts these trials as running from now on. An empty list means that no trial is
        to start now: the study is ending, or all trials were drawn and no paused trial may go on,
        or the race of the best configs waits for a running trial. In the second case, if also no
        trial runs, all paused trials end. OSError is raised if the study's folder cannot be
        written.
        """
        ledger = self._ledger
        if ledger.ending is not None:
            return []
        first = self._next()
        if first is None:
            if not ledger.running:
                self._promotion.end_paused()
            return []
        pack, config = [ledger.hand_out(first)], ledger.config(first)
        while len(pack) < min(self._sizes.get(config.architecture, 1), self._fair):
            other = self._companion(config)
            if other is None:
                break
            pack.append(ledger.hand_out(other))
        return pack

    def _next(self) -> str | None:
        """Return the id of the next trial, which leaves the queue; None if no trial may start.

        The trial is an unfinished trial of the ledger, else a promoted trial, else a new trial.
        """
        if self._ledger.unfinished:
            first = self._ledger.unfinished[0]
            self._ledger.take_up(first)
            return first
        promoted = self._promotion.next_promoted(is_last_call=self._race.is_due())
        return promoted or self._race.draw()

    def _companion(self, config: TrainingProtocol) -> str | None:
        """Return the id of a trial that fits into a pack with `config`; None if there is none.

        The trial leaves the queue. A new trial that was drawn and does not fit is kept by the
        ledger as an unfinished trial.
        """
        ledger = self._ledger

        def fits(trial_id: str) -> bool:
            return pack_refusal([config, ledger.config(trial_id)]) is None

        for trial_id in filter(fits, ledger.unfinished):
            ledger.take_up(trial_id)
            return trial_id
        found = self._promotion.next_promoted(fits, is_last_call=self._race.is_due())
        if found is None and ledger.ending is None:
            found = self._race.draw(like=config)
            if found is not None and not fits(found):
                ledger.keep_for_later(found)
                return None
        return found
