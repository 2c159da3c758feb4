"""How the customers of a store are spread is fixed when it is first used, and read from there."""

import pytest

from quotad.errors import ConfigError
from quotad.store import KeySpace, Store, check_layout
from quotad.store.keys import EVEN, NUMBERED
from tests.raw import raw


def of_an_earlier_release(store: Store, prefix: str, shards: int) -> KeySpace:
    keys = KeySpace(prefix)
    keys.lay_out(shards, NUMBERED)
    raw(store).hset(keys.meta, mapping={"layout": 1, "shards": shards})
    for name in keys.shard_catalogs:
        raw(store).set(name, "1.abc")
    return keys


def test_a_new_store_has_few_shards_with_names_that_spread(store: Store, prefix: str) -> None:
    keys = KeySpace(prefix)
    check_layout(store, keys)

    assert {b"layout": b"2", b"shards": b"32"} == raw(store).hgetall(keys.meta)
    assert (32, EVEN) == (keys.shards, keys.layout)


def test_a_store_of_an_earlier_release_goes_on_as_it_is(store: Store, prefix: str) -> None:
    before = of_an_earlier_release(store, prefix, 7)

    for given in (0, 7):
        keys = KeySpace(prefix, given)
        check_layout(store, keys)
        assert before.customer("acme") == keys.customer("acme")
        check_layout(store, keys, agreed=True)
    assert {b"layout": b"1", b"shards": b"7"} == raw(store).hgetall(keys.meta)


@pytest.mark.parametrize(("given", "shards"), [(0, 256), (8, 8)])
def test_a_store_of_an_earlier_release_that_has_lost_its_layout_is_known_by_its_keys(
    store: Store, prefix: str, given: int, shards: int
) -> None:
    before = of_an_earlier_release(store, prefix, shards)
    raw(store).delete(before.meta)

    keys = KeySpace(prefix, given)
    check_layout(store, keys)

    assert before.customer("acme") == keys.customer("acme")


def test_a_number_that_was_chosen_must_be_that_of_the_store(store: Store, prefix: str) -> None:
    check_layout(store, KeySpace(prefix, 4))

    with pytest.raises(ConfigError, match="set up with 4 shards under"):
        check_layout(store, KeySpace(prefix, 5))
    keys = KeySpace(prefix)
    check_layout(store, keys)
    assert KeySpace(prefix, 4).customer("acme") == keys.customer("acme")


def test_a_process_that_runs_takes_over_no_other_layout(store: Store, prefix: str) -> None:
    keys = KeySpace(prefix)
    check_layout(store, keys)
    raw(store).delete(keys.meta)
    of_an_earlier_release(store, prefix, 32)

    with pytest.raises(ConfigError, match="set up anew"):
        check_layout(store, keys, agreed=True)
