"""The servers of one store: their signs of life, and their answers to a publish under way.

A publisher waits for every server that has given a sign of life a moment ago. A server of an older
release gives none and is not waited for: it loads a new catalog when a decision meets it.
"""

import os
import secrets
import socket
from contextlib import suppress

import msgspec

from quotad.errors import StoreError
from quotad.store import scripts
from quotad.store.connection import Store
from quotad.store.keys import KeySpace, catalog_tag

HEARTBEAT_S = 1.0
"""How often a server gives a sign of life."""

ALIVE_MS = 3_000
"""How long (ms) a server counts as live after a sign of life."""

_KEPT_MS = 60_000

_FOLLOWS = "m"
"""Begins what is random in the id of a server that knows that shards can move."""


class Candidate(msgspec.Struct, frozen=True):
    """What a publish has prepared: in force nowhere, to be compiled by every server."""

    version: int
    digest: str
    token: str
    """Of the publish; answers name it."""

    @property
    def tag(self) -> str:
        """What decisions would name it by."""
        return catalog_tag(self.version, self.digest)


def server_id() -> str:
    """An id for a worker process: random, with host and process for readers of a log."""
    return f"{socket.gethostname()}:{os.getpid()}:{_FOLLOWS}{secrets.token_hex(4)}"


class LiveServer(msgspec.Struct, frozen=True):
    """A worker process that has given a sign of life a moment ago."""

    host: str
    pid: int


class ServerList:
    """Which servers a store has; for reading only."""

    def __init__(self, store: Store, keys: KeySpace) -> None:
        self._store = store
        self._key = keys.servers

    def live(self, now_ms: int) -> list[LiveServer]:
        """Return those that are alive, by host and process.

        Raises:
            StoreUnavailable: the store refused or timed out.
        """
        command = ("ZRANGEBYSCORE", self._key, now_ms - ALIVE_MS, "+inf")
        [found] = self._store.execute_many([command], or_none=True)
        parts = [each.decode().rsplit(":", 2) for each in found or []]
        return sorted(
            (LiveServer(host, int(pid)) for host, pid, _ in parts),
            key=lambda each: (each.host, each.pid),
        )

    def standing(self) -> list[LiveServer]:
        """Return those that cannot follow shards that move, as they are of an earlier release, and
        were there within the last minute without having left.

        Raises:
            StoreUnavailable: the store refused or timed out.
        """
        [found] = self._store.execute_many([("ZRANGE", self._key, 0, -1)], or_none=True)
        parts = [each.decode().rsplit(":", 2) for each in found or []]
        return [
            LiveServer(host, int(pid))
            for host, pid, number in parts
            if not number.startswith(_FOLLOWS)
        ]


class Fleet:
    """One server among those of a store."""

    def __init__(self, store: Store, keys: KeySpace, server: str) -> None:
        self._store = store
        self._keys = keys
        self.server = server
        self._register = scripts.load("register_server")
        self._acknowledge = scripts.load("acknowledge_catalog")

    def beat(self) -> None:
        """Give a sign of life.

        Raises:
            StoreUnavailable: the store refused or timed out.
        """
        self._store.run(self._register, [self._keys.servers], [self.server, _KEPT_MS])

    def leave(self) -> None:
        """Be waited for no more; publishers notice by themselves when the store is gone."""
        with suppress(StoreError):
            self._store.execute("ZREM", self._keys.servers, self.server)

    def acknowledge(self, candidate: Candidate, problem: str = "") -> None:
        """Answer a publish.

        Args:
            candidate: what it has prepared.
            problem: why this server cannot read it; empty: it can decide by it.

        Raises:
            StoreUnavailable: the store refused or timed out.
        """
        keys = [self._keys.prepared, self._keys.acks]
        self._store.run(self._acknowledge, keys, [candidate.token, self.server, problem])
