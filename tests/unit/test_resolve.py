import msgspec
import pytest

from quotad.catalog import Snapshot, Source, compile_snapshot, parse
from quotad.decision import Reason
from quotad.entitlements.resolve import FOREVER_MS, Effective, resolve
from quotad.records import CustomerRecord, Subscription

NOW = 1_800_000_000_000
DAY = 86_400_000


@pytest.fixture(scope="module")
def snapshot() -> Snapshot:
    text = """
version: 1
default_plan: free
features:
  calls: {type: metered}
  export: {type: boolean}
plans:
  free: {entitlements: {calls: {limit: 5, per: month}}}
  pro: {extends: free, entitlements: {export: true}}
"""
    return compile_snapshot(parse([Source("plans.yaml", text)]), 3)


def on(*subscriptions: tuple[str, int], archived: bool = False) -> CustomerRecord:
    made = tuple(Subscription(plan, start) for plan, start in subscriptions)
    return CustomerRecord("acme", made, archived, NOW - 9 * DAY, NOW - 9 * DAY)


def test_a_customer_never_seen_is_on_the_default_plan(snapshot: Snapshot) -> None:
    free = snapshot.plans["free"].entitlements

    expected = Effective("free", None, free, None, FOREVER_MS, table=("free", 1), provisioned=False)
    assert expected == resolve(None, snapshot, NOW)


def test_without_a_default_plan_it_is_not_found(snapshot: Snapshot) -> None:
    without = msgspec.structs.replace(snapshot, default_plan=None)

    assert Effective(denied=Reason.CUSTOMER_NOT_FOUND) == resolve(None, without, NOW)


def test_a_customer_has_what_its_plan_grants_from_its_own_start(snapshot: Snapshot) -> None:
    effective = resolve(on(("pro", NOW - DAY)), snapshot, NOW)

    assert (
        Effective(
            "pro",
            None,
            snapshot.plans["pro"].entitlements,
            NOW - DAY,
            FOREVER_MS,
            table=("pro", 1),
        )
        == effective
    )
    assert effective.entitlements is snapshot.plans["pro"].entitlements
    assert ["calls", "export"] == list(effective.entitlements)


@pytest.mark.parametrize(
    ("record", "effective"),
    [
        (CustomerRecord("acme"), Effective(denied=Reason.NO_ACTIVE_SUBSCRIPTION)),
        (on(("pro", NOW - DAY), archived=True), Effective(denied=Reason.CUSTOMER_ARCHIVED)),
        (on(("pro", NOW + DAY), archived=True), Effective(denied=Reason.CUSTOMER_ARCHIVED)),
        (on(("gone", NOW - DAY)), Effective(denied=Reason.NO_ACTIVE_SUBSCRIPTION)),
        (
            on(("pro", NOW + DAY)),
            Effective(denied=Reason.NO_ACTIVE_SUBSCRIPTION, until_ms=NOW + DAY),
        ),
        (
            on(("gone", NOW - DAY), ("pro", NOW + DAY)),
            Effective(denied=Reason.NO_ACTIVE_SUBSCRIPTION, until_ms=NOW + DAY),
        ),
    ],
    ids=["no subscription", "archived", "archived, later", "no such plan", "later", "gone, later"],
)
def test_a_customer_without_entitlements_gets_the_reason(
    snapshot: Snapshot, record: CustomerRecord, effective: Effective
) -> None:
    assert effective == resolve(record, snapshot, NOW)


def test_it_is_good_until_the_next_subscription_starts(snapshot: Snapshot) -> None:
    record = on(("free", NOW - DAY), ("pro", NOW + DAY), ("free", NOW + 3 * DAY))

    found = [resolve(record, snapshot, NOW + wait) for wait in (0, DAY, 3 * DAY)]

    assert ["free", "pro", "free"] == [each.plan_id for each in found]
    assert [NOW + DAY, NOW + 3 * DAY, FOREVER_MS] == [each.until_ms for each in found]
    assert [NOW - DAY, NOW + DAY, NOW + 3 * DAY] == [each.anchor_ms for each in found]


def test_a_server_whose_clock_is_behind_grants_what_was_just_written(snapshot: Snapshot) -> None:
    record = CustomerRecord("acme", (Subscription("pro", NOW),), False, NOW, NOW)

    effective = resolve(record, snapshot, NOW - 3)

    assert ("pro", FOREVER_MS) == (effective.plan_id, effective.until_ms)
