"""Customers on the default plan that were never provisioned are in a list of their own."""

from collections.abc import Iterator

import pytest

from quotad.client.admin import AdminClient
from quotad.store import seen
from quotad.store.customers import Customers
from quotad.store.seen import SeenStore
from quotad.v1 import admin_pb2 as pb
from tests.running import CALL_S, Running, refusal, running

PLANS = """
version: 1
default_plan: free
features:
  calls: {type: metered}
plans:
  free: {entitlements: {calls: {limit: 5, per: month}}}
"""


@pytest.fixture
def quotad(store_url: str, prefix: str) -> Iterator[Running]:
    with running(store_url, prefix) as made:
        made.publish_and_wait(PLANS)
        yield made


def listed(quotad: Running, size: int = 1000, id_prefix: str = "") -> list[str]:
    """The ids on all pages."""
    ids: list[str] = []
    token = ""
    while True:
        request = pb.ListSeenCustomersRequest(page_size=size, page_token=token, id_prefix=id_prefix)
        page = quotad.admin.ListSeenCustomers(request, timeout=CALL_S)
        assert len(page.customers) <= size
        assert all(each.seen_at.seconds for each in page.customers)
        ids += [each.customer_id for each in page.customers]
        token = page.next_page_token
        if not token:
            return ids


def test_customers_that_consumed_and_were_never_provisioned_are_listed(quotad: Running) -> None:
    names = [f"c{i}" for i in range(20)] + ["ü:{x}"]
    for name in names:
        quotad.consume(name, "calls")
    quotad.provision("known", "free")
    quotad.consume("known", "calls")
    quotad.consume("c1", "calls", resource_id="w")  # what is of a resource has no default plan
    quotad.consume("c99", "calls", resource_id="w")

    for size in (1, 3, 1000):
        assert sorted(names) == sorted(listed(quotad, size))
    assert ["c1", *(f"c1{i}" for i in range(10))] == sorted(listed(quotad, 2, "c1"))
    quotad.provision("c3", "free")
    assert sorted({*names} - {"c3"}) == sorted(listed(quotad))
    with AdminClient(quotad.server.address) as admin:
        assert ["c19"] == [each.customer_id for each in admin.seen("c19")]


def test_without_a_default_plan_made_up_customers_are_in_no_list(quotad: Running) -> None:
    quotad.publish_and_wait(PLANS.replace("default_plan: free", ""))

    # The first may be planned on the catalog before, and is noted then.
    quotad.consume("first", "calls")
    quotad.consume("nobody", "calls")

    assert "nobody" not in listed(quotad)


def test_a_full_list_keeps_those_seen_last(
    quotad: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seen, "SEEN_MAX", 0)
    monkeypatch.setattr(seen, "_SHARD_MIN", 2)
    store = SeenStore(quotad.store, quotad.keys, Customers(quotad.store, quotad.keys))
    names = [f"c{i}" for i in range(100)]
    for now_ms, name in enumerate(names, 1_000_000):
        store.note({name: 0}, now_ms)

    by_shard: dict[int, list[str]] = {}
    for name in names:
        by_shard.setdefault(quotad.keys.shard(name), []).append(name)
    assert {name for each in by_shard.values() for name in each[-2:]} == set(listed(quotad))


def test_a_token_of_another_list_is_refused(quotad: Running) -> None:
    request = pb.ListSeenCustomersRequest(page_token="x:y")

    refused = refusal(lambda: quotad.admin.ListSeenCustomers(request, timeout=CALL_S))

    assert "page_token: 'x:y' is not one that this server gave" == refused.message
