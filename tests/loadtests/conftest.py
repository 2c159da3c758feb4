"""A peer that speaks raw frames, and connections of the generator to it."""

import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from loadtests.bench import frames
from loadtests.bench.connection import Connection, Tally
from loadtests.bench.traffic import Source, Traffic


class Peer:
    """The server's side of one connection, without any logic."""

    def __init__(self, connection: Connection, tally: Tally, sock: socket.socket) -> None:
        self.connection = connection
        self.tally = tally
        self.socket = sock

    def sent(self) -> list[tuple[int, int, int, bytes]]:
        """Frames that came since the last time: kind, flags, stream id, payload."""
        found = []
        data = self.socket.recv(1 << 20)
        while data:
            head, flags, stream_id = frames.head_struct.unpack_from(data)
            end = frames.HEADER_BYTES + (head >> 8)
            found.append((head & 255, flags, stream_id, data[frames.HEADER_BYTES : end]))
            data = data[end:]
        return found


OpenPeer = Callable[..., Peer]


@pytest.fixture
def open_peer() -> Iterator[OpenPeer]:
    """Opens a connection with a peer that has sent the given settings."""
    opened: list[socket.socket] = []

    def open_it(settings: dict[int, int], traffic: Traffic | None = None) -> Peer:
        listener = socket.create_server(("127.0.0.1", 0))
        taken: list[socket.socket] = []

        def accept() -> None:
            sock, _ = listener.accept()
            taken.append(sock)
            sock.sendall(frames.settings(settings))

        thread = threading.Thread(target=accept)
        thread.start()
        address = listener.getsockname()
        opened.append(listener)
        tally = Tally()
        source = Source(traffic or Traffic(customers=4), frames.header_blocks("/a/b", "c:1"), 1)
        try:
            connection = Connection(address, source, 32, tally, source_is_batch(traffic))
        finally:
            thread.join(5)
            opened.extend(taken)
        opened.append(connection.socket)
        taken[0].settimeout(5)
        return Peer(connection, tally, taken[0])

    yield open_it
    for sock in opened:
        sock.close()


def source_is_batch(traffic: Traffic | None) -> bool:
    return traffic is not None and traffic.batch > 0
