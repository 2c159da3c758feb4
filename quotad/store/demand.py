"""What customers were denied for want of room, counted beside the counters that had none.

Each has a key beside that of its counter, which expires when the counter does. Written by the
servers every few seconds, off the way of decisions.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from quotad.model import USED_MAX
from quotad.store import scripts
from quotad.store.charges import DETAILED_ARGS, Charge, Settlement
from quotad.store.connection import Store
from quotad.store.keys import CustomerKeys, KeySpace, denied_key
from quotad.store.moves import Moves
from quotad.store.shard_map import with_tag

_AT_ONCE = 200
"""Customers written in one round trip."""

_READ_AT_ONCE = 1_000

_Call = tuple[str, list[str], list[int]]
"""Customer, keys and words."""


class Denied(msgspec.Struct, gc=False):
    """What one counter had no room for."""

    keys: CustomerKeys
    """Of the customer."""
    epoch: int
    """Of the customer when it was denied."""
    usage_key: str
    """Of the counter."""
    amount: int
    """In units of the counter."""
    expires_ms: int
    """Unix time; 0: never; below 0: so long from now on."""


def denied_by(charge: Charge, settlement: Settlement, granted: int) -> Iterator[Denied]:
    """What a charge was denied, or the rest of it, by each of its limits that had no room for it.

    Args:
        charge: what was asked for.
        settlement: the script's answer: DENIED, or ALLOWED of less than was asked for.
        granted: how much of it.
    """
    quantity, words, keys = charge.quantity, charge.counters.words, charge.keys
    size = words[1]
    for place, suffix in enumerate(charge.counters.suffixes):
        at = 2 + place * size
        cap, expires_ms = words[at : at + 2]
        weight = 1
        if size == DETAILED_ARGS:
            weight, closes_ms = words[at + 2 : at + 4]
            if closes_ms:  # nothing of it is left when the window opens again
                expires_ms = settlement.closes[place] or closes_ms
        if isinstance(quantity, tuple):  # of several features, weighted
            asked = amount = quantity[place]
        else:
            asked, amount = quantity * weight, (quantity - granted) * weight
        if amount > 0 and settlement.used[place] + asked > cap:
            yield Denied(keys, charge.epoch, keys.usage + suffix, amount, expires_ms)


class DemandStore:
    """What is denied in one store."""

    def __init__(self, store: Store, keys: KeySpace) -> None:
        self._store = store
        self._keys = keys
        self._moves = Moves(store, keys)
        self._script = scripts.load("count_denied")

    def add(self, found: Sequence[Denied]) -> None:
        """Count what was denied; that of customers that were erased since is left out.

        Args:
            found: each of another counter.

        Raises:
            StoreUnavailable: the store refused or timed out; some may have been counted.
        """
        by_customer: dict[tuple[str, int], list[Denied]] = {}
        for one in found:
            by_customer.setdefault((one.keys.customer_id, one.epoch), []).append(one)
        calls: list[_Call] = []
        for (_, epoch), some in by_customer.items():
            keys = some[0].keys
            names = [keys.epoch, keys.record, *(denied_key(one.usage_key) for one in some)]
            words = [epoch, USED_MAX]
            for one in some:
                words += (one.amount, one.expires_ms)
            calls.append((keys.customer_id, names, words))
        for at in range(0, len(calls), _AT_ONCE):
            self._moves.each_again(self._count, calls[at : at + _AT_ONCE])

    def _count(self, calls: Sequence[_Call]) -> list[Any]:
        """Run the script for each, spelling keys as they are by now; None: its shard moves."""
        spelled = [
            (with_tag([self._keys.in_place(customer_id, name) for name in names]), words)
            for customer_id, names, words in calls
        ]
        return self._store.run_many(self._script, spelled, or_moved=True)

    def read(self, usage_keys: Sequence[str]) -> list[int]:
        """What counters had no room for, by their keys.

        Raises:
            StoreUnavailable: the store refused or timed out.
        """
        names = [denied_key(key) for key in usage_keys]
        found: list[int] = []
        for at in range(0, len(names), _READ_AT_ONCE):
            found += map(amount_of, self._store.read(names[at : at + _READ_AT_ONCE]))
        return found


def amount_of(raw: bytes | None) -> int:
    """What a key holds that counts what was denied; 0: nothing, or no number."""
    return int(raw) if raw is not None and raw.isdigit() and len(raw) <= len(str(USED_MAX)) else 0
