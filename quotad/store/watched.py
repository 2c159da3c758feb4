"""Whose usage is watched: a sorted set that servers with listeners renew and all servers read."""

from collections.abc import Collection, Sequence

from quotad.store import scripts
from quotad.store.connection import Store
from quotad.store.events import CountedRow, encode_counted, usage_kept
from quotad.store.keys import KeySpace

WATCHED_MS = 10_000
"""How long usage is noted after a listener was there for the last time."""

WATCHED_MAX = 10_000
"""Most customers that are told apart; beyond, everybody is watched."""

EVERYONE = ""
"""Stands for all customers."""

ROWS_MAX = 200
"""Most customers and features in one event."""

NOTICE = "watched"
"""Announced when there is one more."""


class WatchedStore:
    """The set of watched customers; for all threads. All methods raise StoreError."""

    def __init__(self, store: Store, keys: KeySpace) -> None:
        self._store = store
        self._key = keys.watched
        self._events = keys.usage_events
        self._note = scripts.load("note_change")
        self._notices = keys.notices

    def watch(self, customers: Collection[str], announce: bool = False) -> None:
        """Watch customers for a while.

        Args:
            customers: ids, one at least; `EVERYONE` among them for all.
            announce: let servers look at once.
        """
        now_ms = self._store.time_ms()
        until = now_ms + WATCHED_MS
        words = [word for each in customers for word in (until, each)]
        commands = [
            ("ZREMRANGEBYSCORE", self._key, "-inf", now_ms),
            ("ZADD", self._key, "GT", *words),
            ("PEXPIRE", self._key, WATCHED_MS),
        ]
        self._store.execute_many(commands)
        if announce:
            self._store.announce(self._notices, NOTICE)

    def read(self, now_ms: int) -> frozenset[str]:
        """The customers watched at a time (Unix ms)."""
        found = self._store.execute(
            "ZRANGEBYSCORE", self._key, now_ms, "+inf", "LIMIT", 0, WATCHED_MAX + 1
        )
        if len(found) > WATCHED_MAX:
            return frozenset((EVERYONE,))
        return frozenset(each.decode() for each in found)

    def bring(self, rows: Sequence[CountedRow]) -> None:
        """Append what was counted to the stream of usage."""
        calls = [
            ([self._events], [*usage_kept(), "usage", encode_counted(rows[at : at + ROWS_MAX])])
            for at in range(0, len(rows), ROWS_MAX)
        ]
        self._store.run_many(self._note, calls)
