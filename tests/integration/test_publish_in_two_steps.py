"""A catalog comes into force when every live server has compiled it, and never by halves."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import msgspec
import pytest

from quotad.catalog import Catalog, Source, parse
from quotad.clock import SyncedClock
from quotad.errors import Conflict
from quotad.store import (
    Candidate,
    Catalogs,
    Fleet,
    KeySpace,
    Outcome,
    Published,
    Store,
    publishing,
    scripts,
)
from tests.raw import raw
from tests.running import eventually, running

WAIT_MS = 20_000
"""Longer than any test takes."""


def plans(limit: int) -> str:
    return f"""
version: 1
default_plan: free
features: {{calls: {{type: metered}}}}
plans: {{free: {{entitlements: {{calls: {{limit: {limit}}}}}}}}}
"""


def made(limit: int) -> Catalog:
    return parse([Source("plans.yaml", plans(limit))])


class Shop:
    """One store, publishers, and servers that do only what a test lets them do."""

    def __init__(self, url: str, prefix: str) -> None:
        self.store = Store(url, timeout_ms=10_000)
        self.keys = KeySpace(prefix, shards=8)
        self.pool = ThreadPoolExecutor(4)

    def catalogs(self, wait_ms: int = WAIT_MS) -> Catalogs:
        return Catalogs(self.store, self.keys, SyncedClock(), wait_ms)

    def server(self, name: str) -> Fleet:
        """A server that has given a sign of life, and says no more."""
        fleet = Fleet(self.store, self.keys, name)
        fleet.beat()
        return fleet

    def publishing(self, limit: int, **terms: Any) -> Future[Published]:
        """A publish under way in another thread."""
        catalog, catalogs = made(limit), self.catalogs()
        return self.pool.submit(catalogs.publish, catalog.document, catalog.digest, **terms)

    def candidate(self) -> Candidate:
        """What is prepared, once it is."""
        found = eventually(lambda: self.catalogs().look()[1], lambda one: one is not None)
        assert found is not None
        return found

    def prepare(self, limit: int, lapse_ms: int) -> None:
        """The first step of a publisher that dies before the second."""
        catalog, record = made(limit), b"never read"
        script = scripts.load("prepare_catalog")
        keys = self.keys
        words = [keys.head, keys.versions, keys.prepared, keys.candidate, keys.acks]
        in_force = self.catalogs().version()
        args = [in_force, catalog.digest, catalog.digest, record, 0, 0, "token", lapse_ms, ""]
        shards = keys.shard_catalogs if self.store.whole else ()
        self.store.run(script, [*words, *shards], args)


@pytest.fixture
def shop(store_url: str, prefix: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    monkeypatch.setattr(publishing, "ALIVE_MS", 60_000)  # also on a busy machine
    one = Shop(store_url, prefix)
    yield one
    one.pool.shutdown()
    one.store.close()


def test_a_catalog_in_preparation_is_in_force_nowhere_and_not_in_the_history(shop: Shop) -> None:
    shop.publishing(1).result()
    server = shop.server("slow")
    under_way = shop.publishing(2)
    candidate = shop.candidate()

    assert 2 == candidate.version
    assert 1 == shop.catalogs().version()
    assert [1] == [record.version for record in shop.catalogs().history(10)]
    tags = raw(shop.store).mget(shop.keys.shard_catalogs)
    assert all(tag.startswith(b"1.") for tag in tags)
    assert not under_way.done()

    server.acknowledge(candidate)

    assert Published(Outcome.PUBLISHED, 2, 2) == under_way.result()
    assert [2, 1] == [record.version for record in shop.catalogs().history(10)]
    assert shop.catalogs().look()[1] is None
    assert -1 == raw(shop.store).ttl(shop.keys.catalog_record(2))


def test_a_server_that_joins_while_a_catalog_is_prepared_is_waited_for(shop: Shop) -> None:
    first = shop.server("first")
    under_way = shop.publishing(1)
    candidate = shop.candidate()
    second = shop.server("second")

    first.acknowledge(candidate)
    assert 0 == shop.catalogs().version()
    second.acknowledge(candidate)

    assert 1 == under_way.result().version


def test_a_server_that_has_left_is_not_waited_for(shop: Shop) -> None:
    shop.server("gone").leave()

    assert 1 == shop.publishing(1).result().version


def test_a_server_without_a_sign_of_life_is_not_waited_for(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publishing, "ALIVE_MS", -1)
    shop.server("dead")

    assert 1 == shop.publishing(1).result().version


def test_a_live_server_that_does_not_answer_is_waited_for_so_long_and_named(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    shop.server("hung")
    catalog = made(1)

    published = shop.catalogs(wait_ms=50).publish(catalog.document, catalog.digest)

    assert 1 == published.version
    assert "server hung had not compiled it after 0.1 s" in caplog.text


def test_a_server_that_cannot_read_a_catalog_is_named_and_not_waited_for(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    server = shop.server("old")
    under_way = shop.publishing(1)
    server.acknowledge(shop.candidate(), "features.calls: unknown type 'rate'")

    assert 1 == under_way.result().version
    assert "server old cannot read it: features.calls: unknown type 'rate'" in caplog.text


def test_an_answer_to_another_candidate_counts_nothing(shop: Shop) -> None:
    server = shop.server("slow")
    under_way = shop.publishing(1)
    candidate = shop.candidate()

    server.acknowledge(Candidate(candidate.version, candidate.digest, "another"))
    assert 0 == raw(shop.store).hlen(shop.keys.acks)
    server.acknowledge(candidate)

    assert 1 == under_way.result().version


def test_publishers_take_turns(shop: Shop) -> None:
    server = shop.server("slow")
    first = shop.publishing(1)
    candidate = shop.candidate()
    second = shop.publishing(2, expected_version=0)
    third = shop.publishing(3)

    server.acknowledge(candidate)
    server.leave()

    assert 1 == first.result().version
    with pytest.raises(Conflict, match=r"catalog version \d is in force, not 0"):
        second.result()
    assert 2 == third.result().version


def test_two_publishes_of_one_content_are_one_version(shop: Shop) -> None:
    server = shop.server("slow")
    both = [shop.publishing(1)]
    candidate = shop.candidate()
    both.append(shop.publishing(1))

    server.acknowledge(candidate)

    assert {1} == {each.result().version for each in both}
    assert [1] == [record.version for record in shop.catalogs().history(10)]


def test_the_candidate_of_a_publisher_that_died_lapses(shop: Shop) -> None:
    shop.publishing(1).result()
    shop.prepare(2, lapse_ms=300)

    assert Published(Outcome.PUBLISHED, 2, 2) == shop.publishing(3).result()
    assert made(3).digest == shop.catalogs().get(2).digest


def test_a_publish_gives_up_when_another_does_not_end(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publishing, "_SPARE_MS", 0)
    shop.prepare(2, lapse_ms=600_000)
    catalog = made(1)

    with pytest.raises(Conflict, match="another catalog is being published"):
        shop.catalogs(wait_ms=0).publish(catalog.document, catalog.digest)


def test_a_publish_in_one_step_by_an_earlier_release_comes_before_the_candidate(
    shop: Shop,
) -> None:
    shop.publishing(1).result()
    server = shop.server("slow")
    under_way = shop.publishing(3)
    candidate = shop.candidate()
    publish_in_one_step(shop, 2)

    server.acknowledge(candidate)
    server.leave()

    assert 3 == under_way.result().version
    assert made(2).digest == shop.catalogs().get(2).digest


def publish_in_one_step(shop: Shop, limit: int) -> None:
    """What the script of earlier releases does."""
    catalog, catalogs = made(limit), shop.catalogs()
    version = catalogs.version() + 1
    fields = {
        "version": version,
        "digest": catalog.digest,
        "document": catalog.document,
        "published_ms": 0,
    }
    tag = f"{version}.{catalog.digest[:12]}"
    pipeline = raw(shop.store).pipeline(transaction=True)
    pipeline.set(shop.keys.catalog_record(version), msgspec.msgpack.encode(fields))
    pipeline.zadd(shop.keys.versions, {catalog.digest: version})
    pipeline.mset(dict.fromkeys(shop.keys.shard_catalogs, tag))
    pipeline.hset(shop.keys.head, mapping={"version": version, "digest": catalog.digest})
    pipeline.execute()


def test_a_call_to_another_server_is_decided_as_soon_as_the_first_publish_has_returned(
    store_url: str, prefix: str
) -> None:
    with running(store_url, prefix) as one, running(store_url, prefix, "grpcio") as two:
        one.wait_for_store()
        two.wait_for_store()
        for _ in range(5):
            one.publish(plans(7))

            assert 7 == two.consume("acme", "calls").limit
            assert 7 == one.consume("acme", "calls").limit

            names = [name for name in raw(one.store).keys(f"{prefix}:*") if b":meta" not in name]
            kept = one.keys.servers.encode()
            raw(one.store).delete(*(name for name in names if name != kept))
            one.wait_ready(False)
            two.wait_ready(False)


def test_a_server_that_starts_while_a_catalog_is_prepared_decides_by_it_at_once(
    shop: Shop, store_url: str, prefix: str
) -> None:
    shop.publishing(1).result()
    slow = shop.server("slow")
    under_way = shop.publishing(2)
    candidate = shop.candidate()
    with running(store_url, prefix) as server:
        server.wait_ready()
        assert 1 == server.consume("acme", "calls", quantity=0).limit
        eventually(lambda: raw(shop.store).hlen(shop.keys.acks), lambda count: count == 1)
        slow.acknowledge(candidate)
        under_way.result()

        assert 2 == server.consume("acme", "calls", quantity=0).limit


def test_a_publish_of_an_earlier_release_is_in_force_at_the_next_call(
    shop: Shop, store_url: str, prefix: str
) -> None:
    with running(store_url, prefix) as server:
        server.publish_and_wait(plans(1))
        for limit in range(2, 10):
            publish_in_one_step(shop, limit)

            assert limit == server.consume("acme", "calls", quantity=0).limit


def test_a_server_that_stops_takes_its_leave(shop: Shop, store_url: str, prefix: str) -> None:
    with running(store_url, prefix):
        eventually(lambda: raw(shop.store).zcard(shop.keys.servers), lambda count: count == 1)

    assert 0 == raw(shop.store).zcard(shop.keys.servers)


def test_the_log_of_a_publish_to_live_servers_is_quiet(
    store_url: str, prefix: str, caplog: pytest.LogCaptureFixture
) -> None:
    with running(store_url, prefix) as one, running(store_url, prefix) as two:
        one.wait_for_store()
        two.wait_for_store()
        one.publish(plans(1))

    assert "catalog version" not in "".join(
        each.getMessage() for each in caplog.records if each.name == "quotad.store"
    )
