"""Settling journals: the binding of lua/settle_journal.lua; and the name that a store has for good.

What was let through while the store was gone is counted shard by shard, each entry once: every
shard, also after it has moved, remembers the sequence that it has settled of a journal.
"""

import secrets
from collections.abc import Sequence
from enum import IntEnum

from quotad.errors import ScriptContractError
from quotad.journal.entries import JournalEntry
from quotad.store import scripts
from quotad.store.connection import Store
from quotad.store.keys import KeySpace, escape
from quotad.store.ledger import NOT_NOTED, LedgerWords
from quotad.store.moves import Moves
from quotad.store.shard_map import with_tag

REACHED_KEPT_MS = 90 * 86_400_000
"""How long a shard remembers what it has settled of a journal: a file that is older must not be
settled, as it may have been."""


class JournalOutcome(IntEnum):
    """What became of an entry; the numbers are those of the script."""

    BEFORE = 0
    COUNTED = 1
    REPLAYED = 2
    LATE = 3
    GONE = 4
    DAMAGED = -6


class JournalScript:
    """Settles entries in one store.

    Args:
        store: which.
        keys: of the store.
    """

    def __init__(self, store: Store, keys: KeySpace) -> None:
        self._store = store
        self._keys = keys
        self._moves = Moves(store, keys)
        self._script = scripts.load("settle_journal")

    def grain(self, entry: JournalEntry) -> int:
        """What an entry is settled together with: the same whatever moves."""
        return self._keys.grain(entry.customer_id)

    def settle(
        self,
        journal_id: str,
        entries: Sequence[JournalEntry],
        noted: LedgerWords = NOT_NOTED,
    ) -> list[int]:
        """Settle entries of one grain, in order; may be repeated with any of them.

        Args:
            journal_id: theirs.
            entries: with growing sequences.
            noted: what goes into the ledger of those that are counted.

        Returns:
            A `JournalOutcome` for each.

        Raises:
            StoreUnavailable: the store refused or timed out; some or all may be settled.
        """
        found = self._moves.again(
            lambda: self._store.run(self._script, *self._spelled(journal_id, entries, noted))
        )
        if not isinstance(found, list) or len(found) != len(entries):
            raise ScriptContractError("settle_journal: reply cannot be read")
        return [int(each) for each in found]

    def _spelled(
        self, journal_id: str, entries: Sequence[JournalEntry], noted: LedgerWords
    ) -> tuple[Sequence[str], list[str | bytes | int]]:
        whose = entries[0].customer_id
        shard = self._keys.shard(whose)
        names = [self._keys.journal(whose, journal_id), self._keys.shard_ledgers[shard]]
        words: list[str | bytes | int] = [REACHED_KEPT_MS, *noted]
        for entry in entries:
            customer = self._keys.customer(entry.customer_id)
            names += (customer.epoch, customer.record)
            words += (entry.sequence, entry.epoch, len(entry.counters), int(bool(entry.key)))
            if entry.key:
                names.append(customer.decision + escape(entry.key))
                words += (entry.fingerprint, entry.memo, entry.ttl_ms)
            for counter in entry.counters:
                names.append(customer.usage + counter.suffix)
                words += (counter.amount, counter.expires_ms)
        return with_tag(names), words


class StoreIdentity:
    """The name of a store: given when it is first used, and kept when it comes back without.

    Args:
        store: which.
        keys: of the store.
    """

    def __init__(self, store: Store, keys: KeySpace) -> None:
        self._store = store
        self._keys = keys
        self._known = ""

    def recall(self, known: str) -> None:
        """Take over the name that a process before has known the store by."""
        self._known = self._known or known

    def look(self) -> str:
        """Return the name that the store has now.

        A store that was emptied gets back the one that this process has known it by: it is the
        same to those who use it, and what they have let through belongs there.

        Raises:
            StoreError: the store refused or timed out.
        """
        wanted = self._known or secrets.token_hex(8)
        commands = [
            ("HSETNX", self._keys.meta, "id", wanted),
            ("HGET", self._keys.meta, "id"),
        ]
        raw = self._store.execute_many(commands, atomic=True)[-1]
        self._known = raw.decode(errors="replace")
        return self._known
