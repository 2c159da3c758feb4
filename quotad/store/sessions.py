"""Sessions of the dashboard: found by the SHA-256 of a secret that only a browser has."""

import msgspec

from quotad.store.connection import Store
from quotad.store.keys import KeySpace

SESSIONS_MAX = 10_000
"""Most sessions of a store; the ones that end first give way to new ones."""

_encode = msgspec.msgpack.Encoder().encode


class SessionRecord(msgspec.Struct, frozen=True):
    """A session as it is stored."""

    token_id: str
    """Whose rights it has, for as long as the token may be used."""
    ends_ms: int
    """Unix time."""


_read = msgspec.msgpack.Decoder(SessionRecord).decode


class SessionStore:
    """Keeps sessions; for all threads. All methods raise StoreUnavailable.

    A hash has the records, a sorted set orders them by their end.
    """

    def __init__(self, store: Store, keys: KeySpace) -> None:
        self._store = store
        self._all, self._ends = keys.sessions

    def put(self, name: bytes, record: SessionRecord, now_ms: int) -> None:
        """Write a new session, and remove what has ended or is too much."""
        store, ends = self._store, self._ends
        over, count = store.execute_many(
            [("ZRANGEBYSCORE", ends, "-inf", now_ms), ("ZCARD", ends)],
        )
        if (room := SESSIONS_MAX - 1 - count) < 0:
            over = {*over, *store.execute("ZRANGE", ends, 0, -room - 1)}
        commands: list[tuple[object, ...]] = [
            ("HSET", self._all, name, _encode(record)),
            ("ZADD", ends, record.ends_ms, name),
        ]
        if over:
            commands += [("HDEL", self._all, *over), ("ZREM", ends, *over)]
        store.execute_many(commands, atomic=True)

    def get(self, name: bytes) -> SessionRecord | None:
        """Return a session, also one that has ended; None: there is none."""
        raw = self._store.execute("HGET", self._all, name)
        try:
            return None if raw is None else _read(raw)
        except msgspec.MsgspecError:
            return None

    def remove(self, name: bytes) -> None:
        """Remove a session, if there is one."""
        self._store.execute_many(
            [("HDEL", self._all, name), ("ZREM", self._ends, name)], atomic=True
        )
