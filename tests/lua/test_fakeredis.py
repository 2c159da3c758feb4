"""The scripts that are not hot also run on fakeredis, for users who test against it."""

import fakeredis
import pytest

from quotad.clock import SyncedClock
from quotad.errors import Conflict
from quotad.model import CustomerRecord, StoredCustomer
from quotad.store import Catalogs, Customers, KeySpace, Outcome, Store


@pytest.fixture
def store() -> Store:
    made = Store("redis://127.0.0.1:1")  # never connected to
    made.client = fakeredis.FakeRedis()
    return made


def test_customers_are_written_with_a_growing_epoch(store: Store) -> None:
    customers = Customers(store, KeySpace(shards=4))
    record = CustomerRecord("acme")

    assert StoredCustomer(1, record) == customers.update("acme", lambda _: record)
    assert StoredCustomer(2, record) == customers.update("acme", lambda _: record)
    assert StoredCustomer(2, record) == customers.get("acme")


def test_catalogs_are_published_by_compare_and_set(store: Store) -> None:
    catalogs = Catalogs(store, KeySpace(shards=4), SyncedClock())

    assert Outcome.PUBLISHED is catalogs.publish(b"{}", "d1").outcome
    assert Outcome.UNCHANGED is catalogs.publish(b"{}", "d1").outcome
    with pytest.raises(Conflict):
        catalogs.publish(b"{1}", "d2", expected_version=0)
    assert [1] == [record.version for record in catalogs.history(5)]
