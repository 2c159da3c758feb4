"""The Lua script alone: Redis CPU per decision, beside the script of the reference server.

Both are driven from this process, in batches, over a connection of the same kind, and take turns;
so does redis-benchmark, with the same script as quotad.
"""

import random
import statistics
import time
from collections.abc import Sequence

import msgspec

from loadtests.bench import redis_benchmark, reference_server
from loadtests.bench.kinds import PREFIX
from loadtests.bench.processes import SUM, Machinery
from loadtests.bench.traffic import customer_id
from quotad.ledger import Noting
from quotad.model import Unit, Window
from quotad.store import (
    Charge,
    ChargeScript,
    ChargeStatus,
    KeySpace,
    PeriodLimit,
    Retention,
    Store,
    lay_out,
)
from quotad.store.charges import CONSUME
from quotad.store.scripts import Script

FEATURE = "feature-script"
CAP = 10**12
ENDS_MS = 4_000_000_000_000
DEADLINE_S = 10.0
LEDGER = "quotad, ledger"
BENCHMARK_CALLS = 400
"""Per turn of redis-benchmark."""


class ScriptRun(msgspec.Struct, frozen=True):
    """One turn of one script."""

    problem: str
    decisions: int
    redis_us: float
    """CPU time of Redis per decision."""
    wall_us: float
    """Time per decision as its only caller sees it, Python included."""


class ScriptLine(msgspec.Struct, frozen=True):
    """All turns of one script."""

    name: str
    runs: list[ScriptRun]


class _Notes:
    """Describes charges as `LedgerNotes` does, in as many bytes."""

    kept = (100_000, 3_600_000)

    def __init__(self) -> None:
        self.charges: Sequence[Charge] = ()
        """Those that are settled next."""

    def describe(self, places: Sequence[int]) -> bytes:
        """As `Record`."""
        charges = [self.charges[place] for place in places]
        row = (
            1,
            charges[0].counters.suffixes,
            ((FEATURE, 1, ((CAP, False, "day", ENDS_MS),), (0,)),),
        )
        noted = [(0, one.keys.customer_id, one.quantity) for one in charges]
        return msgspec.msgpack.encode((1, 1, (row,), noted))


_NOTES = _Notes()


class ScriptCase:
    """Charges of many customers, single window, in batches.

    Args:
        machinery: whose Valkey to use.
        customers: how many to spread the charges over.
        batch: charges per script call.
        windows: limits per charge.
    """

    def __init__(
        self, machinery: Machinery, customers: int = 10_000, batch: int = 32, windows: int = 1
    ) -> None:
        self._machinery = machinery
        self._batch = batch
        self._order = list(range(customers))
        random.Random(1).shuffle(self._order)
        self._store = Store(machinery.url, timeout_ms=int(DEADLINE_S * 1000))
        self._counters = ChargeScript(self._store.connect())
        self._link = self._store.connect()
        space = KeySpace(PREFIX)
        day = Window(Unit.DAY)
        limits = [PeriodLimit(FEATURE, CAP, f"period-{i}", day, ENDS_MS) for i in range(windows)]
        shared = lay_out(limits, Retention(), provisioned=True, now_ms=0)
        self._charges = [
            Charge(space.customer(customer_id(i)), 0, 1, CONSUME, shared) for i in self._order
        ]
        noted = msgspec.structs.replace(shared, noting=int(Noting.TAKEN))
        self._noted = [msgspec.structs.replace(one, counters=noted) for one in self._charges]
        self._tag = machinery.client.get(space.shard_catalogs[0]).decode()
        text = reference_server.SCRIPT_PATH.read_text(encoding="utf-8")
        sha = machinery.client.script_load(text)
        self._reference = Script("reference", text, sha)
        self._keys = [reference_server.usage_key(customer_id(i), FEATURE) for i in self._order]
        self._windows = windows
        self._customers = customers
        anybody = Charge(space.customer(redis_benchmark.CUSTOMER), 0, 1, CONSUME, shared)
        self._command = redis_benchmark.command_of(self._tag, [anybody] * batch)

    def close(self) -> None:
        """Close the connections."""
        self._counters.close()
        self._link.close()
        self._store.close()

    def turn(self, name: str, seconds: float) -> ScriptRun:
        """Let `quotad` or `reference` settle charges for some time; each batch is whole.

        `quotad, ledger` puts all charges into the ledger. `redis-benchmark` has a number of calls
        instead of a time.
        """
        if name == "redis-benchmark":
            return self._benchmark()
        settle, pattern = self._settle_reference, "reference:*"
        if name != "reference":
            settle, pattern = self._settle, f"{PREFIX}:*:u:*:{FEATURE}:*"
        if name == LEDGER:
            settle = self._settle_noted
        usage = self._usage(pattern)
        cpu, started = self._machinery.redis_cpu_s(), time.perf_counter()
        decisions = allowed = at = 0
        while time.perf_counter() < started + seconds:
            allowed += settle(at, at + self._batch)
            decisions += self._batch
            at = (at + self._batch) % (len(self._order) - self._batch)
        wall_s = time.perf_counter() - started
        cpu_s = self._machinery.redis_cpu_s() - cpu
        moved = self._usage(pattern) - usage
        windows = 1 if name == "reference" else self._windows
        problem = (
            ""
            if moved == allowed * windows == decisions * windows
            else (f"{decisions} charges, {allowed} allowed, counters grew by {moved}")
        )
        return ScriptRun(
            problem,
            decisions,
            round(cpu_s / decisions * 1e6, 2),
            round(wall_s / decisions * 1e6, 2),
        )

    def _benchmark(self) -> ScriptRun:
        """A client in C with a few connections."""
        pattern = f"{PREFIX}:*:u:*:{FEATURE}:*"
        usage, cpu = self._usage(pattern), self._machinery.redis_cpu_s()
        per_second = redis_benchmark.run(
            self._machinery.url, self._command, BENCHMARK_CALLS, self._customers
        )
        cpu_s = self._machinery.redis_cpu_s() - cpu
        moved, decisions = self._usage(pattern) - usage, BENCHMARK_CALLS * self._batch
        problem = "" if moved == decisions else f"{decisions} charges, counters grew by {moved}"
        each_us = round(1e6 / (per_second * self._batch), 2)
        return ScriptRun(problem, decisions, round(cpu_s / decisions * 1e6, 2), each_us)

    def _usage(self, pattern: str) -> int:
        return int(self._machinery.client.eval(SUM, 0, pattern))

    def _settle(self, start: int, end: int) -> int:
        return self._settled(self._charges[start:end], None)

    def _settle_noted(self, start: int, end: int) -> int:
        return self._settled(self._noted[start:end], _NOTES)

    def _settled(self, charges: list[Charge], notes: _Notes | None) -> int:
        deadline = time.monotonic() + DEADLINE_S
        if notes is not None:
            notes.charges = charges
        settled, error = self._counters.settle(self._tag, charges, deadline, 0, notes)
        if error is not None:
            raise RuntimeError(f"the script failed: {error}")
        return sum(1 for settlement in settled if settlement.status == ChargeStatus.ALLOWED)

    def _settle_reference(self, start: int, end: int) -> int:
        keys = self._keys[start:end]
        words = (1, CAP, ENDS_MS) * len(keys)
        command = (len(keys), *keys, *words)
        reply = self._link.run(self._reference, command, time.monotonic() + DEADLINE_S)
        return sum(reply[::2])


def run(machinery: Machinery, seconds: float, rounds: int) -> list[ScriptLine]:
    """Let both scripts take turns."""
    case = ScriptCase(machinery)
    names = ["reference", "quotad", LEDGER]
    names += ["redis-benchmark"] if redis_benchmark.is_installed() else []
    try:
        for name in names:  # creates the counters, which costs more than adding to them
            case.turn(name, min(1.0, seconds))
        turns = [[case.turn(name, seconds) for name in names] for _ in range(rounds)]
    finally:
        case.close()
    return [ScriptLine(name, [turn[i] for turn in turns]) for i, name in enumerate(names)]


class Summary(msgspec.Struct, frozen=True):
    """What the turns of a script come to, per decision."""

    redis_us: float
    """Median CPU time of Redis."""
    least_us: float
    """The same in the best turn: what is left when nobody disturbs."""
    ratio: float
    """Beside the base's turn of the same round; median."""
    wall_us: float


def summary(line: ScriptLine, base: ScriptLine) -> Summary | None:
    """Sum up; None: a turn of one of them does not count."""
    if any(run.problem for run in [*line.runs, *base.runs]):
        return None
    ratios = [
        run.redis_us / (first.redis_us or 1)
        for run, first in zip(line.runs, base.runs, strict=True)
    ]
    cpus = [run.redis_us for run in line.runs]
    return Summary(
        redis_us=statistics.median(cpus),
        least_us=min(cpus),
        ratio=statistics.median(ratios),
        wall_us=statistics.median(run.wall_us for run in line.runs),
    )
