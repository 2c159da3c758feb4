"""The line between a worker and its parent: signs of life, readiness, and why it cannot start.

One byte per sign. Silence means that the process is stopped, or that one of its threads is stuck.
The parent sends one byte only, when the worker may start.
"""

import socket
from contextlib import suppress

EXIT_WRONG_SETTING = 2
"""Exit code of a worker whose settings can never work; the reason comes through the pulse."""

GO = b"g"
ALIVE, READY, STOPPING, REFUSED = b"a", b"r", b"s", b"!"
_CHUNK = 65_536


class Pulse:
    """The worker's end; never blocks, and is silent when the parent is gone.

    Args:
        descriptor: of the socket to the parent.
    """

    def __init__(self, descriptor: int) -> None:
        self._line = socket.socket(fileno=descriptor)

    def wait_for_go(self) -> None:
        """Wait until the parent lets it start; the parent's end is signalled otherwise."""
        self._line.recv(1)
        self._line.setblocking(False)

    def beat(self, ready: bool) -> None:
        """Report progress."""
        self._write(READY if ready else ALIVE)

    def stopping(self) -> None:
        """Announce the end; no progress is due from here on."""
        self._write(STOPPING)

    def refuse(self, message: str) -> None:
        """Report why the settings can never work; the last thing that is written."""
        self._write(REFUSED + message.encode())

    def _write(self, data: bytes) -> None:
        with suppress(BlockingIOError, ConnectionError):
            self._line.send(data)


class PulseListener:
    """The parent's end."""

    def __init__(self) -> None:
        self._line, self.child_end = socket.socketpair()
        self._line.setblocking(False)
        self.ready = False
        self.stopping = False
        self.refusal = ""

    def go(self) -> None:
        """Let the worker start."""
        with suppress(ConnectionError):
            self._line.send(GO)

    def heard(self) -> bool:
        """Read what has come; returns whether anything has."""
        data = b""
        with suppress(BlockingIOError, ConnectionError):
            data = self._line.recv(_CHUNK)
        beats, refused, message = data.partition(REFUSED)
        if refused:
            self.refusal = message.decode(errors="replace")
        if beats:
            self.ready = beats[-1:] == READY
            self.stopping = self.stopping or STOPPING in beats
        return bool(data)

    def close(self) -> None:
        """Close this end."""
        self._line.close()
