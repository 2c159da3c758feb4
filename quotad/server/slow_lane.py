"""Where calls wait for a slow server of a cluster, so that no other call waits with them.

A batch is answered when all servers that it asks have answered. While one of them is slow, decision
threads leave calls for its customers to a thread of their own, which takes them from here.
"""

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from queue import Empty, SimpleQueue

from quotad.errors import TOO_LONG
from quotad.fronts.interface import Answer, Call, Calls


class SlowLane:
    """As `Calls`, for the thread that decides what the others have left to it.

    Args:
        front: where answers go.
        feeders: how many threads leave calls here.
        patience_s: a call that has waited longer is refused; nothing was sent for it.
        slow: tells customers of slow servers apart, at the moment; returns None: there are none.
        customers: whom a call is about.
    """

    def __init__(
        self,
        front: Calls,
        feeders: int,
        patience_s: float,
        slow: Callable[[], Callable[[str], bool] | None],
        customers: Callable[[Call], Iterable[str]],
    ) -> None:
        self._front = front
        self._feeders = feeders
        self._patience_s = patience_s
        self._slow = slow
        self._customers = customers
        self._lock = threading.Lock()
        self._waiting: SimpleQueue[tuple[float, Call] | None] = SimpleQueue()

    def take_slow(self, calls: list[Call]) -> list[Call]:
        """Take those calls that a slow server is to be asked for; returns the others."""
        is_slow = self._slow()
        if is_slow is None:  # nearly always
            return calls
        left: list[Call] = []
        now = time.monotonic()
        for call in calls:
            if any(map(is_slow, self._customers(call))):
                self._waiting.put((now, call))
            else:
                left.append(call)
        return left

    def leave(self) -> None:
        """Note that a thread leaves no more calls here; with the last one, the lane ends."""
        with self._lock:
            self._feeders -= 1
            if not self._feeders:
                self._waiting.put(None)

    def recv_batch(self, calls_max: int) -> list[Call] | None:
        """As `Calls.recv_batch`; None once every thread that fed it has ended."""
        while (first := self._waiting.get()) is not None:
            waited = [first]
            while len(waited) < calls_max:
                try:
                    more = self._waiting.get_nowait()
                except Empty:
                    break
                if more is None:
                    self._waiting.put(None)  # for the next look; nothing comes after it
                    break
                waited.append(more)
            since = time.monotonic() - self._patience_s
            late = [(call.call_id, TOO_LONG) for at, call in waited if at < since]
            if late:
                self._front.answer(late)
            calls = [call for at, call in waited if at >= since]
            if calls:
                return calls
        self._waiting.put(None)
        return None

    def answer(self, answers: Sequence[Answer]) -> None:
        """As `Calls.answer`."""
        self._front.answer(answers)
