"""Keys of another type than quotad writes, where whole servers and publishes would need them."""

from collections.abc import Callable
from typing import Any

import pytest

from quotad.clock import SyncedClock
from quotad.errors import StoreError
from quotad.store import Catalogs, Fleet, KeySpace, Outcome, Store, check_layout
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


def test_a_damaged_layout_is_written_again_by_who_has_known_it(
    store: Store, keys: KeySpace, harm: Callable[[str], None]
) -> None:
    check_layout(store, keys)
    harm(keys.meta)

    with pytest.raises(StoreError, match="WRONGTYPE"):
        check_layout(store, keys)  # as far as a process that starts knows, it is another program's
    check_layout(store, keys, agreed=True)

    assert {b"layout": b"1", b"shards": b"4"} == raw(store).hgetall(keys.meta)


@pytest.mark.parametrize("name", ["servers", "versions", "prepared", "candidate", "acks"])
def test_a_catalog_is_published_whatever_lists_of_publishes_are_damaged(
    store: Store, keys: KeySpace, harm: Callable[[str], None], name: str
) -> None:
    catalogs = Catalogs(store, keys, SyncedClock())
    catalogs.publish(b"{}", "d1")
    harm(getattr(keys, name))

    assert Outcome.PUBLISHED is catalogs.publish(b"{1}", "d2").outcome
    assert 2 == catalogs.version()
