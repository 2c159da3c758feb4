"""Customers without a record that calls were about: per shard a bounded list, the latest stay.

Written by the servers every few seconds, from what they had to look up, so that no decision pays
for it and the keys of a store that serves calls need not be walked through.
"""

from collections.abc import Iterable
from typing import Any

import msgspec

from quotad.errors import StoreError
from quotad.store.connection import Store
from quotad.store.customers import Customers, read_token
from quotad.store.keys import KeySpace

SEEN_MAX = 100_000
"""Customers kept in all shards together, about 100 bytes each."""

_SHARD_MIN = 100
_KEPT_MS = 400 * 86_400_000
"""A shard in which nobody was seen for so long is forgotten."""


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
        self._shard_max = max(SEEN_MAX // keys.shards, _SHARD_MIN)

    def note(self, customer_ids: Iterable[str], now_ms: int) -> None:
        """Put customers at the front of their shards' lists; the oldest leave full ones.

        Raises:
            StoreUnavailable: the store refused or timed out; some may have been noted.
        """
        by_shard: dict[int, list[Any]] = {}
        for customer_id in customer_ids:
            by_shard.setdefault(self._keys.shard(customer_id), []).extend((now_ms, customer_id))
        commands: list[tuple[Any, ...]] = []
        for shard, members in by_shard.items():
            key = self._keys.seen(shard)
            commands += (
                ("ZADD", key, "GT", *members),
                ("ZREMRANGEBYRANK", key, 0, -self._shard_max - 1),
                ("PEXPIRE", key, _KEPT_MS),
            )
        self._store.execute_many(commands)

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
        shard, after = read_token(token, self._keys.shards)
        found: list[SeenCustomer] = []
        while shard < self._keys.shards and len(found) < size:
            rest = [each for each in self._in_shard(shard, id_prefix) if each.customer_id > after]
            taken = rest[: size - len(found)]
            found += taken
            if len(taken) < len(rest):
                return SeenPage(found, f"{shard}:{taken[-1].customer_id}")
            shard, after = shard + 1, ""
        return SeenPage(found, f"{shard}:" if shard < self._keys.shards else "")

    def _in_shard(self, shard: int, id_prefix: str) -> list[SeenCustomer]:
        """Those of one shard, by id."""
        key = self._keys.seen(shard)
        listed = self._store.execute("ZRANGE", key, 0, -1, "WITHSCORES")
        seen = {
            member.decode(): int(score)
            for member, score in zip(listed[::2], listed[1::2], strict=True)
        }
        ids = sorted(name for name in seen if name.startswith(id_prefix))
        found: list[SeenCustomer] = []
        provisioned: list[str] = []
        for name, stored in zip(ids, self._customers.try_many(ids), strict=True):
            if isinstance(stored, StoreError) or stored.record is not None:
                provisioned.append(name)
            else:
                found.append(SeenCustomer(name, seen[name]))
        if provisioned:
            self._store.execute("ZREM", key, *provisioned)
        return found
