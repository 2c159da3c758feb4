"""`python -m loadtests.bench.leases`: decisions in the caller's process, beside a bare dictionary.

One thread, or one task, decides on its own; another line is what a decision cannot be cheaper
than: a counter in a dictionary that is taken down by one. Rates are per second of CPU of the
process, its background work among it, so that they are those of one core. Exit code 1 when usage
after the clients were closed is not what their answers say.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import Callable

import msgspec

from loadtests.bench.processes import HOST, Machinery
from loadtests.bench.report import as_text
from quotad.client import AsyncLeasedClient, LeasedClient, LocalDecision

DECISIONS = 1_000_000
ROUNDS = 5
CUSTOMER = "c-leases"
FEATURE = "feature-api-calls"
TRANCHE = 5_000_000
SERVER = "native"
TIMEOUT_S = 20.0


class LeaseLine(msgspec.Struct, frozen=True):
    """How fast one kind of caller decides."""

    kind: str
    rate: float
    """Decisions per second of CPU."""


def measure(decisions: int = DECISIONS, rounds: int = ROUNDS) -> list[LeaseLine]:
    """Run every kind of caller in turns; the median round of each counts.

    Raises:
        RuntimeError: the counters disagree with the answers.
    """
    found: dict[str, list[float]] = {}

    def note(kind: str, seconds: float) -> None:
        found.setdefault(kind, []).append(decisions / seconds)

    with Machinery() as machinery:
        server = machinery.server(SERVER)
        address = f"{HOST}:{server.port}"
        taken = 0
        with LeasedClient(address, tranche=TRANCHE, timeout=TIMEOUT_S) as client:
            taken += _warm(client, decisions)
            for _ in range(rounds):
                note("dictionary", _dictionary(decisions))
                seconds, allowed = _threads(client, decisions)
                note("LeasedClient", seconds)
                taken += allowed
        for seconds, allowed in asyncio.run(_tasks(address, decisions, rounds)):
            if seconds:
                note("AsyncLeasedClient", seconds)
            taken += allowed
        counted = machinery.usage(server.kind)
    if counted != taken:
        raise RuntimeError(f"{taken} allowed, {counted} counted")
    return [LeaseLine(kind, sorted(rates)[len(rates) // 2]) for kind, rates in found.items()]


def _dictionary(decisions: int) -> float:
    left = {CUSTOMER: decisions}
    return _cpu_of(lambda: _take_down(left, decisions))


def _take_down(left: dict[str, int], decisions: int) -> None:
    for _ in range(decisions):
        if left[CUSTOMER] > 0:
            left[CUSTOMER] -= 1


def _threads(client: LeasedClient, decisions: int) -> tuple[float, int]:
    allowed = 0

    def decide() -> None:
        nonlocal allowed
        consume = client.consume
        for _ in range(decisions):
            allowed += consume(CUSTOMER, FEATURE).granted

    return _cpu_of(decide), allowed


async def _tasks(address: str, decisions: int, rounds: int) -> list[tuple[float, int]]:
    done: list[tuple[float, int]] = []
    async with AsyncLeasedClient(address, tranche=TRANCHE, timeout=TIMEOUT_S) as client:
        allowed = local = 0
        while local < decisions:
            decision = await client.consume(CUSTOMER, FEATURE)
            allowed += decision.granted
            local += isinstance(decision, LocalDecision)
            if local % 1000 == 0:
                await asyncio.sleep(0)  # so that the client can fetch more
        done.append((0.0, allowed))
        for _ in range(rounds):
            allowed, before = 0, time.process_time()
            for number in range(decisions):
                allowed += (await client.consume(CUSTOMER, FEATURE)).granted
                if number % 1000 == 0:
                    await asyncio.sleep(0)
            done.append((time.process_time() - before, allowed))
    return done


def _warm(client: LeasedClient, decisions: int) -> int:
    """Decide until a tranche is as large as the rate needs; returns how much was taken."""
    allowed = local = 0
    while local < decisions:
        decision = client.consume(CUSTOMER, FEATURE)
        allowed += decision.granted
        local += isinstance(decision, LocalDecision)
    return allowed


def _cpu_of(work: Callable[[], None]) -> float:
    before = time.process_time()
    work()
    return time.process_time() - before


def main() -> None:
    """Measure and show."""
    parser = argparse.ArgumentParser(prog="python -m loadtests.bench.leases")
    parser.add_argument("--decisions", type=int, default=DECISIONS)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    args = parser.parse_args()
    try:
        lines = measure(args.decisions, args.rounds)
    except RuntimeError as error:
        print(f"FAILED: {error}", file=sys.stderr)
        sys.exit(1)
    head = ["decided by", "decisions/s per core", "ns each"]
    rows = [[line.kind, f"{line.rate:,.0f}", f"{1e9 / line.rate:,.0f}"] for line in lines]
    print(as_text([head, *rows]))


if __name__ == "__main__":
    main()
