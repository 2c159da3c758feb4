"""A store of an earlier release, servers on it under load, and what moves its shards."""

import random
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc
import pytest

from quotad.catalog import Source, parse
from quotad.clock import SyncedClock
from quotad.store import Catalogs, KeySpace, Store, check_layout
from quotad.store.keys import EVEN, NUMBERED
from quotad.store.resharding import MovedShard, Resharder
from quotad.v1 import quota_pb2 as pb
from tests.raw import raw
from tests.running import CALL_S, Running, eventually

FORMER, SHARDS = 6, 3
LIMIT = 150
SLOTS = 2
PRO = 1_000
HELD_S = 60.0
"""How long it may take until no call is under way: some wait for a store that is gone."""
CUSTOMERS = [f"c{number}" for number in range(40)]


def plans(version: int = 1) -> str:
    """A catalog whose number is in it."""
    limits = {"calls": LIMIT, "jobs": LIMIT, "lent": LIMIT, "runs": SLOTS, "version": version}
    free = ", ".join(f"{name}: {{limit: {limit}}}" for name, limit in limits.items())
    pro = free.replace(f"version: {{limit: {version}", f"version: {{limit: {PRO + version}")
    return f"""
version: 1
default_plan: free
features:
  calls: {{type: metered}}
  jobs: {{type: metered}}
  lent: {{type: metered}}
  version: {{type: metered}}
  runs: {{type: metered, kind: concurrency}}
plans:
  free: {{entitlements: {{{free}}}}}
  pro: {{entitlements: {{{pro}}}}}
"""


class Dies(BaseException):
    """What ends a process between two commands."""


class Old:
    """A store that an earlier release has set up, and servers on it."""

    def __init__(self, url: str, prefix: str) -> None:
        self.store = Store(url, timeout_ms=10_000)
        self.store.look_up()  # of Sentinels where the primary is
        self.keys = KeySpace(prefix)
        self.keys.lay_out(FORMER, NUMBERED)
        raw(self.store).hset(self.keys.meta, mapping={"layout": 1, "shards": FORMER})
        catalog = parse([Source("plans.yaml", plans())])
        Catalogs(self.store, self.keys, SyncedClock(), 0).publish(catalog.document, catalog.digest)

    def resharder(self) -> Resharder:
        """As a process of its own has it."""
        keys = KeySpace(self.keys.prefix)
        check_layout(self.store, keys)
        return Resharder(self.store, keys)

    def reshard(self, each: Callable[[MovedShard], None]) -> list[MovedShard]:
        moved: list[MovedShard] = []

        def add(one: MovedShard) -> None:
            moved.append(one)
            each(one)

        resharder = self.resharder()
        resharder.run(SHARDS, add)
        resharder.sweep()
        return moved

    def reshard_and_die(self, after: int) -> bool:
        """Move shards, and die after so many commands; returns whether it has."""
        left = [after]

        def count(do: Any) -> Any:
            def counted(*args: Any, **named: Any) -> Any:
                left[0] -= 1
                if left[0] < 0:
                    raise Dies
                return do(*args, **named)

            return counted

        resharder = self.resharder()
        store = resharder._store
        with pytest.MonkeyPatch.context() as patch:
            for name in ("run_many", "execute", "execute_many", "unlink"):
                patch.setattr(store, name, count(getattr(store, name)))
            try:
                resharder.run(SHARDS, lambda _: None)
            except Dies:
                return True
        return False


class Load:
    """Callers of servers, and what they were answered.

    Args:
        servers: whom they call.
        size: how many they are.
        kinds: of calls, by name; those listed twice are made twice as often.
    """

    KINDS = ("batch", "batch", "twice", "reserve", "run", "lease")

    def __init__(self, servers: list[Running], size: int, kinds: Sequence[str] = KINDS) -> None:
        self._servers = servers
        self._kinds = kinds
        self._size = size
        self._stop = threading.Event()
        self._goes_on = threading.Event()
        self._goes_on.set()
        self._paused = 0
        self._lock = threading.Lock()
        self.taken: Counter[tuple[str, str]] = Counter()
        self.answered = 0
        self.errors: list[str] = []
        self._pool = ThreadPoolExecutor(size)
        self._calls = [
            self._pool.submit(self._call, number, random.Random(number)) for number in range(size)
        ]

    def stop(self) -> None:
        self._stop.set()
        for each in self._calls:
            each.result()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Let no call be under way."""
        self._goes_on.clear()
        try:
            eventually(lambda: self._paused, lambda paused: paused == self._size, HELD_S)
            yield
        finally:
            self._goes_on.set()

    def go_on(self, calls: int = 30) -> None:
        """Wait until so many more calls were answered."""
        wanted = self.answered + calls
        eventually(lambda: self.answered, lambda found: found >= wanted)

    def _call(self, number: int, drawn: random.Random) -> None:
        server = self._servers[number % len(self._servers)]
        calls = [getattr(self, f"_{kind}") for kind in self._kinds]
        while not self._stop.is_set():
            if not self._goes_on.is_set():
                self._pause()
            try:
                drawn.choice(calls)(server, drawn)
            except grpc.RpcError as error:
                self._fail(f"{error.code()}: {error.details()}")

    def _pause(self) -> None:
        with self._lock:
            self._paused += 1
        self._goes_on.wait()
        with self._lock:
            self._paused -= 1

    def _fail(self, error: str) -> None:
        with self._lock:
            self.errors.append(error)

    def _note(self, customer: str, feature: str, granted: int) -> None:
        with self._lock:
            self.taken[customer, feature] += granted
            self.answered += 1

    def _batch(self, server: Running, drawn: random.Random) -> None:
        names = drawn.choices(CUSTOMERS, k=10)
        requests = [pb.CheckAndConsumeRequest(customer_id=n, feature_id="calls") for n in names]
        for name, result in zip(names, server.batch(*requests).results, strict=True):
            if result.HasField("error"):
                self._fail(result.error.message)
            else:
                self._note(name, "calls", result.response.allowed)

    def _twice(self, server: Running, drawn: random.Random) -> None:
        name, key = drawn.choice(CUSTOMERS), uuid.uuid4().hex
        first = server.consume(name, "calls", idempotency_key=key)
        again = server.consume(name, "calls", idempotency_key=key)
        assert (first.allowed, first.allowed) == (
            again.allowed,
            again.replayed,
        ) or not first.allowed
        self._note(name, "calls", first.allowed or again.allowed)

    def _until_answered(self, server: Running, drawn: random.Random) -> None:
        """Repeat a call under its key until it is answered."""
        name, key = drawn.choice(CUSTOMERS), uuid.uuid4().hex
        while True:
            try:
                answer = server.consume(name, "calls", idempotency_key=key)
            except grpc.RpcError as error:
                self._fail(f"{error.code()}: {error.details()}")
                if not self._goes_on.is_set():
                    self._pause()
                self._stop.wait(0.02)  # as clients do, before they try again
                continue
            self._note(name, "calls", answer.allowed)
            return

    def _reserve(self, server: Running, drawn: random.Random) -> None:
        name = drawn.choice(CUSTOMERS)
        held_as = uuid.uuid4().hex
        asked = pb.ReserveRequest(
            customer_id=name, feature_id="jobs", quantity=3, reservation_id=held_as
        )
        held = server.quota.Reserve(asked, timeout=CALL_S)
        if not held.decision.allowed:
            return
        used = drawn.choice([0, 2, 3])
        commit = pb.CommitRequest(customer_id=name, reservation_id=held_as, quantity=used)
        server.quota.Commit(commit, timeout=CALL_S)
        self._note(name, "jobs", used)

    def _run(self, server: Running, drawn: random.Random) -> None:
        name, slot_id = drawn.choice(CUSTOMERS), uuid.uuid4().hex
        asked = pb.AcquireSlotRequest(customer_id=name, feature_id="runs", slot_id=slot_id)
        if server.quota.AcquireSlot(asked, timeout=CALL_S).decision.allowed:
            release = pb.ReleaseSlotRequest(customer_id=name, slot_id=slot_id)
            if not server.quota.ReleaseSlot(release, timeout=CALL_S).released:
                self._fail(f"slot of {name} was lost")

    def _lease(self, server: Running, drawn: random.Random) -> None:
        name, lease_id = drawn.choice(CUSTOMERS), uuid.uuid4().hex
        asked = pb.AcquireLeaseRequest(
            customer_id=name, feature_id="lent", quantity=3, lease_id=lease_id
        )
        granted = server.quota.AcquireLease(asked, timeout=CALL_S).granted
        if granted:
            spent = drawn.randrange(granted + 1)
            release = pb.ReleaseLeaseRequest(customer_id=name, lease_id=lease_id, spent=spent)
            returned = server.quota.ReleaseLease(release, timeout=CALL_S).returned
            assert returned in (granted - spent, 0)  # all counts as used once its term is over
            self._note(name, "lent", granted - returned)


def check(old: Old, server: Running, load: Load) -> None:
    """Hold what callers were answered against the counters."""
    keys = KeySpace(old.keys.prefix)
    check_layout(old.store, keys)
    found: Counter[tuple[str, str]] = Counter()
    for name in CUSTOMERS:
        for feature in ("calls", "jobs", "lent", "runs"):
            answer = server.consume(name, feature, mode=pb.MODE_CHECK_ONLY)
            found[name, feature] = answer.used
    told = load.taken
    differ = {each: (told[each], used) for each, used in found.items() if told[each] != used}
    assert {} == differ
    assert max(found.values()) <= LIMIT
    assert (EVEN, SHARDS, FORMER) == (keys.layout, keys.shards, keys.spread.former)
    left = [
        name
        for name in raw(old.store).keys(f"{keys.prefix}:*")
        if name.split(b"}")[0].rpartition(b"{")[2].isdigit()
        and not name.endswith((b":catalog", b":events", b":l", b":le"))
    ]
    assert [] == left
