"""What a worker has for when its store is gone: the journal, who answers, and who settles."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from quotad.clock import Clock
from quotad.config import Config
from quotad.engine import Snapshots
from quotad.engine.acts import describe_entries
from quotad.engine.fallback import FALLBACK_COUNTS, Fallback
from quotad.engine.fallback_rules import KnownPolicies
from quotad.errors import ConfigError
from quotad.fallback import DENY, FallbackPolicy, read_policy
from quotad.feed.usage import UsageNotes
from quotad.journal import Journal, JournalDirectory, JournalEntry
from quotad.metrics import Instruments
from quotad.operations.settling import SETTLED_COUNTS, SettlingOperations
from quotad.server.instruments import (
    FALLBACK,
    JOURNAL_BYTES,
    JOURNAL_ENTRIES,
    JOURNAL_REFUSED,
    JOURNAL_SETTLED,
)
from quotad.server.journal_settler import JournalSettler
from quotad.server.ledger_parts import ledger_kept
from quotad.store import KeySpace, Store
from quotad.store.health import Health
from quotad.store.journals import JournalScript, StoreIdentity
from quotad.store.ledger import LedgerWords

NAMED_MAX = 5
"""Most features that a warning names."""

_log = logging.getLogger("quotad.server")


class StoreInUse(msgspec.Struct, frozen=True):
    """A store, and what is known of it."""

    store: Store
    keys: KeySpace
    health: Health
    clock: Clock


class FallbackParts:
    """The journal of a worker and what belongs to it; without one, only the warning that it lacks.

    Args:
        config: the settings.
        use: the store, whose calls are journalled.
        snapshots: the catalog in force.
        usage: takes what was counted, for listeners.

    Raises:
        ConfigError: a policy needs a journal, or the journal cannot be used.
    """

    def __init__(
        self, config: Config, use: StoreInUse, snapshots: Snapshots, usage: UsageNotes
    ) -> None:
        store, keys, clock = use.store, use.keys, use.clock
        self._default = _default_policy(config)
        self._health = use.health
        self._snapshots = snapshots
        self._policies = KnownPolicies(self._default)
        snapshots.on_swap(self._note_catalog)
        self.fallback: Fallback | None = None
        self._journal: Journal | None = None
        self._settling: SettlingOperations | None = None
        self._thread: JournalSettler | None = None
        if not config.journal:
            if self._default != DENY:
                raise ConfigError(
                    f"on_store_failure: '{self._default.in_words}' needs a journal, so that what is"
                    " let through is counted afterwards; set journal to a directory, or deny"
                )
            return
        directory = JournalDirectory(Path(config.journal))
        self._journal = Journal(directory, config.journal_max_mb * 1024 * 1024, clock.now_ms)
        self._identity = StoreIdentity(store, keys)
        self.fallback = Fallback(self._journal, keys, self._default, fallback_workers(config))
        self._settling = SettlingOperations(
            self._journal,
            JournalScript(store, keys),
            clock.now_ms,
            self.fallback.note_adopted,
            usage,
            self._noted,
        )
        self._keys = keys
        self._kept = ledger_kept(config)
        self._thread = JournalSettler(self._settling, use.health)

    def _noted(self, entries: Sequence[JournalEntry]) -> LedgerWords:
        """What goes into the ledger of entries of the journal."""
        snapshot = self._snapshots.peek
        described = b"" if snapshot is None else describe_entries(snapshot, entries)
        return (*self._kept.of_shard(self._keys.shards), described)

    def agree(self) -> None:
        """Look which store it is; call when it is reached.

        Raises:
            StoreError: it refused or timed out.
        """
        if self._journal is not None:
            self._journal.store_id = self._identity.look()

    @property
    def store_id(self) -> str:
        """Which store it is; empty: not known, or there is no journal."""
        return "" if self._journal is None else self._journal.store_id

    def recall(self, store_id: str) -> None:
        """Take it for the store that a server had here before, until it is reached."""
        if self._journal is not None and not self._journal.store_id:
            self._identity.recall(store_id)
            self._journal.store_id = store_id

    @property
    def answers(self) -> bool:
        """Whether some calls are answered while the store is gone."""
        return self._journal is not None and self._journal.usable and bool(self._answered())

    @property
    def warnings(self) -> tuple[str, ...]:
        """What an operator should know."""
        found: list[str] = []
        answered = self._answered()
        if answered and self._journal is None:
            found.append(
                f"on_store_failure of {_named(answered)} is as good as deny: this server has no"
                " journal"
            )
        elif answered and not self._health.up:
            found.append(
                f"{self._health.problem}; calls on {_named(answered)} are answered by"
                " on_store_failure, and others UNAVAILABLE"
            )
        if self._journal is not None and self._journal.problem:
            found.append(f"{self._journal.problem}; nothing is let through without the store")
        if self._settling is not None:
            found += self._settling.warnings
        return tuple(found)

    def read_by(self, metrics: Instruments) -> None:
        """Have metrics read."""
        journal, settling, fallback = self._journal, self._settling, self.fallback
        if journal is None or settling is None or fallback is None:
            return
        metrics.read_by(FALLBACK, lambda: [fallback.counts[name] for name in FALLBACK_COUNTS])
        metrics.read_by(JOURNAL_BYTES, lambda: [journal.bytes])
        metrics.read_by(JOURNAL_ENTRIES, lambda: [journal.appended + settling.unsettled])
        metrics.read_by(JOURNAL_REFUSED, lambda: [journal.refused])
        metrics.read_by(JOURNAL_SETTLED, lambda: [settling.counts[name] for name in SETTLED_COUNTS])

    def start(self) -> None:
        """Start settling."""
        if self._thread is not None:
            self._thread.start()

    def stop(self) -> None:
        """End settling; what is not settled is for the next start."""
        if self._thread is not None:
            self._thread.stop()

    def join(self) -> None:
        """Wait until settling has ended, and unlock the journals."""
        if self._thread is not None and self._thread.is_alive():
            self._thread.join()
        if self._journal is not None:
            self._journal.close()

    def _answered(self) -> list[str]:
        snapshot = self._snapshots.peek
        return [] if snapshot is None else self._policies.of(snapshot).any

    def _note_catalog(self, snapshot: Any) -> list[Any]:
        """Log what a catalog asks for that this server cannot do; returns nothing to free."""
        answered = [] if snapshot is None else self._policies.of(snapshot).any
        if self._journal is None and answered:
            _log.warning(
                "on_store_failure of %s is as good as deny: this server has no journal",
                _named(answered),
            )
        return []


def _default_policy(config: Config) -> FallbackPolicy:
    try:
        return read_policy(config.on_store_failure)
    except ValueError as error:
        raise ConfigError(f"on_store_failure: {error}, got {config.on_store_failure!r}") from None


def fallback_workers(config: Config) -> int:
    """Return how many workers of all servers share what is let through; to be asked by the parent
    of the workers, each of which is told that it is the only one.

    Raises:
        ConfigError: they are fewer than those of this server.
    """
    own = config.workers + (config.http_workers if config.http else 0)
    if config.fallback_workers and config.fallback_workers < own:
        raise ConfigError(
            f"fallback_workers: {config.fallback_workers} is less than the {own} workers of this"
            " server alone; it is those of all servers together"
        )
    return config.fallback_workers or own


def _named(features: list[str]) -> str:
    more = len(features) - NAMED_MAX
    named = ", ".join(map(repr, features[:NAMED_MAX]))
    return f"{named} and {more} more" if more > 0 else named
