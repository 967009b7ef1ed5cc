"""The race of a running study's best configs over further seeds, kept in step with its ledger."""

from collections.abc import Sequence

from galaxytune.driver.ledger import Ledger
from galaxytune.racing import (
    FIRST_SEED,
    Leader,
    leaders_of,
    left_in_race,
    most_seed_trials,
    next_seed,
    num_seed_trials,
)
from search_spaces.declaration import TrainingProtocol


class SeedRace:
    """The last new trials of a search, which train its best configs with further seeds.

    The race follows from the ledger's records and from the trials with a further seed that were
    drawn. Therefore a resumed study continues the race, and a new good trial joins it.

    ledger: the ledger of the study.
    """

    def __init__(self, ledger: Ledger) -> None:
        """Take the study's ledger."""
        self.ledger = ledger
        self._told: str | None = None  # what was told of the race last

    def is_due(self) -> bool:
        """Return whether the trials that are left to draw are those that the race may have.

        The result is also True if the plan has `max_device_hours` and all of these hours are spent
        but `seed_share` of them, as long as trials are left for the race. The result is False if
        the plan keeps no trials for the race.
        """
        plan, ledger = self.ledger.plan, self.ledger
        most = most_seed_trials(plan) - len(ledger.drawn.further_seeds)
        num_undrawn = plan.trials - ledger.num_begun
        is_late = ledger.device_share >= 1 - plan.seed_share
        if most < 1 or num_undrawn < 1 or not (num_undrawn <= most or is_late):
            return False  # without a look at every trial
        left = self._num_trials() - len(ledger.drawn.further_seeds)
        return left > 0 and (num_undrawn <= left or is_late)

    def draw(self, like: TrainingProtocol | None = None) -> str | None:
        """Draw the next new trial of the study, and return its id; None if no trial is to begin.

        While the race is due and not decided, the trial has the config of a leader and a further
        seed. Otherwise `Ledger.draw` draws the trial. like: see `Ledger.draw`; a trial of the race
        need not be like the config.

        If fewer than two configs can race while a trial runs that may become the second, no trial
        begins, so that trials are left for the race.
        """
        if not self.is_due():
            return self.ledger.draw(like=like)
        ledger = self.ledger
        searched = [r for r in ledger.records.values() if not r.further_seed]
        if sum(r.status == "complete" for r in searched) < 2 and ledger.running:
            return None
        leaders = leaders_of(
            ledger.records.values(),
            [ledger.config(trial_id) for trial_id in ledger.drawn.further_seeds],
            num_trials=self._num_trials(),
        )
        left = left_in_race(leaders)
        chosen = next_seed(left, ledger.plan.seed + FIRST_SEED)
        self._tell(standing(leaders, left, is_over=chosen is None))
        return ledger.draw(like=like) if chosen is None else ledger.draw_again(*chosen)

    def _num_trials(self) -> int:
        """Return the number of trials that the race may have in all, drawn or not."""
        ledger = self.ledger
        further = set(ledger.drawn.further_seeds)
        epochs = sum(len(curve) for i, curve in ledger.curves.items() if i not in further)
        return num_seed_trials(ledger.plan, epochs)

    def _tell(self, told: str) -> None:
        """Note for the observers how the race stands, unless that was told last."""
        if told != self._told:
            self._told = told
            self.ledger.note(told)


def standing(leaders: Sequence[Leader], left: Sequence[Leader], *, is_over: bool) -> str:
    """Return a sentence on how the race stands, without a full stop.

    leaders: the configs that take part, those included that have left the race. left: the configs
    that are left in the race. is_over: whether no further seed is trained.
    """
    if len(leaders) < 2:
        return (
            "no config is near enough to the best to need further seeds; the search goes on with "
            "the trials that were kept for these"
        )
    names = " and ".join(leader.trial_id for leader in left)
    if len(left) == 1:
        return (
            f"further seeds have shown that the config of trial {names} is the best of "
            f"{len(leaders)}; the search goes on with the trials that are left"
        )
    if is_over:
        return (
            f"further seeds do not tell the configs of trials {names} apart; the search goes on "
            "with the trials that are left"
        )
    return f"the configs of trials {names} are trained with further seeds, to see which is best"
