"""Coalescing for threads: a thread per lane sends what waits.

It makes blocking calls: grpc's futures take twice the CPU.
"""

import threading
import time
from collections import deque
from collections.abc import Sequence
from typing import Any

import grpc

from quotad.client import errors
from quotad.client.coalescing import CallQueue, Lane, closed, message_of, out_of_time, outcomes_of

IDLE_S = 1.0
"""How long a thread that sends waits for more before it ends. So it needs no closing, and keeps the
channel of a client that was dropped no longer."""


class _Caller:
    """A call that waits in a thread for its answer."""

    __slots__ = (
        "answered",
        "customer_id",
        "ends",
        "given_up",
        "has_turn",
        "outcome",
        "passes_on",
        "payload",
        "sent",
    )

    def __init__(self, payload: bytes, customer_id: str, ends: float) -> None:
        self.payload = payload
        self.customer_id = customer_id
        self.ends = ends
        self.sent = False
        self.given_up = False
        self.outcome: Any = None
        self.has_turn = False
        """Whether it is the one that wakes the next."""
        self.passes_on: _Lane | None = None
        """Which lane goes on when it wakes up."""
        self.answered = threading.Lock()
        """Held until its turn; an Event would cost more than the call's other parts."""
        self.answered.acquire()

    def has_given_up(self) -> bool:
        return self.given_up


class _Lane(Lane):
    """A lane, and the thread that sends by it."""

    __slots__ = ("has_sender", "turn")

    def __init__(self) -> None:
        super().__init__()
        self.has_sender = False
        """Whether a thread is there that sends."""
        self.turn = threading.Lock()
        """Held until that thread is to send."""
        self.turn.acquire()


class Coalescer:
    """Sends what several threads ask; safe to share between them.

    Args:
        stub: a `BytesStub`.
    """

    def __init__(self, stub: Any) -> None:
        self._stub = stub
        self._lock = threading.Lock()
        self._queue: CallQueue[_Caller, _Lane] = CallQueue(_Lane(), _Lane())
        self._answered: deque[_Caller] = deque()
        """Calls whose threads are to wake up, each woken by the one before: all at once would
        queue for the interpreter, which costs each of them another sleep."""
        self._waking = False
        """Whether a thread has its turn."""

    @property
    def waiting(self) -> int:
        """How many calls wait to be sent."""
        return len(self._queue.waiting)

    def call(self, payload: bytes, customer_id: str, timeout_s: float) -> Any:
        """Return the response, or the QuotaError of this call alone."""
        caller = None
        with self._lock:
            lane = self._queue.claim(customer_id)
            if lane is None:
                caller = _Caller(payload, customer_id, time.monotonic() + timeout_s)
                self._queue.waiting.append(caller)
        if lane is not None:
            try:
                return self._stub.CheckAndConsume(payload, timeout=timeout_s)
            except grpc.RpcError as error:
                return errors.from_rpc(error)
            finally:
                self._pass_on(lane)
        assert caller is not None
        try:
            caller.answered.acquire(timeout=max(0.0, timeout_s))
        finally:  # also when the thread is interrupted
            with self._lock:
                caller.given_up = True
                if caller.has_turn:
                    self._wake_next()
            if caller.passes_on is not None:
                self._pass_on(caller.passes_on)
        return out_of_time(caller.sent) if caller.outcome is None else caller.outcome

    def _wake_next(self) -> None:
        """Wake the next thread that is answered; with the lock held."""
        while self._answered:
            caller = self._answered.popleft()
            if not caller.given_up:
                caller.has_turn = True
                caller.answered.release()
                return
        self._waking = False

    def _pass_on(self, lane: _Lane) -> None:
        """Have what waits sent; when nothing does, the lane is free."""
        with self._lock:
            lane.customers.clear()
            if not self._queue.waiting:
                lane.free()
                return
        self._send_by(lane)

    def _send_by(self, lane: _Lane) -> None:
        """Have the thread of a lane that is held send what waits."""
        with self._lock:
            starts, lane.has_sender = not lane.has_sender, True
            lane.turn.release()
        if starts:
            sender = threading.Thread(target=self._run, args=(lane,), daemon=True)
            sender.name = "quotad-coalescing"
            try:
                sender.start()
            except RuntimeError:  # as many threads as there may be
                lane.has_sender = False
                lane.turn.acquire()
                self._send(lane)

    def _run(self, lane: _Lane) -> None:
        """Send whenever it is the lane's turn, until there is nothing to do for a while."""
        while lane.turn.acquire(timeout=IDLE_S) or not self._retires(lane):
            self._send(lane)

    def _send(self, lane: _Lane) -> None:
        """Send what waits, until one whom it answers passes the lane on."""
        while callers := self._take(lane):
            if self._answer(callers, self._ask(callers), lane):
                return

    def _retires(self, lane: _Lane) -> bool:
        """Whether a lane's thread may end; not when its turn has come meanwhile."""
        with self._lock:
            lane.has_sender = not lane.turn.locked()
            return not lane.has_sender

    def _take(self, lane: _Lane) -> list[_Caller]:
        """The next batch; the other lane's thread sends what is left."""
        with self._lock:
            taken = self._queue.take(lane)
            for caller in taken:
                caller.sent = True
            other = self._queue.claim_for_rest(lane)
        if other is not None:
            self._send_by(other)
        return taken

    def _ask(self, callers: Sequence[_Caller]) -> Sequence[Any]:
        method, message = message_of(callers)
        ends = max([caller.ends for caller in callers])
        try:
            answer = getattr(self._stub, method)(message, timeout=max(0.0, ends - time.monotonic()))
        except ValueError:  # grpc's, of a channel that is closed
            return [closed()] * len(callers)
        except grpc.RpcError as error:
            return [errors.from_rpc(error)] * len(callers)
        return outcomes_of(answer, len(callers))

    def _answer(self, callers: Sequence[_Caller], outcomes: Sequence[Any], lane: _Lane) -> bool:
        """Hand the outcomes over; returns whether a caller is there to pass the lane on.

        It is the last that wakes up: by then the others are waiting again and travel with it. Sent
        from here, the next batch would hold the first few of them, over and over.
        """
        last = None
        with self._lock:
            lane.customers.clear()
            for caller, outcome in zip(callers, outcomes, strict=True):
                caller.outcome = outcome
                if not caller.given_up:
                    last = caller
                    self._answered.append(caller)
            if last is not None:
                last.passes_on = lane
            if not self._waking:
                self._waking = True
                self._wake_next()
            other = self._queue.claim_for_rest(lane)
        if other is not None:
            self._send_by(other)
        return last is not None
