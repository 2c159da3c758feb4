"""A front by itself: no store behind it, and what is decided is in the test's hands."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import grpc
import msgspec
from grpc_health.v1 import health_pb2, health_pb2_grpc

from quotad.errors import QuotadError
from quotad.fronts.grpcio_server import add_stream
from quotad.fronts.interface import Answer, Call, Front, FrontSettings
from quotad.fronts.kinds import make
from quotad.fronts.origin import origin
from tests.running import CALL_S

SERVICE = "quotad.test.Hot"
METHODS = (f"/{SERVICE}/First", f"/{SERVICE}/Second")
STREAM_S = 60.0
"""Deadline of a stream: only one that hangs meets it."""

BESIDE = "/quotad.test.Beside/Method"
"""Not hot."""
BESIDE_ORIGIN = "/quotad.test.Beside/Origin"
"""Answers where the call came from, and its authorization."""
BESIDE_STREAM = "/quotad.test.Beside/Stream"
"""The same as a stream of two answers."""

ENDLESS = "/quotad.test.Beside/Endless"
"""A stream of messages of the wanted size without end."""


class Endless:
    """Streams that the server behind has open, and messages that it has given."""

    def __init__(self) -> None:
        self.open = self.given = 0

    async def give(self, body: bytes, _: Any) -> AsyncIterator[bytes]:
        """Give messages for as long as they are wanted."""
        self.open += 1
        try:
            while True:
                yield bytes(int(body))
                self.given += 1
                await asyncio.sleep(0.001)
        finally:
            self.open -= 1


def echo(call: Call) -> bytes | QuotadError:
    """The method's index and the request."""
    return b"%d:%b" % (call.method, call.request)


def _origin(_: bytes, context: Any) -> bytes:
    found = origin(context)
    given = dict(context.invocation_metadata()).get("authorization")
    return msgspec.json.encode((found.peer, found.client_names, given))


def _add_services(server: Any) -> None:
    unary = grpc.unary_unary_rpc_method_handler
    handlers = {
        BESIDE: unary(lambda body, _: b"beside:" + body),
        BESIDE_ORIGIN: unary(_origin),
        BESIDE_STREAM: grpc.unary_stream_rpc_method_handler(
            lambda body, context: iter([_origin(body, context)] * 2)
        ),
    }
    for path, handler in handlers.items():
        service, method = path.strip("/").split("/")
        generic = grpc.method_handlers_generic_handler(service, {method: handler})
        server.add_generic_rpc_handlers((generic,))


SETTINGS = FrontSettings("127.0.0.1:0", (SERVICE,), _add_services, METHODS)


class Serving:
    """A front and a channel to it."""

    def __init__(self, kind: str, **settings: Any) -> None:
        self.endless = Endless()

        def add_services(server: Any) -> None:
            _add_services(server)
            add_stream(server, ENDLESS, self.endless.give)

        given = {"add_services": add_services, **settings}
        self.front: Front = make(kind, msgspec.structs.replace(SETTINGS, **given))
        self._drained = self._stopped = False
        self.front.start()
        options = [
            ("grpc.use_local_subchannel_pool", 1),
            ("grpc.max_receive_message_length", -1),
            ("grpc.max_send_message_length", -1),
            # grpc's own authority for a path, with %2F in it, is none to HTTP.
            ("grpc.default_authority", "localhost"),
        ]
        self.channel = grpc.insecure_channel(self.front.address, options)
        self._threads: list[threading.Thread] = []

    def call(self, body: bytes = b"x", path: str = METHODS[0], timeout_s: float = CALL_S) -> Any:
        """Begin a call."""
        return self.channel.unary_unary(path).future(body, timeout=timeout_s, wait_for_ready=True)

    def stream(self, size: int = 1) -> Any:
        """Begin a stream without end of messages of a size."""
        return self.channel.unary_stream(ENDLESS)(
            b"%d" % size, timeout=STREAM_S, wait_for_ready=True
        )

    def take(self, count: int) -> list[Call]:
        """Wait for so many calls and take them."""
        taken: list[Call] = []
        while len(taken) < count:
            calls = self.front.recv_batch(count - len(taken))
            assert calls is not None, "the front has stopped"
            taken += calls
        return taken

    def decide(self, answer: Callable[[Call], bytes | QuotadError] = echo, calls: int = 64) -> None:
        """Answer calls from here on, in a thread."""

        def run() -> None:
            while (taken := self.front.recv_batch(calls)) is not None:
                self.front.answer([(call.call_id, answer(call)) for call in taken])

        self._threads.append(threading.Thread(target=run))
        self._threads[-1].start()

    def health(self, service: str = "") -> str:
        """What grpc.health.v1 tells of a service."""
        stub: Any = health_pb2_grpc.HealthStub(self.channel)
        request = health_pb2.HealthCheckRequest(service=service)
        status = stub.Check(request, timeout=CALL_S, wait_for_ready=True).status
        name: str = health_pb2.HealthCheckResponse.ServingStatus.Name(status)
        return name

    def wait_for_deciders(self) -> None:
        """Wait until the threads that decide have ended."""
        for thread in self._threads:
            thread.join(CALL_S)
            assert not thread.is_alive(), "a thread still waits for calls"

    def drain(self) -> None:
        """Drain the front; once."""
        if not self._drained:
            self._drained = True
            self.front.drain()

    def stop(self) -> None:
        """Drain and stop the front; once."""
        if not self._stopped:
            self._stopped = True
            self.drain()
            self.wait_for_deciders()
            self.front.stop()


@contextmanager
def serving(kind: str, **settings: Any) -> Iterator[Serving]:
    """A front that has started, stopped at the end."""
    made = Serving(kind, **settings)
    try:
        yield made
    finally:
        made.stop()
        made.channel.close()


def same(answer: bytes | QuotadError, calls: Sequence[Call]) -> list[Answer]:
    """The same answer to all of them."""
    return [(call.call_id, answer) for call in calls]
