"""Customers without a record that calls were about: per shard a bounded list, the latest stay.

Written by the servers every few seconds, from what they had to look up, so that no decision pays
for it and the keys of a store that serves calls need not be walked through.
"""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import msgspec

from quotad.errors import ShardMoved, StoreError
from quotad.store import lists
from quotad.store.connection import Store
from quotad.store.customers import Customers, read_token
from quotad.store.keys import KeySpace
from quotad.store.records import parse_epoch
from quotad.store.shard_commands import ShardCommands

SEEN_MAX = 100_000
"""Customers kept in all shards together, about 100 bytes each."""

_SHARD_MIN = 100
_CHUNK = 200
"""Customers of which it is looked up at once whether they were provisioned since."""

_KEPT_MS = 400 * 86_400_000
"""How long the list of a shard is kept without a new customer."""


class SeenCustomer(msgspec.Struct, frozen=True, gc=False):
    """A customer that was never provisioned."""

    customer_id: str
    seen_ms: int
    """When a server last had to look it up, in Unix time."""


class SeenPage(msgspec.Struct, frozen=True):
    """A stretch of the list."""

    customers: list[SeenCustomer]
    next_token: str
    """Empty: no more."""


class SeenStore:
    """The lists of one store."""

    def __init__(self, store: Store, keys: KeySpace, customers: Customers) -> None:
        self._store = store
        self._keys = keys
        self._customers = customers
        self._commands = ShardCommands(store, keys)

    def note(self, seen: Mapping[str, int], now_ms: int) -> None:
        """Put customers at the front of their shards' lists; the oldest leave full ones.

        Args:
            seen: the epoch of each when it was looked up. Those that were provisioned or erased
                since are left out.
            now_ms: Unix time.

        Raises:
            StoreUnavailable: the store refused or timed out; some may have been noted.
        """

        def notes() -> dict[str, list[Any]]:
            found: dict[str, list[Any]] = {}
            for customer_id in seen:
                key = self._keys.seen(self._keys.shard(customer_id))
                found.setdefault(key, []).extend((now_ms, customer_id))
            return found

        most = max(SEEN_MAX // self._keys.shards, _SHARD_MIN)
        lists.put_in_shards(self._commands, notes, most, _KEPT_MS)
        # Only now: a later erasure finds it in the list.
        keys = [self._keys.customer(customer_id) for customer_id in seen]
        epochs = self._store.read([each.epoch for each in keys])
        written = [
            each.customer_id
            for each, epoch in zip(keys, epochs, strict=True)
            if parse_epoch(each, epoch) != seen[each.customer_id]
        ]
        self._commands.run(
            lambda: [("ZREM", self._keys.seen(self._keys.shard(each)), each) for each in written]
        )

    def page(self, id_prefix: str, token: str, size: int) -> SeenPage:
        """List them by shard, then by id. Those that were provisioned since leave the list.

        Args:
            id_prefix: only those whose id starts so.
            token: where the page before ended; empty for the first.
            size: most customers to return, at least 1.

        Raises:
            InvalidRequest: the token is not one that a page ended with.
            StoreUnavailable: the store refused or timed out.
        """
        shard, after = read_token(token, self._keys)
        found: list[SeenCustomer] = []
        while shard < self._keys.places.stop and len(found) < size:
            taken, more = self._in_shard(shard, id_prefix, after, size - len(found))
            found += taken
            if more:
                return SeenPage(found, f"{shard}:{taken[-1].customer_id}")
            shard, after = shard + 1, ""
        return SeenPage(found, f"{shard}:" if shard < self._keys.places.stop else "")

    def _in_shard(
        self, shard: int, id_prefix: str, after: str, size: int
    ) -> tuple[list[SeenCustomer], bool]:
        """The next ones of one shard, by id, and whether there are more."""
        key = self._keys.seen(shard)
        [listed] = self._store.execute_many([("ZRANGE", key, 0, -1, "WITHSCORES")], or_none=True)
        listed = listed or []
        start = id_prefix.encode()
        seen = {
            member.decode(): int(score)
            for member, score in zip(listed[::2], listed[1::2], strict=True)
            if member.startswith(start)
        }
        ids = sorted(name for name in seen if name > after)
        found: list[SeenCustomer] = []
        for at in range(0, len(ids), _CHUNK):
            some = ids[at : at + _CHUNK]
            provisioned: list[str] = []
            for name, stored in zip(some, self._customers.try_many(some), strict=True):
                if isinstance(stored, StoreError) or stored.record is not None:
                    provisioned.append(name)
                else:
                    found.append(SeenCustomer(name, seen[name]))
            if provisioned:
                with suppress(ShardMoved):  # the next one who reads the list does it
                    self._commands.run_here([("ZREM", key, *provisioned)])
            if len(found) > size:
                return found[:size], True
        return found, False
