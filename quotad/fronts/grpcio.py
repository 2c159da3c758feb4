"""The grpcio front: the grpcio server with the hot methods added.

Their calls wait in a queue until a decision thread takes them all.
"""

import asyncio
import itertools
import queue
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

import grpc
import grpc.aio

from quotad.errors import QuotadError
from quotad.fronts.grpcio_server import GrpcioServer, with_port
from quotad.fronts.interface import STOPPING, Answer, Call, Details, FrontSettings
from quotad.fronts.origin import peer_of
from quotad.fronts.status import abort


class GrpcioFront(GrpcioServer):
    """The front for platforms without a wheel of the native one."""

    def __init__(self, settings: FrontSettings) -> None:
        super().__init__(
            settings.target,
            settings.services,
            settings.add_services,
            settings.reuse_port,
            settings.streams_max,
            settings.connections_max,
        )
        self._methods = settings.methods
        self._details = settings.details
        self._message_bytes_max = settings.bounds.max_message_bytes
        self._queue: queue.SimpleQueue[Call | None] = queue.SimpleQueue()
        self._waiting: dict[int, asyncio.Future[bytes]] = {}
        self._answers: deque[Answer] = deque()
        self._flushing = False
        self._draining = False
        self._call_ids = itertools.count(1)

    @property
    def address(self) -> str:
        """Where it listens."""
        return with_port(self._target, self.port)

    def recv_batch(self, calls_max: int) -> list[Call] | None:
        """As `Front.recv_batch`."""
        calls: list[Call] = []
        call = self._queue.get()
        while True:
            if call is None:
                self._queue.put(None)  # for the other threads
                return calls or None
            if call.call_id in self._waiting:
                calls.append(call)
            if len(calls) == calls_max:
                return calls
            try:
                call = self._queue.get_nowait()
            except queue.Empty:
                return calls

    def answer(self, answers: Sequence[Answer]) -> None:
        """As `Front.answer`."""
        self._answers.extend(answers)
        if not self._flushing:  # one wake-up of the loop for all that there are
            self._flushing = True
            with suppress(RuntimeError):  # too late: the loop has ended, and with it the call
                self._loop.call_soon_threadsafe(self._flush)

    def drain(self) -> None:
        """As `Front.drain`."""
        self.set_ready(False)
        self._run(self._drain())

    def counters(self) -> dict[str, int]:
        """As `Front.counters`."""
        return {}

    def stop(self) -> None:
        """As `Front.stop`."""
        self._run(self._end_waiting())
        super().stop()

    async def _drain(self) -> None:
        # In the loop, as the handlers: every call is either before the end of the queue or refused.
        self._draining = True
        self._queue.put(None)

    async def _end_waiting(self) -> None:
        self._flush()
        self._answers.extend((call_id, STOPPING) for call_id in self._waiting)
        self._flush()

    def _flush(self) -> None:
        self._flushing = False
        while self._answers:
            call_id, answer = self._answers.popleft()
            future = self._waiting.get(call_id)
            if future is None or future.done():
                continue
            if isinstance(answer, QuotadError):
                future.set_exception(answer)
            else:
                future.set_result(answer)

    def _add_hot(self, server: grpc.aio.Server) -> None:
        by_service: dict[str, dict[str, Any]] = {}
        for index, path in enumerate(self._methods):
            _, service, method = path.split("/")
            handler = grpc.unary_unary_rpc_method_handler(self._handler(index))
            by_service.setdefault(service, {})[method] = handler
        for service, handlers in by_service.items():
            generic = grpc.method_handlers_generic_handler(service, handlers)
            server.add_generic_rpc_handlers((generic,))

    def _handler(self, index: int) -> Callable[[bytes, Any], Any]:
        describe = partial(_described, self._details) if self._details else _nothing

        async def handle(payload: bytes, context: Any) -> bytes:
            if self._draining:
                await abort(context, STOPPING)
            if len(payload) > self._message_bytes_max:
                problem = (
                    f"request of {len(payload)} bytes is larger than {self._message_bytes_max}"
                )
                await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, problem)
            call_id = next(self._call_ids)
            future: asyncio.Future[bytes] = self._loop.create_future()
            self._waiting[call_id] = future
            self._queue.put(Call(call_id, index, payload, *describe(context)))
            try:
                return await future
            except QuotadError as error:
                await abort(context, error)
                raise  # abort has raised already
            finally:
                del self._waiting[call_id]

        return handle


def _nothing(_: Any) -> tuple[Any, ...]:
    return ()


def _described(asked: Details, context: Any) -> tuple[Any, ...]:
    """Peer, deadline and metadata of a call."""
    left_s = context.time_remaining() if asked.deadline else None
    metadata = context.invocation_metadata() if asked.metadata else ()
    return (
        peer_of(context.peer()) if asked.origin else None,
        None if left_s is None else time.monotonic() + left_s,
        tuple(
            (key, value) for wanted in asked.metadata for key, value in metadata if key == wanted
        ),
    )
