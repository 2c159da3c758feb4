"""The HTTP server in a thread of its own: connections, their bounds, and the drain."""

import asyncio
import logging
import socket
import ssl
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any, cast

import msgspec
import uvicorn
from starlette.types import ASGIApp, Scope
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

from quotad.http.direct import ORIGIN, PATH, DirectConsume
from quotad.http.operation import Headers

_log = logging.getLogger("quotad.http")

START_BEAT_S = 0.005
BEAT_S = 0.25
SWEEP_BEATS = 4
"""How often connections are looked at whose request is slow to arrive: each second."""

BACKLOG = 2048
START_S = 20.0
STOP_S = 1.0
"""How much longer than its drain the thread may take to end."""


class ListenerSettings(msgspec.Struct, frozen=True):
    """Bounds of connections."""

    host: str
    port: int
    reuse_port: bool = False
    connections_max: int = 10_000
    """Further ones are closed."""
    head_bytes_max: int = 16_384
    """Largest request line and headers."""
    request_timeout_s: float = 20.0
    """Longest time for a request to arrive whole."""
    upload_step_bytes: int = 0
    """A body may take as long again for each so many bytes of it; 0: all of it has that time."""
    idle_timeout_s: float = 60.0
    """How long a connection is kept without requests."""
    drain_timeout_s: float = 5.0
    tls: ssl.SSLContext | None = None
    """What connections are greeted with; None: in the clear."""


class HttpListener:
    """Serves an ASGI application; an edge of a server.

    Args:
        app: the application.
        settings: where it listens, and the bounds.
        on_ready: called with whether requests are answered with decisions.
        on_drained: called when no request is left that waits for an answer.
        direct: answers some requests in place of the application.

    Raises:
        OSError: it cannot bind.
    """

    def __init__(
        self,
        app: ASGIApp,
        settings: ListenerSettings,
        on_ready: Callable[[bool], None],
        on_drained: Callable[[], None],
        direct: DirectConsume | None = None,
    ) -> None:
        self._settings = settings
        self.set_ready = on_ready
        self._on_drained = on_drained
        self._socket = _bound(settings)
        self._port = self._socket.getsockname()[1]
        self._loop: asyncio.AbstractEventLoop | None = None
        self._started = threading.Event()
        self._beat = self._seen = 0
        tls = settings.tls
        self._server = uvicorn.Server(
            uvicorn.Config(
                app,
                http=_protocol(settings, direct),
                ws="none",
                lifespan="off",
                log_config=None,
                log_level="error",
                access_log=False,
                proxy_headers=False,
                server_header=False,
                timeout_graceful_shutdown=max(1, int(settings.drain_timeout_s)),
                backlog=BACKLOG,
                ssl_context_factory=None if tls is None else lambda *_: tls,
            )
        )
        self._thread = threading.Thread(target=self._run, name="quotad-http", daemon=True)

    @property
    def address(self) -> str:
        """Where it listens, with the port it really got."""
        host = self._settings.host
        name = f"[{host}]" if ":" in host else host
        return f"{name}:{self._port}"

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The event loop; once started."""
        assert self._loop is not None
        return self._loop

    def start(self) -> None:
        """Accept requests from here on."""
        self._thread.start()
        deadline = time.monotonic() + START_S
        while not self._started.wait(0.05):
            if not self._thread.is_alive() or time.monotonic() > deadline:
                raise RuntimeError("the HTTP server did not start; the log has why")

    def drain(self) -> None:
        """Take no further connections, end idle ones, and wait until requests under way are
        answered, for at most `drain_timeout_s`."""
        self._server.should_exit = True
        if self._thread.ident is not None:
            self._thread.join(self._settings.drain_timeout_s + STOP_S)
        self._on_drained()

    def stop(self) -> None:
        """Close what is left; after `drain`."""
        self._socket.close()

    def has_progressed(self) -> bool:
        """Whether the event loop has turned since the last look."""
        beat, before = self._beat, self._seen
        self._seen = beat
        return beat != before or not self._thread.is_alive()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=self._server.config.get_loop_factory()) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        sweep = asyncio.create_task(self._sweep())
        try:
            await self._server.serve(sockets=[self._socket])
        finally:
            sweep.cancel()

    async def _sweep(self) -> None:
        while True:
            if self._server.started:
                self._started.set()
            self._beat += 1
            await asyncio.sleep(BEAT_S if self._server.started else START_BEAT_S)
            if self._beat % SWEEP_BEATS == 0:
                now = self.loop.time()
                for connection in list(self._server.server_state.connections):
                    cast(Any, connection).end_if_older(now)


class _NoEvent:
    """What a request has that no task waits for."""

    def set(self) -> None:
        """Do nothing."""


_NO_EVENT = _NoEvent()


class _DirectRequest:
    """A request that is answered without the application; of uvicorn's cycle what its protocol
    looks at, which takes longer to make than all that the protocol does besides."""

    __slots__ = ("body", "disconnected", "keep_alive", "more_body", "response_complete", "scope")

    message_event = _NO_EVENT

    def __init__(self, scope: Scope, keep_alive: bool) -> None:
        self.scope = scope
        self.keep_alive = keep_alive
        self.body = bytearray()
        self.more_body = True
        self.disconnected = False
        self.response_complete = False


def _bound(settings: ListenerSettings) -> socket.socket:
    family, kind, protocol, _, address = socket.getaddrinfo(
        settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    made = socket.socket(family, kind, protocol)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if settings.reuse_port:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        made.bind(address)
        made.setblocking(False)
    except OSError:
        made.close()
        raise
    return made


def _protocol(settings: ListenerSettings, direct: DirectConsume | None) -> type[asyncio.Protocol]:
    """Return the protocol of a connection: it keeps the bounds, and answers some requests itself.

    uvicorn has no bounds of its own for the size of headers and the time that a request may take to
    arrive. They cost a request three readings of the clock here, and no timer.
    """

    class Bounded(HttpToolsProtocol):
        _unread = 0
        """Bytes since the last that were part of a body."""
        _since = 0.0
        """When the request began that has not arrived whole; 0: none is under way."""
        _arrived = 0
        """Bytes of a body since `_since` was set."""
        _idle_since = 0.0
        """When the last answer has left; 0: a request is under way."""
        _direct: _DirectRequest | None = None
        """The request that has not arrived whole, where it is not for the application."""

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self._since = self.loop.time()
            if len(self.connections) > settings.connections_max:
                transport.abort()

        def data_received(self, data: bytes) -> None:
            self._unread += len(data)
            super().data_received(data)
            if self._unread > settings.head_bytes_max and not self.transport.is_closing():
                self.send_400_response("The request's headers are too large.")

        def on_message_begin(self) -> None:
            self._since, self._arrived = self.loop.time(), 0
            self._idle_since = 0.0
            super().on_message_begin()

        def on_headers_complete(self) -> None:
            self._unread = 0
            if direct is None or self.url != PATH or not self._is_usual():
                super().on_headers_complete()
                return
            made = _DirectRequest(cast(Scope, self.scope), self.parser.should_keep_alive())
            self._direct = made
            self.cycle = cast(RequestResponseCycle, made)

        def _is_usual(self) -> bool:
            """Whether the request needs nothing of the application. One behind another does, and
            so does one whose client does not read answers: it is to wait in a task."""
            parser, cycle = self.parser, self.cycle
            return (
                (cycle is None or cycle.response_complete)
                and not self.expect_100_continue
                and not self.flow.write_paused
                and parser.get_method() == b"POST"
                and parser.get_http_version() == "1.1"
                and not parser.should_upgrade()
                and ORIGIN not in dict(self.headers)
            )

        def on_body(self, body: bytes) -> None:
            self._unread = 0
            if settings.upload_step_bytes:
                self._arrived += len(body)
                if self._arrived >= settings.upload_step_bytes:
                    self._arrived, self._since = 0, self.loop.time()
            super().on_body(body)
            if self._direct is not None and len(self._direct.body) > HIGH_WATER_LIMIT:
                held, self._direct = self._direct.body, None
                self.cycle = cast(RequestResponseCycle, None)
                super().on_headers_complete()  # for the application, which reads on
                self.cycle.body = held

        def on_message_complete(self) -> None:
            self._since = 0.0
            self._unread = 0
            super().on_message_complete()
            if self._direct is not None:
                cycle, self._direct = self._direct, None
                assert direct is not None
                direct.answer(cycle.scope, bytes(cycle.body), partial(self._send, cycle))

        def on_response_complete(self) -> None:
            if self.pipeline:
                super().on_response_complete()
                return
            # As uvicorn's, without its timer per answer: the sweep ends what is idle.
            self.server_state.total_requests += 1
            if not self.transport.is_closing():
                self.flow.resume_reading()
                self._idle_since = self.loop.time()

        def end_if_older(self, now: float) -> None:
            """End the connection where its request has been on its way for too long, or none is."""
            if self.transport.is_closing():
                return
            if 0.0 < self._since < now - settings.request_timeout_s:
                self.transport.abort()
            elif 0.0 < self._idle_since < now - settings.idle_timeout_s:
                self.transport.close()

        def _send(self, cycle: _DirectRequest, status: int, headers: Headers, body: bytes) -> None:
            if cycle.disconnected or self.transport.is_closing():
                return
            parts = [STATUS_LINE[status]]
            for name, value in (*self.server_state.default_headers, *headers):
                parts += (name, b": ", value, b"\r\n")
            if not cycle.keep_alive:
                parts.append(b"connection: close\r\n")
            parts.append(b"content-length: %d\r\n\r\n" % len(body))
            parts.append(body)
            self.transport.write(b"".join(parts))
            cycle.response_complete = True
            if not cycle.keep_alive:
                self.transport.close()
            self.on_response_complete()

    return Bounded
