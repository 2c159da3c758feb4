"""`python -m loadtests.bench.memory`, or `make memory`: what customers cost, and whether it stays.

Exit code 1 when a worker grows although its cache is full, 2 when it could not be measured.
"""

import argparse
import sys
import time

import grpc
import msgspec

from loadtests.bench.cases import FEATURE
from loadtests.bench.kinds import PREFIX, SMALL_CACHE, SMALL_CACHE_MAX
from loadtests.bench.measure import Line, generate, spec_of
from loadtests.bench.processes import HOST, Machinery, Running
from loadtests.bench.report import as_text
from loadtests.bench.traffic import Traffic, customer_id, request
from quotad.records import CustomerRecord, Subscription
from quotad.store import Customers, KeySpace, Store
from quotad.v1 import quota_pb2 as pb
from quotad.v1.quota_pb2_grpc import QuotaServiceStub

NEWCOMERS = 100_000
"""Customers beyond the cap of the cache, and those that fill the default cache."""
KEYS = 20_000
RECORDS = 5_000
BATCH = 1000
CALL_S = 30.0
GROWTH_MAX = 0.05
"""Of the RSS of a worker with a full cache: what the allocator may take on the way."""
GC_S = 5.0


class Row(msgspec.Struct, frozen=True):
    """A figure of the table."""

    what: str
    value: str
    how: str


class Memory:
    """Measures one thing after another; customers are never used twice.

    Args:
        machinery: the store and the servers.
    """

    def __init__(self, machinery: Machinery) -> None:
        self._machinery = machinery
        self._next = 0
        self.grew = False

    def meet(self, server: Running, count: int, keys: bool = False) -> None:
        """Have a server decide once for each of some new customers.

        Raises:
            RuntimeError: it did not allow every request.
        """
        traffic = Traffic(feature_id=FEATURE)
        with grpc.insecure_channel(f"{HOST}:{server.port}") as channel:
            stub = QuotaServiceStub(channel)  # type: ignore[no-untyped-call]
            for start in range(self._next, self._next + count, BATCH):
                requests = [request(traffic, start + i) for i in range(BATCH)]
                for i, one in enumerate(requests if keys else []):
                    one.idempotency_key = f"key-{start + i:020d}"
                call = pb.BatchCheckAndConsumeRequest(requests=requests)
                answer = stub.BatchCheckAndConsume(call, timeout=CALL_S)
                allowed = sum(result.response.allowed for result in answer.results)
                if allowed != BATCH:
                    raise RuntimeError(f"{allowed} of {BATCH} requests were allowed")
        self._next += count

    def used(self) -> int:
        """Memory of the store's data, in bytes."""
        return int(self._machinery.client.info("memory")["used_memory"])

    def views(self) -> list[Row]:
        """A worker that has seen nobody, and one whose cache is full."""
        server = self._machinery.server("native-traced")
        rows = [Row("worker, idle", mb(server.rss()), "RSS before the first call")]
        self.meet(server, 5 * BATCH)  # what is made once, and the largest buffers
        rss, used = server.rss(), self.used()
        self.meet(server, NEWCOMERS)
        grown, counted = server.rss() - rss, self.used() - used
        many = f"{NEWCOMERS:,} customers"
        return [
            *rows,
            Row("worker, full cache", mb(server.rss()), f"RSS after {many}"),
            Row("customer view", each(grown, NEWCOMERS), f"growth of the RSS / {many}"),
            Row("counter", each(counted, NEWCOMERS), f"growth of used_memory / {many}, one window"),
        ]

    def collector(self) -> list[Row]:
        """Pauses of the garbage collector with a full cache, under load."""
        server = self._machinery.server("native-traced")
        line = Line(
            "gc", "native-traced", Traffic(feature_id=FEATURE, pick="zipf", customers=200_000)
        )
        server.traced()
        result = generate(spec_of(server, line, GC_S, seed=1))
        pauses = server.traced().gc_ms
        load = f"longest in {GC_S:.0f} s at {result.per_second:,.0f} decisions/s, full cache"
        return [
            Row(
                f"GC pause, generation {number}",
                f"{pauses[name]:.2f} ms" if name in pauses else "none",
                load,
            )
            for number in range(3)
            for name in [f"generation {number}"]
        ]

    def stored(self) -> list[Row]:
        """Idempotency keys and customer records."""
        server = self._machinery.server(SMALL_CACHE)
        counted, used = KEYS, self.used()
        self.meet(server, KEYS)
        counter = (self.used() - used) / counted
        used = self.used()
        self.meet(server, KEYS, keys=True)
        key = (self.used() - used) / KEYS - counter
        used = self.used()
        store = Store(self._machinery.url, timeout_ms=5000)
        try:
            customers = Customers(store, KeySpace(PREFIX))
            for number in range(RECORDS):
                record = CustomerRecord(
                    f"{customer_id(number)}-provisioned",
                    (Subscription("bench", 1_700_000_000_000),),
                )
                customers.update(record.customer_id, lambda _, made=record: made)  # type: ignore[misc]
        finally:
            store.close()
        written = self.used() - used
        return [
            Row("idempotency key", each(key, 1), f"growth of used_memory / {KEYS:,} keys"),
            Row(
                "customer record",
                each(written, RECORDS),
                f"growth of used_memory / {RECORDS:,} records, epoch and list entry included",
            ),
        ]

    def growth(self) -> list[Row]:
        """A worker whose cache is full meets many more customers."""
        server = self._machinery.server(SMALL_CACHE)
        cap = SMALL_CACHE_MAX
        self.meet(server, 2 * cap)
        before = server.rss()
        self.meet(server, NEWCOMERS)
        grown = server.rss() / before - 1
        self.grew = grown > GROWTH_MAX
        verdict = f" GROWS, at most {GROWTH_MAX:.0%} is allowed" if self.grew else ""
        how = f"RSS {mb(before)} -> {mb(server.rss())}: {NEWCOMERS:,} new ones, cache of {cap:,}"
        return [Row("beyond the cache", f"{grown:+.1%}{verdict}", how)]


def mb(size: float) -> str:
    """A large number of bytes."""
    return f"{size / 1e6:,.1f} MB"


def each(size: float, count: int) -> str:
    """Bytes of one of many."""
    return f"{size / count:,.0f} bytes"


def main() -> None:
    """Measure and show."""
    argparse.ArgumentParser(
        prog="python -m loadtests.bench.memory", description=__doc__
    ).parse_args()
    started = time.monotonic()
    try:
        with Machinery() as machinery:
            memory = Memory(machinery)
            rows = memory.views() + memory.collector() + memory.stored() + memory.growth()
    except (RuntimeError, OSError, grpc.RpcError) as error:
        print(f"memory could not be measured: {error}", file=sys.stderr)
        sys.exit(2)
    print(as_text([["of", "memory", "how"], *([row.what, row.value, row.how] for row in rows)]))
    print(f"\n{time.monotonic() - started:.0f} s")
    if memory.grew:
        print("FAILED: a worker grows although its cache is full")
    sys.exit(memory.grew)


if __name__ == "__main__":
    main()
