"""Refund: what was counted comes back, never below zero and never twice."""

from collections.abc import Iterator

import pytest

from quotad.decision import ConsumeAllRequest, ConsumeRequest, Decision, Mode, Reason
from quotad.errors import IdempotencyMismatch, InvalidRequest, NotFound, QuotadError
from quotad.held import SettledDecision
from quotad.service.decode import refund_request
from quotad.v1 import quota_pb2 as pb
from tests.deciding import Bench, at

CATALOG = """
version: 1
default_plan: free
features:
  calls: {type: metered}
  tokens: {type: metered}
  seats: {type: metered, kind: gauge}
  soft: {type: metered}
  first: {type: metered}
  images: {type: metered, credit: {pool: budget, cost: 3}}
  budget: {type: metered}
  sso: {type: boolean}
plans:
  free:
    entitlements:
      calls: {limit: 1000, per: day}
      tokens:
        limits: [{limit: 10, per: minute}, {limit: 100, per: day}, {limit: 1000, per: month}]
      seats: {limit: 3}
      soft: {limit: 10, per: month, soft: true}
      first: {limit: 50, per: 5 hours, anchor: first_use}
      images: {limit: 20, per: day}
      budget: {limit: 30, per: month}
      sso: true
"""


@pytest.fixture
def bench(store_url: str, prefix: str) -> Iterator[Bench]:
    made = Bench(store_url, prefix)
    made.publish(CATALOG)
    yield made
    made.close()


def consume(bench: Bench, feature_id: str, quantity: int = 1, key: str = "") -> Decision:
    request = ConsumeRequest("acme", feature_id, quantity, idempotency_key=key)
    (answer,) = bench.engine.decide([request])
    assert isinstance(answer, Decision)
    return answer


def refund(
    bench: Bench, feature_id: str, quantity: int = 1, occurred: str = "", key: str = ""
) -> Decision | QuotadError:
    occurred_ms = at(occurred) if occurred else 0
    request = ConsumeRequest(
        "acme", feature_id, -quantity, Mode.REFUND, key, occurred_ms=occurred_ms
    )
    return bench.engine.decide([request])[0]


def undo(bench: Bench, feature_id: str, key: str, resource_id: str = "") -> Decision | QuotadError:
    request = ConsumeRequest("acme", feature_id, 0, Mode.REFUND, resource_id=resource_id)
    return bench.engine.undo(request, key)


@pytest.mark.parametrize(
    ("feature_id", "taken", "back", "granted", "left"),
    [
        ("calls", 100, 40, -40, [60]),
        ("calls", 100, 140, -100, [0]),
        ("tokens", 8, 3, -3, [5, 5, 5]),
        ("soft", 15, 10, -10, [5]),
        ("first", 9, 4, -4, [5]),
        ("images", 5, 2, -2, [3, 9]),
        ("images", 5, 9, -5, [0, 0]),
    ],
)
def test_a_quantity_comes_back_from_every_kind_of_limit(
    bench: Bench, feature_id: str, taken: int, back: int, granted: int, left: list[int]
) -> None:
    consume(bench, feature_id, taken)

    answer = refund(bench, feature_id, back)

    assert isinstance(answer, Decision)
    assert (True, granted) == (answer.allowed, answer.granted)
    assert left == bench.usage(feature_id)


def test_each_limit_gives_back_what_it_has(bench: Bench) -> None:
    consume(bench, "tokens", 8)
    bench.clock.now = at("2031-01-16 12:00")
    consume(bench, "tokens", 2)

    answer = refund(bench, "tokens", 5)

    assert isinstance(answer, Decision)
    assert -5 == answer.granted  # of the month; the minute and the day had only 2
    assert [0, 0, 5] == bench.usage("tokens")


def test_a_refund_under_a_key_comes_back_once(bench: Bench) -> None:
    consume(bench, "calls", 100)
    first = refund(bench, "calls", 30, key="r1")
    again = refund(bench, "calls", 30, key="r1")
    other = refund(bench, "calls", 31, key="r1")

    assert isinstance(first, Decision)
    assert isinstance(again, Decision)
    assert (-30, False, -30, True) == (first.granted, first.replayed, again.granted, again.replayed)
    assert isinstance(other, IdempotencyMismatch)
    assert [70] == bench.usage("calls")


@pytest.mark.parametrize(("feature_id", "left"), [("calls", [3]), ("images", [3, 9])])
def test_what_was_taken_under_a_key_comes_back_once(
    bench: Bench, feature_id: str, left: list[int]
) -> None:
    consume(bench, feature_id, 3)
    consume(bench, feature_id, 7, key="job")

    first = undo(bench, feature_id, "job")
    again = undo(bench, feature_id, "job")
    repeated = consume(bench, feature_id, 7, key="job")

    assert isinstance(first, Decision)
    assert isinstance(again, Decision)
    assert (-7, False, -7, True) == (first.granted, first.replayed, again.granted, again.replayed)
    assert (7, True) == (repeated.granted, repeated.replayed)  # the key has taken all it ever will
    assert left == bench.usage(feature_id)


def test_what_was_taken_comes_back_to_its_own_period(bench: Bench) -> None:
    bench.clock.now = at("2031-01-14 23:30")
    consume(bench, "calls", 100, key="late")
    bench.clock.now = at("2031-01-15 01:00")
    consume(bench, "calls", 5)

    answer = undo(bench, "calls", "late")

    assert isinstance(answer, Decision)
    assert (-100, 0) == (answer.granted, answer.used)
    assert [5] == bench.usage("calls")
    bench.clock.now = at("2031-01-14 23:59")
    assert [0] == bench.usage("calls")


def test_what_was_recorded_comes_back_as_well(bench: Bench) -> None:
    recorded = ConsumeRequest("acme", "calls", 1500, Mode.ADJUST_ONLY, "job")
    bench.engine.decide([recorded])

    answer = undo(bench, "calls", "job")

    assert isinstance(answer, Decision)
    assert (-1500, 0) == (answer.granted, answer.used)
    assert Reason.WITHIN_LIMIT == answer.reason


def test_an_unknown_key_and_one_of_something_else_are_refused_by_name(bench: Bench) -> None:
    consume(bench, "calls", 7, key="job")

    unknown, denied = undo(bench, "calls", "other"), undo(bench, "calls", "denied")
    foreign = undo(bench, "soft", "job")
    resource = undo(bench, "calls", "job", resource_id="w")

    assert isinstance(unknown, NotFound)
    assert "taken_under: nothing taken under 'other' is remembered" in str(unknown)
    assert isinstance(denied, NotFound)
    assert isinstance(foreign, InvalidRequest)
    assert "another feature or resource" in str(foreign)
    assert isinstance(resource, InvalidRequest)
    assert [7] == bench.usage("calls")


def test_a_refund_of_nothing_is_refused_by_name() -> None:
    with pytest.raises(InvalidRequest, match="quantity: missing; give how much, or the key"):
        refund_request(pb.RefundRequest(customer_id="acme", feature_id="calls"))


def test_gauges_are_given_back_by_a_consume(bench: Bench) -> None:
    answer = refund(bench, "seats")

    assert isinstance(answer, InvalidRequest)
    assert "is a gauge; give it back by a consume of a negative quantity" in str(answer)


def test_what_has_no_counter_has_nothing_to_give_back(bench: Bench) -> None:
    switch, unknown = refund(bench, "sso"), refund(bench, "nope")

    assert isinstance(switch, Decision)
    assert isinstance(unknown, Decision)
    assert (0, Reason.FEATURE_ENABLED) == (switch.granted, switch.reason)
    assert (False, Reason.FEATURE_NOT_FOUND) == (unknown.allowed, unknown.reason)


def test_periods_without_counters_give_nothing_back(bench: Bench) -> None:
    answer = refund(bench, "calls", 1, "2031-01-01 12:00")

    assert isinstance(answer, InvalidRequest)
    assert "occurred_at: no counter of 'calls' is kept any more" in str(answer)


@pytest.mark.parametrize(
    ("was", "became", "left"),
    [
        ("cost: 3", "cost: 5", [3, 9]),
        ("images: {limit: 20, per: day}", "images: unlimited", [3, 9]),
        ("images: {limit: 20, per: day}", "images: {limit: 20, per: week}", [3, 9]),
    ],
)
def test_what_was_taken_comes_back_at_the_price_of_then(
    bench: Bench, was: str, became: str, left: list[int]
) -> None:
    consume(bench, "images", 3)
    consume(bench, "images", 5, key="job")
    assert was in CATALOG
    bench.publish(CATALOG.replace(was, became))

    answer = undo(bench, "images", "job")

    assert isinstance(answer, Decision)
    bench.publish(CATALOG)
    assert left[1:] == bench.usage("images")[1:]
    assert bench.usage("images")[0] in (3, 8)  # a window that is gone gives nothing back


def test_what_was_taken_comes_back_to_the_window_that_it_was_taken_from(bench: Bench) -> None:
    consume(bench, "first", 5)
    consume(bench, "first", 7, key="job")
    consume(bench, "first", 9, key="more")

    answer = undo(bench, "first", "job")
    assert isinstance(answer, Decision)
    assert (-7, 14) == (answer.granted, answer.used)

    bench.clock.now += 6 * 3_600_000
    consume(bench, "first", 3)
    assert isinstance(undo(bench, "first", "more"), InvalidRequest)  # it has closed
    assert [3] == bench.usage("first")


TOGETHER = {"calls": 10, "tokens": 4, "images": 2, "budget": 5, "sso": 1}


def consume_all(bench: Bench, quantities: dict[str, int], key: str) -> None:
    items = tuple(ConsumeRequest("acme", *each) for each in quantities.items())
    (answer,) = bench.engine.decide(
        [ConsumeAllRequest("acme", "", 0, idempotency_key=key, items=items)]
    )
    assert isinstance(answer, Decision)
    assert answer.allowed


def used(bench: Bench) -> list[int]:
    return [limit for name in ("calls", "tokens", "images") for limit in bench.usage(name)]


def test_one_feature_of_several_comes_back_once(bench: Bench) -> None:
    consume_all(bench, TOGETHER, "job")
    assert [10, 4, 4, 4, 2, 11] == used(bench)

    first, again = undo(bench, "images", "job"), undo(bench, "images", "job")

    assert isinstance(first, Decision)
    assert isinstance(again, Decision)
    assert (-2, False, -2, True) == (first.granted, first.replayed, again.granted, again.replayed)
    assert [10, 4, 4, 4, 0, 5] == used(bench)


def test_all_that_was_taken_together_comes_back_once(bench: Bench) -> None:
    consume_all(bench, TOGETHER, "job")
    consume(bench, "calls", 3)
    undo(bench, "tokens", "job")

    first, again = undo(bench, "", "job"), undo(bench, "", "job")

    assert isinstance(first, SettledDecision)
    assert isinstance(again, SettledDecision)
    assert [3, 0, 0, 0, 0, 0] == used(bench)
    assert ["calls", "tokens", "images", "budget"] == [item.feature_id for item in first.held]
    assert [-10, -4, -2, -5] == [item.granted for item in first.items]
    assert [False, True, False, False] == [item.replayed for item in first.items]
    assert (False, True) == (first.replayed, again.replayed)


def test_what_was_not_taken_together_is_refused_by_name(bench: Bench) -> None:
    consume_all(bench, TOGETHER, "job")
    consume(bench, "calls", 3, key="one")
    consume_all(bench, {"seats": 1, "calls": 1}, "with seats")

    foreign, resource = undo(bench, "soft", "job"), undo(bench, "calls", "job", "w")
    unnamed, switch = undo(bench, "", "one"), undo(bench, "sso", "job")
    gauge = undo(bench, "", "with seats")

    assert isinstance(foreign, InvalidRequest)
    assert isinstance(resource, InvalidRequest)
    assert "another feature or resource" in str(foreign)
    assert isinstance(unnamed, InvalidRequest)
    assert "feature_id: missing; one feature was taken under 'one'" in str(unnamed)
    assert isinstance(switch, Decision)
    assert 0 == switch.granted
    assert isinstance(gauge, InvalidRequest)
    assert [14, 4, 4, 4, 2, 11] == used(bench)
