"""What takes too long to be worked out for every page: kept, and worked out again beside pages."""

import time
from collections.abc import Callable
from concurrent.futures import Executor, Future
from threading import Lock
from typing import Generic, TypeVar

import msgspec

from quotad.clock import Clock
from quotad.handover import often

T = TypeVar("T")

WAIT_S = 0.05
"""Longest wait of a page for something new; then it shows what there was, and of when."""

FRESH = 5
"""How much longer something is taken as it is than it took to be worked out, so that pages that are
asked for all the time take at most a sixth of a core for it. Of a small store that is no time."""


class KeptValue(msgspec.Struct, Generic[T], frozen=True):
    """What was worked out."""

    value: T
    at_ms: int
    """When it was begun, in Unix time."""


class Kept(Generic[T]):
    """One thing that takes long; for all threads.

    Args:
        make: works it out.
        threads: in which that is done; not those that pages are made in, which wait for it.
        clock: of the store.
    """

    def __init__(self, make: Callable[[], T], threads: Executor, clock: Clock) -> None:
        self._make = make
        self._threads = threads
        self._clock = clock
        self._lock = Lock()
        self._found: KeptValue[T] | None = None
        self._fresh_until = 0.0
        self._under_way: Future[KeptValue[T]] | None = None

    def get(self) -> KeptValue[T] | None:
        """Return the latest; None: it was never worked out, and that takes longer than a page.

        Raises:
            QuotadError: as of what works it out.
        """
        with self._lock:
            if self._found is not None and time.monotonic() < self._fresh_until:
                return self._found
            if self._under_way is None:
                self._under_way = self._threads.submit(self._work)
            under_way = self._under_way
        try:
            return under_way.result(WAIT_S)
        except TimeoutError:
            return self._found

    def _work(self) -> KeptValue[T]:
        begun, at_ms = time.monotonic(), self._clock.now_ms()
        try:
            with often():  # pages wait for their turn at each of their calls to the store
                found = KeptValue(self._make(), at_ms)
        except BaseException:
            with self._lock:
                self._under_way = None
            raise
        now = time.monotonic()
        with self._lock:
            self._found, self._under_way = found, None
            self._fresh_until = now + FRESH * (now - begun)
        return found
