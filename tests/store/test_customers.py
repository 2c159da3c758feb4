import pytest

from quotad.errors import Conflict, InvalidRequest
from quotad.records import CustomerRecord, StoredCustomer
from quotad.store import Customers, KeySpace, Store
from quotad.store.records import NOBODY
from tests.raw import raw
from tests.running import eventually


@pytest.fixture
def customers(store: Store, keys: KeySpace) -> Customers:
    return Customers(store, keys)


def test_every_write_moves_the_epoch(customers: Customers) -> None:
    record = CustomerRecord("acme")

    first = customers.update("acme", lambda _: record)
    second = customers.update("acme", lambda _: record)

    assert record == first.record == second.record
    assert 0 < first.epoch < second.epoch
    assert [second, NOBODY] == customers.get_many(["acme", "other"])


def test_an_epoch_is_the_time_of_the_write_or_more_than_the_one_before(
    store: Store, prefix: str, customers: Customers
) -> None:
    record = CustomerRecord("acme")
    keys = KeySpace(prefix, shards=4).customer("acme")

    def epoch_after(before: int) -> int:
        raw(store).set(keys.epoch, before)
        return customers.update("acme", lambda _: record).epoch

    seconds, micros = raw(store).time()
    now_ms = seconds * 1000 + micros // 1000
    for old in (0, 7, now_ms - 1000):  # also those that were counted up one by one
        assert now_ms <= epoch_after(old) < now_ms + 3_600_000
    assert now_ms + 7_200_001 == epoch_after(now_ms + 7_200_000)  # the clock went back since


def test_a_write_after_a_lost_one_gets_another_epoch(
    store: Store, prefix: str, customers: Customers
) -> None:
    keys = KeySpace(prefix, shards=4).customer("acme")
    kept = customers.update("acme", lambda _: CustomerRecord("acme"))
    record = raw(store).get(keys.record)
    lost = customers.update("acme", lambda _: CustomerRecord("acme", archived=True))
    raw(store).mset({keys.epoch: kept.epoch, keys.record: record})  # as after a failover
    seconds, micros = raw(store).time()
    eventually(lambda: raw(store).time(), lambda now: now > (seconds, micros + 1000))

    written = customers.update("acme", lambda _: CustomerRecord("acme", created_ms=1))

    assert lost.epoch < written.epoch


def test_a_write_that_lost_a_race_is_made_again_from_the_newer_record(customers: Customers) -> None:
    seen: list[CustomerRecord | None] = []

    def change(before: CustomerRecord | None) -> CustomerRecord:
        seen.append(before)
        if len(seen) == 1:
            customers.update("acme", lambda _: CustomerRecord("acme", created_ms=7))
        return CustomerRecord("acme", created_ms=before.created_ms if before else 0)

    written = customers.update("acme", change)

    assert CustomerRecord("acme", created_ms=7) == written.record
    assert [None, CustomerRecord("acme", created_ms=7)] == seen


def test_a_write_that_always_loses_is_a_conflict(customers: Customers) -> None:
    def change(_: CustomerRecord | None) -> CustomerRecord:
        customers.update("acme", lambda _: CustomerRecord("acme"))
        return CustomerRecord("acme")

    with pytest.raises(Conflict, match="'acme' is being written by others"):
        customers.update("acme", change)


def test_pages_list_every_customer_once(customers: Customers) -> None:
    names = [f"c:{i}" for i in range(23)] + ["ünï", "{x}"]
    for name in names:
        customers.update(name, lambda _, name=name: CustomerRecord(name))  # type: ignore[misc]

    found: list[str] = []
    token, pages = "", 0
    while True:
        page = customers.list_page(token, 4)
        found += [c.record.customer_id for c in page.customers if c.record]
        token, pages = page.next_token, pages + 1
        if not token:
            break

    assert sorted(names) == sorted(found)
    assert pages >= 7


def test_a_page_token_of_another_call_is_refused(customers: Customers) -> None:
    for token in ("x", "99:a", "-1:a", "a:b"):
        with pytest.raises(InvalidRequest, match=r"^page_token: "):
            customers.list_page(token, 4)


@pytest.mark.parametrize("value", [b"", b"x", b"1.5", b"-7", b"007", b"9" * 16, None])
def test_a_damaged_epoch_is_written_over_and_named_once(
    store: Store,
    prefix: str,
    customers: Customers,
    caplog: pytest.LogCaptureFixture,
    value: bytes | None,
) -> None:
    keys = KeySpace(prefix, shards=4).customer("acme")
    before = customers.update("acme", lambda _: CustomerRecord("acme"))
    if value is None:
        raw(store).delete(keys.epoch)
        raw(store).rpush(keys.epoch, "of another type")
    else:
        raw(store).set(keys.epoch, value)

    found = [customers.get("acme"), customers.get("acme")]
    written = customers.update("acme", lambda _: CustomerRecord("acme", created_ms=1))

    assert [StoredCustomer(0, CustomerRecord("acme"))] * 2 == found
    assert before.epoch <= written.epoch
    assert written == customers.get("acme")
    assert len(caplog.messages) <= 1
    assert all(f"the key {keys.epoch} is damaged" in line for line in caplog.messages)
