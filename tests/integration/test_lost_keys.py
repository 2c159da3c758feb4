"""Keys of the catalog that the store loses are written again from what is left, never from less."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from quotad.catalog import Source, parse
from quotad.clock import SyncedClock
from quotad.engine import watch
from quotad.store import Catalogs, KeySpace, Store
from quotad.v1 import admin_pb2
from tests.raw import raw
from tests.running import CALL_S, Running, eventually, running

Harm = Callable[[Any, KeySpace], object]


def plans(limit: int) -> str:
    return f"""
version: 1
default_plan: free
features: {{calls: {{type: metered}}}}
plans: {{free: {{entitlements: {{calls: {{limit: {limit}}}}}}}}}
"""


HARMS: dict[str, Harm] = {
    "a tag is deleted": lambda client, keys: client.delete(keys.shard_catalogs[3]),
    "a tag is damaged": lambda client, keys: client.set(keys.shard_catalogs[3], "x"),
    "a tag is another type": lambda client, keys: (
        client.delete(keys.shard_catalogs[3]),
        client.lpush(keys.shard_catalogs[3], "x"),
    ),
    "a tag is older": lambda client, keys: client.set(keys.shard_catalogs[3], "1.abc"),
    "all tags are deleted": lambda client, keys: client.delete(*keys.shard_catalogs),
    "the head is deleted": lambda client, keys: client.delete(keys.head),
    "the head is damaged": lambda client, keys: client.hset(keys.head, "version", "x"),
    "the head has lost its digest": lambda client, keys: client.hdel(keys.head, "digest"),
    "the head is another type": lambda client, keys: (
        client.delete(keys.head),
        client.set(keys.head, "x"),
    ),
    "the head is older": lambda client, keys: client.hset(
        keys.head, mapping={"version": 1, "digest": "d1"}
    ),
    "head and tags are deleted": lambda client, keys: client.delete(
        keys.head, *keys.shard_catalogs
    ),
    "head and history are deleted": lambda client, keys: client.delete(keys.head, keys.versions),
}


def state(client: Any, keys: KeySpace) -> list[Any]:
    return [client.hgetall(keys.head), client.mget(keys.shard_catalogs)]


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    made = Store(store_url, timeout_ms=10_000)
    yield made
    made.close()


def published(store: Store, keys: KeySpace, count: int = 3) -> Catalogs:
    catalogs = Catalogs(store, keys, SyncedClock())
    for number in range(count):
        catalog = parse([Source("plans.yaml", plans(number + 1))])
        catalogs.publish(catalog.document, catalog.digest)
    return catalogs


@pytest.mark.parametrize("harm", HARMS.values(), ids=HARMS.keys())
def test_what_is_lost_is_written_again_as_it_was(store: Store, prefix: str, harm: Harm) -> None:
    keys = KeySpace(prefix, shards=8)
    catalogs = published(store, keys)
    before = state(raw(store), keys)
    harm(raw(store), keys)

    assert catalogs.mend()

    assert before == state(raw(store), keys)
    assert not catalogs.mend()


def test_a_lost_head_is_named_by_its_tags_where_the_record_is_lost_too(
    store: Store, prefix: str
) -> None:
    keys = KeySpace(prefix, shards=8)
    catalogs = published(store, keys)
    tags = raw(store).mget(keys.shard_catalogs)
    raw(store).delete(keys.head, keys.versions, keys.catalog_record(3))

    assert 3 == catalogs.version()
    assert tags == raw(store).mget(keys.shard_catalogs)


def test_a_version_whose_record_is_lost_does_not_come_before_a_whole_one(
    store: Store, prefix: str
) -> None:
    keys = KeySpace(prefix, shards=8)
    catalogs = published(store, keys)
    raw(store).zadd(keys.versions, {"files": 4})

    assert not catalogs.mend()
    assert 3 == catalogs.version()


def test_where_nothing_was_published_nothing_is_written(store: Store, prefix: str) -> None:
    keys = KeySpace(prefix, shards=8)
    catalogs = Catalogs(store, keys, SyncedClock())

    assert not catalogs.mend()
    assert (0, "") == catalogs.head()
    assert [] == raw(store).keys(f"{prefix}:*")


def test_a_lost_head_is_there_again_before_a_publish_counts_on_from_it(
    store: Store, prefix: str
) -> None:
    keys = KeySpace(prefix, shards=8)
    catalogs = published(store, keys)
    raw(store).delete(keys.head)

    catalog = parse([Source("plans.yaml", plans(9))])
    assert 4 == catalogs.publish(catalog.document, catalog.digest).version


def test_what_was_lost_is_named_once(
    store: Store, prefix: str, caplog: pytest.LogCaptureFixture
) -> None:
    keys = KeySpace(prefix, shards=8)
    catalogs = published(store, keys)
    raw(store).delete(keys.head, *keys.shard_catalogs[:5])

    while catalogs.mend():
        pass

    (line,) = [each.getMessage() for each in caplog.records if each.name == "quotad.store"]
    assert line == (
        "lost or damaged in the store, written again for catalog version 3:"
        f" {keys.head}, {keys.shard_catalogs[0]}, {keys.shard_catalogs[1]} and 3 more"
    )


@pytest.fixture
def server(store_url: str, prefix: str) -> Iterator[Running]:
    with running(store_url, prefix) as made:
        made.publish_and_wait(plans(1))
        made.publish(plans(2))
        yield made


@pytest.mark.parametrize("harm", HARMS.values(), ids=HARMS.keys())
def test_a_call_meets_nothing_of_it(server: Running, harm: Harm) -> None:
    names = [f"c-{number}" for number in range(30)]
    harm(raw(server.store), server.keys)

    for name in names:
        assert 2 == server.consume(name, "calls").limit


def test_a_lost_record_comes_back_from_a_live_server_for_one_that_starts(
    server: Running, store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "MEND_S", 0.1)
    name = server.keys.catalog_record(2)
    server.wait_ready()
    assert 2 == server.consume("acme", "calls").limit
    before = raw(server.store).getdel(name)

    eventually(lambda: raw(server.store).get(name), lambda found: found == before)

    with running(store_url, server.config.prefix) as second:
        second.wait_ready()
        assert 2 == second.consume("acme", "calls").limit


def test_without_a_live_server_a_lost_record_waits_for_a_publish(
    store: Store, store_url: str, prefix: str
) -> None:
    keys = KeySpace(prefix, shards=8)
    published(store, keys)
    raw(store).delete(keys.catalog_record(3))

    with running(store_url, prefix) as server:
        status = eventually(
            lambda: server.admin.GetStatus(admin_pb2.GetStatusRequest(), timeout=CALL_S),
            lambda found: "publish the catalog again" in found.not_ready_reason,
        )
        assert not status.ready

        server.publish(plans(3))
        server.wait_ready()
        assert 3 == server.consume("acme", "calls").limit
