"""`python -m loadtests.bench.publishing`: publishes of the largest catalogs, under load.

Callers ask both servers all the time; meanwhile catalogs are published through one of them. Exit
code 1 when a call failed, or was decided by a version that was not in force any more when it was
sent.
"""

import argparse
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import grpc
import msgspec

from loadtests.bench.processes import HOST, Machinery
from loadtests.bench.report import as_text
from quotad.client.admin import AdminClient
from quotad.client.catalogs import CatalogFile
from quotad.v1 import quota_pb2 as pb
from quotad.v1.quota_pb2_grpc import QuotaServiceStub

PLANS, FEATURES = 1000, 990
"""Their product, and the entitlement that is asked for, fit into what a catalog may have."""
WRITTEN_OUT = 90_000
"""Entitlements that fit into one request of 4 MiB."""
SERVERS = ("native", "native-1-decision")
CALLERS = 2
"""Per server."""
PAUSE_S = 0.002
"""Between two calls of a caller: waiting for a server is what is measured, not its throughput."""
QUIET_S = 1.0
"""Before the first publish and after each."""
PUBLISH_S = 120.0

FEATURE = "f0"


class Step(msgspec.Struct, frozen=True):
    """What callers have met during one publish and the second after it."""

    what: str
    publish_s: float
    calls: int
    p99_ms: float
    worst_ms: float


class Callers:
    """Asks servers until it is stopped."""

    def __init__(self, ports: list[int]) -> None:
        self._ports = ports
        self._stop = threading.Event()
        self.in_force = 0
        """The version of the publish that has returned last."""
        self.times_s: list[float] = []
        self.problems: list[str] = []

    def run(self, number: int) -> None:
        """Ask one server, as one of its callers."""
        with grpc.insecure_channel(f"{HOST}:{self._ports[number % len(self._ports)]}") as channel:
            stub = QuotaServiceStub(channel)  # type: ignore[no-untyped-call]
            request = pb.CheckAndConsumeRequest(customer_id=f"c-{number}", feature_id=FEATURE)
            while not self._stop.is_set():
                floor, begun = self.in_force, time.monotonic()
                try:
                    version = stub.CheckAndConsume(request, timeout=20).catalog_version
                except grpc.RpcError as error:
                    self.problems.append(f"{error.code().name}: {error.details()}")
                else:
                    if version < floor:
                        self.problems.append(f"decided by version {version} after {floor}")
                self.times_s.append(time.monotonic() - begun)
                time.sleep(PAUSE_S)

    def stop(self) -> None:
        """Let every caller end."""
        self._stop.set()


def inherited(plans: int, features: int, number: int) -> str:
    """A small file with many entitlements: every plan has the same group."""
    names = [f"f{i}" for i in range(features)]
    return "\n".join(
        [
            "version: 1\ndefault_plan: p0\nfeatures:",
            *(f"  {name}: {{type: metered}}" for name in names),
            "groups:\n  all:\n    entitlements:",
            *(f"      {name}: {{limit: {10**9 + number}, per: month}}" for name in names),
            "plans:",
            *(f"  p{i}: {{groups: [all]}}" for i in range(plans)),
        ]
    )


def written_out(entitlements: int, number: int) -> str:
    """A large file, all of it written out."""
    features = 450
    plans = max(entitlements // features, 1)
    lines = ["version: 1\ndefault_plan: p0\nfeatures:"]
    lines += [f"  f{i}: {{type: metered}}" for i in range(features)]
    lines += ["plans:"]
    for plan in range(plans):
        limit = 10**9 + number + plan
        lines += [f"  p{plan}:\n    entitlements:"]
        lines += [f"      f{i}: {{limit: {limit + i}}}" for i in range(features)]
    return "\n".join(lines)


def measure(
    plans: int = PLANS, features: int = FEATURES, entitlements: int = WRITTEN_OUT, rounds: int = 2
) -> list[Step]:
    """Publish both kinds of catalogs in turns, under load.

    Raises:
        RuntimeError: a call failed, or was decided by a version that was replaced.
    """
    steps: list[Step] = []
    with Machinery() as machinery, ExitStack() as stack:
        ports = [machinery.server(name).port for name in SERVERS]
        admin = stack.enter_context(AdminClient(f"{HOST}:{ports[0]}", timeout=PUBLISH_S))
        admin.publish([CatalogFile("small.yaml", inherited(1, 1, 0))])
        callers = Callers(ports)
        pool = stack.enter_context(ThreadPoolExecutor(CALLERS * len(ports)))
        running = [pool.submit(callers.run, i) for i in range(CALLERS * len(ports))]
        stack.callback(callers.stop)
        time.sleep(QUIET_S)
        steps.append(_step("no publish", 0.0, callers))
        for number in range(rounds):
            for what, text in (
                (f"{plans * features:,} inherited", inherited(plans, features, number)),
                (f"{entitlements:,} written out", written_out(entitlements, number)),
            ):
                begun = time.monotonic()
                done = admin.publish([CatalogFile("large.yaml", text)])
                publish_s = time.monotonic() - begun
                callers.in_force = done.version.version
                time.sleep(QUIET_S)
                steps.append(_step(what, publish_s, callers))
        callers.stop()
        for each in running:
            each.result()
        if callers.problems:
            count = len(callers.problems)
            raise RuntimeError(f"{count} calls failed, first {callers.problems[0]}")
    return steps


def _step(what: str, publish_s: float, callers: Callers) -> Step:
    times, callers.times_s = sorted(callers.times_s), []
    p99 = times[len(times) * 99 // 100]
    return Step(what, publish_s, len(times), p99 * 1000, times[-1] * 1000)


def main() -> None:
    """Measure and show."""
    parser = argparse.ArgumentParser(prog="python -m loadtests.bench.publishing")
    parser.add_argument("--plans", type=int, default=PLANS)
    parser.add_argument("--features", type=int, default=FEATURES)
    parser.add_argument("--entitlements", type=int, default=WRITTEN_OUT)
    parser.add_argument("--rounds", type=int, default=2)
    args = parser.parse_args()
    try:
        steps = measure(args.plans, args.features, args.entitlements, args.rounds)
    except RuntimeError as error:
        print(f"FAILED: {error}", file=sys.stderr)
        sys.exit(1)
    head = ["entitlements", "publish s", "calls", "p99 ms", "worst call ms"]
    rows = [
        [
            step.what,
            f"{step.publish_s:.1f}",
            f"{step.calls:,}",
            f"{step.p99_ms:.1f}",
            f"{step.worst_ms:.1f}",
        ]
        for step in steps
    ]
    print(as_text([head, *rows]))


if __name__ == "__main__":
    main()
