"""Whether the store is there, by the last contact with it.

Works as a circuit breaker: the first time-out opens it, so that the calls waiting behind it are
answered at once instead of waiting for time-outs of their own. `probe` closes it again.
"""

import logging
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

from quotad.clock import SyncedClock
from quotad.errors import NotReady, StoreError, StoreRefused, StoreUnavailable
from quotad.store.connection import Store

_log = logging.getLogger("quotad.store")

_LOGGED_MAX = 20
"""Most different failures that are logged until the store does what it should again."""


class Health:
    """The state of one store; written by every thread that talks to it, read by all.

    Args:
        store: which.
        clock: follows that of the store.
        clock_step_ms: steps of the store's clock beyond this are logged and reported.
    """

    def __init__(self, store: Store, clock: SyncedClock, clock_step_ms: int = 2_000) -> None:
        self._store = store
        self._clock = clock
        self._link = store.connect()
        """Its own: when all others are in use, it is still known how the store is."""
        self._asking = threading.Lock()
        self._error: StoreUnavailable | None = StoreUnavailable(
            f"the store at {store.address} was not reached yet", "the store was not reached yet"
        )
        self._kind_unknown = True
        self.refused = False
        """Whether the store answers, and is not used as it is set up."""
        self._logged: set[str] = set()
        """Failures that were logged since the store last did what it should."""
        self._changed = threading.Event()
        self._clock_step_ms = clock_step_ms
        self.clock_warning = ""
        """The last step of the store's clock since the start; empty: there was none."""
        self.not_after_ms = clock.surely_before_ms
        """The moment of the store's clock from which on a call with a monotonic deadline in seconds
        must take nothing."""

    @property
    def up(self) -> bool:
        """Whether the last contact was good."""
        return self._error is None

    @property
    def problem(self) -> str:
        """Why the store is down; empty while it is up."""
        return "" if self._error is None else str(self._error)

    def raise_if_down(self) -> None:
        """Spare the store a call that would fail.

        Raises:
            NotReady: the last contact failed.
        """
        if self._error is not None:
            raise NotReady(str(self._error), self._error.for_caller)

    def mark_down(self, error: StoreUnavailable) -> None:
        """Note a failure, and wake the thread in `wait_for_failure`.

        It is logged once: a store whose disk is full answers every probe and refuses every write.
        """
        text = str(error)
        if self._error is None and text not in self._logged and len(self._logged) < _LOGGED_MAX:
            self._logged.add(text)
            _log.error("%s; answering UNAVAILABLE until it is back", error)
        self._error = error
        self._changed.set()

    def note_recovery(self) -> None:
        """Log failures again, also those that were logged before: the store does what it should."""
        self._logged.clear()

    def wait_for_failure(self, timeout_s: float) -> bool:
        """Sleep until a failure is noted, within a time."""
        failed = self._changed.wait(timeout_s)
        self._changed.clear()
        return failed

    def wake(self) -> None:
        """Let `wait_for_failure` return."""
        self._changed.set()

    def probe(self, agree: Callable[[], None] | None = None) -> bool:
        """Ask the store for its time; takes over the time and the state of the store.

        While the store is down, it is asked where its name leads now, which may take as long as
        the name server does.

        Args:
            agree: what else must hold before the store is up; raises StoreError if it does not.

        Returns:
            Whether the store is up; a cluster of which a part is not stays up.

        Raises:
            ConfigError: it is a store of another kind than the URL says.
        """
        try:
            if self._kind_unknown:
                self._store.check_kind()
                self._kind_unknown = False
            self._ask_time(anew=self._error is not None)
            if agree is not None:
                agree()
        except StoreError as error:  # also an answer that makes no sense: it is no store of ours
            if self._error is None and isinstance(error, StoreUnavailable) and error.partial:
                return True  # the customers of the other servers go on
            self._error = StoreUnavailable(str(error), error.for_caller)
            self.refused = isinstance(error, StoreRefused)
            return False
        self._error = None
        self.refused = False
        return True

    def sync_clock(self) -> None:
        """Take over the store's time, on a decision thread; never waits for a name server."""
        try:
            self._ask_time(anew=False)
        except StoreError as error:
            self.mark_down(StoreUnavailable(str(error), error.for_caller))

    def _ask_time(self, anew: bool) -> None:
        if anew:
            self._store.look_up()
        with self._asking:
            if anew:
                self._link.close()
            sent_ns = time.monotonic_ns()
            now_us = self._link.time_us(time.monotonic() + self._store.timeout_s)
            step_ms = self._clock.sync(now_us, sent_ns, time.monotonic_ns())
            if abs(step_ms) > self._clock_step_ms:
                self._warn_of_step(step_ms, now_us // 1_000_000)

    def _warn_of_step(self, step_ms: int, now_s: int) -> None:
        way = "forward" if step_ms > 0 else "back"
        step = f"{abs(step_ms) / 1000:,.1f} s {way}"
        moment = datetime.fromtimestamp(now_s, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        self.clock_warning = (
            f"the store's clock stepped {step}, to {moment}; periods are those of that clock, so"
            " what was counted around the step may be granted twice"
        )
        _log.warning("%s", self.clock_warning)
