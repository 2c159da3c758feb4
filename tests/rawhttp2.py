"""HTTP/2 by hand, for what no gRPC client would send."""

import socket
import struct
import time
import zlib
from types import TracebackType
from typing import Self

from tests.running import CALL_S

DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8
END_STREAM = ACK = 0x1
END_HEADERS = 0x4
REFUSED_STREAM = 7
INITIAL_WINDOW_SIZE = 4
FRAME_MAX = 16_384
CHECK_AND_CONSUME = "/quotad.v1.QuotaService/CheckAndConsume"


def literal(name: str, value: str) -> bytes:
    """A header, never indexed; both parts are shorter than 127 bytes."""
    return b"\x00" + bytes([len(name)]) + name.encode() + bytes([len(value)]) + value.encode()


def headers(path: str = CHECK_AND_CONSUME, **more: str) -> bytes:
    """The header block of a call."""
    fields = {
        ":method": "POST",
        ":scheme": "http",
        ":path": path,
        ":authority": "localhost",
        "content-type": "application/grpc",
        "te": "trailers",
        **{name.replace("_", "-"): value for name, value in more.items()},
    }
    return b"".join(literal(name, value) for name, value in fields.items())


def gzip_bomb(megabytes: int) -> bytes:
    """A compressed message of so many megabytes of zeros, about a thousandth of that."""
    pack = zlib.compressobj(9, zlib.DEFLATED, 31)
    block = bytes(1 << 20)
    body = b"".join(pack.compress(block) for _ in range(megabytes)) + pack.flush()
    return struct.pack(">BI", 1, len(body)) + body


class Connection:
    """A connection that keeps to the peer's flow control, and to nothing else."""

    def __init__(self, address: str) -> None:
        host, _, port = address.rpartition(":")
        self._socket = socket.create_connection((host, int(port)), CALL_S)
        self.port: int = self._socket.getsockname()[1]
        """Of this side."""
        self._windows = {0: 65_535, 1: 65_535}
        self._initial = 65_535
        self._got = b""
        self.frames: list[tuple[int, int, bytes]] = []
        """Type, stream and payload of what came."""
        self.settings_kept = False
        """Whether the peer has acknowledged this side's settings, and so keeps to its own."""
        self.send_frames(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", self.frame(SETTINGS, 0, 0))

    @staticmethod
    def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
        head = struct.pack(">I", len(payload))[1:] + bytes([kind, flags])
        return head + struct.pack(">I", stream) + payload

    def send_frames(self, *frames: bytes) -> None:
        self._socket.sendall(b"".join(frames))

    def send_message(self, header_block: bytes, message: bytes) -> None:
        """Make one call on stream 1, as fast as the peer lets it."""
        self.send_frames(self.frame(HEADERS, END_HEADERS, 1, header_block))
        while message:
            size = min(FRAME_MAX, len(message), *self._windows.values())
            if size <= 0:
                assert self.read(), "the connection was closed"
                continue
            part, message = message[:size], message[size:]
            self.send_frames(self.frame(DATA, 0 if message else END_STREAM, 1, part))
            self._windows = {stream: left - size for stream, left in self._windows.items()}

    def read(self) -> bool:
        """Take what comes next; False: the connection is closed."""
        try:
            data = self._socket.recv(1 << 16)
        except ConnectionError:
            data = b""
        self._got += data
        while len(self._got) >= 9 and len(self._got) >= 9 + (size := int.from_bytes(self._got[:3])):
            kind, flags = self._got[3:5]
            stream, payload = int.from_bytes(self._got[5:9]), self._got[9 : 9 + size]
            self._got = self._got[9 + size :]
            self.frames.append((kind, stream, payload))
            if kind == WINDOW_UPDATE:
                self._windows[stream] = self._windows.get(stream, self._initial) + int.from_bytes(
                    payload
                )
            elif kind == SETTINGS and not flags & ACK:
                self._take_settings(payload)
            elif kind == SETTINGS:
                self.settings_kept = True
        return bool(data)

    def of(self, kind: int) -> dict[int, bytes]:
        """By stream, what has come in frames of a type."""
        found: dict[int, bytes] = {}
        for each, stream, payload in self.frames:
            if each == kind:
                found[stream] = found.get(stream, b"") + payload
        return found

    def wait_for(self, kind: int) -> bytes:
        """Read on until a frame of this type has come; gives its payload."""
        while not (found := [payload for each, _, payload in self.frames if each == kind]):
            assert self.read(), "the connection was closed"
        return found[0]

    def wait_for_close(self) -> None:
        """Read on until the connection is closed."""
        deadline = time.monotonic() + CALL_S
        while self.read():
            assert time.monotonic() < deadline

    def _take_settings(self, payload: bytes) -> None:
        for name, value in struct.iter_unpack(">HI", payload):
            if name == INITIAL_WINDOW_SIZE:
                self._windows[1] += value - self._initial
                self._initial = value
        # From here on the peer keeps to its own settings.
        self.send_frames(self.frame(SETTINGS, ACK, 0))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._socket.close()
