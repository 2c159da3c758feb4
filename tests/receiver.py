"""A receiver of webhooks on 127.0.0.1, which keeps what arrives and answers as it is asked to."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

LOOPBACK = ("127.0.0.0/8",)


class Arrived(NamedTuple):
    """One request."""

    path: str
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes


Answer = Callable[[Arrived], tuple[int, dict[str, str]]]


def taken(_: Arrived) -> tuple[int, dict[str, str]]:
    return 204, {}


class Receiver(ThreadingHTTPServer):
    """Answers each request by `answer`, which a test may replace."""

    daemon_threads = True

    def __init__(self) -> None:
        self.arrived: list[Arrived] = []
        self.answer: Answer = taken
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        size = int(self.headers.get("content-length", 0))
        body = self.rfile.read(size)
        if len(body) < size:
            return  # the sender was killed
        headers = {name.lower(): value for name, value in self.headers.items()}
        arrived = Arrived(self.path, headers, body)
        self.server.arrived.append(arrived)
        status, sent = self.server.answer(arrived)
        self.send_response(status)
        for name, value in {"content-length": "0", **sent}.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def receiving() -> Iterator[Receiver]:
    """A receiver, until the end of the block."""
    with Receiver() as receiver:
        thread = threading.Thread(target=receiver.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield receiver
        finally:
            receiver.shutdown()
            thread.join()
