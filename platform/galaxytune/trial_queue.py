"""Which trials are handed out next, and which of them together, to be trained as one."""

from collections.abc import Mapping
from math import ceil
from typing import Any

from galaxytune.ledger import Ledger, Proposal
from galaxytune.promotion import Promotion
from search_spaces import config_from_values
from search_spaces.declaration.packing import pack_refusal


class TrialQueue:
    """Hands out what an earlier driver left, then what halving lets go on, then new trials.

    In packs whose members share all that shapes a network. The first of a pack is whatever comes
    next; the others are those that fit, or are drawn like it. One that comes out otherwise,
    because it was queued already, is kept for the next pack.
    """

    def __init__(
        self, ledger: Ledger, promotion: Promotion, sizes: Mapping[str, int], places: int
    ) -> None:
        """`sizes`: members of a pack at most, by architecture; `places`: packs at once."""
        self._ledger, self._promotion, self._sizes = ledger, promotion, sizes
        # no place is to stay empty because others hold all trials that are left
        self._fair = ceil(ledger.num_left / max(1, places))

    @property
    def is_over(self) -> bool:
        """Whether none will ever come; otherwise one may, once those that run have reported."""
        ledger = self._ledger
        return ledger.ending is not None or not (ledger.running or ledger.num_left)

    def next_pack(self) -> list[Proposal]:
        """Ids and configs of the trials to run next, as one; none if none is to start now.

        Where then none runs either, the paused ones end.
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
        while len(pack) < min(self._sizes.get(config["architecture"], 1), self._fair):
            other = self._companion(config)
            if other is None:
                break
            pack.append(ledger.hand_out(other))
        return pack

    def _next(self) -> str | None:
        if self._ledger.unfinished:
            return self._ledger.unfinished.pop(0)
        return self._promotion.next_promoted() or self._ledger.draw()

    def _companion(self, config: dict[str, Any]) -> str | None:
        ledger = self._ledger

        def fits(trial_id: str) -> bool:
            configs = [config_from_values(values) for values in (config, ledger.config(trial_id))]
            return pack_refusal(configs) is None

        for trial_id in filter(fits, ledger.unfinished):
            ledger.unfinished.remove(trial_id)
            return trial_id
        found = self._promotion.next_promoted(fits)
        if found is None and ledger.ending is None:
            found = ledger.draw(like=config)
            if found is not None and not fits(found):
                ledger.unfinished.append(found)
                return None
        return found
