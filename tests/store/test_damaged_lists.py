"""Keys of another type than quotad writes, where whole servers and publishes would need them."""

from collections.abc import Callable
from typing import Any

import pytest

from quotad.clock import SyncedClock
from quotad.errors import StoreError
from quotad.store import Catalogs, Fleet, KeySpace, Outcome, Store, check_layout
from quotad.store.customers import Customers
from quotad.store.erasures import Erasures
from quotad.store.nearby import Nearby, NearbyStore
from quotad.store.seen import SeenCustomer, SeenStore
from tests.raw import raw

Harm = Callable[[Any, str], object]

HARMS: dict[str, Harm] = {
    "a string": lambda client, name: client.set(name, "x"),
    "a list": lambda client, name: client.rpush(name, "x"),
}


@pytest.fixture(params=list(HARMS.values()), ids=list(HARMS))
def harm(request: pytest.FixtureRequest, store: Store) -> Callable[[str], None]:
    def do(name: str) -> None:
        raw(store).delete(name)
        request.param(raw(store), name)

    return do


def test_servers_give_signs_of_life_where_their_list_is_damaged(
    store: Store, keys: KeySpace, harm: Callable[[str], None]
) -> None:
    harm(keys.servers)

    Fleet(store, keys, "one").beat()

    assert [b"one"] == raw(store).zrange(keys.servers, 0, -1)


def test_a_damaged_layout_is_written_again_by_the_server_that_has_known_it(
    store: Store, keys: KeySpace, harm: Callable[[str], None]
) -> None:
    check_layout(store, keys)
    harm(keys.meta)

    with pytest.raises(StoreError, match="WRONGTYPE"):
        check_layout(store, keys)  # as far as a process that starts knows, it is another program's
    check_layout(store, keys, agreed=True)

    assert {b"layout": b"2", b"shards": b"4"} == raw(store).hgetall(keys.meta)


def test_customers_near_a_limit_are_noted_again_where_their_list_is_damaged(
    store: Store, keys: KeySpace, harm: Callable[[str], None]
) -> None:
    nearby = NearbyStore(store, keys)
    harm(keys.nearby("calls"))

    assert [] == nearby.latest("calls")
    nearby.forget_customer("a", ["calls"])
    nearby.forget([Nearby("calls", "a")])
    nearby.note([Nearby("calls", "a"), Nearby("other", "b")], 1)

    assert [Nearby("calls", "a")] == nearby.latest("calls")
    assert [Nearby("other", "b")] == nearby.latest("other")


def test_customers_that_were_seen_are_noted_again_where_their_list_is_damaged(
    store: Store, keys: KeySpace, harm: Callable[[str], None]
) -> None:
    seen = SeenStore(store, keys, Customers(store, keys))
    harm(keys.seen(keys.shard("a")))

    assert [] == seen.page("", "", 9).customers
    seen.note({"a": 0}, 1)

    assert [SeenCustomer("a", 1)] == seen.page("", "", 9).customers


def test_a_customer_is_erased_where_the_history_of_erasures_is_damaged(
    store: Store, keys: KeySpace, harm: Callable[[str], None]
) -> None:
    erasures = Erasures(store, keys, Customers(store, keys), NearbyStore(store, keys))
    harm(keys.erased(keys.shard("a")))

    assert [] == erasures.latest(9)
    proof = erasures.erase("a", []).proof

    assert [proof] == [each.proof for each in erasures.latest(9)]


@pytest.mark.parametrize("name", ["servers", "versions", "prepared", "candidate", "acks"])
def test_a_catalog_is_published_whatever_lists_of_publishes_are_damaged(
    store: Store, keys: KeySpace, harm: Callable[[str], None], name: str
) -> None:
    catalogs = Catalogs(store, keys, SyncedClock())
    catalogs.publish(b"{}", "d1")
    harm(getattr(keys, name))

    assert Outcome.PUBLISHED is catalogs.publish(b"{1}", "d2").outcome
    assert 2 == catalogs.version()
