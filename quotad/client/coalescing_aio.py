"""Coalescing for tasks: a task per lane sends what waits."""

import asyncio
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any

import grpc
import msgspec

from quotad.client import errors
from quotad.client.coalescing import CallQueue, Lane, closed, message_of, out_of_time, outcomes_of


class _Awaiter(msgspec.Struct, frozen=True):
    """A call that waits in a task for its answer."""

    payload: bytes
    customer_id: str
    ends: float
    answer: asyncio.Future[Any]

    def has_given_up(self) -> bool:
        return self.answer.done()


class _Lane(Lane):
    """A lane, and the task that sends by it."""

    __slots__ = ("sender", "under_way")

    def __init__(self) -> None:
        super().__init__()
        self.under_way: list[_Awaiter] = []
        self.sender: asyncio.Task[None] | None = None


class AsyncCoalescer:
    """Sends what the tasks of one event loop ask.

    Args:
        stub: a `BytesStub`.
    """

    def __init__(self, stub: Any) -> None:
        self._stub = stub
        self._queue: CallQueue[_Awaiter, _Lane] = CallQueue(_Lane(), _Lane())
        self._timer: asyncio.TimerHandle | None = None
        """One for all calls, at or before the first of their deadlines: nearly every call is
        answered in time, and to set a timer for it would cost more than to send it."""

    @property
    def waiting(self) -> int:
        """How many calls wait to be sent."""
        return len(self._queue.waiting)

    def call(self, payload: bytes, customer_id: str, timeout_s: float) -> asyncio.Future[Any]:
        """Return what becomes the response, or the QuotaError of this call alone."""
        loop = asyncio.get_running_loop()
        ends = loop.time() + timeout_s
        answer = loop.create_future()
        queue = self._queue
        queue.waiting.append(_Awaiter(payload, customer_id, ends, answer))
        lane = queue.claim(customer_id)
        if lane is not None:
            # It starts in the loop's next turn, when all that this turn asks is waiting.
            lane.sender = loop.create_task(self._send(lane))
        timer = self._timer
        if timer is None or ends < timer.when():
            self._wake_at(ends)
        return answer

    def close(self) -> None:
        """End the calls that wait."""
        for lane in self._queue.lanes:
            if lane.sender is not None:
                lane.sender.cancel()
        _give_up(self._queue.waiting)  # a task that has not begun does nothing any more
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
        queue = self._queue
        firsts = [_expire(queue.waiting, now, sent=False)]
        firsts += [_expire(lane.under_way, now, sent=True) for lane in queue.lanes]
        self._wake_at(min((first for first in firsts if first is not None), default=None))

    async def _send(self, lane: _Lane) -> None:
        """Send what waits by a lane until nothing does."""
        queue = self._queue
        loop = asyncio.get_running_loop()
        try:
            while batch := queue.take(lane):
                lane.under_way = batch
                self._send_rest(lane, loop)
                ends = max([awaiter.ends for awaiter in batch])
                outcomes = await self._ask(batch, max(0.0, ends - loop.time()))
                _answer(batch, outcomes)
                lane.customers.clear()
                self._send_rest(lane, loop)
                # What was answered may ask again: a turn of the loop, so that it travels with
                # those that wait. Else few and many would take turns for ever.
                await asyncio.sleep(0)
        except BaseException:  # of a client that is closed
            _give_up(lane.under_way)
            _give_up(queue.waiting)
            raise
        finally:
            lane.sender = None
            lane.under_way = []
            lane.free()

    def _send_rest(self, lane: _Lane, loop: asyncio.AbstractEventLoop) -> None:
        """Have the other lane send what this one has left."""
        other = self._queue.claim_for_rest(lane)
        if other is not None:
            other.sender = loop.create_task(self._send(other))

    async def _ask(self, batch: Sequence[_Awaiter], timeout_s: float) -> Sequence[Any]:
        try:
            method, message = message_of(batch)
            answer = await getattr(self._stub, method)(message, timeout=timeout_s)
        except grpc.RpcError as error:
            return [errors.from_rpc(error)] * len(batch)
        return outcomes_of(answer, len(batch))


def _answer(awaiters: Iterable[_Awaiter], outcomes: Iterable[Any]) -> None:
    """Wake the tasks up that have not given up."""
    for awaiter, outcome in zip(awaiters, outcomes, strict=True):
        answer = awaiter.answer
        if not answer.done():
            answer.set_result(outcome)


def _give_up(awaiters: list[_Awaiter] | deque[_Awaiter]) -> None:
    """End the calls of a client that is closed."""
    _answer(awaiters, [closed()] * len(awaiters))
    awaiters.clear()


def _expire(awaiters: Iterable[_Awaiter], now: float, sent: bool) -> float | None:
    """Give up for the tasks whose time has run out; returns when that of the next one does."""
    first: float | None = None
    for awaiter in awaiters:
        if awaiter.answer.done():
            continue
        if awaiter.ends <= now:
            awaiter.answer.set_result(out_of_time(sent))
        elif first is None or awaiter.ends < first:
            first = awaiter.ends
    return first
