"""A small HTTP server in a thread, for pages that are made when they are asked for.

Its bounds are fixed: whoever can reach it takes little of the process that it is in.
"""

import asyncio
import logging
import threading
from collections.abc import Callable, Mapping
from http import HTTPStatus

import msgspec

_log = logging.getLogger("quotad.ops")

CONNECTIONS_MAX = 64
"""Further ones are closed at once."""
HEAD_BYTES_MAX = 8192
"""Largest request line and headers."""
REQUEST_S = 5.0
"""Longest time for a request to arrive whole, and for its answer to be read."""
START_S = 20.0


class Page(msgspec.Struct, frozen=True):
    """An answer."""

    text: str
    status: HTTPStatus = HTTPStatus.OK
    content_type: str = "text/plain; charset=utf-8"


Pages = Mapping[str, Callable[[], Page]]
"""What makes the answer, by path."""


class OpsListener:
    """Answers GET and HEAD, one request per connection.

    Args:
        pages: what it answers with; called in its thread.
        host: where it listens.
        port: 0: any that is free.
    """

    def __init__(self, pages: Pages, host: str, port: int) -> None:
        self._pages = pages
        self._host, self._port = host, port
        self._open = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="quotad-ops", daemon=True)
        self._started = threading.Event()
        self._end = asyncio.Event()
        self._error: OSError | None = None

    @property
    def address(self) -> str:
        """Where it listens, with the port it really got."""
        name = f"[{self._host}]" if ":" in self._host else self._host
        return f"{name}:{self._port}"

    def start(self) -> None:
        """Answer requests from here on.

        Raises:
            OSError: it cannot bind.
        """
        self._thread.start()
        self._started.wait(START_S)
        if self._error is not None:
            self._thread.join()
            raise self._error

    def close(self) -> None:
        """Close the port; once it was started."""
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        try:
            server = await asyncio.start_server(
                self._answer, self._host, self._port, limit=HEAD_BYTES_MAX
            )
        except OSError as error:
            self._error = error
            self._started.set()
            return
        self._port = server.sockets[0].getsockname()[1]
        self._started.set()
        async with server:
            await self._end.wait()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open += 1
        try:
            if self._open <= CONNECTIONS_MAX:
                async with asyncio.timeout(REQUEST_S):
                    await self._answer_one(reader, writer)
        except (TimeoutError, ConnectionError, asyncio.IncompleteReadError):
            pass  # the other end has given up, or is not a client of HTTP
        finally:
            self._open -= 1
            writer.transport.abort() if writer.transport.get_write_buffer_size() else writer.close()

    async def _answer_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.LimitOverrunError:
            page, body = Page("too large\n", HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE), True
        else:
            method, _, rest = head.partition(b"\r\n")[0].decode("latin-1").partition(" ")
            page, body = self._page(method, rest.partition(" ")[0]), method != "HEAD"
        data = page.text.encode()
        writer.write(
            f"HTTP/1.1 {page.status.value} {page.status.phrase}\r\n"
            f"content-type: {page.content_type}\r\n"
            f"content-length: {len(data)}\r\n"
            "cache-control: no-store\r\n"
            "connection: close\r\n\r\n".encode()
        )
        if body:
            writer.write(data)
        await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()
            while await reader.read(HEAD_BYTES_MAX):  # until the other end closes: what is left
                pass  # unread would reset the connection, and with it the answer

    def _page(self, method: str, target: str) -> Page:
        if method not in ("GET", "HEAD"):
            return Page("only GET and HEAD are answered here\n", HTTPStatus.METHOD_NOT_ALLOWED)
        make = self._pages.get(target.partition("?")[0])
        if make is None:
            known = " ".join(self._pages)
            return Page(f"there is no such page; there are {known}\n", HTTPStatus.NOT_FOUND)
        try:
            return make()
        except Exception:  # noqa: BLE001 (a page that fails ends no server)
            _log.exception("a page could not be made")
            return Page("internal error; the log has it\n", HTTPStatus.INTERNAL_SERVER_ERROR)
