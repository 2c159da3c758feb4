"""One HTTP/2 connection of the generator: sends prepared calls, counts what comes back.

Reads frame headers and the first bytes of answers, nothing else. An answer is a DATA frame: a gRPC
error has none, it is HEADERS only.
"""

import socket
import time

from loadtests.bench import frames
from loadtests.bench.traffic import Source

RECV_BYTES = 1 << 18
RENEW_BYTES = 1 << 30
"""After so many received bytes the connection's window is opened again."""


class Tally:
    """What all connections of a generator saw."""

    def __init__(self) -> None:
        self.calls = 0
        """Sent."""
        self.ended = 0
        """Streams that ended, one way or another."""
        self.answers = 0
        """Calls that were answered with a message."""
        self.allowed = 0
        self.denied = 0
        self.failed = 0
        """Requests of a batch call that failed on their own."""
        self.latencies: list[float] = []
        """Seconds from the (intended) start of each call to its end."""
        self.lateness: list[float] = []
        """At a fixed rate: seconds that each call left later than intended."""


class Connection:
    """A connection and its streams.

    Args:
        address: where the server listens.
        source: what to send.
        streams_max: most calls in flight.
        tally: where everything is counted.
        batch: the answers are BatchCheckAndConsumeResponse.
    """

    def __init__(
        self,
        address: tuple[str, int],
        source: Source,
        streams_max: int,
        tally: Tally,
        batch: bool,
    ) -> None:
        self.socket = socket.create_connection(address, timeout=5)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.pending: dict[int, float] = {}
        """When each stream was (meant to be) started."""
        self.closed = False
        self.unsent = b""
        self._source = source
        self._streams_max = streams_max
        self._tally = tally
        self._batch = batch
        self._out: list[bytes] = []
        self._rest = b""
        self._partial: dict[int, bytes] = {}
        self._next_id = 1
        self._window = frames.WINDOW_DEFAULT
        self._received = 0
        self._settled = False
        self._leaving = False
        try:
            self._handshake()
        except BaseException:
            self.socket.close()
            raise

    def _handshake(self) -> None:
        ours = {
            frames.SETTINGS_ENABLE_PUSH: 0,
            frames.SETTINGS_INITIAL_WINDOW_SIZE: frames.WINDOW_MAX,
        }
        opened = frames.window_update(0, frames.WINDOW_MAX - frames.WINDOW_DEFAULT)
        self.socket.sendall(frames.PREFACE + frames.settings(ours) + opened)
        while not self._settled:  # the peer's limits hold from the first call on
            data = self.socket.recv(RECV_BYTES)
            if not data:
                raise ConnectionError("the server closed the connection at once")
            self.feed(data)
        self.socket.setblocking(False)
        self.flush()

    def free(self) -> int:
        """How many calls may be started now."""
        if self.closed or self._leaving or self.unsent:
            return 0
        room = self._window // self._source.bytes_max
        return min(self._streams_max - len(self.pending), room)

    def start(self, count: int, at: float) -> None:
        """Put calls into the send buffer; `free` says how many it may be.

        Args:
            count: number of calls.
            at: from when on their latency counts.
        """
        out, pending, source = self._out, self.pending, self._source
        stream_id = self._next_id
        for _ in range(count):
            segments = next(source.calls)
            if stream_id == 1:
                segments = source.as_first(segments)
            self._window -= len(segments[-1]) if len(segments) == 3 else source.bytes_max
            out.append(stream_id.to_bytes(4, "big").join(segments))
            pending[stream_id] = at
            stream_id += 2
        self._next_id = stream_id
        self._tally.calls += count

    def flush(self) -> None:
        """Send what is in the buffer, as far as the socket takes it."""
        data = self.unsent + b"".join(self._out)
        self._out.clear()
        if not data:
            return
        try:
            sent = self.socket.send(data)
        except BlockingIOError:
            sent = 0
        except OSError:
            self.closed = True
            return
        self.unsent = data[sent:]

    def receive(self) -> None:
        """Read what has come and count it."""
        try:
            data = self.socket.recv(RECV_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data:
            self.feed(data)
        else:
            self.closed = True

    def feed(self, data: bytes) -> None:
        """Take bytes from the server."""
        buffer = self._rest + data if self._rest else data
        at, size = 0, len(buffer)
        now = time.perf_counter()
        pending, latencies = self.pending, self._tally.latencies
        unpack = frames.head_struct.unpack_from
        while at + frames.HEADER_BYTES <= size:
            head, flags, stream_id = unpack(buffer, at)
            begin = at + frames.HEADER_BYTES
            end = begin + (head >> 8)
            if end > size:
                break
            kind = head & 255
            if kind == frames.DATA:
                self._data(buffer, begin, end, flags, stream_id)
            elif kind != frames.HEADERS:
                self._control(kind, flags, stream_id, buffer[begin:end])
            if kind == frames.RST_STREAM or (kind <= frames.HEADERS and flags & frames.END_STREAM):
                started = pending.pop(stream_id, None)
                if started is not None:
                    latencies.append(now - started)
                    self._tally.ended += 1
            at = end
        self._rest = buffer[at:]

    def _data(self, buffer: bytes, begin: int, end: int, flags: int, stream_id: int) -> None:
        self._received += end - begin
        if self._received > RENEW_BYTES:
            self._out.append(frames.window_update(0, self._received))
            self._received = 0
        if flags & frames.PADDED:
            end -= buffer[begin]
            begin += 1
        if stream_id in self._partial or end - begin < 5:
            buffer = self._partial.pop(stream_id, b"") + buffer[begin:end]
            begin, end = 0, len(buffer)
        if not end - begin:
            return
        if end - begin < 5 or int.from_bytes(buffer[begin + 1 : begin + 5], "big") != (
            end - begin - 5
        ):
            self._partial[stream_id] = buffer[begin:end]
            return
        tally = self._tally
        tally.answers += 1
        if self._batch:
            allowed, denied, failed = read_batch(buffer[begin + 5 : end])
            tally.allowed += allowed
            tally.denied += denied
            tally.failed += failed
        elif is_allowed(buffer, begin + 5, end):
            tally.allowed += 1
        else:
            tally.denied += 1

    def _control(self, kind: int, flags: int, stream_id: int, payload: bytes) -> None:
        if kind == frames.WINDOW_UPDATE and stream_id == 0:
            self._window += int.from_bytes(payload, "big") & frames.WINDOW_MAX
        elif kind == frames.SETTINGS and not flags & frames.ACK:
            self._obey(frames.read_settings(payload))
            self._out.append(frames.frame(frames.SETTINGS, frames.ACK, 0))
        elif kind == frames.PING and not flags & frames.ACK:
            self._out.append(frames.frame(frames.PING, frames.ACK, 0, payload))
        elif kind == frames.GOAWAY:
            self._leaving = True

    def _obey(self, values: dict[int, int]) -> None:
        self._settled = True
        streams = values.get(frames.SETTINGS_MAX_CONCURRENT_STREAMS, self._streams_max)
        self._streams_max = min(self._streams_max, streams)
        window = values.get(frames.SETTINGS_INITIAL_WINDOW_SIZE, frames.WINDOW_DEFAULT)
        if window < self._source.bytes_max:
            raise ValueError(f"the server takes {window} bytes per call; make the batch smaller")
        table = values.get(frames.SETTINGS_HEADER_TABLE_SIZE, frames.TABLE_DEFAULT)
        if table < frames.TABLE_DEFAULT and self._source.first != self._source.later:
            raise ValueError(f"the server remembers {table} bytes of headers only")


def is_allowed(buffer: bytes, begin: int, end: int) -> bool:
    """Whether the message says allowed: field 1, a varint, written first and only when true."""
    return end - begin >= 2 and buffer[begin] == 0x08 and buffer[begin + 1] == 0x01


def read_batch(message: bytes) -> tuple[int, int, int]:
    """Allowed, denied and failed requests of a BatchCheckAndConsumeResponse."""
    allowed = denied = failed = at = 0
    while at < len(message):
        size, begin = _varint(message, at + 1)  # field 1: a BatchResult
        inner, first = _varint(message, begin + 1)  # field 1: the response; 2: an error
        if message[begin] != 0x0A:
            failed += 1
        elif is_allowed(message, first, first + inner):
            allowed += 1
        else:
            denied += 1
        at = begin + size
    return allowed, denied, failed


def _varint(message: bytes, at: int) -> tuple[int, int]:
    """A number and where it ends."""
    value = shift = 0
    while True:
        byte = message[at]
        value |= (byte & 127) << shift
        at += 1
        if byte < 128:
            return value, at
        shift += 7
