"""An engine with a journal, whose store can be taken away without ending it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from quotad.decision import ConsumeRequest, Decision
from quotad.engine import Engine
from quotad.engine.fallback import Fallback
from quotad.errors import QuotadError, StoreUnavailable
from quotad.fallback import DENY, FallbackPolicy
from quotad.feed.usage import UsageNotes
from quotad.journal import Journal, JournalDirectory, JournalEntry
from quotad.journal.entries import read_journal
from quotad.operations.settling import SettlingOperations
from quotad.store.journals import JournalScript
from tests.deciding import Bench

STORE_ID = "this store"


class FallingBack:
    """One worker: an engine, its journal, and what settles it.

    Args:
        bench: whose store, catalog and customers it shares.
        directory: of the journal.
        default: policy of features without one.
        workers: that share what is let through.
    """

    def __init__(
        self,
        bench: Bench,
        directory: Path,
        default: FallbackPolicy = DENY,
        workers: int = 1,
        bytes_max: int = 10_000_000,
    ) -> None:
        self.bench = bench
        self.journal = Journal(JournalDirectory(directory), bytes_max, bench.clock.now_ms)
        self.journal.store_id = STORE_ID
        self.fallback = Fallback(self.journal, bench.keys, default, workers)
        shared = msgspec.structs.replace(bench.shared, fallback=self.fallback)
        self.engine = Engine(shared, bench.store.connect())
        self.usage = UsageNotes()
        self.settling = SettlingOperations(
            self.journal,
            JournalScript(bench.store, bench.keys),
            bench.clock.now_ms,
            self.fallback.note_adopted,
            self.usage,
        )

    def decide(self, *requests: ConsumeRequest) -> list[Decision | QuotadError]:
        return self.engine.decide(requests)

    def consume(self, feature_id: str, quantity: int = 1, **fields: Any) -> Any:
        (answer,) = self.decide(ConsumeRequest("acme", feature_id, quantity, **fields))
        return answer

    def lose_store(self) -> None:
        """Have everything believe that the store is gone."""
        self.bench.health.mark_down(StoreUnavailable("the store is gone", "gone"))

    def find_store(self) -> None:
        assert self.bench.health.probe()

    def entries(self) -> list[JournalEntry]:
        """What is in the journals of this worker."""
        return [
            each
            for file, length in self.journal.files()
            for each in read_journal(file.read()[:length]).entries
        ]

    def settle(self) -> dict[str, int]:
        """Settle; returns how many entries have come to what so far."""
        self.settling.adopt()
        self.settling.settle()
        return {name: count for name, count in self.settling.counts.items() if count}

    def die(self) -> None:
        """Let go of the journal, as the end of a process does."""
        self.journal.close()

    def close(self) -> None:
        self.engine.close()


@contextmanager
def falling_back(bench: Bench, directory: Path, **settings: Any) -> Iterator[FallingBack]:
    """A worker, closed at the end."""
    made = FallingBack(bench, directory, **settings)
    try:
        yield made
    finally:
        made.close()
