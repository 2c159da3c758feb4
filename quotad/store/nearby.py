"""Who has come near a limit: per feature, a bounded list of customers, the latest first.

Written by the servers every few seconds from what their decisions have shown, so that nobody has
to walk through the keys of a store that serves calls. What a customer has really used is in its
counters; this only says whom to look at.
"""

from collections.abc import Iterable
from typing import Any

import msgspec

from quotad.store.connection import Store
from quotad.store.keys import KeySpace, escape, unescape

NEARBY_MAX = 5_000
"""Customers kept per feature."""

_KEPT_MS = 400 * 86_400_000
"""A feature that nobody comes near for so long is forgotten; longer than a yearly window."""


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
        for one in found:
            by_feature.setdefault(one.feature_id, []).extend((now_ms, _member(one)))
        commands: list[tuple[Any, ...]] = []
        for feature_id, members in by_feature.items():
            key = self._keys.nearby(feature_id)
            commands += (
                ("ZADD", key, *members),
                ("ZREMRANGEBYRANK", key, 0, -NEARBY_MAX - 1),
                ("PEXPIRE", key, _KEPT_MS),
            )
        self._store.execute_many(commands)

    def latest(self, feature_id: str) -> list[Nearby]:
        """Everybody on the list of a feature, the latest first.

        Raises:
            StoreUnavailable: the store refused or timed out.
        """
        found = []
        for member in self._store.execute(
            "ZREVRANGE", self._keys.nearby(feature_id), 0, NEARBY_MAX - 1
        ):
            customer, _, resource = member.decode().partition(":")
            found.append(Nearby(feature_id, unescape(customer), unescape(resource)))
        return found

    def forget_customer(self, customer_id: str, feature_ids: Iterable[str]) -> None:
        """Take a customer and all its resources off the lists of features.

        Raises:
            StoreUnavailable: the store refused or timed out.
        """
        start = f"{escape(customer_id)}:".encode()
        for feature_id in feature_ids:
            key = self._keys.nearby(feature_id)
            members = self._store.execute("ZRANGE", key, 0, -1)
            mine = [member for member in members if member.startswith(start)]
            if mine:
                self._store.execute("ZREM", key, *mine)

    def forget(self, found: Iterable[Nearby]) -> None:
        """Take customers off the lists, those that are far from every limit again."""
        self._store.execute_many(
            [("ZREM", self._keys.nearby(one.feature_id), _member(one)) for one in found]
        )


def _member(one: Nearby) -> str:
    return f"{escape(one.customer_id)}:{escape(one.resource_id)}"
