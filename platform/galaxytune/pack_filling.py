"""Which trials are handed out together, to be trained as one."""

from collections.abc import Mapping
from math import ceil
from typing import Any

from optuna.trial import Trial

from galaxytune.ledger import Ledger, Proposal
from search_spaces import config_from_values
from search_spaces.declaration.packing import pack_refusal


class PackFilling:
    """Hands out the ledger's trials in packs whose members share all that shapes a network.

    The first of a pack is whatever comes next; the others are drawn like it. One that comes out
    otherwise, because it was queued already, is kept for the next pack.
    """

    def __init__(self, ledger: Ledger, sizes: Mapping[str, int], places: int) -> None:
        """`sizes`: members of a pack at most, by architecture; `places`: packs at once."""
        self._ledger, self._sizes = ledger, sizes
        # no place is to stay empty because others hold all trials that are left
        self._fair = ceil(ledger.num_left / max(1, places))

    def next_pack(self) -> list[Proposal]:
        """Ids and configs of the trials to run next, as one; none when no more is to start."""
        first = self._ledger.next_trial()
        if first is None:
            return []
        pack, config = [first], first[1]
        while len(pack) < min(self._sizes.get(config["architecture"], 1), self._fair):
            other = self._companion(config)
            if other is None:
                break
            pack.append(self._ledger.hand_out(other))
        return pack

    def _companion(self, config: dict[str, Any]) -> Trial | None:
        ledger = self._ledger
        for place, trial in enumerate(ledger.unfinished):
            if _fits(trial, config):
                return ledger.unfinished.pop(place)
        if ledger.ending is not None or ledger.journal.num_begun() >= ledger.plan.trials:
            return None
        trial = ledger.journal.ask(like=config)
        if _fits(trial, config):
            return trial
        ledger.unfinished.append(trial)
        return None


def _fits(trial: Trial, config: dict[str, Any]) -> bool:
    configs = [config_from_values(values) for values in (config, trial.user_attrs["config"])]
    return pack_refusal(configs) is None
