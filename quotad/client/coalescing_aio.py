"""Coalescing for tasks: a task per lane sends what waits."""

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Any

import grpc
import msgspec

from quotad.client import errors
from quotad.client.coalescing import LANES, closed, lane_of, message_of, out_of_time, outcomes_of
from quotad.decision import BATCH_MAX
from quotad.v1 import quota_pb2 as pb


class _Awaiter(msgspec.Struct, frozen=True):
    """A call that waits in a task for its answer."""

    request: pb.CheckAndConsumeRequest
    ends: float
    answer: asyncio.Future[Any]


class AsyncCoalescer:
    """Sends what the tasks of one event loop ask."""

    def __init__(self, stub: Any) -> None:
        self._lanes = [_Lane(stub) for _ in range(LANES)]
        self._timer: asyncio.TimerHandle | None = None
        """One for all calls, at or before the first of their deadlines: nearly every call is
        answered in time, and to set a timer for it would cost more than to send it."""

    @property
    def waiting(self) -> int:
        """How many calls wait to be sent."""
        return sum(len(lane.waiting) for lane in self._lanes)

    def call(self, request: pb.CheckAndConsumeRequest, timeout_s: float) -> asyncio.Future[Any]:
        """Return what becomes the response, or the QuotaError of this call alone."""
        loop = asyncio.get_running_loop()
        ends = loop.time() + timeout_s
        answer = loop.create_future()
        self._lanes[lane_of(request)].add(_Awaiter(request, ends, answer), loop)
        timer = self._timer
        if timer is None or ends < timer.when():
            self._wake_at(ends)
        return answer

    def close(self) -> None:
        """End the calls that wait."""
        for lane in self._lanes:
            lane.close()
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
        firsts = [first for lane in self._lanes if (first := lane.expire(now)) is not None]
        self._wake_at(min(firsts, default=None))


class _Lane:
    """Calls in order, of which one message at a time is under way."""

    def __init__(self, stub: Any) -> None:
        self._stub = stub
        self.waiting: deque[_Awaiter] = deque()
        self._under_way: list[_Awaiter] = []
        self._sender: asyncio.Task[None] | None = None

    def add(self, awaiter: _Awaiter, loop: asyncio.AbstractEventLoop) -> None:
        """Have a call sent."""
        self.waiting.append(awaiter)
        if self._sender is None:
            # It starts in the loop's next turn, when all that this turn asks is waiting.
            self._sender = loop.create_task(self._send())

    def close(self) -> None:
        """End the calls that wait."""
        if self._sender is not None:
            self._sender.cancel()

    def expire(self, now: float) -> float | None:
        """Give up for the tasks whose time has run out; returns when that of the next one does."""
        first: float | None = None
        for awaiters, sent in ((self._under_way, True), (self.waiting, False)):
            for awaiter in awaiters:
                if awaiter.answer.done():
                    continue
                if awaiter.ends <= now:
                    awaiter.answer.set_result(out_of_time(sent))
                elif first is None or awaiter.ends < first:
                    first = awaiter.ends
        return first

    async def _send(self) -> None:
        """Send what waits until nothing does."""
        now = asyncio.get_running_loop().time
        try:
            while batch := self._take():
                self._under_way = batch
                ends = max(awaiter.ends for awaiter in batch)
                requests = [awaiter.request for awaiter in batch]
                outcomes = await self._ask(requests, max(0.0, ends - now()))
                _answer(batch, outcomes)
                # What was answered may ask again: a turn of the loop, so that it travels with
                # those that wait. Else few and many would take turns for ever.
                await asyncio.sleep(0)
        finally:
            self._sender = None
            left = [*self._under_way, *self.waiting]
            _answer(left, [closed()] * len(left))  # of a client that is closed
            self._under_way = []
            self.waiting.clear()

    async def _ask(
        self, requests: list[pb.CheckAndConsumeRequest], timeout_s: float
    ) -> Sequence[Any]:
        try:
            method, message = message_of(requests)
            answer = await getattr(self._stub, method)(message, timeout=timeout_s)
        except grpc.RpcError as error:
            return [errors.from_rpc(error)] * len(requests)
        return outcomes_of(answer, len(requests))

    def _take(self) -> list[_Awaiter]:
        """The next batch: those of the calls that wait which have not given up."""
        taken: list[_Awaiter] = []
        while self.waiting and len(taken) < BATCH_MAX:
            awaiter = self.waiting.popleft()
            if not awaiter.answer.done():
                taken.append(awaiter)
        return taken


def _answer(awaiters: Sequence[_Awaiter], outcomes: Sequence[Any]) -> None:
    """Wake the tasks up that have not given up."""
    for awaiter, outcome in zip(awaiters, outcomes, strict=True):
        answer = awaiter.answer
        if not answer.done():
            answer.set_result(outcome)
