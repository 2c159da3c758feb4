"""Brings what comes into the streams to the listeners of this server.

One thread reads for all of them, while there are any. Edges add a listener, begin it and take from
it; `watch` does so.
"""

import asyncio
import logging
import threading
import time
from collections import Counter
from collections.abc import AsyncGenerator, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from math import inf

import msgspec

from quotad.backoff import pause_s
from quotad.changes import ChangeEvent, ChangeKind
from quotad.clock import Clock
from quotad.errors import Busy, QuotadError, Stopping, StoreError, StoreUnavailable
from quotad.feed.listener import FeedListener, Watcher
from quotad.feed.wanted import WantedChanges, write_position
from quotad.store import KeySpace, Store
from quotad.store.events import KEPT_MS, EventId
from quotad.store.follow import MARGIN_OF_SEVERAL_MS, Follower, Growth, entries_since
from quotad.store.watched import WatchedStore

HEARTBEAT_S = 15.0
"""How often a listener that is told of nothing gets a later position."""

SETTLED_S = 2.0
"""After which every server knows that usage is watched: they look each second."""

TURN_S = 0.5
"""How often tokens of listeners are looked at, and longest wait for entries."""

GATHER_S = 0.01
"""Between two reads, so that many writes are one read."""

IDLE_S = 5.0
"""How long streams are read on without a listener."""

RENEW_S = 3.0
"""How often servers are told again whose usage is watched."""

BACKOFF_MIN_S = 0.05
BACKOFF_MAX_S = 1.0

_BEGINNING_MAX = 4
"""Listeners that are begun at once, each with a look at the store."""

_STOPPING = Stopping("the server is stopping; watch on from the last position on another one")

_log = logging.getLogger("quotad.feed")


class HubBounds(msgspec.Struct, frozen=True):
    """How many may listen."""

    listeners_max: int
    per_caller_max: int


class Hub:
    """The listeners of one server; for all threads.

    Args:
        store: with the streams.
        keys: of the store.
        clock: in step with the store's.
        bounds: of listeners.
    """

    def __init__(self, store: Store, keys: KeySpace, clock: Clock, bounds: HubBounds) -> None:
        self._store = store
        self._keys = keys
        self._clock = clock
        self._bounds = bounds
        self._follower = Follower(store, keys)
        self._watched = WatchedStore(store, keys)
        self._lock = threading.Condition()
        self._listeners: set[FeedListener] = set()
        self._by_customer: dict[str, set[FeedListener]] = {}
        """Those of all customers are under none."""
        self._callers: Counter[str] = Counter()
        self._stopped = False
        self._thread: threading.Thread | None = None
        self._read_ms = 0
        """Everything before is in the queues; 0: nothing is read yet."""
        self._renewed = 0.0
        self._threads = ThreadPoolExecutor(_BEGINNING_MAX, thread_name_prefix="quotad-feed")

    @property
    def listeners(self) -> int:
        """How many listen."""
        return len(self._listeners)

    async def watch(
        self, wanted: WantedChanges, caller: Watcher
    ) -> AsyncGenerator[ChangeEvent, None]:
        """Yield changes; first of all those since the position, or REFETCH.

        Raises:
            Busy: there are too many listeners, or too many of this caller.
            StoreUnavailable: the store is not there, or the server stops.
            QuotadError: the caller's check has refused it meanwhile.
        """
        listener = FeedListener(wanted, caller)
        self._add(listener)
        try:
            try:
                begun = listener.loop.run_in_executor(self._threads, self._begin, listener)
            except RuntimeError:  # it has been stopped meanwhile
                raise _STOPPING from None
            changes, told = await begun
            listener.skip(told)
            for change in changes:
                yield _seen(change, caller)
            settles_s = listener.loop.time() + SETTLED_S if wanted.usage else inf
            while True:
                left_s = settles_s - listener.loop.time()
                changes = await listener.take(max(0.0, min(left_s, HEARTBEAT_S)))
                if left_s <= 0:
                    settles_s = inf
                    changes.append(_missed(wanted, self._read_ms))
                elif not changes and settles_s == inf:
                    read_ms = self._read_ms  # everything before is in the queue by now
                    changes = await listener.take(0) or [_change(ChangeKind.POSITION, read_ms)]
                for change in changes:
                    yield _seen(change, caller)
        finally:
            self._remove(listener)

    def stop(self) -> None:
        """End every listener; none is added any more."""
        with self._lock:
            self._stopped = True
            self._end(self._listeners, _STOPPING)
            self._lock.notify_all()
        self._follower.wake()
        self._threads.shutdown(wait=False)

    def join(self) -> None:
        """Wait for the thread; the store may be closed afterwards."""
        if self._thread is not None:
            self._thread.join()

    def _add(self, listener: FeedListener) -> None:
        name = listener.caller.name
        with self._lock:
            if self._stopped:
                raise _STOPPING
            if len(self._listeners) >= self._bounds.listeners_max:
                raise Busy(f"{len(self._listeners)} listen here already; try another server")
            if name and self._callers[name] >= self._bounds.per_caller_max:
                raise Busy(f"this caller has {self._callers[name]} streams open already")
            self._callers[name] += 1
            self._listeners.add(listener)
            self._by_customer.setdefault(listener.wanted.customer_id, set()).add(listener)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="quotad-feed", daemon=True)
                self._thread.start()
            self._lock.notify_all()

    def _remove(self, listener: FeedListener) -> None:
        with self._lock:
            self._listeners.discard(listener)
            name = listener.caller.name
            self._callers[name] -= 1
            if not self._callers[name]:
                del self._callers[name]
            group = self._by_customer[listener.wanted.customer_id]
            group.discard(listener)
            if not group:
                del self._by_customer[listener.wanted.customer_id]

    def _begin(self, listener: FeedListener) -> tuple[list[ChangeEvent], dict[str, EventId]]:
        """The first changes of a listener, and up to where they are told, by stream."""
        wanted = listener.wanted
        with self._lock:
            wait_s = self._store.timeout_s + BACKOFF_MAX_S
            if not self._lock.wait_for(lambda: self._read_ms or self._stopped, wait_s):
                raise StoreUnavailable("the store is not available; try again")
        if wanted.usage:
            self._watched.watch([wanted.customer_id], announce=True)
        # What came until now is read by the listener after REFETCH, or follows the position; what
        # comes from now on is queued. That this clock is not quite the store's, the margin covers.
        now_ms = self._clock.now_ms()
        refetch = [_change(ChangeKind.REFETCH, now_ms)]
        since_ms = wanted.since_ms
        if since_ms is None or not -MARGIN_OF_SEVERAL_MS < now_ms - since_ms < KEPT_MS:
            return refetch, {}
        entries = entries_since(self._store, self._streams(wanted.customer_id), since_ms)
        if entries is None:
            return refetch, {}
        changes = [
            msgspec.structs.replace(change, position=write_position(min(entry.id.ms, now_ms)))
            for entry in entries
            for change in entry.changes
            if wanted.customer_id in ("", change.customer_id) or not change.customer_id
        ]
        told = {entry.stream: entry.id for entry in entries}
        if wanted.usage:  # of which nothing is kept for those who were away
            changes.append(refetch[0])
        elif not changes:
            changes.append(_change(ChangeKind.POSITION, since_ms))
        return changes, told

    def _streams(self, customer_id: str) -> list[str]:
        streams = self._keys.event_streams(self._clock.now_ms(), customer_id)
        return [*streams, self._keys.catalog_events]

    def _run(self) -> None:
        failures = 0
        while self._has_listeners():
            try:
                self._read()
                failures = 0
            except StoreError as error:
                if not failures and not self._stopped:
                    _log.warning("changes are not read: %s", error)
                self._pause(pause_s(failures, BACKOFF_MIN_S, BACKOFF_MAX_S))
                failures += 1
            except Exception:  # noqa: BLE001 (without this thread nobody would be told anything)
                _log.exception("reading changes failed; trying again")
                self._pause(BACKOFF_MAX_S)
            self._check()
        self._follower.close()

    def _has_listeners(self) -> bool:
        """Whether to read on; waits for a listener while there is none."""
        with self._lock:
            if self._stopped:
                return False
            if not self._listeners and not self._lock.wait_for(self._is_due, IDLE_S):
                self._read_ms = 0
                self._follower.close()
                self._lock.wait_for(self._is_due)
            return not self._stopped

    def _is_due(self) -> bool:
        return bool(self._listeners) or self._stopped

    def _pause(self, seconds: float) -> None:
        with self._lock:
            self._lock.wait_for(lambda: self._stopped, seconds)

    def _read(self) -> None:
        if not self._read_ms:
            self._follower.start()
        growth = self._follower.read(TURN_S)
        with self._lock:
            self._deliver(growth)
            self._read_ms = growth.read_ms
            self._lock.notify_all()
        if time.monotonic() - self._renewed > RENEW_S:
            self._renew()
        if growth.entries:
            self._pause(GATHER_S)

    def _renew(self) -> None:
        with self._lock:
            watched = [
                customer_id
                for customer_id, group in self._by_customer.items()
                if any(each.wanted.usage for each in group)
            ]
        if watched:
            self._watched.watch(watched)
        self._renewed = time.monotonic()

    def _deliver(self, growth: Growth) -> None:
        """Queue what came, and wake whom it is for."""
        woken: set[FeedListener] = set()
        for entry in growth.entries:
            position = write_position(growth.position_ms(entry))
            for change in entry.changes:
                told = msgspec.structs.replace(change, position=position)
                for listener in self._of(change):
                    listener.put(entry.stream, entry.id, told)
                    woken.add(listener)
        if growth.lost:
            refetch = _change(ChangeKind.REFETCH, growth.read_ms)
            only_usage = growth.lost == {self._keys.usage_events}
            for listener in self._listeners:
                if listener.wanted.usage or not only_usage:
                    listener.put("", EventId(growth.read_ms, 1), refetch)
                    woken.add(listener)
        _wake(woken)

    def _of(self, change: ChangeEvent) -> Iterable[FeedListener]:
        """Whom a change is for."""
        if change.kind is ChangeKind.CATALOG_CHANGED:
            return self._listeners
        if change.kind is ChangeKind.REFETCH:
            return [each for each in self._listeners if each.wanted.usage]
        groups = self._by_customer
        found = [*groups.get("", ()), *groups.get(change.customer_id, ())]
        if change.kind is ChangeKind.USAGE_CHANGED:
            return [each for each in found if each.wanted.usage]
        return found

    def _check(self) -> None:
        """End listeners whose token is no good any more."""
        with self._lock:
            for listener in self._listeners:
                error = listener.caller.check()
                if error is not None:
                    self._end([listener], error)

    def _end(self, listeners: Iterable[FeedListener], error: QuotadError) -> None:
        for listener in listeners:
            listener.end(error)
        _wake(listeners)


def _wake(listeners: Iterable[FeedListener]) -> None:
    by_loop: dict[asyncio.AbstractEventLoop, list[FeedListener]] = {}
    for listener in listeners:
        by_loop.setdefault(listener.loop, []).append(listener)
    for loop, woken in by_loop.items():
        with suppress(RuntimeError):  # the loop has ended, and they with that
            loop.call_soon_threadsafe(_wake_here, woken)


def _wake_here(listeners: list[FeedListener]) -> None:
    for listener in listeners:
        listener.wake()


def _seen(change: ChangeEvent, caller: Watcher) -> ChangeEvent:
    """A change as one caller may see it."""
    if caller.sees_actors or not change.actor:
        return change
    return msgspec.structs.replace(change, actor="")


def _missed(wanted: WantedChanges, read_ms: int) -> ChangeEvent:
    """What stands for usage that was counted before all servers knew that it is watched."""
    kind = ChangeKind.USAGE_CHANGED if wanted.customer_id else ChangeKind.REFETCH
    return msgspec.structs.replace(_change(kind, read_ms), customer_id=wanted.customer_id)


def _change(kind: ChangeKind, ms: int) -> ChangeEvent:
    return ChangeEvent(kind, ms, position=write_position(ms))
