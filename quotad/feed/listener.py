"""One listener: what waits for it, in a queue with a bound."""

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress

import msgspec

from quotad.changes import ChangeEvent, ChangeKind
from quotad.errors import QuotadError
from quotad.feed.wanted import WantedChanges
from quotad.store.events import EventId

QUEUED_MAX = 256
"""Most changes that wait for one listener; of one that is slower all are replaced by a REFETCH."""

RefusalOf = Callable[[], QuotadError | None]
"""Why a listener may not go on; None: it may. Called again and again."""


class Watcher(msgspec.Struct, frozen=True):
    """Who listens."""

    name: str
    """By which listeners of one caller are counted."""
    check: RefusalOf
    sees_actors: bool = True
    """Whether it is told whose doing changes are."""


class FeedListener:
    """What one caller is told; made in its event loop."""

    def __init__(self, wanted: WantedChanges, caller: Watcher) -> None:
        self.wanted = wanted
        self.caller = caller
        self.loop = asyncio.get_running_loop()
        self._woken = asyncio.Event()
        self._queue: deque[tuple[str, EventId, ChangeEvent]] = deque()
        self._told: dict[str, EventId] = {}
        """By stream, the last entry that was read for this listener alone."""
        self._error: QuotadError | None = None

    def put(self, stream: str, event: EventId, change: ChangeEvent) -> None:
        """Queue a change; of one thread, which calls `wake` in the loop afterwards."""
        if len(self._queue) >= QUEUED_MAX:
            self._queue.clear()
            stream = ""  # it was told of what is lost in no stream
            change = ChangeEvent(ChangeKind.REFETCH, change.at_ms, position=change.position)
        self._queue.append((stream, event, change))

    def end(self, error: QuotadError) -> None:
        """Let it end with an error once it has taken what is queued."""
        self._error = error

    def wake(self) -> None:
        """Let `take` look at the queue; in the loop."""
        self._woken.set()

    def skip(self, told: dict[str, EventId]) -> None:
        """Leave out entries up to these, by stream; in the loop, before the first `take`."""
        self._told = told

    async def take(self, wait_s: float) -> list[ChangeEvent]:
        """Wait for changes; none: nothing has come for a while.

        Raises:
            QuotadError: it has ended.
        """
        if not self._queue and self._error is None:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), wait_s)
        self._woken.clear()
        taken: list[ChangeEvent] = []
        with suppress(IndexError):
            while True:
                stream, event, change = self._queue.popleft()
                if event > self._told.get(stream, _START):
                    taken.append(change)
        if not taken and self._error is not None:
            raise self._error
        return taken


_START = EventId(0, 0)
