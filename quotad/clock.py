"""Time as the servers see it: Redis time, so that all of them agree on periods.

The offset to Redis is measured now and then; in between, the monotonic clock carries on, so that a
step of this machine's wall clock changes nothing.
"""

import time
from typing import Protocol


class Clock(Protocol):
    """Where the time comes from; an argument everywhere, so that tests own it."""

    def now_ms(self) -> int:
        """Unix time in milliseconds."""
        ...


DRIFT_NS = 5_000_000
"""How far two clocks may go apart between two syncs of a few seconds: 1 ms per second."""


def _elapsed_ns() -> int:
    """Time that has passed on this machine, asleep or not."""
    boot = getattr(time, "CLOCK_BOOTTIME", None)  # Linux
    return time.monotonic_ns() if boot is None else time.clock_gettime_ns(boot)


class SyncedClock:
    """Unix time carried by the monotonic clock from the last measured point.

    Until the first `sync` it starts from this machine's wall clock.
    """

    def __init__(self) -> None:
        self._offset_ns = time.time_ns() - time.monotonic_ns()
        self._error_ns = DRIFT_NS
        self._ahead_ns: int | None = None
        """Of the store's clock before `_elapsed_ns`, at the last sync."""

    def now_ms(self) -> int:
        """Unix time in milliseconds, by the clock of the store."""
        return (time.monotonic_ns() + self._offset_ns) // 1_000_000

    def surely_before_ms(self, deadline: float) -> int:
        """The latest moment of the store's clock that is not after a deadline for sure.

        Args:
            deadline: monotonic time in seconds.
        """
        return (int(deadline * 1e9) + self._offset_ns - self._error_ns) // 1_000_000

    def sync(self, store_time_us: int, sent_ns: int, received_ns: int) -> int:
        """Take over the store's time.

        Args:
            store_time_us: what the store answered, Unix time in microseconds.
            sent_ns: monotonic time when it was asked.
            received_ns: monotonic time when the answer was there; the store is taken to have
                read its clock halfway between.

        Returns:
            How many milliseconds the store's clock has stepped since the last sync, as far as
            the two measurements leave no doubt; negative: back.
        """
        self._offset_ns = store_time_us * 1000 - (sent_ns + received_ns) // 2
        doubt_ns = 2 * self._error_ns  # the store may have read its clock first or last of all
        self._error_ns = (received_ns - sent_ns) // 2 + DRIFT_NS
        ahead_ns = store_time_us * 1000 - _elapsed_ns()
        step_ns = 0 if self._ahead_ns is None else ahead_ns - self._ahead_ns
        self._ahead_ns = ahead_ns
        return 0 if abs(step_ns) <= doubt_ns + 2 * self._error_ns else int(step_ns / 1e6)
