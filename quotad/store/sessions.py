"""Sessions of the dashboard: found by the SHA-256 of a secret that only a browser has."""

import msgspec

from quotad.store.connection import Store
from quotad.store.keys import KeySpace
from quotad.tokens.persons import Person

SESSIONS_MAX = 10_000
"""Most sessions of a store; the ones that end first give way to new ones."""

_encode = msgspec.msgpack.Encoder().encode


class SessionRecord(msgspec.Struct, frozen=True, omit_defaults=True):
    """A session as it is stored."""

    token_id: str
    """Whose rights it has, for as long as the token may be used."""
    ends_ms: int
    """Unix time."""
    person: Person | None = None
    """Who has signed in elsewhere, and so has no token."""


_read = msgspec.msgpack.Decoder(SessionRecord).decode


class SessionStore:
    """Keeps sessions; for all threads. All methods raise StoreUnavailable.

    A hash has the records, a sorted set orders them by their end.
    """

    def __init__(self, store: Store, keys: KeySpace) -> None:
        self._store = store
        self._all, self._ends = keys.sessions
        self._form_key = keys.form_key

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

    def form_key(self, made: bytes) -> bytes:
        """Return the secret that all dashboards of a store share; a given one, if there is none."""
        commands = [("SET", self._form_key, made, "NX"), ("GET", self._form_key)]
        _, kept = self._store.execute_many(commands)
        return bytes(kept)

    def remove(self, name: bytes) -> None:
        """Remove a session, if there is one."""
        self._store.execute_many(
            [("HDEL", self._all, name), ("ZREM", self._ends, name)], atomic=True
        )
