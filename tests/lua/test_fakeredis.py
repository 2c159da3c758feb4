"""The scripts also run on fakeredis, for users who test against it."""

import threading
import time
from collections.abc import Iterator

import fakeredis
import pytest

from quotad.clock import SyncedClock
from quotad.errors import Conflict
from quotad.model import CustomerRecord, StoredCustomer
from quotad.store import (
    Catalogs,
    Charge,
    Counters,
    CounterSet,
    Customers,
    KeySpace,
    Outcome,
    Settlement,
    Store,
)
from quotad.store.charges import CONSUME, WIDE_ARGS
from tests.lua.conftest import plain

FAR_MS = 4_000_000_000_000


@pytest.fixture
def store() -> Iterator[Store]:
    server = fakeredis.TcpFakeServer(("127.0.0.1", 0))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    made = Store(f"redis://127.0.0.1:{server.server_address[1]}", timeout_ms=10_000)
    yield made
    made.close()
    server.shutdown()
    server.server_close()
    thread.join()


def test_customers_are_written_with_a_growing_epoch(store: Store) -> None:
    customers = Customers(store, KeySpace(shards=4))
    record = CustomerRecord("acme")

    first = customers.update("acme", lambda _: record)
    second = customers.update("acme", lambda _: record)

    assert 0 < first.epoch < second.epoch
    assert StoredCustomer(second.epoch, record) == customers.get("acme")


def test_catalogs_are_published_by_compare_and_set(store: Store) -> None:
    catalogs = Catalogs(store, KeySpace(shards=4), SyncedClock())

    assert Outcome.PUBLISHED is catalogs.publish(b"{}", "d1").outcome
    assert Outcome.UNCHANGED is catalogs.publish(b"{}", "d1").outcome
    with pytest.raises(Conflict):
        catalogs.publish(b"{1}", "d2", expected_version=0)
    assert [1] == [record.version for record in catalogs.history(5)]


def test_charges_are_settled(store: Store) -> None:
    keys = KeySpace(shards=4).customer("acme")
    store.execute("SET", keys.catalog, "1.abc")
    counters = Counters(store.connect())
    one = Charge(keys, 0, 2, CONSUME, plain((5, FAR_MS)))
    closes_at = FAR_MS - 60_000
    words = (2, WIDE_ARGS, 9, FAR_MS, 3, 0, 1, 3, FAR_MS, 1, closes_at, 1)
    wide = Charge(keys, 0, 1, CONSUME, CounterSet((":a", ":b"), words))

    settled, error = counters.settle("1.abc", [one, wide, wide, wide], time.monotonic() + 10)

    counters.close()
    assert error is None
    assert [
        Settlement(1, [0]),
        Settlement(1, [2, 0], closes=[0, closes_at]),
        Settlement(1, [5, 1], closes=[0, closes_at]),
        Settlement(0, [8, 2], closes=[0, closes_at]),
    ] == settled
    assert f"2@{closes_at}".encode() == store.execute("GET", keys.usage + ":b")
