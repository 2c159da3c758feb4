"""On a cluster a catalog comes into force shard by shard: forward only, and whoever finds one that
was left behind brings it along.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from quotad.catalog import Catalog, Source, parse
from quotad.clock import SyncedClock
from quotad.errors import StoreUnavailable
from quotad.sidecar import Sidecar, parse_source
from quotad.store import Catalogs, KeySpace, Outcome, Published, Store, catalog_tag
from quotad.store.shard_tags import ShardTags
from tests.raw import raw
from tests.running import Running, running

SHARDS = 8


def plans(limit: int) -> str:
    return f"""
version: 1
default_plan: free
features: {{calls: {{type: metered}}}}
plans: {{free: {{entitlements: {{calls: {{limit: {limit}}}}}}}}}
"""


def made(limit: int) -> Catalog:
    return parse([Source("plans.yaml", plans(limit))])


class Dies(BaseException):
    """What ends a publisher between two steps."""


class Shop:
    """One store, and publishers that die on the way."""

    def __init__(self, url: str, prefix: str) -> None:
        self.store = Store(url, timeout_ms=10_000)
        self.keys = KeySpace(prefix, shards=SHARDS)
        self.catalogs = Catalogs(self.store, self.keys, SyncedClock(), 0)

    def publish(self, limit: int) -> Published:
        catalog = made(limit)
        return self.catalogs.publish(catalog.document, catalog.digest)

    def publish_and_die(self, limit: int, after: int) -> None:
        """Publish, and die when so many shards have the version."""
        advance = ShardTags.advance
        some = KeySpace(self.keys.prefix, shards=SHARDS)
        some.shard_catalogs = self.keys.shard_catalogs[:after]

        def die(tags: ShardTags, version: int, digest: str) -> None:
            if after:
                advance(ShardTags(self.store, some), version, digest)
            raise Dies

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(ShardTags, "advance", die)
            with pytest.raises(Dies):
                self.publish(limit)

    def tags(self) -> set[bytes]:
        return set(raw(self.store).mget(self.keys.shard_catalogs))

    def tag(self, version: int, limit: int) -> bytes:
        return catalog_tag(version, made(limit).digest).encode()


@pytest.fixture
def shop(store_url: str, prefix: str) -> Iterator[Shop]:
    one = Shop(store_url, prefix)
    yield one
    one.store.close()


def by_a_publish_of_the_same(shop: Shop, _: Path) -> None:
    assert Published(Outcome.UNCHANGED, 2, 2) == shop.publish(2)


def by_mending(shop: Shop, _: Path) -> None:
    assert shop.catalogs.mend()
    assert not shop.catalogs.mend()


def by_a_sidecar(shop: Shop, plan_file: Path) -> None:
    plan_file.write_text(plans(2))
    now = [0.0]
    sidecar = Sidecar([parse_source(str(plan_file))], shop.catalogs, now=lambda: now[0])
    for _ in range(4):
        sidecar.step()
        now[0] += 100


@pytest.mark.parametrize("complete", [by_a_publish_of_the_same, by_mending, by_a_sidecar])
@pytest.mark.parametrize("after", [0, 3])
def test_what_a_publisher_that_died_has_left_is_completed(
    shop: Shop,
    after: int,
    complete: Callable[[Shop, Path], None],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    shop.publish(1)
    shop.publish_and_die(2, after)
    assert 2 == shop.catalogs.version()
    assert {shop.tag(1, 1)} <= shop.tags()

    complete(shop, tmp_path / "plans.yaml")

    assert {shop.tag(2, 2)} == shop.tags()
    assert "lost or damaged" not in caplog.text


def of_every_shard(server: Running) -> dict[int, str]:
    """A customer of each shard."""
    names = [f"c{number}" for number in range(100)]
    return {server.keys.shard(name): name for name in names}


@pytest.mark.parametrize("after", [0, 3, SHARDS - 1])
def test_a_server_that_meets_an_old_shard_brings_it_along_and_never_goes_back(
    shop: Shop, store_url: str, prefix: str, after: int
) -> None:
    with running(store_url, prefix, shards=SHARDS) as server:
        server.publish_and_wait(plans(1))
        shop.publish_and_die(2, after)
        answers: list[Any] = []
        # The first is of a shard that has the version, where one has: the server knows it then.
        for shard, customer in sorted(of_every_shard(server).items()):
            answers.append(server.consume(customer, "calls", quantity=0))
            assert answers[-1].limit == answers[-1].catalog_version, shard

        versions = [answer.catalog_version for answer in answers]
        assert sorted(versions) == versions
        assert not after or [2] * SHARDS == versions


def test_the_next_publish_leaves_no_shard_behind(shop: Shop) -> None:
    shop.publish(1)
    shop.publish_and_die(2, 3)

    assert Published(Outcome.PUBLISHED, 3, 3) == shop.publish(3)

    assert {shop.tag(3, 3)} == shop.tags()


def test_a_publisher_that_goes_on_too_late_takes_no_shard_back(shop: Shop) -> None:
    shop.publish(1)
    shop.publish_and_die(2, 3)
    shop.publish(3)

    ShardTags(shop.store, shop.keys).advance(2, made(2).digest)

    assert {shop.tag(3, 3)} == shop.tags()


def test_a_head_that_a_failover_took_back_is_brought_to_what_is_in_force(shop: Shop) -> None:
    for limit in (1, 2, 3):
        shop.publish(limit)
    client, keys = raw(shop.store), shop.keys
    client.hset(keys.head, mapping={"version": 2, "digest": made(2).digest})
    client.zrem(keys.versions, made(3).digest)

    assert shop.catalogs.mend()

    assert 3 == shop.catalogs.version()
    assert {shop.tag(3, 3)} == shop.tags()


def test_a_number_that_a_failover_has_given_out_twice_is_that_of_the_head(shop: Shop) -> None:
    for limit in (1, 2):
        shop.publish(limit)
    client, keys = raw(shop.store), shop.keys
    client.hset(keys.head, mapping={"version": 1, "digest": made(1).digest})
    client.zrem(keys.versions, made(2).digest)

    shop.publish(3)  # before anything has seen what the shards have

    assert {shop.tag(2, 3)} == shop.tags()


def test_a_shard_that_cannot_be_reached_makes_a_publish_incomplete(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.publish(1)
    script = shop.store.run_many

    def cut(which: Any, calls: Any) -> Any:
        script(which, calls[:-1])
        raise StoreUnavailable("the node is gone", "the store is not available")

    monkeypatch.setattr(shop.store, "run_many", cut)
    monkeypatch.setattr(shop.store, "run", lambda *words: script(words[0], [words[1:]])[0])
    with pytest.raises(StoreUnavailable, match="incomplete: catalog version 2 is published"):
        shop.publish(2)
    monkeypatch.undo()

    assert {shop.tag(1, 1), shop.tag(2, 2)} == shop.tags()
    assert Published(Outcome.UNCHANGED, 2, 2) == shop.publish(2)
    assert {shop.tag(2, 2)} == shop.tags()
