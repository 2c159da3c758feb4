"""A slot held for as long as a `with` block runs, for threads; what both clients' slots share."""

import heapq
import logging
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from itertools import count
from types import TracebackType
from typing import Any, Protocol, Self
from weakref import ref

import msgspec

from quotad.client import slots
from quotad.client.calls import Attempt, Consumption, Items, Policy, Steps
from quotad.client.errors import QuotaDenied, QuotaError
from quotad.client.slots import AcquiredSlot
from quotad.client.tranche import boottime

BEATS = 3
"""Heartbeats per `ttl`, so that one may fail."""

AGAIN = 10
"""The part of the `ttl` after which one that has failed is sent again."""

IDLE_S = 10.0
"""How long the thread that sends heartbeats waits for another slot before it ends."""

ENDED_MAX = 1_000
"""Most slots that are kept though they were left, as their heartbeats would be due later."""

GONE = ("NOT_FOUND", "NOT_OPEN")
"""Reasons of a server that does not hold the slot."""

_log = logging.getLogger("quotad.client")


class WantedSlot(msgspec.Struct, frozen=True):
    """What is to be held, and counted with it."""

    consumption: Consumption
    slot_id: str | None
    ttl_s: float
    also: Items


class SlotState:
    """What is known of a slot; of one holder, and of the thread or task that extends it."""

    def __init__(self, policy: Policy, wanted: WantedSlot) -> None:
        self._policy = policy
        self._wanted = wanted
        self._pid = os.getpid()
        self.held = False
        """Whether it was acquired and not left, as far as is known."""
        self._lost = False
        self._ends = 0.0
        self.answer: AcquiredSlot | None = None
        """The server's; None: it was not asked yet."""

    @property
    def allowed(self) -> bool:
        """Whether the slot was acquired."""
        return self.answer is not None and self.answer.allowed

    @property
    def slot_id(self) -> str:
        """Empty before it is acquired."""
        return "" if self.answer is None else self.answer.slot_id

    @property
    def lost(self) -> bool:
        """Whether it has ended under its holder: it was not extended in time, or a server does not
        hold it. Another may be at work in its place: stop, or acquire a new one."""
        return self._lost or (self.held and boottime() >= self._ends)

    def asking(self) -> Steps[AcquiredSlot]:
        """The call that acquires it.

        Raises:
            RuntimeError: it was acquired before; make another one.
        """
        if self.answer is not None:
            raise RuntimeError("a slot is acquired once; make another one by slot()")
        wanted = self._wanted
        return slots.acquire(
            self._policy, wanted.consumption, wanted.slot_id, wanted.ttl_s, wanted.also
        )

    def taken(self, answer: AcquiredSlot, asked: float) -> float:
        """Note the answer to a call that was sent at a time (`boottime`); returns when to extend
        the slot."""
        self.answer = answer
        self.held, self._lost = answer.allowed, False
        self._ends = asked + self._wanted.ttl_s
        # Of one that was held before it is not known here when it ends.
        return asked if answer.decision.replayed else asked + self._wanted.ttl_s / BEATS

    def extended(self, outcome: object, sent: float) -> float | None:
        """Note the outcome of a heartbeat; returns when to send the next, None: no more.

        Args:
            outcome: an answer, or a QuotaError.
            sent: when it was sent.
        """
        if not self.held:
            return None
        if isinstance(outcome, QuotaError):
            if outcome.reason in GONE:
                self.held, self._lost = False, True
                return None
            return boottime() + self._wanted.ttl_s / AGAIN
        self._ends = max(self._ends, sent + self._wanted.ttl_s)
        return sent + self._wanted.ttl_s / BEATS

    def leaving(self) -> bool:
        """Note that it is not needed any more; returns whether to release it, which its holder does
        in the process that has acquired it."""
        held, self.held = self.held, False
        return held and self._pid == os.getpid()

    def left(self, released: bool) -> None:
        """Note whether it was held until now."""
        self._lost = not released

    def beat(self) -> Attempt:
        """The heartbeat that is due."""
        assert self.answer is not None, "what is extended was acquired"
        request = slots.heartbeat_request(
            self.answer.customer_id, self.answer.slot_id, self._wanted.ttl_s
        )
        return Attempt(
            "Heartbeat", request, min(self._policy.timeout_s, self._wanted.ttl_s / BEATS)
        )


class Starts(Protocol):
    """What heartbeats need of a connection."""

    @property
    def is_open(self) -> bool:
        """Whether it can carry calls."""
        ...

    def start(self, attempt: Attempt, done: Callable[[Any], None]) -> None:
        """Begin a call; `done` gets its answer or error, in another thread."""
        ...


class Heartbeats:
    """Extends the slots of one client from one thread, which is there while there are any.

    In a forked child the parent's slots are forgotten: the parent extends them.
    """

    def __init__(self, connection: Starts) -> None:
        self._connection = connection
        self._begin()

    def _begin(self) -> None:
        self._pid = os.getpid()
        self._changed = threading.Condition()
        # Weakly, so that a slot which its holder has dropped ends by itself.
        self._due: list[tuple[float, int, ref[SlotState]]] = []
        self._numbers = count()
        self._most = ENDED_MAX
        self._thread: threading.Thread | None = None
        self._closed = False

    def add(self, slot: SlotState, due: float) -> None:
        """Extend a slot from a time on, until it is left or lost."""
        if self._pid != os.getpid():
            self._begin()
        with self._changed:
            if self._closed:
                return
            heapq.heappush(self._due, (due, next(self._numbers), ref(slot)))
            if len(self._due) > self._most:
                self._due = [each for each in self._due if _is_held(each[2])]
                heapq.heapify(self._due)
                self._most = max(ENDED_MAX, 2 * len(self._due))
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="quotad-slots", daemon=True)
                self._thread.start()
            elif self._due and self._due[0][2]() is slot:
                self._changed.notify()

    def close(self) -> None:
        """Extend nothing any more: what is held ends by itself."""
        with self._changed:
            self._closed = True
            self._due.clear()
            thread = self._thread
            self._changed.notify()
        if thread is not None and self._pid == os.getpid():
            thread.join()

    def _run(self) -> None:
        while (due := self._next()) is not None:
            slot = due()
            if slot is not None and slot.held:
                self._send(slot)
            del slot  # or this thread would hold it until the next one is due

    def _next(self) -> "ref[SlotState] | None":
        """The slot that is due, once one is; None: there is nothing more to do."""
        with self._changed:
            while not self._closed:
                wait_s = self._due[0][0] - boottime() if self._due else IDLE_S
                if self._due and wait_s <= 0:
                    return heapq.heappop(self._due)[2]
                if not self._changed.wait(wait_s) and not self._due:
                    break
            self._thread = None
            return None

    def _send(self, slot: SlotState) -> None:
        sent = boottime()

        def done(outcome: Any) -> None:
            due = slot.extended(outcome, sent)
            if due is not None:
                self.add(slot, due)

        try:
            self._connection.start(slot.beat(), done)
        except Exception:  # noqa: BLE001 (other slots are due as well)
            if self._connection.is_open:
                _log.exception("a slot was not extended")


def _is_held(slot: "ref[SlotState]") -> bool:
    found = slot()
    return found is not None and found.held


class LiveSlot(SlotState):
    """A slot that is held while a `with` block runs, extended in the background.

    One that its holder drops without releasing it is not extended any more, and ends by itself.
    Entering the block raises `QuotaDenied` where there is none. A slot is for one block.
    """

    def __init__(
        self,
        policy: Policy,
        wanted: WantedSlot,
        run: Callable[[Steps[Any]], Any],
        beats: Heartbeats,
    ) -> None:
        super().__init__(policy, wanted)
        self._run = run
        self._beats = beats

    def acquire(self) -> AcquiredSlot:
        """Acquire it, and extend it from then on if it is held; a denial is a value.

        Raises:
            QuotaError: the call was wrong, or no server could decide it. A slot may be held all
                the same; it ends by itself.
        """
        asked = boottime()
        answer: AcquiredSlot = self._run(self.asking())
        due = self.taken(answer, asked)
        if answer.allowed:
            self._beats.add(self, due)
        return answer

    def release(self) -> bool:
        """Free it; returns whether it was held until now.

        Raises:
            QuotaError: no server could do it; it ends by itself.
        """
        if not self.leaving():
            return False
        wanted, answer = self._wanted, self.answer
        assert answer is not None, "what is held was acquired"
        released: bool = self._run(
            slots.release(self._policy, wanted.consumption.customer_id, answer.slot_id)
        )
        self.left(released)
        return released

    def __enter__(self) -> Self:
        answer = self.acquire()
        if not answer.allowed:
            raise denied(answer)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with suppress(QuotaError):  # it ends by itself
            self.release()


def denied(answer: AcquiredSlot) -> QuotaDenied:
    """The exception for a slot that there is not."""
    decision = answer.decision
    place = decision.stopped_by or 0
    what = "the slot" if place == 0 else f"also[{place - 1}]"
    retry: timedelta | None = decision.retry_after
    wait = "" if retry is None else f"; try again in {retry.total_seconds():.1f} s"
    return QuotaDenied(f"{what} was denied: {decision.reason.name}{wait}", answer)
