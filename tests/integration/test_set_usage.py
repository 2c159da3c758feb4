"""SetUsage: what was really used takes the place of what was counted, once."""

from collections.abc import Iterator

import pytest

from quotad.decision import ConsumeRequest, Decision, Mode, Reason
from quotad.engine.reservations import GRACE_MS
from quotad.errors import IdempotencyMismatch, InvalidRequest
from quotad.held import Setting
from tests.deciding import Bench, at

CATALOG = """
version: 1
default_plan: free
features:
  calls: {type: metered}
  tokens: {type: metered}
  seats: {type: metered, kind: gauge}
  soft: {type: metered}
  free: {type: metered}
  first: {type: metered}
  images: {type: metered, credit: {pool: budget, cost: 3}}
  paid: {type: metered, credit: {pool: budget, cost: 2}}
  budget: {type: metered, decimals: 2}
  sso: {type: boolean}
  exports: {type: metered, kind: concurrency}
plans:
  free:
    entitlements:
      calls: {limit: 100, per: day}
      tokens: {limits: [{limit: 100, per: day}, {limit: 1000, per: month}, {limit: 5000}]}
      seats: {limit: 3}
      soft: {limit: 10, per: month, soft: true}
      free: unlimited
      first: {limit: 50, per: 5 hours, anchor: first_use}
      images: {limit: 20, per: day}
      paid: true
      budget: {limit: 30, per: month}
      sso: true
      exports: {limit: 2}
"""


@pytest.fixture
def bench(store_url: str, prefix: str) -> Iterator[Bench]:
    made = Bench(store_url, prefix)
    made.publish(CATALOG)
    yield made
    made.close()


def set_usage(bench: Bench, feature_id: str, used: int, per: str = "", key: str = "") -> Decision:
    return bench.engine.set_usage(Setting("acme", feature_id, used, "", per, key))


@pytest.mark.parametrize(
    ("feature_id", "before", "used", "per", "told"),
    [
        ("calls", 30, 70, "", (40, 70, 30, Reason.WITHIN_LIMIT)),
        ("calls", 30, 10, "", (-20, 10, 90, Reason.WITHIN_LIMIT)),
        ("calls", 0, 10, "", (10, 10, 90, Reason.WITHIN_LIMIT)),
        ("calls", 30, 0, "day", (-30, 0, 100, Reason.WITHIN_LIMIT)),
        ("calls", 30, 30, "", (0, 30, 70, Reason.WITHIN_LIMIT)),
        ("calls", 30, 150, "", (120, 150, 0, Reason.OVER_LIMIT)),
        ("tokens", 30, 200, "month", (170, 200, 800, Reason.WITHIN_LIMIT)),
        ("tokens", 30, 200, "lifetime", (170, 200, 4800, Reason.WITHIN_LIMIT)),
        ("seats", 3, 1, "", (-2, 1, 2, Reason.WITHIN_LIMIT)),
        ("soft", 3, 15, "", (12, 15, 0, Reason.OVER_SOFT_LIMIT)),
        ("free", 3, 15, "", (12, 15, 0, Reason.UNLIMITED)),
        ("first", 3, 15, "5 hours", (12, 15, 35, Reason.WITHIN_LIMIT)),
        ("images", 2, 5, "", (3, 5, 15, Reason.WITHIN_LIMIT)),
        ("budget", 250, 1000, "", (750, 1000, 2000, Reason.WITHIN_LIMIT)),
    ],
)
def test_usage_is_what_it_was_set_to(
    bench: Bench,
    feature_id: str,
    before: int,
    used: int,
    per: str,
    told: tuple[int, int, int, Reason],
) -> None:
    if before:
        assert bench.consume("acme", feature_id, before).allowed

    answer = set_usage(bench, feature_id, used, per)

    assert answer.allowed
    assert told == (answer.granted, answer.used, answer.remaining, answer.reason)
    place = {"month": 1, "lifetime": 2}.get(per, 0)
    now = bench.usage(feature_id)
    assert used == now[place]
    if feature_id == "tokens":
        assert [before, before] == [each for i, each in enumerate(now) if i != place]
    if feature_id == "images":
        assert before * 300 == now[1]  # what the pool has paid is set on the pool


@pytest.mark.parametrize(
    ("feature_id", "per", "why"),
    [
        ("tokens", "", "per: 'tokens' has several limits; name one: day, lifetime, month"),
        ("tokens", "hour", "per: 'tokens' has no limit per 'hour': day, lifetime, month"),
        ("paid", "", "feature_id: 'paid' is counted in its pool alone; set that of 'budget'"),
        ("sso", "", "feature_id: nothing is counted of 'sso', as it is not metered"),
        ("exports", "", "feature_id: 'exports' is counted by its slots; release them"),
        ("first", "", "per: the window of 'first' opens at first use and is not open"),
    ],
)
def test_what_cannot_be_set_is_refused_by_name(
    bench: Bench, feature_id: str, per: str, why: str
) -> None:
    with pytest.raises(InvalidRequest) as refused:
        set_usage(bench, feature_id, 1, per)

    assert why == str(refused.value)


def test_an_unknown_feature_is_denied(bench: Bench) -> None:
    answer = set_usage(bench, "nope", 1)

    assert (False, Reason.FEATURE_NOT_FOUND) == (answer.allowed, answer.reason)


def test_under_a_key_usage_is_set_once(bench: Bench) -> None:
    bench.consume("acme", "calls", 30)
    first = set_usage(bench, "calls", 70, key="k")
    bench.consume("acme", "calls", 5)
    again = set_usage(bench, "calls", 70, key="k")

    assert (40, False, 70) == (first.granted, first.replayed, first.used)
    assert (40, True, 70) == (again.granted, again.replayed, again.used)
    assert [75] == bench.usage("calls")
    with pytest.raises(IdempotencyMismatch):
        set_usage(bench, "calls", 71, key="k")
    bench.consume("acme", "calls", 1, key="taken")
    with pytest.raises(IdempotencyMismatch):
        set_usage(bench, "calls", 1, key="taken")


def test_what_is_held_comes_on_top_of_what_was_set(bench: Bench) -> None:
    bench.consume("acme", "calls", 30)
    bench.engine.reservations.reserve(ConsumeRequest("acme", "calls", 20), "r1", 60_000)

    answer = set_usage(bench, "calls", 10)

    assert (-20, 10, 20, 70) == (answer.granted, answer.used, answer.reserved, answer.remaining)
    _, told = bench.engine.entitlement("acme", "calls")
    assert (10, 20, 70) == (told.used, told.reserved, told.remaining)
    bench.clock.now += 60_000 + GRACE_MS
    _, told = bench.engine.entitlement("acme", "calls")
    assert (10, 0, 90) == (told.used, told.reserved, told.remaining)


def test_what_is_used_meanwhile_stays_counted(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.consume("acme", "calls", 30)
    setter, decide = bench.engine._setter, bench.engine.decide

    def while_set(requests: list[ConsumeRequest]) -> list[object]:
        if requests[0].mode == Mode.SETTLE:
            decide([ConsumeRequest("acme", "calls", 5)])
        return list(decide(requests))

    monkeypatch.setattr(setter, "_decide", while_set)

    assert 20 == set_usage(bench, "calls", 50).granted
    assert [55] == bench.usage("calls")


def test_only_the_period_under_way_is_set(bench: Bench) -> None:
    bench.clock.now = at("2031-01-14 12:00")
    bench.consume("acme", "calls", 30)
    bench.clock.now = at("2031-01-15 00:30")

    assert 50 == set_usage(bench, "calls", 50).granted
    bench.clock.now = at("2031-01-14 23:59")
    assert [30] == bench.usage("calls")
