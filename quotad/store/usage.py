"""Counters read beside the decisions: usage of any customers and periods, as it stands."""

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec

from quotad.store.connection import Store
from quotad.store.corrections import CorrectionLists
from quotad.store.damage import report_damage
from quotad.store.demand import amount_of
from quotad.store.events import EventId, read_id
from quotad.store.keys import KeySpace, denied_key, escape, usage_suffix
from quotad.store.link import Command
from quotad.store.moves import Moves

_AT_ONCE = 500
"""Counters per command, each with what it had no room for: half a millisecond of the store's
time."""

_COUNTER = re.compile(rb"(\d{1,16})(?:@(\d{1,15}))?").fullmatch


class CounterName(msgspec.Struct, frozen=True, gc=False):
    """One counter: whose, of what, when, and how often it was reset before."""

    customer_id: str
    resource_id: str
    feature_id: str
    period_id: str
    generation: int = 0

    @property
    def ending(self) -> str:
        """Of its key, after that of the customer: as in `LedgerEntry.counters`."""
        suffix = usage_suffix(self.feature_id, self.period_id, self.generation)
        return (escape(self.resource_id) if self.resource_id else "") + suffix


class CounterValue(msgspec.Struct, frozen=True, gc=False):
    """What was counted."""

    used: int
    closes_ms: int | None = None
    """Of a window that opens at first use: when it closes, Unix time."""
    denied: int = 0
    """What the counter had no room for."""


class CountersThen(NamedTuple):
    """Counters as they stood at one moment, and how far the ledger had come."""

    values: list[CounterValue | None]
    """In the order asked; None: it holds no usage."""
    ends: dict[int, EventId]
    """The newest record of each stream, by shard; without empty ones."""
    rebuilt: dict[str, int]
    """How often counters had been brought back to the ledger, by customer."""


class UsageStore:
    """The counters of one store, to be read, and the corrections of what they have."""

    def __init__(self, store: Store, keys: KeySpace) -> None:
        self.corrections = CorrectionLists(store, keys)
        self._store = store
        self._keys = keys
        self._moves = Moves(store, keys)

    def read(self, names: Sequence[CounterName]) -> list[CounterValue | None]:
        """Read counters in the order asked; None: nothing was used or denied, or it is damaged.

        Raises:
            StoreUnavailable: the store refused or timed out.
        """
        self._moves.look_while_moving()
        spelled = list(self._spelled(names))
        found: list[CounterValue | None] = []
        for at in range(0, len(spelled), _AT_ONCE):
            some = spelled[at : at + _AT_ONCE]
            raw = self._store.read([*some, *map(denied_key, some)])
            found += map(_value, some, raw[: len(some)], map(amount_of, raw[len(some) :]))
        return found

    def read_at_once(self, names: Sequence[CounterName]) -> CountersThen:
        """Read counters and the ends of the streams that have what is noted of them, in one step.

        A counter changes in the script that notes it: so what is noted up to these ends, and
        nothing else, is in these values.

        Args:
            names: on a cluster of customers of one shard; a few hundred.

        Raises:
            StoreUnavailable: the store refused or timed out.
        """
        self._moves.look_while_moving()
        streams: Sequence[str] = self._keys.shard_ledgers
        shards: Sequence[int] = range(len(streams))
        if not self._store.whole:
            shards = [self._keys.shard(names[0].customer_id)]
        spelled = list(self._spelled(names))
        commands: list[Command] = [
            ("XREVRANGE", streams[shard], "+", "-", "COUNT", 1) for shard in shards
        ]
        customers = list({name.customer_id: None for name in names})
        rebuilt = map(self._keys.rebuilt, customers)
        *newest, raw = self._store.execute_many(
            [*commands, ("MGET", *spelled, *rebuilt)], atomic=True, or_none=True
        )
        ends = {
            shard: read_id(found[0][0])
            for shard, found in zip(shards, newest, strict=True)
            if found
        }
        values = [
            CounterValue(0) if value is None else _value(key, value, 0)
            for key, value in zip(spelled, raw[: len(spelled)], strict=True)
        ]
        times = map(int, (value or 0 for value in raw[len(spelled) :]))
        return CountersThen(values, ends, dict(zip(customers, times, strict=True)))

    def group(self, customer_id: str) -> int:
        """Which customers' counters can be read at once: on one server those of all."""
        return 0 if self._store.whole else self._keys.shard(customer_id)

    def _spelled(self, names: Iterable[CounterName]) -> Iterable[str]:
        whose, start = ("", ""), ""
        for name in names:
            if whose != (name.customer_id, name.resource_id):
                whose = (name.customer_id, name.resource_id)
                start = self._keys.customer(*whose).usage
            yield start + usage_suffix(name.feature_id, name.period_id, name.generation)


def _value(key: str, raw: bytes | None, denied: int) -> CounterValue | None:
    if raw is None:
        return CounterValue(0, denied=denied) if denied else None
    match = _COUNTER(raw)
    if match is None:
        report_damage(key, f"it holds no usage but {raw[:40]!r}")
        return None
    return CounterValue(int(match[1]), int(match[2]) if match[2] else None, denied)
