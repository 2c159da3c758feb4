"""A store that an earlier release has set up goes on with its keys and its counts."""

from quotad.catalog import Source, parse
from quotad.clock import SyncedClock
from quotad.records import CustomerRecord, Subscription
from quotad.store import Catalogs, Customers, KeySpace, Store
from quotad.store.keys import NUMBERED
from tests.raw import raw
from tests.running import running

CATALOG = """
version: 1
default_plan: free
features: {calls: {type: metered}}
plans:
  free: {entitlements: {calls: {limit: 1}}}
  pro: {entitlements: {calls: {limit: 10}}}
"""


def test_customers_and_counts_of_an_earlier_release_are_there(store_url: str, prefix: str) -> None:
    store = Store(store_url, timeout_ms=5000)
    keys = KeySpace(prefix)
    keys.lay_out(7, NUMBERED)
    raw(store).hset(keys.meta, mapping={"layout": 1, "shards": 7})
    catalog = parse([Source("plans.yaml", CATALOG)])
    Catalogs(store, keys, SyncedClock(), 0).publish(catalog.document, catalog.digest)
    names = [f"c{number}" for number in range(20)]
    made = [
        (name, lambda _, name=name: CustomerRecord(name, (Subscription("pro", 1),)))
        for name in names
    ]
    Customers(store, keys).write_many(made)
    for name in names:
        raw(store).set(keys.customer(name).usage + ":calls:life", 3)

    with running(store_url, prefix, shards=0) as server:
        server.wait_ready()
        for name in names:
            answer = server.consume(name, "calls")
            assert (True, 10, 4) == (answer.allowed, answer.limit, answer.used)
        server.publish(CATALOG.replace("limit: 10", "limit: 5"))
        assert 5 == server.consume(names[0], "calls").limit

    assert all(
        name.split(b"}")[0].split(b"{")[1].isdigit() for name in raw(store).keys(f"{prefix}:*:u:*")
    )
    store.close()
