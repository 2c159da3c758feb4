"""Usage that is watched: what decisions count of it, brought to the store for all servers.

While nobody watches, a batch of decisions pays one look at an empty set.
"""

import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress

from quotad.decision import ConsumeAllRequest, ConsumeRequest, Decision, Mode
from quotad.store.events import ANYONE, CountedRow
from quotad.store.watched import EVERYONE, WatchedStore

NOTED_MAX = 20_000
"""Most counts between two flushes."""

ROWS_MAX = 2_000
"""Most customers and features of one flush; beyond, everybody is to read again."""

FLUSH_S = 0.2
"""Counts of the same customer and feature within this time are one event."""


class UsageNotes:
    """Collects what was counted; shared by the decision threads of a worker."""

    def __init__(self) -> None:
        self.watched: frozenset[str] = frozenset()
        """Customers that somebody watches, on whichever server."""
        self._counted: deque[CountedRow] = deque()

    def note(self, customer_id: str, feature_id: str = "", resource_id: str = "") -> None:
        """Note that something was counted or given back; no feature: of one that is not known."""
        if (customer_id in self.watched or EVERYONE in self.watched) and (
            len(self._counted) <= NOTED_MAX
        ):
            self._counted.append((customer_id, resource_id, feature_id))

    def note_decided(self, requests: Sequence[ConsumeRequest], answers: Sequence[object]) -> None:
        """Note what decisions have counted."""
        for request, answer in zip(requests, answers, strict=True):
            if isinstance(answer, Decision) and answer.allowed:
                items = request.items if isinstance(request, ConsumeAllRequest) else (request,)
                for item in items:
                    if item.mode != Mode.CHECK_ONLY:
                        self.note(item.customer_id, item.feature_id, item.resource_id)

    def take(self) -> list[CountedRow]:
        """Return what was counted since the last call, each once."""
        taken: dict[CountedRow, None] = {}
        left = len(self._counted)
        if left > NOTED_MAX:
            self._counted.clear()
            return [ANYONE]
        with suppress(IndexError):
            for _ in range(left):
                taken[self._counted.popleft()] = None
        return [*taken] if len(taken) <= ROWS_MAX else [ANYONE]


class UsageFeed:
    """Keeps what is watched in step with the store, and brings what was counted; of one thread.

    Args:
        store: where both are.
        notes: of this worker.
    """

    def __init__(self, store: WatchedStore, notes: UsageNotes) -> None:
        self._store = store
        self._notes = notes
        self._flushed_s = 0.0

    def look(self, now_ms: int) -> None:
        """Read who is watched.

        Raises:
            StoreError: the store refused or timed out.
        """
        self._notes.watched = self._store.read(now_ms)

    def flush(self) -> None:
        """Bring what was counted; what cannot be brought is lost.

        Raises:
            StoreError: the store refused or timed out.
        """
        now_s = time.monotonic()
        if now_s - self._flushed_s < FLUSH_S:
            return
        self._flushed_s = now_s
        rows = self._notes.take()
        if rows:
            self._store.bring(rows)
