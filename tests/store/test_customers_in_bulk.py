"""Many customers written in one round trip, against a real server."""

from collections.abc import Callable

import pytest

from quotad.errors import StoreError
from quotad.records import CustomerRecord, Subscription
from quotad.store import Customers, KeySpace, Store, Written
from quotad.store import customers as module
from quotad.store.scripts import Script
from tests.raw import raw


@pytest.fixture
def customers(store: Store, keys: KeySpace) -> Customers:
    return Customers(store, keys)


def on_plan(customer_id: str, plan_id: str) -> CustomerRecord:
    return CustomerRecord(customer_id, (Subscription(plan_id, 1),))


def to(record: CustomerRecord) -> Callable[[CustomerRecord | None], CustomerRecord]:
    """The change that leaves a record alone which is like this one already."""
    return lambda before: before if before == record else record


def test_more_than_a_round_trip_takes_are_all_written_and_listed(customers: Customers) -> None:
    count = 2 * module._CHUNK + 3
    records = [on_plan(f"c{i}", f"p{i}") for i in range(count)]

    written = customers.write_many([(r.customer_id, to(r)) for r in records])

    assert [Written.WRITTEN] * count == written
    stored = customers.get_many([r.customer_id for r in records])
    assert records == [one.record for one in stored]
    assert all(one.epoch > 0 for one in stored)
    assert count == len(customers.list_page("", 1000).customers)


def test_what_is_so_already_is_not_written_and_keeps_its_epoch(customers: Customers) -> None:
    old, new = on_plan("acme", "free"), on_plan("acme", "pro")
    same = on_plan("same", "free")
    customers.write_many([("acme", to(old)), ("same", to(same))])
    before = customers.get_many(["acme", "same"])

    written = customers.write_many([("acme", to(new)), ("same", to(same))])

    assert [Written.WRITTEN, Written.UNCHANGED] == written
    after = customers.get_many(["acme", "same"])
    assert (new, before[1]) == (after[0].record, after[1])
    assert before[0].epoch < after[0].epoch


def test_those_that_lost_a_race_are_made_again_and_the_others_are_not(customers: Customers) -> None:
    asked: list[tuple[str, CustomerRecord | None]] = []

    def racing(before: CustomerRecord | None) -> CustomerRecord:
        asked.append(("raced", before))
        if before is None:
            customers.update("raced", lambda _: on_plan("raced", "theirs"))
        return CustomerRecord("raced", archived=before is not None)

    def calm(before: CustomerRecord | None) -> CustomerRecord:
        asked.append(("calm", before))
        return CustomerRecord("calm")

    written = customers.write_many([("raced", racing), ("calm", calm)])

    assert [Written.WRITTEN] * 2 == written
    assert [("raced", None), ("calm", None), ("raced", on_plan("raced", "theirs"))] == asked
    assert CustomerRecord("raced", archived=True) == customers.get("raced").record


def test_one_that_always_loses_is_reported_and_the_others_are_written(customers: Customers) -> None:
    def losing(_: CustomerRecord | None) -> CustomerRecord:
        customers.update("raced", lambda _: CustomerRecord("raced"))
        return on_plan("raced", "pro")

    written = customers.write_many([("raced", losing), ("calm", to(on_plan("calm", "pro")))])

    assert [Written.CONFLICT, Written.WRITTEN] == written
    assert CustomerRecord("raced") == customers.get("raced").record


def test_a_server_that_lost_its_scripts_is_given_them_again(
    customers: Customers, store: Store
) -> None:
    raw(store).script_flush()

    written = customers.write_many([(f"c{i}", to(CustomerRecord(f"c{i}"))) for i in range(3)])

    assert [Written.WRITTEN] * 3 == written


def test_a_script_that_fails_ends_the_round_trip_with_its_error(store: Store, prefix: str) -> None:
    failing = Script("fail", "return redis.error_reply('ERR no')", "0" * 40)

    with pytest.raises(StoreError, match="no"):
        store.run_many(failing, [([f"{prefix}:a"], []), ([f"{prefix}:b"], [])])
