"""Calls that wait in one client travel as one `BatchCheckAndConsume`.

No timer: a call that finds nothing under way leaves at once; those that come meanwhile leave
together when it has been answered. One message is under way at a time, so calls are decided in the
order in which they were made, but for those that are tried again.
"""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Sequence
from typing import Any

import grpc

from quotad.client import errors
from quotad.client.calls import Attempt
from quotad.client.errors import QuotaError, QuotaServerError
from quotad.decision import BATCH_MAX
from quotad.v1 import quota_pb2 as pb

REQUEST_BYTES_MAX = 2048
"""A larger request travels alone: 1,000 of these stay below the largest message a server takes."""


def may_share(call: Attempt) -> bool:
    """Whether a call may travel with others: neither it nor its answer makes a batch too large."""
    return (
        call.method == "CheckAndConsume"
        and not call.request.explain
        and call.request.ByteSize() <= REQUEST_BYTES_MAX
    )


class _Caller:
    """A call that waits in a thread for its answer."""

    __slots__ = ("answered", "ends", "given_up", "outcome", "request", "sends_next", "sent")

    def __init__(self, request: pb.CheckAndConsumeRequest, ends: float) -> None:
        self.request = request
        self.ends = ends
        self.sent = False
        self.given_up = False
        self.sends_next = False
        """Whether it sends what waits when it wakes up."""
        self.outcome: Any = None
        self.answered = threading.Lock()
        """Held until the outcome is there; an Event would cost more than the call's other parts."""
        self.answered.acquire()

    def answer(self, outcome: Any) -> None:
        """Wake the thread up."""
        self.outcome = outcome
        self.answered.release()


class Coalescer:
    """Sends what several threads ask; safe to share between them."""

    def __init__(self, stub: Any) -> None:
        self._stub = stub
        self._lock = threading.Lock()
        self._waiting: deque[_Caller] = deque()
        self._busy = False
        """Whether a message is under way; one of those that it answers sends the next one."""

    @property
    def waiting(self) -> int:
        """How many calls wait to be sent."""
        return len(self._waiting)

    def call(self, request: pb.CheckAndConsumeRequest, timeout_s: float) -> Any:
        """Return the response, or the QuotaError of this call alone."""
        caller = None
        with self._lock:
            if self._busy:
                caller = _Caller(request, time.monotonic() + timeout_s)
                self._waiting.append(caller)
            self._busy = True
        if caller is None:
            try:
                return self._stub.CheckAndConsume(request, timeout=timeout_s)
            except grpc.RpcError as error:
                return errors.from_rpc(error)
            finally:
                self._send()
        answered = False
        try:
            answered = caller.answered.acquire(timeout=max(0.0, timeout_s))
        finally:  # also when the thread is interrupted
            if not answered:
                with self._lock:
                    caller.given_up = True
            if caller.sends_next:
                self._send()
        return _out_of_time(caller.sent) if caller.outcome is None else caller.outcome

    def _send(self) -> None:
        """Send what waits; when nothing does, the next call leaves at once."""
        while callers := self._take():
            method, message = _message([caller.request for caller in callers])
            ends = max(caller.ends for caller in callers)
            try:
                future = getattr(self._stub, method).future(
                    message, timeout=max(0.0, ends - time.monotonic())
                )
            except ValueError:  # grpc's, of a channel that is closed
                for caller in callers:
                    caller.answer(_closed())
                continue
            future.add_done_callback(lambda done, sent=callers: self._receive(sent, done))
            return

    def _take(self) -> list[_Caller]:
        """The next batch: those of the calls that wait which have not given up."""
        taken: list[_Caller] = []
        with self._lock:
            while self._waiting and len(taken) < BATCH_MAX:
                caller = self._waiting.popleft()
                if not caller.given_up:
                    caller.sent = True
                    taken.append(caller)
            self._busy = bool(taken)
        return taken

    def _receive(self, callers: Sequence[_Caller], future: Any) -> None:
        try:
            outcomes = _outcomes(future.result(), len(callers))
        except grpc.FutureCancelledError:
            outcomes = [_closed()] * len(callers)
        except grpc.RpcError as error:
            outcomes = [errors.from_rpc(error)] * len(callers)
        with self._lock:
            # The last that wakes up sends the next batch: by then the others are waiting again and
            # travel with it. Sent from here, it would hold the first few of them, over and over.
            last = next((caller for caller in reversed(callers) if not caller.given_up), None)
            if last is not None:
                last.sends_next = True
        for caller, outcome in zip(callers, outcomes, strict=True):
            caller.answer(outcome)
        if last is None:
            self._send()


class _Awaiter:
    """A call that waits in a task for its answer."""

    __slots__ = ("answer", "ends", "request", "sent")

    def __init__(
        self, request: pb.CheckAndConsumeRequest, ends: float, answer: asyncio.Future[Any]
    ) -> None:
        self.request = request
        self.ends = ends
        self.sent = False
        self.answer = answer

    def set(self, outcome: Any) -> None:
        """Wake the task up, unless it has given up."""
        if not self.answer.done():
            self.answer.set_result(outcome)


class AsyncCoalescer:
    """Sends what the tasks of one event loop ask."""

    def __init__(self, stub: Any) -> None:
        self._stub = stub
        self._waiting: deque[_Awaiter] = deque()
        self._under_way: list[_Awaiter] = []
        self._sender: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        """One for all calls, at or before the first of their deadlines: nearly every call is
        answered in time, and to set a timer for it would cost more than to send it."""

    @property
    def waiting(self) -> int:
        """How many calls wait to be sent."""
        return len(self._waiting)

    async def call(self, request: pb.CheckAndConsumeRequest, timeout_s: float) -> Any:
        """Return the response, or the QuotaError of this call alone."""
        loop = asyncio.get_running_loop()
        ends = loop.time() + timeout_s
        awaiter = _Awaiter(request, ends, loop.create_future())
        self._waiting.append(awaiter)
        if self._sender is None:
            # It starts in the loop's next turn, when all that this turn asks is waiting.
            self._sender = loop.create_task(self._send())
        timer = self._timer
        if timer is None or ends < timer.when():
            self._wake_at(ends)
        return await awaiter.answer

    def close(self) -> None:
        """End the calls that wait."""
        if self._sender is not None:
            self._sender.cancel()
        self._wake_at(None)

    def _wake_at(self, when: float | None) -> None:
        """Set the timer; None: to no time."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None
        if when is not None:
            self._timer = asyncio.get_running_loop().call_at(when, self._expire)

    def _expire(self) -> None:
        """Give up for the tasks whose time has run out, and wait for the next one."""
        now = asyncio.get_running_loop().time()
        first: float | None = None
        for awaiter in (*self._under_way, *self._waiting):
            if awaiter.answer.done():
                continue
            if awaiter.ends <= now:
                awaiter.set(_out_of_time(awaiter.sent))
            elif first is None or awaiter.ends < first:
                first = awaiter.ends
        self._wake_at(first)

    async def _send(self) -> None:
        """Send what waits until nothing does."""
        now = asyncio.get_running_loop().time
        try:
            while batch := self._take():
                self._under_way = batch
                ends = max(awaiter.ends for awaiter in batch)
                requests = [awaiter.request for awaiter in batch]
                outcomes = await self._ask(requests, max(0.0, ends - now()))
                for awaiter, outcome in zip(batch, outcomes, strict=True):
                    awaiter.set(outcome)
                # What was answered may ask again: a turn of the loop, so that it travels with
                # those that wait. Else few and many would take turns for ever.
                await asyncio.sleep(0)
        finally:
            self._sender = None
            for awaiter in (*self._under_way, *self._waiting):  # of a client that is closed
                awaiter.set(_closed())
            self._under_way = []
            self._waiting.clear()

    async def _ask(
        self, requests: list[pb.CheckAndConsumeRequest], timeout_s: float
    ) -> Sequence[Any]:
        try:
            method, message = _message(requests)
            answer = await getattr(self._stub, method)(message, timeout=timeout_s)
        except grpc.RpcError as error:
            return [errors.from_rpc(error)] * len(requests)
        return _outcomes(answer, len(requests))

    def _take(self) -> list[_Awaiter]:
        """The next batch: those of the calls that wait which have not given up."""
        taken: list[_Awaiter] = []
        while self._waiting and len(taken) < BATCH_MAX:
            awaiter = self._waiting.popleft()
            if not awaiter.answer.done():
                awaiter.sent = True
                taken.append(awaiter)
        return taken


def _message(requests: list[pb.CheckAndConsumeRequest]) -> tuple[str, Any]:
    """The method and the message that some requests travel by."""
    if len(requests) == 1:
        return "CheckAndConsume", requests[0]
    return "BatchCheckAndConsume", pb.BatchCheckAndConsumeRequest(requests=requests)


def _outcomes(answer: Any, size: int) -> list[Any]:
    """By request, its response or the QuotaError of it alone."""
    if isinstance(answer, pb.CheckAndConsumeResponse):
        return [answer]
    if len(answer.results) != size:
        message = f"{len(answer.results)} results for {size} requests"
        return [QuotaServerError(message, code="INTERNAL")] * size
    return [
        errors.from_number(result.error.code, result.error.message, result.error.reason)
        if result.HasField("error")
        else result.response
        for result in answer.results
    ]


def _out_of_time(sent: bool) -> QuotaError:
    problem = "the timeout ran out"
    if not sent:
        problem += " before the call was sent; nothing is taken"
    return errors.from_code("DEADLINE_EXCEEDED", problem)


def _closed() -> QuotaError:
    return errors.from_code("CANCELLED", "the client was closed")
