"""A TCP proxy in front of a server: it sees what passes, and can hold it back or let no one in."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Self

from tests.running import CALL_S


class Proxy:
    """Passes connections on to an address, each with two threads; a context manager."""

    def __init__(self, address: str) -> None:
        self.lead_to(address)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self.connections = 0
        """Connections that clients have made so far."""
        self.closed_for_resets = 0
        """Connections that the server has closed because of too many resets."""
        self.sent = bytearray()
        """What clients have sent so far, held back or not."""
        self._lock = threading.Lock()
        self._held: dict[socket.socket, bytearray] = {}
        self._holds_requests = self._holds_answers = self._refuses = False
        self._sockets: list[socket.socket] = []
        self._forgotten: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._run(self._accept)

    def lead_to(self, address: str) -> None:
        """Pass new connections on to another address."""
        host, _, port = address.rpartition(":")
        self._to = (host, int(port))

    @contextmanager
    def holding(self, requests: bool = True, answers: bool = False) -> Iterator[None]:
        """Hold back what clients send, or what they are sent; it is passed on at the end."""
        with self._lock:
            self._holds_requests, self._holds_answers = requests, answers
        try:
            yield
        finally:
            with self._lock:
                self._holds_requests = self._holds_answers = False
                held, self._held = self._held, {}
                for target, data in held.items():
                    with suppress(OSError):
                        target.sendall(data)

    @contextmanager
    def refusing(self) -> Iterator[None]:
        """End the connections that there are, and every new one at once."""
        self._refuses = True
        self.cut()
        try:
            yield
        finally:
            self._refuses = False

    def _run(self, work: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=work, args=args)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self.connections += 1
                if self._refuses:
                    client.close()
                    continue
                server = socket.create_connection(self._to, CALL_S)
                server.settimeout(None)
                self._sockets += [client, server]
                self._run(self._pass_on, client, server, self._take_from_client)
                self._run(self._pass_on, server, client, self._take_from_server)

    def _take_from_client(self, server: socket.socket, data: bytes) -> None:
        with self._lock:
            self.sent += data
            self._send(server, data, self._holds_requests)

    def _take_from_server(self, client: socket.socket, data: bytes) -> None:
        if b"too_many_resets" in data:
            self.closed_for_resets += 1
        with self._lock:
            self._send(client, data, self._holds_answers)

    def _send(self, target: socket.socket, data: bytes, hold: bool) -> None:
        if target in self._forgotten:
            return
        if hold:
            self._held.setdefault(target, bytearray()).extend(data)
        else:
            target.sendall(data)

    def _pass_on(
        self,
        source: socket.socket,
        target: socket.socket,
        take: Callable[[socket.socket, bytes], None],
    ) -> None:
        with suppress(OSError):
            while data := source.recv(1 << 20):
                take(target, data)
        for each in (source, target):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def forget(self) -> None:
        """Pass nothing on any more over the connections that there are, and tell neither side."""
        with self._lock:
            self._forgotten.update(self._sockets)

    def cut(self) -> None:
        """End the connections that there are."""
        for each in self._sockets:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self.cut()
        for thread in self._threads:
            thread.join()
        for each in [self._listener, *self._sockets]:
            each.close()
