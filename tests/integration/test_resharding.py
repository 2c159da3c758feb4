"""The shards of a store of an earlier release move into fewer ones while servers decide: no call is
lost, nothing is counted twice, and what dies in between is gone on with.
"""

import random
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import grpc
import pytest

from quotad.catalog import Source, parse
from quotad.clock import SyncedClock
from quotad.errors import StoreUnavailable
from quotad.store import Catalogs, KeySpace, Store, check_layout, resharding
from quotad.store.keys import EVEN, NUMBERED
from quotad.store.refusals import MOVING
from quotad.store.resharding import MovedShard, Resharder
from quotad.store.shard_map import CLOSED
from quotad.v1 import admin_pb2
from quotad.v1 import quota_pb2 as pb
from tests.raw import raw
from tests.running import CALL_S, Running, eventually, refusal, running

FORMER, SHARDS = 6, 3
LIMIT = 150
SLOTS = 2
PRO = 1_000
SEED = 7
LOST = 19
"""Which answer is the first that is lost. From each to the next it is one more: else a step that
asks as often would lose one each time that it is tried."""
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


@pytest.fixture
def old(store_url: str, prefix: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Old]:
    monkeypatch.setattr(resharding, "KNOWN_S", 0.0)
    monkeypatch.setattr(resharding, "LEFT_S", 0.1)
    made = Old(store_url, prefix)
    yield made
    made.store.close()


class Load:
    """Callers of servers, and what they were answered."""

    def __init__(self, servers: list[Running], size: int) -> None:
        self._servers = servers
        self._stop = threading.Event()
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

    def go_on(self, calls: int = 30) -> None:
        """Wait until so many more calls were answered."""
        wanted = self.answered + calls
        eventually(lambda: self.answered, lambda found: found >= wanted)

    def _call(self, number: int, drawn: random.Random) -> None:
        server = self._servers[number % len(self._servers)]
        calls = [self._batch, self._batch, self._twice, self._reserve, self._run, self._lease]
        while not self._stop.is_set():
            try:
                drawn.choice(calls)(server, drawn)
            except grpc.RpcError as error:
                self._fail(f"{error.code()}: {error.details()}")

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
            server.quota.ReleaseLease(release, timeout=CALL_S)
            self._note(name, "lent", spent)


def check(old: Old, server: Running, load: Load) -> None:
    """Hold what callers were answered against the counters."""
    keys = KeySpace(old.keys.prefix)
    check_layout(old.store, keys)
    found: Counter[tuple[str, str]] = Counter()
    for name in CUSTOMERS:
        for feature in ("calls", "jobs", "lent", "runs"):
            answer = server.consume(name, feature, mode=pb.MODE_CHECK_ONLY)
            found[name, feature] = answer.used
    assert +load.taken == +found
    assert max(found.values()) <= LIMIT
    assert (EVEN, SHARDS, FORMER) == (keys.layout, keys.shards, keys.spread.former)
    left = [
        name
        for name in raw(old.store).keys(f"{keys.prefix}:*")
        if name.split(b"}")[0].rpartition(b"{")[2].isdigit()
        and not name.endswith((b":catalog", b":events", b":l", b":le"))
    ]
    assert [] == left


def test_no_call_is_lost_and_none_counted_twice_while_shards_move(old: Old, store_url: str) -> None:
    with ExitStack() as stack:
        servers = [
            stack.enter_context(running(store_url, old.keys.prefix, shards=0)) for _ in range(2)
        ]
        for server in servers:
            server.wait_ready()
        load = Load(servers, 6)
        told: set[str] = set()
        provisioned: set[str] = set()

        def publish_and_write(moved: MovedShard) -> None:
            load.go_on()
            version = moved.shard + 2
            servers[moved.shard % 2].publish(plans(version))
            for name in CUSTOMERS[:FORMER]:
                for server in servers:
                    answer = server.consume(name, "version", mode=pb.MODE_CHECK_ONLY)
                    limit = version + PRO * (name in provisioned)
                    assert (limit, version) == (answer.limit, answer.catalog_version), name
            for number, name in enumerate(CUSTOMERS[moved.shard :: FORMER]):
                servers[number % 2].provision(name, "pro")
                provisioned.add(name)
                answer = servers[1 - number % 2].consume(name, "version", mode=pb.MODE_CHECK_ONLY)
                assert PRO + version == answer.limit, name
            status = servers[0].admin.GetStatus(admin_pb2.GetStatusRequest(), timeout=CALL_S)
            told.update(each for each in status.store_warnings if "resharding" in each)

        moved = old.reshard(publish_and_write)
        load.stop()

        assert [] == load.errors
        assert list(range(FORMER)) == [each.shard for each in moved]
        assert f"resharding: {FORMER - 1} of {FORMER} shards have moved" in told
        for server in servers:
            check(old, server, load)


def test_what_has_died_at_any_point_is_gone_on_with(old: Old, store_url: str) -> None:
    drawn = random.Random(SEED)
    with running(store_url, old.keys.prefix, shards=0) as server:
        server.wait_ready()
        load = Load([server], 4)
        died = 0
        while old.reshard_and_die(drawn.randrange(1, 60)):
            died += 1
            assert died < 500
        old.reshard(lambda _: load.go_on())
        load.stop()

        assert died
        check(old, server, load)


def test_answers_that_are_lost_on_the_way_move_no_shard_twice(
    old: Old, store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resharding, "_PAUSE_MIN_S", 0.0)
    with running(store_url, old.keys.prefix, shards=0) as server:
        server.wait_ready()
        load = Load([server], 4)
        resharder, answers, lost = old.resharder(), 0, 0
        resharder._begin(resharder.plan(SHARDS))

        def lose(do: Any) -> Any:
            def lossy(*args: Any, **named: Any) -> Any:
                nonlocal answers, lost
                found = do(*args, **named)
                answers += 1
                if answers == LOST + lost:
                    answers, lost = 0, lost + 1
                    raise StoreUnavailable("the answer was lost")
                return found

            return lossy

        with monkeypatch.context() as patch:
            for name in ("run_many", "execute", "execute_many"):
                patch.setattr(resharder._store, name, lose(getattr(resharder._store, name)))
            while resharder._keys.spread.moved < FORMER:
                resharder._move_on(lambda _: None)
        old.reshard(lambda _: None)
        load.stop()

        assert lost > 2
        assert [] == load.errors
        check(old, server, load)


def test_while_a_shard_is_closed_only_its_customers_wait(old: Old, store_url: str) -> None:
    with running(store_url, old.keys.prefix, shards=0, store_timeout_ms=400) as server:
        server.wait_ready()
        resharder = old.resharder()
        resharder._begin(resharder.plan(SHARDS))
        resharder._close(resharder._keys.spread)
        resharder._mark(0, CLOSED)
        mine = [name for name in CUSTOMERS if old.keys.shard(name) == 0]
        others = [name for name in CUSTOMERS if old.keys.shard(name) != 0]
        for _ in range(2):
            names = [*mine, *others]
            requests = [pb.CheckAndConsumeRequest(customer_id=n, feature_id="calls") for n in names]
            results = dict(zip(names, server.batch(*requests).results, strict=True))
            assert {name for name in names if results[name].HasField("error")} == {*mine}
            assert "is being moved; try again" in results[mine[0]].error.message
            assert all(results[name].response.allowed for name in others)
        refused = refusal(lambda: server.consume(mine[0], "calls"))
        assert ("UNAVAILABLE", MOVING) == (refused.code.name, refused.message)
        status = server.admin.GetStatus(admin_pb2.GetStatusRequest(), timeout=CALL_S)
        assert status.ready

        old.reshard(lambda _: None)

        assert [0] * len(mine) == [server.consume(name, "calls").used - 1 for name in mine]
        assert [2] * len(others) == [server.consume(name, "calls").used - 1 for name in others]
