"""Publishing in two steps: prepare a candidate, activate it when every live server has compiled it.

The only way a catalog comes into force, for the admin service, sidecars and rollbacks alike. One
candidate at a time; that of a publisher that died lapses.
"""

import logging
import secrets
import time
from collections.abc import Sequence
from enum import Enum
from typing import Any

import msgspec

from quotad.clock import Clock
from quotad.errors import Conflict
from quotad.history import CustomerChange, bounded
from quotad.ledger import LedgerKept
from quotad.records import CatalogRecord
from quotad.store import scripts
from quotad.store.connection import Store
from quotad.store.events import kept
from quotad.store.fleet import ALIVE_MS
from quotad.store.keys import KeySpace
from quotad.store.moves import Moves
from quotad.store.noted_changes import noted_change
from quotad.store.records import encode_catalog
from quotad.store.scripts import Script
from quotad.store.shard_tags import ShardTags

_log = logging.getLogger("quotad.store")

HISTORY_MAX = 1000
"""Versions that are kept; older ones are dropped, one with each publish."""

WAIT_MS = 4_000
"""Longest wait for servers, by default."""

_CONFLICT, _BUSY, _LAPSED = -1, -2, -3
_PREPARED, _WAITING = 4, 5

_POLL_MIN_S = 0.002
_POLL_MAX_S = 0.05
_SPARE_MS = 2_000
"""How long a candidate lives beyond the wait for servers: the time of a few commands."""


class Outcome(Enum):
    """What a publish did."""

    PUBLISHED = 1
    UNCHANGED = 2
    """The content was already in force."""
    IN_HISTORY = 3
    """It was published from these files once, and the caller asked not to go back to them."""


class Published(msgspec.Struct, frozen=True):
    """The result of a publish."""

    outcome: Outcome
    version: int
    """In force after the call."""
    known_version: int
    """The newest version from the same files."""


class PublishRequest(msgspec.Struct, frozen=True):
    """What is to be published, and on what terms; see `Catalogs.publish`."""

    document: bytes
    digest: str
    source_digest: str
    published_by: str
    actor: str
    comment: str
    only_new: bool
    anew: bool
    call: str


class Publisher:
    """Publishes to one store."""

    def __init__(
        self, store: Store, keys: KeySpace, clock: Clock, wait_ms: int, ledger: LedgerKept
    ) -> None:
        self._store = store
        self._keys = keys
        self._clock = clock
        self._wait_ms = wait_ms
        self._ledger = ledger
        self._prepare = scripts.load("prepare_catalog")
        self._activate = scripts.load("activate_catalog")
        self._tags = ShardTags(store, keys)
        self._moves = Moves(store, keys)

    def publish(self, content: PublishRequest, in_force: int) -> Published | int:
        """Publish as the version after the one in force.

        Args:
            content: what.
            in_force: the version that must be in force.

        Returns:
            What was done, or the version that is in force instead.

        Raises:
            Conflict: another publish is under way and does not end.
            StoreUnavailable: the store refused or timed out; publishing again is safe.
        """
        keys = self._keys
        record = CatalogRecord(
            in_force + 1,
            content.digest,
            content.document,
            self._clock.now_ms(),
            content.published_by,
            content.actor,
            content.comment,
        )
        words = [keys.head, keys.versions, keys.prepared, keys.candidate, keys.acks]
        args = [
            in_force,
            content.digest,
            content.source_digest,
            encode_catalog(record),
            int(content.only_new and not content.anew),
            int(content.anew),
            secrets.token_hex(8),
            self._wait_ms + _SPARE_MS,
        ]
        ends = time.monotonic() + 2 * (self._wait_ms + _SPARE_MS) / 1000
        pause_s = _POLL_MIN_S
        while True:
            code, version, known, token = self._run(self._prepare, words, args)
            if code == _PREPARED:
                self._announce("prepared")
                done = self._wait(record, content.call, token)
                if done != _LAPSED:
                    return Published(Outcome.PUBLISHED, record.version, record.version)
                # Another came before, maybe with the same content.
            elif code == _CONFLICT:
                return int(version)
            elif code != _BUSY:
                if code == Outcome.UNCHANGED.value:
                    self._tags.advance(version, content.digest)
                return Published(Outcome(code), version, known)
            if time.monotonic() > ends:
                raise Conflict("another catalog is being published; try again")
            time.sleep(pause_s)
            pause_s = min(pause_s * 2, _POLL_MAX_S)

    def _wait(self, record: CatalogRecord, call: str, token: bytes) -> int:
        """Activate a candidate as soon as every live server has answered, or at the latest when
        the wait is over."""
        keys, version = self._keys, record.version
        names = [
            keys.head,
            keys.catalog_record(version),
            keys.versions,
            keys.catalog_record(version - HISTORY_MAX),
            keys.prepared,
            keys.candidate,
            keys.acks,
            keys.servers,
            keys.catalog_events,
            keys.catalog_ledger,
        ]
        lines = [f"catalog: version {version - 1} → {version}"]
        lines += [f"published by: {record.published_by}"] if record.published_by else []
        change = CustomerChange(record.actor, call, bounded(lines), comment=record.comment)
        noted = noted_change(self._ledger, keys.shards, change, of_catalog=True)
        ends = time.monotonic() + self._wait_ms / 1000
        pause_s = _POLL_MIN_S
        while True:
            now = int(time.monotonic() >= ends)
            words = (token, HISTORY_MAX, ALIVE_MS, now, *kept(), record.actor, *noted)
            code, _, missing, answers = self._run(self._activate, names, words)
            if code != _WAITING:
                break
            time.sleep(pause_s)
            pause_s = min(pause_s * 1.5, _POLL_MAX_S)
        if code != _LAPSED:
            self._tags.advance(version, record.digest)
            self._announce(str(version))
            self._report(version, missing, answers)
        return int(code)

    def _run(self, script: Script, names: Sequence[str], words: Sequence[Any]) -> Any:
        """Run a script that puts a version in force itself, together with the head, in the shards
        that there are: again where those have changed meanwhile."""

        def run() -> Any:
            step = self._moves.step  # first: shards that have moved since have another one
            shards = self._keys.catalogs_in_force if self._store.whole else ()
            return self._store.run(script, [*names, *shards], [*words, step])

        return self._moves.again(run)

    def _announce(self, message: str) -> None:
        # Only spares a look: servers look by themselves every second, and the script of a decision
        # refuses the old version.
        self._store.announce(self._keys.notices, message)

    def _report(self, version: int, missing: list[bytes], answers: list[Any]) -> None:
        for server in missing:
            _log.warning(
                "catalog version %d is in force; server %s had not compiled it after %.1f s",
                version,
                server.decode(errors="replace"),
                self._wait_ms / 1000,
            )
        for server, problem in zip(answers[::2], answers[1::2], strict=True):
            if problem:
                _log.warning(
                    "catalog version %d is in force; server %s cannot read it: %s",
                    version,
                    server.decode(errors="replace"),
                    problem.decode(errors="replace"),
                )
