"""The load generator: a process of its own that sends gRPC calls over a few HTTP/2 connections.

    echo SPEC_JSON | python -m loadtests.bench.h2gen      (prints the result as JSON)

h2load sends one body only; this one sends any number of them, reads the verdicts, and can keep a
fixed rate. Closed loop: the next call starts when one has ended. Fixed rate: calls start when they
are due and their latency counts from then, also when they had to wait to be sent.
"""

import selectors
import sys
import time

import msgspec

from loadtests.bench import frames
from loadtests.bench.connection import Connection, Tally
from loadtests.bench.traffic import Source, Traffic

DRAIN_S = 10.0
"""How long answers may take after the last call."""


class Spec(msgspec.Struct, frozen=True):
    """One run of the generator."""

    host: str
    port: int
    traffic: Traffic
    connections: int = 8
    streams: int = 32
    """Calls in flight per connection."""
    seconds: float = 3.0
    rate: float = 0
    """Calls per second; 0: as many as the server answers."""
    seed: int = 1
    tls: bool = False
    """Only for h2load."""
    token: str = ""
    """Sent with each call; empty: none."""


class Result(msgspec.Struct, frozen=True):
    """What came of it."""

    calls: int
    """Sent."""
    answers: int
    """Answered with a message."""
    errors: int
    """Ended with a gRPC error or a reset."""
    lost: int
    """Never ended."""
    allowed: int
    denied: int
    failed: int
    """Requests of batch calls that failed on their own."""
    per_second: float
    """Decisions that were answered while calls were being sent, per second."""
    cpu_s: float
    """CPU time of the generator."""
    cpu_share: float
    """Of one core; near 1 means that the generator was the bottleneck."""
    latency_ms: dict[str, float]
    """p50, p90, p99, p999 and max."""
    lateness_ms: dict[str, float]
    """The same of how late calls left at a fixed rate."""


def percentiles(seconds: list[float]) -> dict[str, float]:
    """p50, p90, p99, p999 and max, in milliseconds; empty for no values."""
    if not seconds:
        return {}
    ordered = sorted(seconds)
    wanted = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p999": 0.999, "max": 1.0}
    last = len(ordered) - 1
    return {name: round(ordered[round(share * last)] * 1000, 3) for name, share in wanted.items()}


class Generator:
    """Drives the connections of one run."""

    def __init__(self, spec: Spec) -> None:
        self._spec = spec
        self.tally = Tally()
        blocks = frames.header_blocks(
            spec.traffic.path, f"{spec.host}:{spec.port}", token=spec.token
        )
        source = Source(spec.traffic, blocks, spec.seed)
        # select, not epoll, at a fixed rate: epoll sleeps whole milliseconds only.
        exact = spec.rate > 0 and spec.connections < 500
        self._selector = selectors.SelectSelector() if exact else selectors.DefaultSelector()
        self._writing: set[int] = set()
        self._connections: list[Connection] = []
        for _ in range(spec.connections):
            connection = Connection(
                (spec.host, spec.port), source, spec.streams, self.tally, spec.traffic.batch > 0
            )
            self._connections.append(connection)
            self._selector.register(connection.socket, selectors.EVENT_READ, connection)

    def run(self) -> Result:
        """Send for the given time, wait for the last answers, count."""
        tally = self.tally
        cpu_started, started = time.process_time(), time.perf_counter()
        stop = started + self._spec.seconds
        if self._spec.rate:
            self._fixed_rate(started, stop)
        else:
            self._closed_loop(stop)
        sending_s = time.perf_counter() - started
        decided = tally.allowed + tally.denied
        self._drain()
        cpu_s, whole_s = time.process_time() - cpu_started, time.perf_counter() - started
        lost = sum(len(connection.pending) for connection in self._connections)
        return Result(
            calls=tally.calls,
            answers=tally.answers,
            errors=tally.ended - tally.answers,
            lost=lost,
            allowed=tally.allowed,
            denied=tally.denied,
            failed=tally.failed,
            per_second=round(decided / sending_s, 1),
            cpu_s=round(cpu_s, 3),
            cpu_share=round(cpu_s / whole_s, 3),
            latency_ms=percentiles(tally.latencies),
            lateness_ms=percentiles(tally.lateness),
        )

    def close(self) -> None:
        """Close the connections."""
        self._selector.close()
        for connection in self._connections:
            connection.socket.close()

    def _closed_loop(self, stop: float) -> None:
        for connection in self._connections:
            self._refill(connection)
        while time.perf_counter() < stop and self._selector.get_map():
            self._step(0.05, refill=True)

    def _fixed_rate(self, started: float, stop: float) -> None:
        rate, issued, turn = self._spec.rate, 0, 0
        count = len(self._connections)
        while (now := time.perf_counter()) < stop and self._selector.get_map():
            due = int((now - started) * rate) + 1
            tried = 0
            while issued < due and tried < count:
                connection = self._connections[turn % count]
                turn += 1
                if connection.free() < 1:
                    tried += 1
                    continue
                tried = 0
                intended = started + issued / rate
                connection.start(1, intended)
                connection.flush()
                self._watch(connection)
                self.tally.lateness.append(time.perf_counter() - intended)
                issued += 1
            wait = started + issued / rate - time.perf_counter()
            self._step(max(0.0, wait) if issued >= due else 0.05, refill=False)

    def _drain(self) -> None:
        deadline = time.perf_counter() + DRAIN_S
        while time.perf_counter() < deadline and any(
            connection.pending and not connection.closed for connection in self._connections
        ):
            self._step(0.05, refill=False)

    def _step(self, timeout: float, refill: bool) -> None:
        for key, mask in self._selector.select(timeout):
            connection: Connection = key.data
            if mask & selectors.EVENT_READ:
                connection.receive()
            if refill:
                self._refill(connection)
            else:
                connection.flush()
                self._watch(connection)

    def _refill(self, connection: Connection) -> None:
        count = connection.free()
        if count > 0:
            connection.start(count, time.perf_counter())
        connection.flush()
        self._watch(connection)

    def _watch(self, connection: Connection) -> None:
        """Wait for room to write where something is unsent; forget what was closed."""
        number = connection.socket.fileno()
        if connection.closed:
            self._selector.unregister(connection.socket)
            connection.socket.close()
        elif bool(connection.unsent) != (number in self._writing):
            self._writing ^= {number}
            events = selectors.EVENT_READ
            if connection.unsent:
                events |= selectors.EVENT_WRITE
            self._selector.modify(connection.socket, events, connection)


def main() -> None:
    """Read the spec from standard input, print the result."""
    spec = msgspec.json.decode(sys.stdin.buffer.read(), type=Spec)
    generator = Generator(spec)
    try:
        result = generator.run()
    finally:
        generator.close()
    sys.stdout.buffer.write(msgspec.json.encode(result))


if __name__ == "__main__":
    main()
