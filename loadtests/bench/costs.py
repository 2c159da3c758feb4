"""What a decision costs, counted instead of timed: the same numbers on a quiet and a busy machine.

    python -m loadtests.bench.costs REDIS_URL      (prints the figures as JSON)

A process of its own with one thread, so that nothing but decisions is counted: service, engine and
store as a worker wires them, over a real Valkey, with a front that only collects. The time stands
still. Each figure is the least of a few passes: an answer that the kernel hands over in two pieces
costs one more read.
"""

import gc
import itertools
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec
import redis

from loadtests.bench.kinds import PREFIX
from loadtests.bench.traffic import Traffic, request
from quotad.clock import SyncedClock
from quotad.engine import Engine, EngineSettings, Shared, Snapshots, ViewCache
from quotad.engine.demand import Demand
from quotad.engine.insights import Notes
from quotad.errors import QuotadError
from quotad.fronts.interface import Call
from quotad.operations.decisions import DecisionOperations
from quotad.service.decode import RequestDecoder
from quotad.service.guard import AUTHORIZATION, Guard
from quotad.service.quota import METHODS, QuotaService
from quotad.store import Catalogs, Customers, KeySpace, Store
from quotad.store.demand import DemandStore
from quotad.store.health import Health
from quotad.store.holds import HoldsSeen
from quotad.store.moves import Moves
from quotad.store.nearby import NearbyStore
from quotad.tokens.access import TokenTable
from quotad.tokens.record import WantedToken, made
from quotad.tokens.roles import TokenRole
from quotad.v1 import quota_pb2 as pb

NOW_MS = 2_065_435_200_000
"""A moment of 2035: in the future, so that Valkey keeps the counters of its periods."""
TIMEOUT_MS = 60_000
CUSTOMERS = 256
NEWCOMERS_FROM = 10_000
WARM_PASSES = 3
PASSES = 3
CONNECTIONS, IN_A_ROW = 8, 8
TOKEN = made(WantedToken("bench", TokenRole.CONSUME), 0)
SINGLE, BATCH = METHODS[0], METHODS[1]
ALL = next(name for name in METHODS if name.endswith("/CheckAndConsumeAll"))

CALLS = "Python calls"
C_CALLS = "C calls"
INSTRUCTIONS = "instructions"
WORDS = "words to the store"
BYTES = "bytes to the store"
COMMANDS = "store commands"
ANSWER = "bytes of the answer"

Costs = dict[str, dict[str, float]]
"""Per decision: case -> figure -> count."""


class Case(msgspec.Struct, frozen=True):
    """Calls that are decided together, again and again."""

    name: str
    calls: int
    """Per batch of the decision thread."""
    feature_id: str = "feature-api-calls"
    requests: int = 0
    """Per BatchCheckAndConsume; 0: CheckAndConsume."""
    keys: bool = False
    """Every request carries an idempotency key of its own."""
    repeats_keys: bool = False
    """The same keys in every pass: told again."""
    together: tuple[str, ...] = ()
    """Features of a CheckAndConsumeAll; empty: another method."""
    newcomers: bool = False
    """Customers that were never seen before."""
    token: bool = False
    """Every call shows one, as on the fast front calls of `CONNECTIONS` do: some in a row of one,
    with metadata that is made once for it."""

    @property
    def decisions(self) -> int:
        """Of one batch."""
        return self.calls * max(1, self.requests)


CASES = (
    Case("1 call", 1),
    Case("32 calls", 32),
    Case("256 calls", 256),
    Case("256 calls, with a token", 256, token=True),
    Case("32 calls, 4 windows", 32, "feature-four-windows"),
    Case("32 calls, denied", 32, "feature-tiny"),
    Case("32 calls, in the ledger", 32, "feature-noted"),
    Case("32 calls, new keys", 32, keys=True),
    Case("32 calls, known keys", 32, keys=True, repeats_keys=True),
    Case("32 calls, new customers", 32, newcomers=True),
    Case("batch call of 100", 1, requests=100),
    Case(
        "32 calls, 3 features",
        32,
        together=("feature-api-calls", "feature-tokens", "feature-images"),
    ),
)


class StandingClock(SyncedClock):
    """A clock that shows one moment, whatever the store says."""

    def now_ms(self) -> int:
        """That moment."""
        return NOW_MS

    def sync(self, store_time_us: int, sent_ns: int, received_ns: int) -> int:
        """Ignore the store's time."""
        return 0


class CollectingFront:
    """Where answers go, one list for a batch: a call into C takes it."""

    def __init__(self) -> None:
        self.answers: dict[int, bytes | QuotadError] = {}
        self.answer = self.answers.update


class Worker:
    """One decision thread's objects, without the thread.

    Args:
        url: of the store.
        tokens: whether calls must show `TOKEN`.
    """

    def __init__(self, url: str, tokens: bool = False) -> None:
        clock, keys = StandingClock(), KeySpace(PREFIX)
        self.store = Store(url, TIMEOUT_MS)
        health = Health(self.store, clock)
        health.probe()
        snapshots = Snapshots(Catalogs(self.store, keys, clock))
        snapshots.refresh(None)
        nearby = NearbyStore(self.store, keys)
        shared = Shared(
            snapshots,
            ViewCache(keys, 100_000),
            Customers(self.store, keys),
            health,
            clock,
            EngineSettings(store_timeout_ms=TIMEOUT_MS),
            HoldsSeen(self.store, keys),
            Demand(DemandStore(self.store, keys), nearby),
            moves=Moves(self.store, keys),
        )
        self.link: Any = self.store.connect()
        self.front = CollectingFront()
        notes = Notes(nearby)
        engine = Engine(shared, self.link)
        table = TokenTable(clock)
        table.replace([TOKEN.record])
        check = Guard(table).check if tokens else None
        self.service = QuotaService(DecisionOperations(engine, notes), RequestDecoder(), check)

    def answer(self, calls: Sequence[Call]) -> None:
        """As a decision thread does with the calls of a batch."""
        for answers in self.service.answer(calls):
            self.front.answer(answers)

    def close(self) -> None:
        """Close the connections."""
        self.link.close()
        self.store.close()


def batches(case: Case) -> Iterator[list[Call]]:
    """Calls of a case without end."""
    serials = itertools.count()
    single, batch = METHODS.index(SINGLE), METHODS.index(BATCH)
    shown = [((AUTHORIZATION, f"Bearer {TOKEN.token}"),) for _ in range(CONNECTIONS)]
    while True:
        calls: list[Call] = []
        for call_id in range(case.calls):
            requests = [ask(case, next(serials)) for _ in range(max(1, case.requests))]
            if case.together:
                calls.append(Call(call_id, METHODS.index(ALL), together(case, requests[0])))
            elif case.requests:
                body = pb.BatchCheckAndConsumeRequest(requests=requests).SerializeToString()
                calls.append(Call(call_id, batch, body))
            else:
                metadata = shown[call_id // IN_A_ROW % CONNECTIONS] if case.token else ()
                body = requests[0].SerializeToString()
                calls.append(Call(call_id, single, body, metadata=metadata))
        yield calls


def ask(case: Case, serial: int) -> pb.CheckAndConsumeRequest:
    """The request of a case with a serial number."""
    turn = serial % CUSTOMERS
    customer = NEWCOMERS_FROM + serial if case.newcomers else turn
    asked = request(Traffic(feature_id=case.feature_id), customer)
    if case.keys:
        asked.idempotency_key = f"key-{turn if case.repeats_keys else serial:020d}"
    return asked


def together(case: Case, one: pb.CheckAndConsumeRequest) -> bytes:
    """The same customer's request about several features, 1 of the first and more of the others."""
    items = [
        pb.ConsumeItem(feature_id=name, quantity=1 + 300 * place)
        for place, name in enumerate(case.together)
    ]
    return pb.CheckAndConsumeAllRequest(
        customer_id=one.customer_id, items=items
    ).SerializeToString()


class Tally:
    """Events that the interpreter has reported."""

    def __init__(self) -> None:
        self.seen = {CALLS: 0, C_CALLS: 0, INSTRUCTIONS: 0}

    @contextmanager
    def calls(self) -> Iterator[None]:
        """Count calls of Python and of C functions meanwhile."""
        seen, names = self.seen, {"call": CALLS, "c_call": C_CALLS}

        def note(_frame: Any, event: str, _argument: Any) -> None:
            name = names.get(event)
            if name is not None:
                seen[name] += 1

        sys.setprofile(note)
        try:
            yield
        finally:
            sys.setprofile(None)

    @contextmanager
    def instructions(self) -> Iterator[None]:
        """Count bytecode instructions of the functions called meanwhile."""
        seen = self.seen

        def note(frame: Any, event: str, _argument: Any) -> Any:
            if event == "opcode":
                seen[INSTRUCTIONS] += 1
            elif event == "call":
                frame.f_trace_opcodes = True
                frame.f_trace_lines = False
            return note

        # From 3.12 on, instructions are only reported when some frame has asked before.
        sys._getframe().f_trace_opcodes = True
        sys.settrace(note)
        try:
            yield
        finally:
            sys.settrace(None)


class Ledger:
    """What a store has taken in, by its own account."""

    def __init__(self, worker: Worker, url: str) -> None:
        self._client: Any = redis.Redis.from_url(url)
        self._words = 0
        execute = worker.link.exchange

        def counting(command: tuple[Any, ...] | bytes, deadline: float) -> Any:
            self._words += _words(command)
            return execute(command, deadline)

        vars(worker.link)["exchange"] = counting

    def spent(self, act: Callable[[], None]) -> dict[str, int]:
        """What happens while something is done."""
        before, asked = self._read(), self._read()
        act()
        after = self._read()
        # What asking costs is taken off again.
        return {name: after[name] - asked[name] - (asked[name] - before[name]) for name in after}

    def _read(self) -> dict[str, int]:
        info = self._client.info("stats", "commandstats")
        counts = [value["calls"] for name, value in info.items() if name.startswith("cmdstat_")]
        return {
            COMMANDS: sum(counts),
            BYTES: int(info["total_net_input_bytes"]),
            WORDS: self._words,
        }


def _words(command: tuple[Any, ...] | bytes) -> int:
    """How many there are of a command, also of one that is packed: `*3...`."""
    return int(command[1 : command.index(b"\r")]) if isinstance(command, bytes) else len(command)


def count(case: Case, url: str) -> dict[str, float]:
    """All figures of one case, per decision."""
    worker = Worker(url, case.token)
    supply = batches(case)
    # Once round all customers, so that the warm passes have met every one of them.
    rounds = -(-CUSTOMERS // case.decisions)

    def taken() -> list[list[Call]]:
        return [next(supply) for _ in range(rounds)]

    try:
        for _ in range(WARM_PASSES):
            for calls in taken():
                worker.answer(calls)
        figures: list[dict[str, float]] = []
        for _ in range(PASSES):
            figures.append(interpreted(worker, taken(), taken()))
        ledger = Ledger(worker, url)
        for i in range(PASSES):
            figures[i] |= stored(worker, ledger, taken())
    finally:
        worker.close()
    per = rounds * case.decisions
    return {name: round(min(one[name] for one in figures) / per, 4) for name in figures[0]}


def interpreted(
    worker: Worker, profiled: list[list[Call]], traced: list[list[Call]]
) -> dict[str, float]:
    """What the interpreter does for some batches."""
    tally, answer = Tally(), worker.answer
    with tally.calls():
        for calls in profiled:
            answer(calls)
    with tally.instructions():
        for calls in traced:
            answer(calls)
    return dict(tally.seen)


def stored(worker: Worker, ledger: Ledger, supply: list[list[Call]]) -> dict[str, float]:
    """What the store gets for some batches, and the size of the answers."""
    size = 0

    def act() -> None:
        nonlocal size
        for calls in supply:
            worker.front.answers.clear()
            worker.answer(calls)
            size += sum(map(size_of, worker.front.answers.values()))

    spent: dict[str, float] = dict(ledger.spent(act))
    return spent | {ANSWER: size}


def size_of(answer: bytes | QuotadError) -> int:
    """Its bytes; no call of a case may fail."""
    if isinstance(answer, QuotadError):
        raise answer
    return len(answer)


def main() -> None:
    """Count every case, print the figures."""
    gc.disable()  # its timing is nobody's cost here
    costs = {case.name: count(case, sys.argv[1]) for case in CASES}
    sys.stdout.buffer.write(msgspec.json.encode(costs))


if __name__ == "__main__":
    main()
