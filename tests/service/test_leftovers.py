"""What changes of plan leave behind in the store: nothing that would stay for ever."""

import json
import logging
from typing import Any

import pytest

from quotad.customers.resets import outlived
from quotad.errors import StoreUnavailable
from quotad.records import CustomerRecord
from quotad.store import Customers
from quotad.v1 import admin_pb2 as pb
from tests.raw import raw
from tests.running import CALL_S, Running

PLANS = """
version: 1
default_plan: one
features:
  builds: {type: metered}
  calls: {type: metered}
  seats: {type: metered, kind: gauge}
plans:
  one: &plan
    usage_on_change: reset
    entitlements: {builds: {limit: 5}, calls: {limit: 5, per: 100 years}, seats: {limit: 50}}
  two: *plan
"""


@pytest.fixture(scope="module")
def quotad(served: Running) -> Running:
    served.publish_and_wait(PLANS)
    return served


def use(quotad: Running, customer: str, **fields: Any) -> list[int]:
    return [
        quotad.consume(customer, feature, **fields).used for feature in ("builds", "calls", "seats")
    ]


def lifetimes(quotad: Running, customer: str) -> dict[str, int]:
    """The counters that never expire."""
    counters = quotad.counters(customer)
    return {name: used for name, used in counters.items() if ":life" in name}


def test_a_change_that_resets_usage_leaves_no_lifetime_counter_behind(
    quotad: Running, customer: str
) -> None:
    use(quotad, customer)
    quotad.provision(customer, "two")
    assert [1, 1, 2] == use(quotad, customer)

    assert {"builds:life.r1": 1, "seats:life": 2} == lifetimes(quotad, customer)


def test_changing_to_and_fro_refills_nothing_in_the_same_billing_period(
    quotad: Running, customer: str
) -> None:
    use(quotad, customer)
    for number, plan_id in enumerate(["two", "one"] * 2, 1):
        quotad.provision(customer, plan_id)
        assert [number, number, number + 1] == use(quotad, customer)


def test_an_import_that_resets_usage_leaves_none_behind_either(
    quotad: Running, customer: str
) -> None:
    use(quotad, customer)
    for plan_id in ("two", "one"):  # once in a billing period
        row = json.dumps({"customer_id": customer, "plan": plan_id}).encode()
        request = pb.ImportCustomersRequest(rows=[row])
        assert 1 == quotad.admin.ImportCustomers(request, timeout=CALL_S).written
        use(quotad, customer)

    assert {"builds:life.r1": 2, "seats:life": 3} == lifetimes(quotad, customer)


def test_a_dry_run_deletes_nothing(quotad: Running, customer: str) -> None:
    use(quotad, customer)
    row = json.dumps({"customer_id": customer, "plan": "two"}).encode()

    quotad.admin.ImportCustomers(
        pb.ImportCustomersRequest(rows=[row], dry_run=True), timeout=CALL_S
    )

    assert [2, 2, 2] == use(quotad, customer)


def test_the_counters_of_other_resources_stay(quotad: Running, customer: str) -> None:
    for resource_id in ("w1", "w2"):
        request = pb.ProvisionCustomerRequest(
            customer_id=customer, plan_id="one", resource_id=resource_id
        )
        quotad.admin.ProvisionCustomer(request, timeout=CALL_S)
        use(quotad, customer, resource_id=resource_id)

    change = pb.ChangeSubscriptionRequest(customer_id=customer, plan_id="two", resource_id="w1")
    quotad.admin.ChangeSubscription(change, timeout=CALL_S)

    assert [1, 1, 2] == use(quotad, customer, resource_id="w1")
    assert [2, 2, 2] == use(quotad, customer, resource_id="w2")


def test_a_write_does_not_fail_by_what_it_leaves_behind(
    quotad: Running,
    customer: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def refuse(*_: object) -> None:
        raise StoreUnavailable("it is gone")

    monkeypatch.setattr(Customers, "forget_usage", refuse)
    with caplog.at_level(logging.WARNING, "quotad.operations"):
        written = quotad.provision(customer, "two")

    assert "two" == written.subscriptions[0].plan_id
    assert [1, 1, 1] == use(quotad, customer)
    assert ["left over: it is gone"] == [
        record.getMessage().partition("are ")[2] for record in caplog.records
    ]


@pytest.mark.parametrize(
    ("before", "after", "gone"),
    [
        ({}, {}, []),
        ({}, {"": 1}, [("", 0)]),
        ({"": 2}, {"": 2}, []),
        ({"": 2, "w": 1}, {"": 4, "w": 1}, [("", 2), ("", 3)]),
        ({"w": 3, "v": 1}, {"v": 1}, [("w", 3)]),
    ],
)
def test_what_no_decision_looks_at_any_more(
    before: dict[str, int], after: dict[str, int], gone: list[tuple[str, int]]
) -> None:
    records = (CustomerRecord("acme", resets=resets) for resets in (before, after))

    assert gone == outlived(*records)


def expiries(quotad: Running, customer: str) -> set[bool]:
    """Whether the lifetime counters of a customer will expire."""
    client, keys = raw(quotad.store), quotad.keys.customer(customer)
    names = client.keys(f"{keys.usage}:*:life*")
    assert names
    return {client.ttl(name) > 0 for name in names}


@pytest.mark.parametrize("imported", [False, True])
def test_what_expires_unused_without_a_record_is_kept_from_the_first_record_on(
    quotad: Running, customer: str, imported: bool
) -> None:
    use(quotad, customer)
    assert {True} == expiries(quotad, customer)

    if imported:
        row = json.dumps({"customer_id": customer, "plan": "one"}).encode()
        quotad.admin.ImportCustomers(pb.ImportCustomersRequest(rows=[row]), timeout=CALL_S)
    else:
        quotad.provision(customer, "one")

    assert {False} == expiries(quotad, customer)
    assert [2, 2, 2] == use(quotad, customer)
    assert {False} == expiries(quotad, customer)
