"""The shards of a store of an earlier release move into fewer ones while servers decide: no call is
lost, nothing is counted twice, and what dies in between is gone on with.
"""

import random
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from quotad.errors import StoreUnavailable
from quotad.store import resharding
from quotad.store.refusals import MOVING
from quotad.store.resharding import MovedShard
from quotad.store.shard_map import CLOSED
from quotad.v1 import admin_pb2
from quotad.v1 import quota_pb2 as pb
from tests.integration.resharded import CUSTOMERS, FORMER, PRO, SHARDS, Load, Old, check, plans
from tests.running import CALL_S, refusal, running

SEED = 7
LOST = 19
"""Which answer is the first that is lost. From each to the next it is one more: else a step that
asks as often would lose one each time that it is tried."""


@pytest.fixture
def old(store_url: str, prefix: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Old]:
    monkeypatch.setattr(resharding, "KNOWN_S", 0.0)
    monkeypatch.setattr(resharding, "LEFT_S", 0.1)
    made = Old(store_url, prefix)
    yield made
    made.store.close()


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
