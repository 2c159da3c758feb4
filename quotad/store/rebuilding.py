"""Bringing counters back to the ledger: the binding of lua/rebuild_usage.lua."""

from collections.abc import Sequence

import msgspec

from quotad.held import Correction
from quotad.store import scripts
from quotad.store.connection import Store
from quotad.store.corrections import CORRECTIONS_MAX, KEPT_MS, encode_correction
from quotad.store.keys import KeySpace
from quotad.store.ledger import LedgerWords
from quotad.store.moves import Moves
from quotad.store.shard_map import with_tag

DONE = 1


class LostUsage(msgspec.Struct, frozen=True):
    """What a counter has less than the ledger says, or more."""

    ending: str
    """Of its key, after that of the customer."""
    amount: int
    """What is added; negative: taken off."""
    expires_ms: int
    """As of `charges.expires_ms`."""
    closes_ms: int
    """Of a window that opens at first use: when it closes (Unix ms); 0: of any other."""
    correction: Correction
    """What is noted of it."""


class RebuildScript:
    """Brings counters of one store back to the ledger.

    Args:
        store: which.
        keys: of the store.
    """

    def __init__(self, store: Store, keys: KeySpace) -> None:
        self._store = store
        self._keys = keys
        self._moves = Moves(store, keys)
        self._script = scripts.load("rebuild_usage")

    def rebuild(
        self, customer_id: str, before: int, lost: Sequence[LostUsage], noted: LedgerWords
    ) -> bool:
        """Add to the counters of a customer what they have less; all of them or none.

        Args:
            customer_id: whose.
            before: how often that was done when they were compared.
            lost: of each counter.
            noted: what goes into the ledger of it.

        Returns:
            Whether it was done: not if it was done since, or a counter holds no usage by now.

        Raises:
            StoreUnavailable: the store refused or timed out; it may be done all the same, and then
                it is not done again.
        """
        return bool(self._moves.again(lambda: self._run(customer_id, before, lost, noted)) == DONE)

    def _run(
        self, customer_id: str, before: int, lost: Sequence[LostUsage], noted: LedgerWords
    ) -> object:
        usage = self._keys.customer(customer_id).usage
        names = [
            self._keys.rebuilt(customer_id),
            self._keys.corrections(customer_id),
            self._keys.shard_ledgers[self._keys.shard(customer_id)],
            *(usage + each.ending for each in lost),
        ]
        words: list[object] = [before, KEPT_MS, CORRECTIONS_MAX, KEPT_MS, *noted]
        for each in lost:
            correction = encode_correction(each.correction)
            words += (each.amount, each.expires_ms, each.closes_ms, correction)
        return self._store.run(self._script, with_tag(names), words)
