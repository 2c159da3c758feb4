import pytest

from quotad.errors import Conflict, InvalidRequest
from quotad.model import CustomerRecord, StoredCustomer
from quotad.store import Customers, KeySpace, Store
from quotad.store.customers import NOBODY


@pytest.fixture
def customers(store_url: str, prefix: str) -> Customers:
    return Customers(Store(store_url, timeout_ms=5000), KeySpace(prefix, shards=4))


def test_every_write_moves_the_epoch(customers: Customers) -> None:
    record = CustomerRecord("acme")

    assert StoredCustomer(1, record) == customers.update("acme", lambda _: record)
    assert StoredCustomer(2, record) == customers.update("acme", lambda _: record)
    assert [StoredCustomer(2, record), NOBODY] == customers.get_many(["acme", "other"])


def test_a_write_that_lost_a_race_is_made_anew_from_the_newer_record(customers: Customers) -> None:
    seen: list[CustomerRecord | None] = []

    def change(before: CustomerRecord | None) -> CustomerRecord:
        seen.append(before)
        if len(seen) == 1:
            customers.update("acme", lambda _: CustomerRecord("acme", created_ms=7))
        return CustomerRecord("acme", created_ms=before.created_ms if before else 0)

    written = customers.update("acme", change)

    assert StoredCustomer(2, CustomerRecord("acme", created_ms=7)) == written
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


def test_a_page_token_of_somebody_else_is_refused(customers: Customers) -> None:
    for token in ("x", "99:a", "-1:a", "a:b"):
        with pytest.raises(InvalidRequest, match=r"^page_token: "):
            customers.list_page(token, 4)
