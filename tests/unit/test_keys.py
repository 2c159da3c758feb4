import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quotad.store import CustomerKeys, KeySpace, catalog_tag, usage_suffix
from quotad.store.hash_slots import SLOTS, slot_of
from quotad.store.keys import escape
from quotad.store.shard_names import even, numbers

IDS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12) | st.text(
    "a:%{}3AB25", min_size=1, max_size=8
)


def test_the_keys_of_a_customer_byte_by_byte() -> None:
    keys = KeySpace("quotad", 256).customer("acme")

    assert (
        CustomerKeys(
            customer_id="acme",
            start="quotad:{fu}",
            name="acme",
            catalog="quotad:{fu}:catalog",
            epoch="quotad:{fu}:e:acme",
            customers="quotad:{fu}:customers",
            index="quotad:{fu}:index",
            events="quotad:{fu}:events",
            usage="quotad:{fu}:u:acme:",
            decision="quotad:{fu}:i:acme:",
        )
        == keys
    )
    assert ("quotad:{fu}:c:acme", "quotad:{fu}:h:acme", "quotad:{fu}:he:acme") == (
        keys.record,
        keys.holds,
        keys.hold_ends,
    )
    assert "quotad:{fu}:u:acme::api-calls:month.c.1761955200" == keys.usage + usage_suffix(
        "api-calls", "month.c.1761955200"
    )


def test_usage_of_a_resource_and_after_a_reset_has_keys_of_its_own() -> None:
    keys = KeySpace("quotad", 256).customer("acme", "team:1")

    assert "quotad:{fu}:u:acme:team%3A1:calls:life.r2" == keys.usage + usage_suffix(
        "calls", "life", 2
    )
    # Everything else is the customer's.
    customer = KeySpace("quotad", 256).customer("acme")
    assert (customer.epoch, customer.record, customer.decision) == (
        keys.epoch,
        keys.record,
        keys.decision,
    )


def test_the_keys_of_a_store_byte_by_byte() -> None:
    space = KeySpace("t", 2)

    assert ("t:meta", "t:{catalogs}:head", "t:{catalogs}:versions", "t:notices") == (
        space.meta,
        space.head,
        space.versions,
        space.notices,
    )
    assert ("t:{b}:catalog", "t:{a}:catalog") == space.shard_catalogs
    assert ("t:{b}:customers", "t:{a}:customers") == space.shard_customers
    assert "t:{catalogs}:v:17" == space.catalog_record(17)


@pytest.mark.parametrize(
    ("part", "escaped"),
    [("acme", "acme"), ("a:b", "a%3Ab"), ("{x}", "%7Bx%7D"), ("50%", "50%25"), ("ü b", "ü b")],
)
def test_reserved_characters_are_percent_encoded(part: str, escaped: str) -> None:
    assert escaped == escape(part)


@pytest.mark.parametrize(
    ("customer", "shard"),
    [("acme", 62), ("ünï", 234), ("c:1", 40), ("{17}", 147), ("123456789", 0x26)],
)
def test_the_shard_of_a_customer_never_changes(customer: str, shard: int) -> None:
    assert shard == KeySpace("q", 256).shard(customer)


def every_key(space: KeySpace, customer: str, feature: str, key: str) -> list[str]:
    keys = space.customer(customer)
    return [
        keys.epoch,
        keys.record,
        keys.usage + usage_suffix(feature, "life"),
        keys.decision + escape(key),
    ]


@given(IDS, IDS, IDS, IDS)
def test_two_customers_or_features_never_share_a_key(
    customer: str, feature: str, other_customer: str, other_feature: str
) -> None:
    space = KeySpace("q", 1)
    mine = every_key(space, customer, feature, feature)
    theirs = every_key(space, other_customer, other_feature, other_feature)

    assert 4 == len(set(mine))
    assert (customer != other_customer) or mine[:2] == theirs[:2]
    assert (customer == other_customer) == bool(set(mine[:2]) & set(theirs[:2]))
    same = (customer, feature) == (other_customer, other_feature)
    assert same == bool(set(mine[2:]) & set(theirs[2:]))
    assert not set(mine) & {*space.shard_catalogs, *space.shard_customers, space.meta}


@given(st.tuples(IDS, IDS | st.just(""), IDS), st.tuples(IDS, IDS | st.just(""), IDS))
def test_two_resources_never_share_a_counter(
    mine: tuple[str, str, str], theirs: tuple[str, str, str]
) -> None:
    space = KeySpace("q", 1)
    names = [
        space.customer(customer, resource).usage + usage_suffix(feature, "life")
        for customer, resource, feature in (mine, theirs)
    ]

    assert (mine == theirs) == (names[0] == names[1])


@given(IDS, IDS, st.integers(1, 300))
def test_all_keys_of_a_customer_are_in_one_slot_of_a_cluster(
    customer: str, feature: str, shards: int
) -> None:
    space = KeySpace("q", shards)
    keys = [*every_key(space, customer, feature, feature), space.customer(customer).catalog]

    tags = {key[key.index("{") + 1 : key.index("}")] for key in keys}

    assert {space.of_shard(space.shard(customer))[3:-2]} == tags
    assert {1} == {key.count("{") for key in keys}


def test_names_of_shards_never_change() -> None:
    """They are in the keys of every store."""
    assert ("b", "c", "d", "a") == even(4)
    known = {32: "5bbe73e7f851a810", 256: "82add47d391b3470", 16_384: "d0c80af07f0f0b69"}
    for shards, digest in known.items():
        assert digest == hashlib.sha256(" ".join(even(shards)).encode()).hexdigest()[:16]


@given(st.integers(1, 600))
def test_shards_are_spread_evenly_and_named_by_no_number(shards: int) -> None:
    parts = [slot_of(name) * shards // SLOTS for name in even(shards)]

    assert list(range(shards)) == parts
    assert not set(even(shards)) & set(numbers(shards))


def test_a_catalog_tag_distinguishes_versions_and_contents() -> None:
    assert "7.0123456789ab" == catalog_tag(7, "0123456789abcdef")
    assert 3 == len({catalog_tag(7, "a" * 64), catalog_tag(7, "b" * 64), catalog_tag(8, "a" * 64)})
