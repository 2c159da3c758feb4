"""What waits takes force at its moment, on a server that has the customer in its cache."""

from collections.abc import Callable, Iterator

import pytest

from quotad.catalog import Snapshot
from quotad.customers.overrides import NewEntitlement, grant_promotion
from quotad.customers.subscriptions import (
    Cancellation,
    Change,
    Provision,
    Trial,
    cancel_subscription,
    change_subscription,
    provision,
)
from quotad.decision import Reason
from quotad.records import CustomerRecord
from tests.deciding import Bench, at, bench

START, PERIOD_END = "2031-01-15 12:00", "2031-02-15 12:00"
JUST_BEFORE = "2031-02-15 11:59"

PLANS = """
version: 1
features:
  calls: {type: metered}
  billed: {type: metered}
  total: {type: metered}
  seats: {type: metered, kind: gauge}
plans:
  free:
    entitlements:
      calls: {limit: 10, per: year}
      billed: {limit: 10, per: month, anchor: subscription}
      total: {limit: 10}
      seats: {limit: 10}
  pro:
    extends: free
    entitlements:
      calls: {limit: 100, per: year}
  fresh:
    extends: pro
    usage_on_change: reset
"""
FEATURES = ("calls", "billed", "total", "seats")


@pytest.fixture
def engine(store_url: str, prefix: str) -> Iterator[Bench]:
    with bench(store_url, prefix, START) as made:
        made.publish(PLANS)
        made.provision("acme", "free")
        yield made


def write(engine: Bench, made: Callable[[CustomerRecord, Snapshot, int], CustomerRecord]) -> None:
    def change(before: CustomerRecord | None) -> CustomerRecord:
        assert before is not None
        return made(before, engine.snapshots.current(), engine.clock.now)

    engine.customers.update("acme", change)


def change(engine: Bench, wanted: Change) -> None:
    write(engine, lambda record, snapshot, now: change_subscription(record, wanted, snapshot, now))


def used(engine: Bench) -> dict[str, int]:
    return {feature: engine.check("acme", feature).used for feature in FEATURES}


def limit(engine: Bench, now: str) -> int | str:
    engine.clock.now = at(now)
    answer = engine.check("acme", "calls")
    return Reason(answer.reason).name if answer.limit is None else answer.limit


def test_a_change_takes_force_when_the_period_ends_and_keeps_usage(engine: Bench) -> None:
    for feature in FEATURES:
        engine.consume("acme", feature, 4)
    change(engine, Change(plan_id="pro", at_period_end=True))

    assert [10, 10] == [limit(engine, now) for now in (START, JUST_BEFORE)]
    assert {"calls": 4, "billed": 4, "total": 4, "seats": 4} == used(engine)
    assert 100 == limit(engine, PERIOD_END)
    # A billing period has ended, and the anchor of the next is the same.
    assert {"calls": 4, "billed": 0, "total": 4, "seats": 4} == used(engine)
    assert at("2031-03-15 12:00") == engine.check("acme", "billed").resets_at_ms


def test_a_plan_that_resets_usage_does_so_when_it_takes_force(engine: Bench) -> None:
    for feature in FEATURES:
        engine.consume("acme", feature, 4)
    change(engine, Change(plan_id="fresh", at_period_end=True))

    assert 10 == limit(engine, JUST_BEFORE)
    assert {"calls": 4, "billed": 4, "total": 4, "seats": 4} == used(engine)
    assert 100 == limit(engine, PERIOD_END)
    assert {"calls": 0, "billed": 0, "total": 0, "seats": 4} == used(engine)
    engine.consume("acme", "total", 3)
    change(engine, Change(plan_id="free"))  # the reset is counted in the record from here on
    assert {"calls": 0, "billed": 0, "total": 3, "seats": 4} == used(engine)


def test_a_plan_that_resets_usage_at_once_keeps_billing_periods(engine: Bench) -> None:
    for feature in FEATURES:
        engine.consume("acme", feature, 4)
    resets_at_ms = engine.check("acme", "billed").resets_at_ms

    engine.clock.now = at("2031-01-20 12:00")
    change(engine, Change(plan_id="fresh"))

    assert {"calls": 0, "billed": 0, "total": 0, "seats": 4} == used(engine)
    assert resets_at_ms == engine.check("acme", "billed").resets_at_ms


def test_a_cancelled_subscription_is_over_when_its_period_ends(engine: Bench) -> None:
    wanted = Cancellation(at_period_end=True)
    write(engine, lambda record, snapshot, now: cancel_subscription(record, wanted, snapshot, now))

    found = [limit(engine, now) for now in (START, JUST_BEFORE, PERIOD_END)]

    assert [10, 10, "NO_ACTIVE_SUBSCRIPTION"] == found


@pytest.mark.parametrize(
    ("trial", "after"),
    [
        (Trial(at("2031-02-01 00:00")), 100),
        (Trial(at("2031-02-01 00:00"), plan_id="free"), 10),
        (Trial(at("2031-02-01 00:00"), ends=True), "NO_ACTIVE_SUBSCRIPTION"),
    ],
)
def test_a_trial_ends_at_its_end(engine: Bench, trial: Trial, after: int | str) -> None:
    wanted = Provision("pro", trial=trial)
    write(engine, lambda record, snapshot, now: provision(record, wanted, snapshot, now))

    found = [limit(engine, now) for now in (START, "2031-01-31 23:59", "2031-02-01 00:00")]

    assert [100, 100, after] == found


def test_a_promotion_ends_at_its_end(engine: Bench) -> None:
    wanted = NewEntitlement("calls", {"limit": 50}, end_ms=at("2031-02-01 00:00"))
    write(engine, lambda record, snapshot, now: grant_promotion(record, wanted, snapshot, now))

    found = [limit(engine, now) for now in (START, "2031-01-31 23:59", "2031-02-01 00:00")]

    assert [50, 50, 10] == found


ZONED = """
version: 1
default_plan: free
features: {calls: {type: metered}, days: {type: metered}}
plans:
  free:
    entitlements:
      calls: {limit: 10, per: month, anchor: subscription, timezone: Europe/Berlin}
      days: {limit: 5, per: 5 days, anchor: subscription}
  pro: {entitlements: {}}
"""


@pytest.mark.parametrize(
    "wanted",
    [
        Provision("pro", resource_id="workspace"),
        Provision("pro", subscription_id="more"),
        Provision("pro", at("2031-03-01 00:00")),
    ],
)
def test_what_is_not_a_change_of_the_default_plan_now_leaves_its_periods(
    engine: Bench, wanted: Provision
) -> None:
    engine.publish(ZONED)
    before = {feature: engine.consume("new", feature, 4) for feature in ("calls", "days")}
    snapshot, now = engine.snapshots.current(), engine.clock.now

    engine.customers.update(
        "new", lambda record: provision(record or CustomerRecord("new"), wanted, snapshot, now)
    )

    for feature, answer in before.items():
        after = engine.check("new", feature)
        assert (4, answer.resets_at_ms) == (after.used, after.resets_at_ms)
    assert at("2031-02-01 00:00", "Europe/Berlin") == before["calls"].resets_at_ms


def test_the_other_subscription_ends_beside_the_main_one(engine: Bench) -> None:
    wanted = Provision("pro", subscription_id="more", end_ms=at("2031-02-01 00:00"))
    write(engine, lambda record, snapshot, now: provision(record, wanted, snapshot, now))

    found = [limit(engine, now) for now in (START, "2031-01-31 23:59", "2031-02-01 00:00")]

    assert [100, 100, 10] == found
