"""Decisions are counted by reason and noted where most of a limit is used; none is lost by that."""

import msgspec
import pytest

from quotad.decision import ConsumeRequest, Decision, LimitStatus, Reason
from quotad.engine.insights import Notes
from quotad.errors import InvalidRequest, StoreUnavailable
from quotad.lending import Renewal
from quotad.operations.decisions import WOULD_DENY, DecisionOperations
from quotad.store.nearby import Nearby
from tests.deciding import bench
from tests.given import Given, NoLists

PLANS = """
version: 1
default_plan: free
features: {calls: {type: metered}}
plans: {free: {entitlements: {calls: {limit: 10, per: month}}}}
"""
CALLS = ConsumeRequest("acme", "calls")
FAR = Decision(True, Reason.WITHIN_LIMIT, 1, 1, 100, False, False, 1, 99)
NEAR = msgspec.structs.replace(FAR, used=90, remaining=10)
DENIED = Decision(False, Reason.LIMIT_EXCEEDED, 1, 0, 100, False, False, 100, 0)
IN_SHADOW = msgspec.structs.replace(
    FAR,
    limits=(
        LimitStatus(100, False, 1, 99, 0, "month", None),
        LimitStatus(10, False, 11, 0, 1, "day", None),
    ),
    would_deny=True,
    detailed=True,
)


def counted(operations: DecisionOperations) -> dict[str, int]:
    row = operations.counts["calls"]
    return {reason.name: row[reason] for reason in Reason if row[reason]}


def test_every_decision_is_counted_by_its_reason_and_no_failure_is() -> None:
    failed = StoreUnavailable("gone")
    operations = DecisionOperations(Given(FAR, failed, DENIED, IN_SHADOW), Notes(NoLists()))

    answers = operations.decide([CALLS] * 4)

    assert [FAR, failed, DENIED, IN_SHADOW] == answers
    assert {"WITHIN_LIMIT": 2, "LIMIT_EXCEEDED": 1} == counted(operations)
    assert 1 == operations.counts["calls"][WOULD_DENY]


def test_who_has_used_most_of_a_limit_is_noted_once() -> None:
    lists = NoLists()
    notes = Notes(lists)
    operations = DecisionOperations(Given(NEAR, NEAR, FAR, DENIED, IN_SHADOW), notes)

    operations.decide(
        [
            CALLS,
            CALLS,
            ConsumeRequest("far", "calls"),
            ConsumeRequest("acme", "calls", resource_id="r1"),
            ConsumeRequest("shadow", "calls"),
        ]
    )
    notes.flush(1)

    assert {
        Nearby("calls", "acme"),
        Nearby("calls", "acme", "r1"),
        Nearby("calls", "shadow"),
    } == set(lists.noted)
    assert 3 == len(lists.noted)


def test_a_decision_that_cannot_be_noted_is_returned_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    notes = Notes(NoLists())
    monkeypatch.setattr(notes, "note", broken)

    assert [NEAR, FAR] == DecisionOperations(Given(NEAR, FAR), notes).decide([CALLS] * 2)


def test_a_reservation_is_counted_and_noted_as_a_decision(store_url: str, prefix: str) -> None:
    lists = NoLists()
    notes = Notes(lists)
    with bench(store_url, prefix) as made:
        made.publish(PLANS)
        operations = DecisionOperations(made.engine, notes)

        for hold_id, quantity in (("r1", 9), ("r2", 2)):
            request = ConsumeRequest("acme", "calls", quantity)
            operations.reserve(request, hold_id, ttl_ms=60_000)
    notes.flush(1)

    assert {"WITHIN_LIMIT": 1, "LIMIT_EXCEEDED": 1} == counted(operations)
    assert [Nearby("calls", "acme")] == lists.noted


def test_who_comes_near_a_limit_by_renewing_a_lease_is_noted(store_url: str, prefix: str) -> None:
    lists = NoLists()
    notes = Notes(lists)
    with bench(store_url, prefix) as made:
        made.publish(PLANS.replace("limit: 10,", "limit: 100,"))
        operations = DecisionOperations(made.engine, notes)

        leased = operations.acquire_lease(ConsumeRequest("acme", "calls", 100), "l1", 5000)
        notes.flush(1)
        first = list(lists.noted)
        for sequence in range(1, 20):
            renewal = Renewal(sequence, leased.granted, 100)
            leased = operations.renew_lease("acme", "l1", renewal, 5000)
        notes.flush(2)

    assert [] == first
    assert [Nearby("calls", "acme")] == lists.noted


@pytest.mark.parametrize(
    ("ids", "field"),
    [
        (("", "calls", ""), "customer_id"),
        (("acme", "", ""), "feature_id"),
        (("acme", "calls", "\n"), "resource_id"),
    ],
)
def test_an_id_of_the_wrong_shape_is_refused_by_name(ids: tuple[str, str, str], field: str) -> None:
    operations = DecisionOperations(Given(), Notes(NoLists()))

    with pytest.raises(InvalidRequest, match=f"^{field}: "):
        operations.entitlement(*ids)
    if field != "feature_id":
        with pytest.raises(InvalidRequest, match=f"^{field}: "):
            operations.entitlements(ids[0], ids[2])
