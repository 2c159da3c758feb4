"""Webhooks on a cluster, where the export to a receiver has a part for each shard."""

from collections import Counter

from quotad.decision import ConsumeRequest
from quotad.model import Entry
from quotad.records import CustomerRecord, Promotion, Subscription
from tests.deciding import bench
from tests.export.exported import Exported
from tests.export.test_webhooks import CATALOG, LIMIT, Hooks
from tests.receiver import receiving

FREE = Subscription("free", 1)
CUSTOMERS = [f"c{number}" for number in range(12)]


def test_events_of_all_shards_arrive_once(store_url: str, prefix: str) -> None:
    with bench(store_url, prefix) as made, receiving() as receiver:
        made.publish(CATALOG)
        hooks = Hooks(Exported(made), receiver)
        webhook = hooks.add("", LIMIT, "customer.changed", "promotion.ending", "catalog.published")
        soon = hooks.exported.records.now_ms() + 86_400_000
        for each in CUSTOMERS:
            promotion = Promotion("seats", Entry(), soon)
            record = CustomerRecord(each, (FREE,), promotions=(promotion,))
            made.customers.update(each, lambda _, record=record: record)  # type: ignore[misc]
        made.publish(CATALOG.replace("limit: 100,", "limit: 200,"))
        for quantity in (4, 6):
            made.engine.decide([ConsumeRequest(each, "calls", quantity) for each in CUSTOMERS])
            hooks.send(webhook)

        found = Counter((each["type"], each["data"].get("customer_id")) for each in hooks.bodies())

    types = (LIMIT, "customer.changed", "promotion.ending")
    of_each = {(event, each) for event in types for each in CUSTOMERS}
    assert {*of_each, ("catalog.published", None)} == set(found)
    assert {1} == set(found.values())
