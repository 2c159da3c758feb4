"""`python -m loadtests.bench.coalescing`: clients that send what waits together, and others.

One process of callers, threads of a `Client` or tasks of an `AsyncClient`, each waiting for its
answer before it asks again. Exit code 1 when a call failed, or when the counters have not moved by
what the answers say.
"""

import argparse
import asyncio
import json
import subprocess
import sys
import threading
import time
from typing import Any

import msgspec

from loadtests.bench.processes import HOST, Machinery
from loadtests.bench.report import as_text
from quotad.client import AsyncClient, Client

CALLERS = (1, 64, 512)
SECONDS = 3.0
ROUNDS = 3
CUSTOMERS = 1000
FEATURE = "feature-api-calls"
TIMEOUT_S = 20.0
SERVER = "native"


class Line(msgspec.Struct, frozen=True):
    """What one kind of client did."""

    kind: str
    """`threads` or `tasks`."""
    callers: int
    coalesce: bool
    calls_s: float
    client_us: float
    """CPU of the client's process per call."""
    server_us: float
    """CPU of the server per call."""


class Done(msgspec.Struct, frozen=True):
    """What a process of callers reports."""

    calls: int
    allowed: int
    seconds: float
    cpu_s: float


def measure(
    callers: tuple[int, ...] = CALLERS,
    seconds: float = SECONDS,
    rounds: int = ROUNDS,
    kind_of_server: str = SERVER,
) -> list[Line]:
    """Run every kind of client in turns; the median round of each counts.

    Raises:
        RuntimeError: a call failed, or the counters disagree with the answers.
    """
    found: dict[tuple[str, int, bool], list[Line]] = {}
    with Machinery() as machinery:
        server = machinery.server(kind_of_server)
        for _ in range(rounds):
            for kind in ("threads", "tasks"):
                for count in callers:
                    for coalesce in (False, True):
                        before, cpu = machinery.usage(server.kind), server.cpu().whole
                        done = _in_a_process(kind, count, coalesce, server.port, seconds)
                        cpu = server.cpu().whole - cpu
                        moved = machinery.usage(server.kind) - before
                        if moved != done.allowed:
                            raise RuntimeError(f"{done.allowed} allowed, {moved} counted")
                        line = Line(
                            kind,
                            count,
                            coalesce,
                            done.calls / done.seconds,
                            done.cpu_s / done.calls * 1e6,
                            cpu / done.calls * 1e6,
                        )
                        found.setdefault((kind, count, coalesce), []).append(line)
    return [
        sorted(lines, key=lambda line: line.calls_s)[len(lines) // 2] for lines in found.values()
    ]


def _in_a_process(kind: str, callers: int, coalesce: bool, port: int, seconds: float) -> Done:
    words = [kind, str(callers), str(int(coalesce)), str(port), str(seconds)]
    command = [sys.executable, "-m", "loadtests.bench.coalescing", "--as-callers", *words]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if ended.returncode:
        raise RuntimeError(ended.stderr.strip().splitlines()[-1])
    return msgspec.json.decode(ended.stdout, type=Done)


def _threads(callers: int, coalesce: bool, port: int, seconds: float) -> Done:
    client = Client(f"{HOST}:{port}", timeout=TIMEOUT_S, retries=0, coalesce=coalesce)
    counts = [[0, 0] for _ in range(callers)]
    problems: list[BaseException] = []
    begin = threading.Barrier(callers + 1)
    ends = 0.0

    def ask(number: int) -> None:
        mine = counts[number]
        begin.wait()
        try:
            while time.monotonic() < ends:
                customer = f"c-{(number * 7919 + mine[0]) % CUSTOMERS}"
                mine[1] += client.consume(customer, FEATURE).granted
                mine[0] += 1
        except BaseException as error:
            problems.append(error)
            raise

    with client:
        client.check("c-0", FEATURE)
        threads = [threading.Thread(target=ask, args=(number,)) for number in range(callers)]
        for thread in threads:
            thread.start()
        begun, cpu_s = time.monotonic(), time.process_time()
        ends = begun + seconds
        begin.wait()
        for thread in threads:
            thread.join()
        if problems:
            raise problems[0]
        return _done(counts, begun, cpu_s)


async def _tasks(callers: int, coalesce: bool, port: int, seconds: float) -> Done:
    address = f"{HOST}:{port}"
    counts = [[0, 0] for _ in range(callers)]
    async with AsyncClient(address, timeout=TIMEOUT_S, retries=0, coalesce=coalesce) as client:
        await client.check("c-0", FEATURE)
        begun, cpu_s = time.monotonic(), time.process_time()

        async def ask(number: int) -> None:
            mine = counts[number]
            while time.monotonic() < begun + seconds:
                customer = f"c-{(number * 7919 + mine[0]) % CUSTOMERS}"
                mine[1] += (await client.consume(customer, FEATURE)).granted
                mine[0] += 1

        await asyncio.gather(*(ask(number) for number in range(callers)))
        return _done(counts, begun, cpu_s)


def _done(counts: list[list[int]], begun: float, cpu_s: float) -> Done:
    return Done(
        sum(calls for calls, _ in counts),
        sum(allowed for _, allowed in counts),
        time.monotonic() - begun,
        time.process_time() - cpu_s,
    )


def _as_callers(kind: str, callers: str, coalesce: str, port: str, seconds: str) -> None:
    words: tuple[Any, ...] = (int(callers), coalesce == "1", int(port), float(seconds))
    done = _threads(*words) if kind == "threads" else asyncio.run(_tasks(*words))
    print(json.dumps(msgspec.to_builtins(done)))


def main() -> None:
    """Measure and show."""
    parser = argparse.ArgumentParser(prog="python -m loadtests.bench.coalescing")
    parser.add_argument("--callers", type=int, nargs="*", default=CALLERS)
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--server", choices=("native", "fast"), default=SERVER)
    parser.add_argument("--as-callers", nargs=5, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.as_callers:
        _as_callers(*args.as_callers)
        return
    try:
        lines = measure(tuple(args.callers), args.seconds, args.rounds, args.server)
    except RuntimeError as error:
        print(f"FAILED: {error}", file=sys.stderr)
        sys.exit(1)
    head = ["client", "callers", "coalesce", "decisions/s", "client us", "server us"]
    rows = [
        [
            line.kind,
            f"{line.callers}",
            "yes" if line.coalesce else "no",
            f"{line.calls_s:,.0f}",
            f"{line.client_us:.0f}",
            f"{line.server_us:.0f}",
        ]
        for line in lines
    ]
    print(as_text([head, *rows]))


if __name__ == "__main__":
    main()
