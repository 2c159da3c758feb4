"""`python -m loadtests.bench.http`: CPU per decision over HTTP, of batches and of single calls.

64 clients, each with a connection of its own, send `POST /v1/consume` and wait for the answer. The
server is a process with one HTTP worker's insides, once as it is, once with an engine call of its
own for every request, once with an answer that is ready, which is what HTTP costs by itself. Exit
code 1 when the counters have not moved by what the answers say.
"""

import argparse
import asyncio
import os
import random
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from statistics import median
from typing import Any

import msgspec

from loadtests.bench import proc
from loadtests.bench.kinds import PREFIX
from loadtests.bench.processes import HOST, SUM, Machinery
from loadtests.bench.report import as_text
from quotad.config import Config
from quotad.decision import ConsumeRequest, Decision, LimitStatus, Reason
from quotad.http.deciding import Deciding, DecisionOrError
from quotad.server import http_server

CLIENTS = 64
SECONDS = 3.0
ROUNDS = 5
CUSTOMERS = 1000
FEATURE = "feature-api-calls"
KINDS = ("batched", "single", "ready")

_LENGTH = re.compile(rb"content-length: (\d+)")


Taker = Callable[[DecisionOrError], None]


class Line(msgspec.Struct, frozen=True):
    """What one kind of server did."""

    kind: str
    clients: int
    calls_s: float
    server_us: float
    """CPU of the server per call."""
    deciding_us: float
    """Of that, what a ready answer does not cost."""
    store_us: float
    """CPU of Valkey per call."""


class Single(Deciding):
    """Hands every request over by itself."""

    def decide_then(
        self,
        request: ConsumeRequest,
        taker: tuple[str, str],
        settle: Callable[[DecisionOrError], None],
    ) -> None:
        """Decide one request."""
        self.waiting.put([(settle, request, taker)])


class Ready(Deciding):
    """Has the answer, without an engine."""

    _answer = Decision(
        True,
        int(Reason.WITHIN_LIMIT),
        1,
        1,
        1_000_000_000,
        used=1,
        remaining=999_999_999,
        limits=(LimitStatus(10**9, False, 1, 10**9 - 1, 0, "month", 4_102_444_800_000),),
    )

    def decide_then(
        self,
        request: ConsumeRequest,
        taker: tuple[str, str],
        settle: Callable[[DecisionOrError], None],
    ) -> None:
        """Answer one request."""
        settle(self._answer)


def serve(kind: str, url: str) -> None:
    """Serve until the standard input ends; prints the address."""
    made: dict[str, type[Deciding]] = {"batched": Deciding, "single": Single, "ready": Ready}
    http_server.Deciding = made[kind]  # type: ignore[attr-defined]
    config = Config(
        redis_url=url,
        prefix=PREFIX,
        http=f"{HOST}:0",
        store_timeout_ms=10_000,
        batch_max=1 if kind == "single" else 128,
    )
    with http_server.HttpServer(config) as server:
        while not server.ready:
            time.sleep(0.01)
        print(server.address, flush=True)
        sys.stdin.read()


@contextmanager
def served(kind: str, url: str) -> Iterator[tuple[int, int]]:
    """A server in a process of its own; gives its process id and port."""
    process = subprocess.Popen(
        [sys.executable, "-m", "loadtests.bench.http", "--serve", kind, "--url", url],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        yield process.pid, int(process.stdout.readline().rpartition(":")[2])
    finally:
        process.stdin.close()
        process.wait()
        process.stdout.close()


class Caller(asyncio.Protocol):
    """One client: sends the next request when the answer to the last is there."""

    def __init__(self, load: "Load") -> None:
        self._load = load
        self._answer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the first request."""
        self._transport: Any = transport
        self._send()

    def data_received(self, data: bytes) -> None:
        """Take the answer, and send the next request."""
        self._answer += data
        head, gap, body = self._answer.partition(b"\r\n\r\n")
        if not gap:
            return
        length = _LENGTH.search(head)
        assert length is not None
        if len(body) < int(length[1]):
            return
        self._load.calls += 1
        self._load.allowed += body.startswith(b'{"allowed":true')
        self._answer = b""
        if self._load.goes_on:
            self._send()
        else:
            self._transport.close()
            self._load.ended()

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail the load when it was not over."""
        if exc is not None and self._load.goes_on:
            self._load.failed = exc

    def _send(self) -> None:
        self._transport.write(random.choice(self._load.requests))


class Load:
    """All clients together."""

    def __init__(self, clients: int) -> None:
        self.requests = [_request(f"customer-{n}") for n in range(CUSTOMERS)]
        self.calls = self.allowed = 0
        self.goes_on = True
        self.failed: Exception | None = None
        self._left = clients
        self._clients = clients
        self._over = asyncio.Event()

    def ended(self) -> None:
        """Count a client that has its last answer."""
        self._left -= 1
        if not self._left:
            self._over.set()

    async def run(self, port: int, seconds: float) -> None:
        """Send for so long."""
        loop = asyncio.get_running_loop()
        for _ in range(self._clients):
            await loop.create_connection(lambda: Caller(self), HOST, port)
        await asyncio.sleep(seconds)
        self.goes_on = False
        async with asyncio.timeout(20):
            await self._over.wait()


def _request(customer_id: str) -> bytes:
    body = msgspec.json.encode({"customer_id": customer_id, "feature_id": FEATURE})
    head = f"POST /v1/consume HTTP/1.1\r\nHost: {HOST}\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def measure(
    clients: int = CLIENTS,
    seconds: float = SECONDS,
    rounds: int = ROUNDS,
    kinds: Sequence[str] = KINDS,
) -> dict[str, Line]:
    """Run every kind of server in turns; the medians of the rounds count.

    Raises:
        RuntimeError: a connection failed, or the counters disagree with the answers.
    """
    found: dict[str, list[tuple[float, float, float]]] = {kind: [] for kind in kinds}
    with Machinery() as machinery:
        for number in range(rounds + (rounds > 1)):  # the first is a warm-up of the store
            for kind in kinds:
                with served(kind, machinery.url) as (pid, port):
                    asyncio.run(Load(clients).run(port, seconds / 4))
                    counted, load = _usage(machinery), Load(clients)
                    before, store_before = proc.cpu(pid).whole, machinery.redis_cpu_s()
                    asyncio.run(load.run(port, seconds))
                    cpu_s = proc.cpu(pid).whole - before
                    store_s = machinery.redis_cpu_s() - store_before
                    if load.failed is not None:
                        raise RuntimeError(f"{kind}: {load.failed}")
                    if kind != "ready" and _usage(machinery) - counted != load.allowed:
                        raise RuntimeError(f"{kind}: {load.allowed} allowed, others counted")
                if number or rounds == 1:
                    found[kind].append(
                        (
                            load.calls / seconds,
                            cpu_s / load.calls * 1e6,
                            store_s / load.calls * 1e6,
                        )
                    )
    ready = found.get("ready")
    by_itself = median(each[1] for each in ready) if ready else 0.0
    return {
        kind: Line(
            kind,
            clients,
            median(each[0] for each in rows),
            median(each[1] for each in rows),
            max(0.0, median(each[1] for each in rows) - by_itself),
            median(each[2] for each in rows),
        )
        for kind, rows in found.items()
    }


def _usage(machinery: Machinery) -> int:
    return int(machinery.client.eval(SUM, 0, f"{PREFIX}:*:u:*:{FEATURE}:*"))


def ratios(lines: dict[str, Line]) -> tuple[float, float]:
    """Return how many times cheaper batches are, server and store together: of deciding alone, and
    with what HTTP costs by itself."""
    single, batched = lines["single"], lines["batched"]
    return (
        (single.deciding_us + single.store_us) / (batched.deciding_us + batched.store_us),
        (single.server_us + single.store_us) / (batched.server_us + batched.store_us),
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clients", type=int, default=CLIENTS)
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--serve", choices=KINDS, help=argparse.SUPPRESS)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        os.setpgrp()
        serve(arguments.serve, arguments.url)
        return
    try:
        lines = measure(arguments.clients, arguments.seconds, arguments.rounds)
    except RuntimeError as error:
        sys.exit(f"http: {error}")
    head = ("server", "calls/s", "server us", "of that deciding us", "store us")
    rows = [
        (
            line.kind,
            f"{line.calls_s:,.0f}",
            f"{line.server_us:.1f}",
            f"{line.deciding_us:.1f}",
            f"{line.store_us:.1f}",
        )
        for line in lines.values()
    ]
    print(as_text([list(head), *map(list, rows)]))
    deciding, whole = ratios(lines)
    print(
        f"\na decision in a batch takes 1/{deciding:.1f} of the CPU, 1/{whole:.1f} with HTTP itself"
    )


if __name__ == "__main__":
    main()
