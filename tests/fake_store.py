"""A store that answers badly: a socket that reads commands and lets a test answer each."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from hiredis import Reader

CERTIFICATE = Path(__file__).parent / "fixtures" / "tls" / "localhost.pem"
"""Self-signed for localhost, with its key; for tests only."""

Answer = Callable[[Any, list[bytes]], None]
"""From the connection and a command to an answer, or to none."""


class FakeStore:
    """Listens on a free port; commands that open a connection are answered with OK."""

    def __init__(self, answer: Answer, tls: bool = False) -> None:
        self.ended = threading.Event()
        """Set at the end of the test."""
        self._answer = answer
        self._context = None
        if tls:
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._context.load_cert_chain(CERTIFICATE)
        self._listening = socket.create_server(("127.0.0.1", 0))
        scheme, query = ("rediss", f"?ssl_ca_certs={CERTIFICATE}") if tls else ("redis", "")
        self.url = f"{scheme}://localhost:{self._listening.getsockname()[1]}/0{query}"
        self._open: list[Any] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                accepted, _ = self._listening.accept()
                self._open.append(accepted)
                self._threads.append(threading.Thread(target=self._serve, args=(accepted,)))
                self._threads[-1].start()

    def _serve(self, accepted: Any) -> None:
        # A connection that is closed in the middle is what some tests are about.
        with suppress(OSError):
            if self._context is not None:
                accepted = self._context.wrap_socket(accepted, server_side=True)
                self._open.append(accepted)
            reader = Reader()
            while data := accepted.recv(65536):
                reader.feed(data)
                while command := reader.gets():
                    if command[0] == b"CLIENT":
                        accepted.sendall(b"+OK\r\n")
                    else:
                        self._answer(accepted, command)

    def drip(self, connection: Any, start: bytes) -> None:
        """Answer a byte every few milliseconds, without end."""
        connection.sendall(start)
        while not self.ended.wait(0.005):
            connection.sendall(b"x")

    def close(self) -> None:
        """Close every connection."""
        self.ended.set()
        self._end(self._listening)
        self._threads[0].join()  # it may just have accepted one more
        for each in self._open:
            self._end(each)
        for thread in self._threads:
            thread.join()

    @staticmethod
    def _end(each: Any) -> None:
        with suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
        each.close()


@contextmanager
def fake_store(answer: Callable[[FakeStore, Any, list[bytes]], None], **more: Any) -> Iterator[Any]:
    """A store that answers every command by `answer`, closed at the end."""
    made: FakeStore
    made = FakeStore(lambda connection, command: answer(made, connection, command), **more)
    try:
        yield made
    finally:
        made.close()
