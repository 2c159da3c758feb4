"""What decides, for work that is not hot and shares threads."""

import queue
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

from quotad.errors import StoreUnavailable

WAIT_S = 5.0
"""Longest wait for one that others have."""

T = TypeVar("T")


class Lent(Generic[T]):
    """A fixed number of engines, or of what has one, lent to one thread at a time.

    Args:
        make: makes one; its connection opens at its first use and is kept.
        count: how many there are.
    """

    def __init__(self, make: Callable[[], T], count: int = 2) -> None:
        self._free: queue.LifoQueue[T] = queue.LifoQueue()
        for _ in range(count):
            self._free.put(make())

    @contextmanager
    def lend(self) -> Iterator[T]:
        """Have one for as long as the context lasts.

        Raises:
            StoreUnavailable: all of them are in use, and stayed so.
        """
        try:
            lent = self._free.get(timeout=WAIT_S)
        except queue.Empty:
            raise StoreUnavailable("too many such calls are under way; try again") from None
        try:
            yield lent
        finally:
            self._free.put(lent)
