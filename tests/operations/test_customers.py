"""Writes of customers, as an edge asks for them."""

from collections.abc import Callable, Iterator

import pytest

from quotad.customers.overrides import NewEntitlement
from quotad.customers.profile import Profile
from quotad.customers.subscriptions import Cancellation, Change, Provision, Trial
from quotad.errors import InvalidRequest, NotFound, NotReady, StaleEpoch
from quotad.operations.customers import CustomerOperations
from quotad.records import StoredCustomer
from tests.deciding import Bench, bench

PLANS = """
version: 1
features: {calls: {type: metered}}
plans:
  free: {entitlements: {calls: {limit: 5, per: month}}}
  pro: {usage_on_change: reset, entitlements: {calls: {limits: [{limit: 50}]}}}
"""
DAY_MS = 86_400_000
NINE = NewEntitlement("calls", {"limit": 9, "per": "month"})

Write = Callable[[CustomerOperations, str, int | None], StoredCustomer]
WRITES: dict[str, Write] = {
    "provision": lambda on, who, epoch: on.provision(who, Provision("pro"), epoch),
    "change": lambda on, who, epoch: on.change_subscription(who, Change(plan_id="pro"), epoch),
    "cancel": lambda on, who, epoch: on.cancel_subscription(who, Cancellation(), epoch),
    "override": lambda on, who, epoch: on.set_override(who, NINE, epoch),
    "remove": lambda on, who, epoch: on.remove_override(who, "calls", "", epoch),
    "grant": lambda on, who, epoch: on.grant_promotion(who, NINE, epoch),
    "revoke": lambda on, who, epoch: on.revoke_promotion(who, "calls", "", epoch),
    "archive": lambda on, who, epoch: on.archive(who, epoch),
}


@pytest.fixture
def made(store_url: str, prefix: str) -> Iterator[Bench]:
    with bench(store_url, prefix) as one:
        yield one


@pytest.fixture
def customers(made: Bench) -> CustomerOperations:
    made.publish(PLANS)
    return CustomerOperations(made.customers, made.snapshots, made.views, made.clock)


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_every_write_checks_the_epoch_it_expects(
    customers: CustomerOperations, write: Write
) -> None:
    customers.provision("acme", Provision("free"))
    customers.grant_promotion("acme", NINE)
    before = customers.set_override("acme", NINE)

    with pytest.raises(StaleEpoch):
        write(customers, "acme", before.epoch - 1)
    with pytest.raises(InvalidRequest, match="if_epoch: -1 is no epoch"):
        write(customers, "acme", -1)
    assert before == customers.get("acme")

    assert write(customers, "acme", before.epoch).epoch > before.epoch


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_every_write_checks_the_id(customers: CustomerOperations, write: Write) -> None:
    with pytest.raises(InvalidRequest, match="customer_id: missing"):
        write(customers, "", None)


@pytest.mark.parametrize("name", [name for name in WRITES if name != "provision"])
def test_a_customer_that_was_never_provisioned_cannot_be_changed(
    customers: CustomerOperations, name: str
) -> None:
    with pytest.raises(NotFound, match="customer_id: 'x' was never provisioned"):
        WRITES[name](customers, "x", None)
    with pytest.raises(NotFound, match="customer_id: 'x' was never provisioned"):
        customers.get("x")


def test_every_other_id_is_checked_as_well(customers: CustomerOperations) -> None:
    bad = "a\n"
    trial = Provision("pro", trial=Trial(1, plan_id=bad))
    writes: dict[str, Callable[[], StoredCustomer]] = {
        "plan_id": lambda: customers.provision("acme", Provision("")),
        "addons": lambda: customers.provision("acme", Provision("pro", addons={bad: 1})),
        "trial.plan_id": lambda: customers.provision("acme", trial),
        "name": lambda: customers.provision("acme", Provision("pro", profile=Profile(bad))),
        "subscription_id": lambda: customers.cancel_subscription("acme", Cancellation(bad)),
        "resource_id": lambda: customers.remove_override("acme", "calls", bad),
        "feature_id": lambda: customers.revoke_promotion("acme", "", ""),
    }
    for field, write in writes.items():
        with pytest.raises(InvalidRequest, match=f"^{field}: "):
            write()


def test_the_next_decision_knows_a_write(made: Bench, customers: CustomerOperations) -> None:
    customers.provision("acme", Provision("free"))
    assert 5 == made.consume("acme", "calls").limit

    customers.set_override("acme", NINE)

    assert 9 == made.consume("acme", "calls").limit


def test_a_write_knows_a_catalog_of_a_moment_ago(
    made: Bench, customers: CustomerOperations
) -> None:
    made.publish_elsewhere(PLANS.replace("  pro:", "  newest: {}\n  pro:"))

    stored = customers.provision("acme", Provision("newest"))

    assert stored.record is not None
    assert "newest" == stored.record.subscriptions[0].plan_id


def test_without_a_catalog_a_customer_can_only_be_archived(made: Bench) -> None:
    customers = CustomerOperations(made.customers, made.snapshots, made.views, made.clock)

    with pytest.raises(NotReady):
        customers.provision("acme", Provision("free"))
    with pytest.raises(NotFound):
        customers.archive("acme")


def test_a_customer_never_seen_may_have_a_promotion_or_an_override(
    made: Bench, customers: CustomerOperations
) -> None:
    made.publish("default_plan: free" + PLANS)
    start = made.clock.now + DAY_MS
    later = NewEntitlement("calls", {"limit": 9, "per": "month"}, start_ms=start)

    promoted = customers.grant_promotion("acme", later)
    overridden = customers.set_override("other", NINE, 0)

    for stored in (promoted, overridden):
        assert stored.record is not None
        assert ["free"] == [phase.plan_id for phase in stored.record.subscriptions]
    assert [start] == [each.start_ms for each in customers.show(promoted).promotions]
    made.clock.now = start
    assert [None] == [each.start_ms for each in customers.show(promoted).promotions]
    with pytest.raises(NotFound, match="was never provisioned; provision it first"):
        customers.remove_override("third", "calls", "")
