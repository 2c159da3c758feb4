"""Decisions as a table, in order of precedence; and that every answer says why (G7)."""

import time
from typing import Any, NamedTuple

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from quotad.model import QUANTITY_MAX
from quotad.v1 import quota_pb2 as pb
from tests.running import CALL_S, Running, refusal

FEATURES = """
version: 1
features:
  calls:     {type: metered, unit: call}
  tokens:    {type: metered, unit: token}
  credits:   {type: metered}
  builds:    {type: metered}
  events:    {type: metered}
  seats:     {type: metered, kind: gauge, unit: seat}
  mailboxes: {type: metered, kind: gauge}
  export:    {type: boolean}
  sso:       {type: boolean}
  upload-mb: {type: config}
"""
PLANS = """
plans:
  small:
    entitlements:
      calls:     {limit: 5, per: 100 years}
      tokens:    {limit: 10, per: 100 years, soft: true}
      credits:   {limit: 3}
      builds:
        limits:
          - {limit: 4, per: 50 years}
          - {limit: 6, per: 100 years}
          - {limit: 2, per: 20 years, soft: true}
      events:    unlimited
      seats:     {limit: 3}
      mailboxes: unlimited
      export:    true
      upload-mb: 25
"""
LEAVING = "  leaving:\n    entitlements:\n      calls: {limit: 5, per: 100 years}\n"
CENTURY = 4_102_444_800  # 2100-01-01, when windows of 50 and 100 years end
FAR = 4_000_000_000


@pytest.fixture(scope="module")
def quotad(served: Running) -> Running:
    served.publish_and_wait(FEATURES + PLANS + LEAVING)
    served.provision("left-behind", "leaving")
    served.publish_and_wait(FEATURES + PLANS)
    return served


class Row(NamedTuple):
    state: str
    feature_id: str
    quantity: int
    allowed: bool
    reason: str
    used: int
    """Afterwards; -1: no counter at all."""
    before: int = 0


TABLE = [
    # The customer decides first, whatever the feature is.
    Row("never seen", "calls", 1, False, "CUSTOMER_NOT_FOUND", -1),
    Row("never seen", "no-such", 1, False, "CUSTOMER_NOT_FOUND", -1),
    Row("never seen", "export", 1, False, "CUSTOMER_NOT_FOUND", -1),
    Row("archived", "calls", 1, False, "CUSTOMER_ARCHIVED", 2, before=2),
    Row("archived", "no-such", 1, False, "CUSTOMER_ARCHIVED", -1),
    Row("archived", "export", 1, False, "CUSTOMER_ARCHIVED", -1),
    Row("archived, starts later", "calls", 1, False, "CUSTOMER_ARCHIVED", -1),
    Row("starts later", "calls", 1, False, "NO_ACTIVE_SUBSCRIPTION", -1),
    Row("starts later", "no-such", 1, False, "NO_ACTIVE_SUBSCRIPTION", -1),
    Row("plan is gone", "calls", 1, False, "NO_ACTIVE_SUBSCRIPTION", -1),
    # Then the feature.
    Row("on small", "no-such", 1, False, "FEATURE_NOT_FOUND", -1),
    Row("on small", "no-such", 0, False, "FEATURE_NOT_FOUND", -1),
    Row("on small", "sso", 1, False, "NOT_ENTITLED", -1),
    # Then the limits.
    Row("on small", "calls", 6, False, "LIMIT_EXCEEDED", -1),
    Row("on small", "calls", 1, False, "LIMIT_EXCEEDED", 5, before=5),
    Row("on small", "calls", 3, False, "LIMIT_EXCEEDED", 3, before=3),
    Row("on small", "calls", QUANTITY_MAX, False, "LIMIT_EXCEEDED", -1),
    Row("on small", "credits", 1, False, "LIMIT_EXCEEDED", 3, before=3),
    Row("on small", "seats", 1, False, "LIMIT_EXCEEDED", 3, before=3),
    Row("on small", "tokens", 11, True, "OVER_SOFT_LIMIT", 11),
    Row("on small", "tokens", 1, True, "OVER_SOFT_LIMIT", 11, before=10),
    Row("on small", "events", 1, True, "UNLIMITED", 1),
    Row("on small", "events", QUANTITY_MAX, True, "UNLIMITED", QUANTITY_MAX),
    Row("on small", "mailboxes", 7, True, "UNLIMITED", 7),
    Row("on small", "export", 1, True, "FEATURE_ENABLED", -1),
    Row("on small", "export", 99, True, "FEATURE_ENABLED", -1),
    Row("on small", "upload-mb", 1, True, "FEATURE_ENABLED", -1),
    Row("on small", "calls", 5, True, "WITHIN_LIMIT", 5),
    Row("on small", "calls", 2, True, "WITHIN_LIMIT", 5, before=3),
    Row("on small", "calls", 0, True, "WITHIN_LIMIT", 5, before=5),
    Row("on small", "tokens", 10, True, "WITHIN_LIMIT", 10),
    Row("on small", "credits", 3, True, "WITHIN_LIMIT", 3),
    Row("on small", "seats", 3, True, "WITHIN_LIMIT", 3),
    Row("on small", "seats", -2, True, "WITHIN_LIMIT", 1, before=3),
    Row("on small", "seats", -9, True, "WITHIN_LIMIT", -1, before=3),
    Row("on small", "mailboxes", -9, True, "UNLIMITED", -1, before=3),
]


def name_of(row: Row) -> str:
    return f"{row.state}: {row.quantity} {row.feature_id} after {row.before}"


def put(quotad: Running, customer: str, row: Row) -> str:
    """Bring a customer into the state of a row."""
    if row.state == "plan is gone":
        return "left-behind"
    if row.state in ("on small", "archived"):
        quotad.provision(customer, "small")
    if row.before:
        assert quotad.consume(customer, row.feature_id, quantity=row.before).allowed
    if "starts later" in row.state:
        quotad.provision(customer, "small", start=FAR)
    if "archived" in row.state:
        quotad.archive(customer)
    return customer


@pytest.mark.parametrize("row", TABLE, ids=name_of)
def test_the_first_reason_that_applies_decides(quotad: Running, customer: str, row: Row) -> None:
    customer = put(quotad, customer, row)
    before = quotad.counters(customer)

    answer = quotad.consume(customer, row.feature_id, quantity=row.quantity)

    assert (row.allowed, f"REASON_{row.reason}") == (answer.allowed, pb.Reason.Name(answer.reason))
    after = quotad.counters(customer)
    assert ([] if row.used == -1 else [row.used]) == list(after.values())
    if not row.allowed:
        assert before == after
        assert 0 == answer.granted


@pytest.mark.parametrize("row", TABLE, ids=name_of)
def test_a_check_decides_the_same_and_changes_nothing(
    quotad: Running, customer: str, row: Row
) -> None:
    customer = put(quotad, customer, row)
    before = quotad.counters(customer)

    answer = quotad.consume(
        customer, row.feature_id, quantity=row.quantity, mode=pb.MODE_CHECK_ONLY
    )

    assert (row.allowed, f"REASON_{row.reason}") == (answer.allowed, pb.Reason.Name(answer.reason))
    assert before == quotad.counters(customer)
    assert 0 == answer.granted
    if row.state == "on small":
        assert row.before == answer.used


def test_every_answer_shows_the_catalog_that_decided(quotad: Running, customer: str) -> None:
    in_force = quotad.publish(FEATURES + PLANS).version.version

    for name in ("nobody", "left-behind"):
        assert in_force == quotad.consume(name, "calls").catalog_version
    quotad.provision(customer, "small")
    for feature in ("no-such", "sso", "export", "upload-mb", "calls", "builds", "events"):
        assert in_force == quotad.consume(customer, feature).catalog_version
    assert in_force == quotad.consume(customer, "calls", quantity=9).catalog_version


def without_times(answer: Any) -> Any:
    copy = pb.CheckAndConsumeResponse()
    copy.CopyFrom(answer)
    copy.ClearField("catalog_version")
    return copy


def ask(quotad: Running, customer: str, feature: str, quantity: int = 1) -> Any:
    return without_times(quotad.consume(customer, feature, quantity=quantity))


@pytest.fixture
def small(quotad: Running, customer: str) -> str:
    quotad.provision(customer, "small")
    return customer


def test_an_allowed_call_shows_limit_usage_and_reset(quotad: Running, small: str) -> None:
    assert pb.CheckAndConsumeResponse(
        allowed=True,
        reason=pb.REASON_WITHIN_LIMIT,
        granted=2,
        limit=5,
        used=2,
        remaining=3,
        resets_at=Timestamp(seconds=CENTURY),
    ) == ask(quotad, small, "calls", 2)


def test_an_absent_quantity_is_one_and_zero_takes_nothing(quotad: Running, small: str) -> None:
    assert 1 == quotad.consume(small, "calls").granted
    answer = quotad.consume(small, "calls", quantity=0)

    assert (True, 0, 1) == (answer.allowed, answer.granted, answer.used)


def test_a_denied_call_shows_when_waiting_helps(quotad: Running, small: str) -> None:
    quotad.consume(small, "calls", quantity=4)

    sent = time.time()
    answer = ask(quotad, small, "calls", 2)
    received = time.time()

    wait = answer.retry_after.seconds + answer.retry_after.nanos / 1e9
    answer.ClearField("retry_after")
    assert (
        pb.CheckAndConsumeResponse(
            reason=pb.REASON_LIMIT_EXCEEDED,
            limit=5,
            used=4,
            remaining=1,
            resets_at=Timestamp(seconds=CENTURY),
        )
        == answer
    )
    # To the second: the store's clock is another one.
    assert CENTURY - received - 1 <= wait <= CENTURY - sent + 1


@pytest.mark.parametrize(("feature", "quantity"), [("calls", 6), ("builds", 5)])
def test_a_quantity_above_the_limit_has_no_time_to_wait(
    quotad: Running, small: str, feature: str, quantity: int
) -> None:
    answer = quotad.consume(small, feature, quantity=quantity)

    assert pb.REASON_LIMIT_EXCEEDED == answer.reason
    assert not answer.HasField("retry_after")


@pytest.mark.parametrize("feature", ["credits", "seats"])
def test_what_never_resets_has_no_time_to_wait(quotad: Running, small: str, feature: str) -> None:
    quotad.consume(small, feature, quantity=3)

    assert pb.CheckAndConsumeResponse(reason=pb.REASON_LIMIT_EXCEEDED, limit=3, used=3) == ask(
        quotad, small, feature
    )


def test_a_soft_limit_is_passed_and_shows_by_how_much(quotad: Running, small: str) -> None:
    quotad.consume(small, "tokens", quantity=8)

    assert pb.CheckAndConsumeResponse(
        allowed=True,
        reason=pb.REASON_OVER_SOFT_LIMIT,
        granted=5,
        limit=10,
        soft_limit=True,
        used=13,
        overage=3,
        resets_at=Timestamp(seconds=CENTURY),
    ) == ask(quotad, small, "tokens", 5)


def test_unlimited_is_counted_and_has_no_limit(quotad: Running, small: str) -> None:
    quotad.consume(small, "events", quantity=8)

    assert pb.CheckAndConsumeResponse(
        allowed=True, reason=pb.REASON_UNLIMITED, granted=5, unlimited=True, used=13
    ) == ask(quotad, small, "events", 5)


def test_unlimited_ends_where_counting_would(quotad: Running, small: str) -> None:
    answers = [quotad.consume(small, "events", quantity=QUANTITY_MAX) for _ in range(10)]

    assert [True] * 9 + [False] == [a.allowed for a in answers]
    assert pb.REASON_LIMIT_EXCEEDED == answers[-1].reason
    assert [9 * QUANTITY_MAX] == list(quotad.counters(small).values())


def test_a_boolean_feature_has_nothing_to_count(quotad: Running, small: str) -> None:
    assert pb.CheckAndConsumeResponse(allowed=True, reason=pb.REASON_FEATURE_ENABLED) == ask(
        quotad, small, "export", 7
    )


def test_a_config_feature_shows_its_value(quotad: Running, small: str) -> None:
    assert pb.CheckAndConsumeResponse(
        allowed=True, reason=pb.REASON_FEATURE_ENABLED, value="25"
    ) == ask(quotad, small, "upload-mb")


def status(limit: int, used: int, per: str, soft: bool = False, mark: int = 0) -> pb.LimitStatus:
    years = int(per.split()[0])
    resets_at = Timestamp()
    resets_at.FromJsonString(f"{2000 + years * (1 + 26 // years)}-01-01T00:00:00Z")
    return pb.LimitStatus(
        limit=limit,
        soft_limit=soft,
        used=used,
        remaining=max(limit - used, 0),
        overage=max(used - limit, 0) if soft else 0,
        per=per,
        resets_at=resets_at,
        mark=mark,
    )


def test_several_windows_are_all_told(quotad: Running, small: str) -> None:
    answer = ask(quotad, small, "builds", 3)

    assert (True, pb.REASON_OVER_SOFT_LIMIT) == (answer.allowed, answer.reason)
    assert [
        status(4, 3, "50 years"),
        status(6, 3, "100 years"),
        status(2, 3, "20 years", soft=True),
    ] == list(answer.limits)
    # Of the soft limit, because that one was passed.
    assert (2, True, 3, 0, 1) == (
        answer.limit,
        answer.soft_limit,
        answer.used,
        answer.remaining,
        answer.overage,
    )

    denied = ask(quotad, small, "builds", 2)

    # Four fit until 2050 and three are used; the six until 2100 and the soft two had room.
    assert (False, pb.REASON_LIMIT_EXCEEDED) == (denied.allowed, denied.reason)
    assert (4, False, 3, 1) == (denied.limit, denied.soft_limit, denied.used, denied.remaining)
    assert list(answer.limits) == list(denied.limits)
    assert status(4, 3, "50 years").resets_at == denied.resets_at
    assert [3, 3, 3] == list(quotad.counters(small).values())


def test_the_window_with_least_room_is_reported_when_allowed(quotad: Running, small: str) -> None:
    answer = quotad.consume(small, "builds")

    assert (2, True, 1, 1) == (answer.limit, answer.soft_limit, answer.used, answer.remaining)
    assert pb.REASON_WITHIN_LIMIT == answer.reason


def test_of_several_full_windows_the_one_that_frees_last_is_reported(
    quotad: Running, small: str
) -> None:
    quotad.consume(small, "builds", quantity=4)

    answer = quotad.consume(small, "builds", quantity=3)

    assert (6, 4, 2) == (answer.limit, answer.used, answer.remaining)
    assert CENTURY == answer.resets_at.seconds


def test_a_gauge_shows_what_was_really_given_back(quotad: Running, small: str) -> None:
    answers = [
        quotad.consume(small, "seats", quantity=quantity) for quantity in (2, -1, 2, 1, -5, -1, 3)
    ]

    assert [2, -1, 2, 0, -3, 0, 3] == [a.granted for a in answers]
    assert [2, 1, 3, 3, 0, 0, 3] == [a.used for a in answers]
    assert [True, True, True, False, True, True, True] == [a.allowed for a in answers]


def test_a_gauge_above_its_limit_can_always_go_down(quotad: Running, small: str) -> None:
    quotad.consume(small, "seats", quantity=3)
    shrunk = PLANS.replace("seats:     {limit: 3}", "seats:     {limit: 1}")
    quotad.publish_and_wait(FEATURES + shrunk)
    try:
        answers = [quotad.consume(small, "seats", quantity=quantity) for quantity in (1, -1, 0)]
    finally:
        quotad.publish_and_wait(FEATURES + PLANS)

    assert [(False, 3), (True, 2), (False, 2)] == [(a.allowed, a.used) for a in answers]


@pytest.mark.parametrize("feature", ["calls", "tokens", "events", "builds"])
def test_a_counter_cannot_be_given_back(quotad: Running, small: str, feature: str) -> None:
    failed = refusal(lambda: quotad.consume(small, feature, quantity=-1))

    assert "INVALID_ARGUMENT INVALID_REQUEST: quantity: -1 is negative" in repr(failed)
    assert {} == quotad.counters(small)


def test_a_check_ignores_the_idempotency_key(quotad: Running, small: str) -> None:
    first = quotad.consume(small, "calls", quantity=2, idempotency_key="k")
    check = quotad.consume(small, "calls", quantity=4, idempotency_key="k", mode=pb.MODE_CHECK_ONLY)
    quotad.consume(small, "credits", idempotency_key="k2", mode=pb.MODE_CHECK_ONLY)
    used = quotad.consume(small, "credits", quantity=3, idempotency_key="k2")

    assert (True, 2) == (first.allowed, first.used)
    assert (False, 2, False) == (check.allowed, check.used, check.replayed)
    assert (True, 3, False) == (used.allowed, used.used, used.replayed)


def entitlement(quotad: Running, customer: str, feature: str) -> Any:
    request = pb.GetEntitlementRequest(customer_id=customer, feature_id=feature)
    return quotad.quota.GetEntitlement(request, timeout=CALL_S)


def entitlements(quotad: Running, customer: str) -> Any:
    request = pb.GetEntitlementsRequest(customer_id=customer)
    return quotad.quota.GetEntitlements(request, timeout=CALL_S)


def test_one_entitlement_shows_all_that_a_call_would(quotad: Running, small: str) -> None:
    quotad.consume(small, "calls", quantity=5)
    before = quotad.counters(small)

    answer = entitlement(quotad, small, "calls")

    assert (
        pb.Entitlement(
            feature_id="calls",
            feature_type=pb.FEATURE_TYPE_METERED,
            unit="call",
            reason=pb.REASON_LIMIT_EXCEEDED,
            limit=5,
            used=5,
            resets_at=Timestamp(seconds=CENTURY),
            limits=[status(5, 5, "100 years", mark=100)],
            mark=100,
        )
        == answer.entitlement
    )
    assert answer.catalog_version == quotad.consume(small, "calls").catalog_version
    assert before == quotad.counters(small)


def test_an_entitlement_that_is_not_there_has_the_reason(quotad: Running, small: str) -> None:
    assert (
        pb.Entitlement(feature_id="no-such", reason=pb.REASON_FEATURE_NOT_FOUND)
        == entitlement(quotad, small, "no-such").entitlement
    )
    sso = entitlement(quotad, small, "sso").entitlement
    assert (pb.FEATURE_TYPE_BOOLEAN, pb.REASON_NOT_ENTITLED) == (sso.feature_type, sso.reason)
    assert pb.REASON_CUSTOMER_NOT_FOUND == entitlement(quotad, "x", "calls").entitlement.reason


def test_all_entitlements_come_in_the_order_of_the_catalog(quotad: Running, small: str) -> None:
    quotad.consume(small, "seats", quantity=2)

    answer = entitlements(quotad, small)

    assert (small, "small", 0) == (answer.customer_id, answer.plan_id, answer.denied_reason)
    assert [
        ("calls", 0),
        ("tokens", 0),
        ("credits", 0),
        ("builds", 0),
        ("events", 0),
        ("seats", 2),
        ("mailboxes", 0),
        ("export", 0),
        ("upload-mb", 0),
    ] == [(e.feature_id, e.used) for e in answer.entitlements]
    assert [1, 1, 1, 3, 1, 1, 1, 0, 0] == [len(e.limits) for e in answer.entitlements]
    assert {"seats", "mailboxes"} == {e.feature_id for e in answer.entitlements if e.gauge}
    assert "25" == answer.entitlements[-1].value
    assert all(e.allowed for e in answer.entitlements)


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        ("never seen", pb.REASON_CUSTOMER_NOT_FOUND),
        ("archived", pb.REASON_CUSTOMER_ARCHIVED),
        ("starts later", pb.REASON_NO_ACTIVE_SUBSCRIPTION),
        ("plan is gone", pb.REASON_NO_ACTIVE_SUBSCRIPTION),
    ],
)
def test_no_entitlements_come_with_the_reason(
    quotad: Running, customer: str, state: str, reason: int
) -> None:
    customer = put(quotad, customer, Row(state, "calls", 1, False, "", -1))

    answer = entitlements(quotad, customer)

    assert (reason, "", []) == (answer.denied_reason, answer.plan_id, list(answer.entitlements))


def test_customers_never_seen_get_the_default_plan(quotad: Running, customer: str) -> None:
    quotad.publish_and_wait("default_plan: small\n" + FEATURES + PLANS)
    try:
        answers = [quotad.consume(customer, "calls", quantity=3) for _ in range(2)]
        plan = entitlements(quotad, customer).plan_id
    finally:
        quotad.publish_and_wait(FEATURES + PLANS)

    assert [True, False] == [a.allowed for a in answers]
    assert "small" == plan
    assert [3] == list(quotad.counters(customer).values())
