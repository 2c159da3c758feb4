"""Customers near a limit, as an operation returns them."""

from collections.abc import Iterator

import pytest

from quotad.decision import ConsumeRequest
from quotad.engine import Lent
from quotad.engine.insights import Notes
from quotad.errors import InvalidRequest, NotFound, NotReady
from quotad.operations.insights import InsightOperations
from quotad.store.nearby import Nearby, NearbyStore
from tests.deciding import Bench, bench

PLANS = """
version: 1
default_plan: free
features: {calls: {type: metered}, mails: {type: metered}, sso: {type: boolean}}
plans:
  free: {entitlements: {calls: {limit: 10, per: year, soft: true}, mails: {limit: 10, per: year}}}
"""


@pytest.fixture
def made(store_url: str, prefix: str) -> Iterator[Bench]:
    with bench(store_url, prefix) as one:
        yield one


@pytest.fixture
def insights(made: Bench) -> InsightOperations:
    nearby = NearbyStore(made.store, made.keys)
    engines = Lent(lambda: made.engine, count=1)
    return InsightOperations(
        made.snapshots, nearby, Notes(nearby), made.clock, engines, made.demand, made.denied
    )


def use(made: Bench, insights: InsightOperations, customer_id: str, quantity: int) -> None:
    request = ConsumeRequest(customer_id, "calls", quantity)
    (decision,) = made.decide(request)
    insights.notes.note(request, decision)


def test_features_without_such_customers_are_listed_only_when_asked_for(
    made: Bench, insights: InsightOperations
) -> None:
    made.publish(PLANS)
    for customer_id, quantity in (("above", 25), ("near", 9), ("far", 7)):
        use(made, insights, customer_id, quantity)

    found = insights.near_limits()

    assert ["calls"] == list(found)
    assert ["above"] == [one.customer.customer_id for one in found["calls"].above]
    assert ["near"] == [one.customer.customer_id for one in found["calls"].near]
    assert ["mails"] == list(insights.near_limits("mails"))


def test_the_size_bounds_each_list(made: Bench, insights: InsightOperations) -> None:
    made.publish(PLANS)
    for number in range(3):
        use(made, insights, f"c{number}", 8 + number)

    assert ["c2"] == [
        one.customer.customer_id for one in insights.near_limits("calls", 1)["calls"].near
    ]


def test_what_cannot_be_listed_is_refused(made: Bench, insights: InsightOperations) -> None:
    with pytest.raises(NotReady):
        insights.near_limits()

    made.publish(PLANS)

    with pytest.raises(InvalidRequest, match="size: 101 is not between 0 and 100"):
        insights.near_limits(size=101)
    with pytest.raises(InvalidRequest, match="feature_id: 'sso' is not metered"):
        insights.near_limits("sso")
    with pytest.raises(NotFound, match="unknown feature 'call', did you mean 'calls'"):
        insights.near_limits("call")


def test_who_stays_near_a_limit_keeps_the_time_since_when(
    made: Bench, insights: InsightOperations
) -> None:
    made.publish(PLANS)
    nearby = insights.nearby
    nearby.note([Nearby("calls", "acme"), Nearby("calls", "left")], 1_000)
    nearby.note([Nearby("calls", "acme"), Nearby("calls", "new")], 2_000)
    assert {("acme", ""): 1_000, ("left", ""): 1_000, ("new", ""): 2_000} == nearby.since("calls")

    nearby.forget_customer("left", ["calls"])
    for customer_id, quantity in (("acme", 9), ("new", 1)):
        use(made, insights, customer_id, quantity)
    [shown] = insights.ranked(10)

    assert ("acme", 1_000) == (shown.customer.customer_id, shown.since_ms)
    # Those that are far from their limits again have left; the next time they begin anew.
    assert {("acme", ""): 1_000} == nearby.since("calls")
