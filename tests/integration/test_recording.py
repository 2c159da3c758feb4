"""MODE_ADJUST_ONLY: what has happened is counted past every limit, in the periods it belongs to."""

from collections.abc import Iterator

import pytest

from quotad.decision import ConsumeRequest, Decision, Mode, Reason
from quotad.errors import IdempotencyMismatch, InvalidRequest, QuotadError
from tests.deciding import Bench, at

CATALOG = """
version: 1
default_plan: free
features:
  calls: {type: metered}
  tokens: {type: metered}
  days: {type: metered}
  seats: {type: metered, kind: gauge}
  soft: {type: metered}
  open: {type: metered}
  first: {type: metered}
  images: {type: metered, credit: {pool: budget, cost: 3}}
  budget: {type: metered}
  sso: {type: boolean}
plans:
  free:
    entitlements:
      calls: {limit: 1000, per: month}
      tokens:
        limits: [{limit: 10, per: minute}, {limit: 100, per: day}, {limit: 1000, per: month}]
      days: {limit: 5, per: day}
      seats: {limit: 3}
      soft: {limit: 10, per: month, soft: true}
      open: unlimited
      first: {limit: 5, per: 5 hours, anchor: first_use}
      images: unlimited
      budget: {limit: 30, per: month}
      sso: true
"""


@pytest.fixture
def bench(store_url: str, prefix: str) -> Iterator[Bench]:
    made = Bench(store_url, prefix)
    made.publish(CATALOG)
    yield made
    made.close()


def record(
    bench: Bench, feature_id: str, quantity: int = 1, occurred: str = "", key: str = ""
) -> Decision | QuotadError:
    request = ConsumeRequest(
        "acme",
        feature_id,
        quantity,
        Mode.ADJUST_ONLY,
        key,
        occurred_ms=at(occurred) if occurred else 0,
    )
    return bench.engine.decide([request])[0]


@pytest.mark.parametrize(
    ("feature_id", "quantity", "reason", "counted"),
    [
        ("calls", 900, Reason.WITHIN_LIMIT, 900),
        ("calls", 1300, Reason.OVER_LIMIT, 1300),
        ("soft", 12, Reason.OVER_SOFT_LIMIT, 12),
        ("open", 12, Reason.UNLIMITED, 12),
        ("seats", 5, Reason.OVER_LIMIT, 5),
        ("first", 7, Reason.OVER_LIMIT, 7),
        ("images", 20, Reason.OVER_LIMIT, 60),
        ("sso", 1, Reason.FEATURE_ENABLED, 0),
    ],
)
def test_what_has_happened_is_counted_on_every_kind_of_limit(
    bench: Bench, feature_id: str, quantity: int, reason: Reason, counted: int
) -> None:
    answer = record(bench, feature_id, quantity)

    assert isinstance(answer, Decision)
    assert (True, reason, counted) == (answer.allowed, answer.reason, answer.used)
    assert answer.granted == (quantity if counted else 0)


def test_nothing_more_is_admitted_past_a_limit(bench: Bench) -> None:
    record(bench, "calls", 1300)

    (answer,) = bench.engine.decide([ConsumeRequest("acme", "calls")])

    assert isinstance(answer, Decision)
    assert (False, Reason.LIMIT_EXCEEDED, 1300, 0) == (
        answer.allowed,
        answer.reason,
        answer.used,
        answer.remaining,
    )


def test_a_key_records_once_and_is_not_that_of_a_consume(bench: Bench) -> None:
    first = record(bench, "calls", 1300, key="job-1")
    again = record(bench, "calls", 1300, key="job-1")
    (consumed,) = bench.engine.decide(
        [ConsumeRequest("acme", "calls", 1300, idempotency_key="job-1")]
    )

    assert isinstance(first, Decision)
    assert isinstance(again, Decision)
    assert (first.used, first.reason, True) == (again.used, again.reason, again.replayed)
    assert isinstance(consumed, IdempotencyMismatch)
    assert isinstance(record(bench, "calls", 1300, "2031-01-15 11:00", key="job-1"), QuotadError)
    assert [1300] == bench.usage("calls")


def test_what_happened_earlier_is_counted_in_its_own_periods(bench: Bench) -> None:
    bench.clock.now = at("2031-01-15 01:00")

    answer = record(bench, "days", 7, "2031-01-14 23:30")

    assert isinstance(answer, Decision)
    assert (True, Reason.OVER_LIMIT, 7) == (answer.allowed, answer.reason, answer.used)
    assert at("2031-01-15 00:00") == answer.resets_at_ms
    assert [0] == bench.usage("days")
    bench.clock.now = at("2031-01-14 23:59")
    assert [7] == bench.usage("days")


def test_limits_whose_counters_are_gone_are_left_out(bench: Bench) -> None:
    answer = record(bench, "tokens", 4, "2031-01-15 09:30")

    assert isinstance(answer, Decision)
    assert ["day", "month"] == [limit.per for limit in answer.limits]
    assert [0, 4, 4] == bench.usage("tokens")


def test_what_is_too_long_ago_is_refused_by_name(bench: Bench) -> None:
    answer = record(bench, "calls", 4, "2030-11-30 09:30")

    assert isinstance(answer, InvalidRequest)
    assert "occurred_at: no counter of 'calls' is kept any more" in str(answer)
    assert isinstance(record(bench, "first", 1, "2031-01-15 11:30"), InvalidRequest)


def test_the_future_is_refused_but_for_clocks_that_disagree(bench: Bench) -> None:
    early = record(bench, "calls", 1, "2031-01-15 12:05")
    assert isinstance(early, InvalidRequest)
    assert "occurred_at: is in the future" in str(early)

    bench.clock.now = at("2031-01-31 23:59:30")
    assert isinstance(record(bench, "calls", 1, "2031-02-01 00:00:10"), Decision)
    assert [1] == bench.usage("calls")


def test_what_only_grows_is_not_given_back(bench: Bench) -> None:
    assert isinstance(record(bench, "calls", -1), InvalidRequest)
    record(bench, "seats", 5)
    answer = record(bench, "seats", -4)
    assert isinstance(answer, Decision)
    assert (-4, 1) == (answer.granted, answer.used)


def test_without_an_entitlement_there_is_nothing_to_count_in(bench: Bench) -> None:
    answer = record(bench, "unknown")

    assert isinstance(answer, Decision)
    assert (False, Reason.FEATURE_NOT_FOUND) == (answer.allowed, answer.reason)
