"""`python -m loadtests.bench.watching`: from a write to those who watch, and what watching costs.

Every listener has a stream of one customer. Customers are written one after another, and then a
catalog is put in force, which all are told of. Exit code 1 when a change did not arrive.
"""

import argparse
import asyncio
import sys
import time

import msgspec

from loadtests.bench.processes import CATALOG, HOST, Machinery, Running
from loadtests.bench.report import as_text
from quotad.changes import ChangeKind
from quotad.client import AsyncClient, AsyncWatch
from quotad.client.admin import AdminClient, CatalogFile

LISTENERS = 1_000
WRITES = 500
IDLE_S = 5.0
STREAMS = 200
"""Of one connection, which may have 256."""
ARRIVES_S = 20.0
SERVER = "native"


class Watched(msgspec.Struct, frozen=True):
    """What was measured."""

    listeners: int
    latency_ms: list[float]
    """Of each write, from before it was sent to when its listener was told."""
    written_ms: list[float]
    """Of each write, until it had returned."""
    all_told_ms: float
    """From when a publish had returned until every listener was told."""
    listener_bytes: float
    """Memory of the server for one."""
    idle_cpu_us: float
    """CPU of the server for an idle listener, in a second."""


async def measure(listeners: int, writes: int, idle_s: float) -> Watched:
    """Listen, write, publish.

    Raises:
        RuntimeError: a listener was not told.
    """
    with Machinery() as machinery:
        server = machinery.server(SERVER)
        try:
            return await _measured(server, listeners, writes, idle_s)
        except TimeoutError:
            raise RuntimeError(f"a change did not arrive within {ARRIVES_S:.0f} s") from None


async def _measured(server: Running, listeners: int, writes: int, idle_s: float) -> Watched:
    address = f"{HOST}:{server.port}"
    clients = [AsyncClient(address) for _ in range(0, listeners, STREAMS)]
    before = server.rss()
    watches = [clients[i // STREAMS].watch(f"w-{i}") for i in range(listeners)]
    await asyncio.gather(*map(_next, watches))
    listener_bytes = (server.rss() - before) / listeners
    cpu = server.cpu().whole
    await asyncio.sleep(idle_s)
    cpu = server.cpu().whole - cpu
    latency, written = [], []
    with AdminClient(address, timeout=ARRIVES_S) as admin:
        for number in range(writes):
            place = number * 7919 % listeners
            told = asyncio.create_task(_next(watches[place], ChangeKind.CUSTOMER_CHANGED))
            begun = time.monotonic()
            await asyncio.to_thread(admin.provision, f"w-{place}", "bench")
            written.append((time.monotonic() - begun) * 1000)
            latency.append((await told - begun) * 1000)
        all_told = [
            asyncio.create_task(_next(each, ChangeKind.CATALOG_CHANGED)) for each in watches
        ]
        await asyncio.sleep(0)
        files = [CatalogFile("bench.yaml", f"{CATALOG}\nproduct: other\n")]
        await asyncio.to_thread(admin.publish, files)
        published = time.monotonic()
        last = max(await asyncio.gather(*all_told))
    for watch in watches:
        await watch.aclose()
    for client in clients:
        await client.close()
    return Watched(
        listeners,
        latency,
        written,
        (last - published) * 1000,
        listener_bytes,
        cpu / max(idle_s, 0.001) / listeners * 1e6,
    )


async def _next(watch: AsyncWatch, kind: ChangeKind | None = None) -> float:
    """When the next change of a kind arrives."""
    while True:
        change = await asyncio.wait_for(anext(watch), ARRIVES_S)
        if kind in (None, change.kind):
            return time.monotonic()


def _shares(values: list[float]) -> list[str]:
    ordered = sorted(values)
    return [f"{ordered[min(len(ordered) - 1, int(len(ordered) * p))]:.1f}" for p in (0.5, 0.99, 1)]


def main() -> None:
    """Measure and show."""
    parser = argparse.ArgumentParser(prog="python -m loadtests.bench.watching")
    parser.add_argument("--listeners", type=int, default=LISTENERS)
    parser.add_argument("--writes", type=int, default=WRITES)
    args = parser.parse_args()
    try:
        found = asyncio.run(measure(args.listeners, args.writes, IDLE_S))
    except RuntimeError as error:
        print(f"FAILED: {error}", file=sys.stderr)
        sys.exit(1)
    rows = [
        ["", "p50 ms", "p99 ms", "most ms"],
        ["a write, until it has returned", *_shares(found.written_ms)],
        ["a write, until its listener is told", *_shares(found.latency_ms)],
    ]
    print(as_text(rows))
    print(f"a publish, until all {found.listeners:,} are told: {found.all_told_ms:.0f} ms")
    print(
        f"a listener: {found.listener_bytes / 1000:.1f} kB, {found.idle_cpu_us:.0f} us CPU a second"
    )


if __name__ == "__main__":
    main()
