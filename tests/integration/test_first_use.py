"""Windows that open at first use, on a real store with a clock that only the test moves."""

from collections.abc import Iterator

import pytest

from quotad.decision import ConsumeRequest, Reason
from tests.deciding import Bench, at, bench
from tests.raw import raw

CATALOG = """
version: 1
default_plan: free
features:
  calls: {type: metered}
  credits: {type: metered, decimals: 1}
  image: {type: metered, credit: {pool: credits, cost: 0.5}}
plans:
  free:
    entitlements:
      calls: {limit: 3, per: 5 hours, anchor: first_use}
      credits: {limit: 1, per: day, anchor: first_use}
      image: {limit: 9, per: month}
"""
HOUR = 3_600_000


@pytest.fixture
def engine(store_url: str, prefix: str) -> Iterator[Bench]:
    with bench(store_url, prefix) as made:
        made.publish(CATALOG)
        yield made


def test_a_window_opens_with_the_first_call_and_closes_its_length_later(engine: Bench) -> None:
    opened_ms = engine.clock.now
    closed = engine.check("acme", "calls")
    first = engine.consume("acme", "calls")
    engine.clock.now += HOUR
    second = engine.consume("acme", "calls", 2)
    engine.clock.now = opened_ms + 5 * HOUR - 1
    full = engine.consume("acme", "calls")
    engine.clock.now += 1
    again = engine.check("acme", "calls")
    engine.clock.now += 17 * HOUR
    later = engine.consume("acme", "calls")

    end_ms = opened_ms + 5 * HOUR
    assert [(None, 0), (end_ms, 1), (end_ms, 3), (end_ms, 3)] == [
        (answer.resets_at_ms, answer.used) for answer in (closed, first, second, full)
    ]
    assert (False, Reason.LIMIT_EXCEEDED, 1) == (full.allowed, full.reason, full.retry_after_ms)
    assert (True, 0, 3, None) == (
        again.allowed,
        again.used,
        again.remaining,
        again.resets_at_ms,
    )
    assert (1, end_ms + 22 * HOUR) == (later.used, later.resets_at_ms)


def test_every_customer_has_a_window_of_its_own(engine: Bench) -> None:
    ends = []
    for name in ("a", "b", "c"):
        ends.append(engine.consume(name, "calls").resets_at_ms)
        engine.clock.now += HOUR

    first = at("2031-01-15 17:00")
    assert [first, first + HOUR, first + 2 * HOUR] == ends


def test_a_denied_call_and_a_call_for_nothing_open_no_window(engine: Bench) -> None:
    denied = engine.consume("acme", "calls", 4)
    nothing = engine.consume("acme", "calls", 0)

    # A window of three never has room for four: waiting does not help.
    assert (False, None, None) == (denied.allowed, denied.resets_at_ms, denied.retry_after_ms)
    assert (True, None) == (nothing.allowed, nothing.resets_at_ms)
    assert not list(raw(engine.store).scan_iter(f"{engine.keys.prefix}:*:u:*", count=1000))


def test_calls_of_one_batch_share_the_window_that_the_first_opens(engine: Bench) -> None:
    answers = engine.decide(*[ConsumeRequest("acme", "calls")] * 5)

    end_ms = engine.clock.now + 5 * HOUR
    assert [(True, 1), (True, 2), (True, 3), (False, 3), (False, 3)] == [
        (answer.allowed, answer.used) for answer in answers
    ]
    assert {end_ms} == {answer.resets_at_ms for answer in answers}


def test_a_repeated_key_shows_the_window_of_the_first_time(engine: Bench) -> None:
    first = engine.consume("acme", "calls", 2, key="k")
    engine.clock.now += 6 * HOUR
    engine.consume("acme", "calls")

    again = engine.consume("acme", "calls", 2, key="k")

    assert (True, first.used, first.resets_at_ms) == (
        again.replayed,
        again.used,
        again.resets_at_ms,
    )
    assert 1 == engine.check("acme", "calls").used


def test_a_window_survives_a_change_of_its_limit_and_a_restart(engine: Bench) -> None:
    first = engine.consume("acme", "calls", 2)
    engine.clock.now += HOUR
    engine.publish(CATALOG.replace("limit: 3, per: 5 hours", "limit: 8, per: 5 hours"))
    engine.views.drop("acme")

    answer = engine.consume("acme", "calls", 5)

    assert (True, 7, first.resets_at_ms) == (answer.allowed, answer.used, answer.resets_at_ms)


def test_a_pool_may_open_at_first_use_too(engine: Bench) -> None:
    opened_ms = engine.clock.now
    answers = [engine.consume("acme", "image") for _ in range(3)]
    engine.clock.now += 24 * HOUR
    fresh = engine.consume("acme", "image")

    assert [Reason.WITHIN_LIMIT, Reason.WITHIN_LIMIT, Reason.INSUFFICIENT_CREDITS] == [
        answer.reason for answer in answers
    ]
    assert (24 * HOUR, opened_ms + 24 * HOUR) == (
        answers[2].retry_after_ms,
        answers[2].resets_at_ms,
    )
    assert (True, 5) == (fresh.allowed, fresh.used)
    (month, pool) = fresh.limits
    assert (3, 5, opened_ms + 48 * HOUR) == (month.used, pool.used, pool.resets_at_ms)


def test_an_entitlement_shows_a_window_that_is_closed(engine: Bench) -> None:
    _, closed = engine.engine.entitlement("acme", "calls")
    engine.consume("acme", "calls")
    granted = engine.engine.entitlements("acme")

    assert [None] == [status.resets_at_ms for status in closed.limits]
    calls = granted.decisions["calls"]
    assert [engine.clock.now + 5 * HOUR] == [status.resets_at_ms for status in calls.limits]


def test_windows_leave_the_store_when_they_have_closed(engine: Bench) -> None:
    engine.consume("acme", "calls")
    engine.clock.now += HOUR
    engine.consume("acme", "calls")

    (name,) = raw(engine.store).scan_iter(f"{engine.keys.prefix}:*:u:*", count=1000)

    minute = 60_000
    end_ms = at("2031-01-15 17:00")
    assert f"2@{end_ms}".encode() == raw(engine.store).get(name)
    assert end_ms + minute == raw(engine.store).pexpiretime(name)
