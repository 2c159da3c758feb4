"""What lua/check_and_consume.lua puts into the ledger, through its binding."""

import time
from collections.abc import Sequence
from typing import cast

import msgspec
import pytest

from quotad.engine.noted import Unreadable, read_record
from quotad.ledger import Noting
from quotad.store import Charge, ChargeStatus, KeySpace, Once, Store
from quotad.store.charges import CHECK, CONSUME_ONCE
from quotad.store.keys import ledger_key
from quotad.store.ledger import LedgerRecord, LedgerStreams
from quotad.store.shard_map import EVEN, MOVING, NUMBERED, ShardMap
from tests.raw import raw
from tests.store.conftest import TAG, Scripted


class Notes:
    """Describes charges by how many there are."""

    kept = (100, 60_000)

    def describe(self, places: Sequence[int]) -> bytes:
        return str(len(places)).encode()


def noted(charge: Charge, noting: int = Noting.TAKEN) -> Charge:
    counters = msgspec.structs.replace(charge.counters, noting=int(noting))
    return msgspec.structs.replace(charge, counters=counters)


def settle(scripted: Scripted, *charges: Charge, tag: str = TAG) -> list[int]:
    settled, error = scripted.counters.settle(tag, charges, time.monotonic() + 5, notes=Notes())
    assert error is None
    return [each.status for each in settled]


def records(scripted: Scripted) -> list[LedgerRecord]:
    streams = LedgerStreams(scripted.store, scripted.space)
    found = streams.read(dict.fromkeys(range(streams.shards)), most=1_000)
    return [each for records in found.values() for each in records]


def test_a_script_call_adds_one_record_with_what_became_of_its_charges(scripted: Scripted) -> None:
    charge = noted(scripted.charge(2, 9))

    assert [1, 1, 0] == settle(scripted, charge, charge, noted(scripted.charge(9, 9)))

    (record,) = records(scripted)
    assert b"3" == record.charges
    assert scripted.space.shard("acme") == record.shard
    assert abs(record.at_ms - time.time() * 1000) < 60_000
    kept_ms = raw(scripted.store).pttl(ledger_key(scripted.keys))
    assert 0 < kept_ms <= 60_000


@pytest.mark.parametrize(
    ("quantity", "noting", "verb", "count"),
    [
        (1, Noting.NOTHING, "consume", 0),
        (1, Noting.TAKEN, "consume", 1),
        (0, Noting.TAKEN, "consume", 0),
        (9, Noting.TAKEN, "consume", 0),
        (9, Noting.ALL, "consume", 1),
        (1, Noting.ALL, "consume", 1),
        (1, Noting.ALL, CHECK, 0),
        (9, Noting.ALL, CHECK, 0),
        (9, Noting.TAKEN, "take_left", 1),
        (0, 3, "consume", 1),
    ],
)
def test_a_record_is_added_exactly_if_something_of_the_call_is_to_be_noted(
    scripted: Scripted, quantity: int, noting: int, verb: str, count: int
) -> None:
    settle(scripted, noted(scripted.charge(quantity, 5, verb=verb), noting))

    assert count == len(records(scripted))


def test_what_is_replayed_stale_or_refused_adds_no_record(scripted: Scripted) -> None:
    once = Once("k", "f" * 16, b"memo,\xff,", 60_000)
    charge = noted(scripted.charge(2, 9, verb=CONSUME_ONCE))
    charge = msgspec.structs.replace(charge, once=once)
    other = msgspec.structs.replace(
        charge, once=msgspec.structs.replace(once, fingerprint="g" * 16)
    )

    assert [1] == settle(scripted, charge)
    assert [2, -3] == settle(scripted, charge, other)
    assert [-1] == settle(scripted, charge, tag="0.old")
    assert [-2] == settle(scripted, noted(scripted.charge(1, 9, epoch=7)))

    assert 1 == len(records(scripted))
    assert ChargeStatus.REPLAYED == settle(scripted, charge, noted(scripted.charge(1, 9)))[0]
    assert 2 == len(records(scripted))


def test_a_key_of_another_type_makes_way_for_the_ledger(scripted: Scripted) -> None:
    raw(scripted.store).set(ledger_key(scripted.keys), "something")

    assert [1] == settle(scripted, noted(scripted.charge(2, 9)))

    assert 1 == len(records(scripted))
    assert {"a": 2} == scripted.used()


def test_a_stream_keeps_about_as_many_records_as_it_may(scripted: Scripted) -> None:
    for _ in range(320):
        settle(scripted, noted(scripted.charge(1, 10_000)))

    assert 100 <= len(records(scripted)) < 310


def test_what_cannot_be_read_is_told_from_what_can(scripted: Scripted) -> None:
    settle(scripted, noted(scripted.charge(1, 9)))

    with pytest.raises(Unreadable):
        read_record(records(scripted)[0])


class OfSeveral:
    """A store of several servers."""

    whole = False


@pytest.mark.parametrize(
    "spread",
    [
        ShardMap(12, NUMBERED),
        ShardMap(4, MOVING, 12, step=1),
        ShardMap(4, MOVING, 12, 6, step=9),
        ShardMap(4, EVEN, 12, 12),
    ],
)
def test_on_a_cluster_a_customer_is_looked_for_where_it_may_have_moved_to(spread: ShardMap) -> None:
    keys, after = KeySpace("test"), KeySpace("test")
    keys.follow(spread)
    after.follow(ShardMap(4, EVEN, 12, 12))
    streams = LedgerStreams(cast(Store, OfSeveral()), keys)

    for customer_id in ("a", "b", "c", "d", "e", "f"):
        grain = keys.grain(customer_id)
        there = [after.shard(customer_id)] if spread.former else []
        assert [grain, *there] == streams.of_customer(customer_id)
        assert keys.shard(customer_id) in streams.of_customer(customer_id)
