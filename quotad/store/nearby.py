"""Customers near a limit: per feature, a bounded list, the latest first.

Written by the servers every few seconds from what their decisions have shown, so that nothing
walks through the keys of a store that serves calls. What a customer has really used is in its
counters; this is only a list of candidates.
"""

from collections.abc import Collection, Iterable
from typing import Any

import msgspec

from quotad.store import lists
from quotad.store.connection import Store
from quotad.store.keys import KeySpace, escape, unescape
from quotad.store.records import parse_epoch

NEARBY_MAX = 5_000
"""Customers kept per feature."""

_ERASED_MS = 60_000
"""A customer without a record that was written later than this before now was erased."""

_SINCE_MAX = 2 * NEARBY_MAX
"""Customers whose time is kept: those that leave a full list may come back."""

_KEPT_MS = 400 * 86_400_000
"""How long a list is kept without a new customer; longer than a yearly window."""


class Nearby(msgspec.Struct, frozen=True, gc=False):
    """A customer, or a resource of it, that has come near a limit of a feature."""

    feature_id: str
    customer_id: str
    resource_id: str = ""


class NearbyStore:
    """The lists of one store."""

    def __init__(self, store: Store, keys: KeySpace) -> None:
        self._store = store
        self._keys = keys

    def note(self, found: Iterable[Nearby], now_ms: int) -> None:
        """Put customers at the front of their features' lists; the oldest leave full ones.

        Raises:
            StoreUnavailable: the store refused or timed out; some may have been noted.
        """
        by_feature: dict[str, list[Any]] = {}
        found = self._without_erased(list(found), now_ms)
        for one in found:
            key = self._keys.nearby(one.feature_id)
            by_feature.setdefault(key, []).extend((now_ms, _member(one)))
        lists.put(self._store, by_feature, NEARBY_MAX, _KEPT_MS)
        self._note_since(found, now_ms)

    def latest(self, feature_id: str) -> list[Nearby]:
        """All customers on the list of a feature, the latest first.

        Raises:
            StoreUnavailable: the store refused or timed out.
        """
        found = []
        [members] = lists.latest(self._store, [self._keys.nearby(feature_id)], NEARBY_MAX)
        for member in members:
            customer, _, resource = member.decode().partition(":")
            found.append(Nearby(feature_id, unescape(customer), unescape(resource)))
        return found

    def since(self, feature_id: str) -> dict[tuple[str, str], int]:
        """Since when (Unix ms) customers are on the list of a feature, by their ids and resources;
        without those that servers of an earlier release have put there.

        Raises:
            StoreUnavailable: the store refused or timed out.
        """
        key = self._keys.nearby_since(feature_id)
        [listed] = self._store.execute_many([("ZRANGE", key, 0, -1, "WITHSCORES")], or_none=True)
        listed = listed or []
        found = {}
        for member, score in zip(listed[::2], listed[1::2], strict=True):
            customer, _, resource = member.decode().partition(":")
            found[unescape(customer), unescape(resource)] = int(score)
        return found

    def forget_customer(self, customer_id: str, feature_ids: Collection[str]) -> None:
        """Take a customer and all its resources off the lists of features.

        Raises:
            StoreUnavailable: the store refused or timed out.
        """
        start = f"{escape(customer_id)}:".encode()
        keys = [self._keys.nearby(feature_id) for feature_id in feature_ids]
        for key, members in zip(keys, lists.latest(self._store, keys, NEARBY_MAX), strict=True):
            mine = [member for member in members if member.startswith(start)]
            if mine:
                self._store.execute("ZREM", key, *mine)
        since = [self._keys.nearby_since(feature_id) for feature_id in feature_ids]
        for key, members in zip(since, lists.latest(self._store, since, _SINCE_MAX), strict=True):
            mine = [member for member in members if member.startswith(start)]
            if mine:
                self._store.execute("ZREM", key, *mine)

    def forget(self, found: Iterable[Nearby]) -> None:
        """Take customers off the lists, those that are far from every limit again."""
        self._store.execute_many(
            [
                ("ZREM", key, _member(one))
                for one in found
                for key in (
                    self._keys.nearby(one.feature_id),
                    self._keys.nearby_since(one.feature_id),
                )
            ],
            or_none=True,
        )

    def _note_since(self, found: list[Nearby], now_ms: int) -> None:
        """Note the time of those that are new on a list; the others keep theirs."""
        by_feature: dict[str, list[Any]] = {}
        for one in found:
            key = self._keys.nearby_since(one.feature_id)
            by_feature.setdefault(key, []).extend((now_ms, _member(one)))
        commands: list[tuple[Any, ...]] = []
        for key, members in by_feature.items():
            commands += (
                ("ZADD", key, "NX", *members),
                ("ZREMRANGEBYRANK", key, 0, -_SINCE_MAX - 1),
                ("PEXPIRE", key, _KEPT_MS),
            )
        self._store.execute_many(commands, or_none=True)

    def _without_erased(self, found: list[Nearby], now_ms: int) -> list[Nearby]:
        """Those that were not erased since they were noted; others that go on come again."""
        ids = list({one.customer_id for one in found})
        keys = [self._keys.customer(customer_id) for customer_id in ids]
        epochs = self._store.read([each.epoch for each in keys])
        moved = [
            i
            for i, each in enumerate(keys)
            if parse_epoch(each, epochs[i]) > max(now_ms - _ERASED_MS, 0)
        ]
        records = self._store.read([keys[i].record for i in moved])
        erased = {ids[i] for i, record in zip(moved, records, strict=True) if record is None}
        return [one for one in found if one.customer_id not in erased]


def _member(one: Nearby) -> str:
    return f"{escape(one.customer_id)}:{escape(one.resource_id)}"
