"""What reservations hold: shown apart, and settled on the counters that it was taken from."""

from collections.abc import Iterator

import pytest

from quotad.decision import ConsumeRequest, Decision, Mode, Reason
from quotad.engine.reservations import GRACE_MS
from quotad.errors import (
    NotOpen,
)
from tests.deciding import at
from tests.integration.reserving import CATALOG, TTL_MS, Held, holding

FIRST_USE = "tokens: {limit: 500, per: hour, anchor: first_use}"


@pytest.fixture
def bench(store_url: str, prefix: str) -> Iterator[Held]:
    yield from holding(store_url, prefix)


@pytest.mark.parametrize(
    ("feature_id", "was", "became"),
    [
        ("images", "cost: 3", "cost: 5"),
        ("tokens", "tokens: {limit: 500, per: day}", "tokens: {limit: 500, per: month}"),
        ("several", "{limit: 400, per: day}, ", ""),
        ("tokens", "      tokens: {limit: 500, per: day}\n", ""),
        ("images", "      budget: {limit: 30, per: month}\n", ""),
    ],
    ids=["another price", "another window", "fewer windows", "no feature", "no pool"],
)
@pytest.mark.parametrize("ends", [False, True], ids=["released", "ended"])
def test_what_was_held_comes_back_whatever_the_catalog_has_become(
    bench: Held, feature_id: str, was: str, became: str, ends: bool
) -> None:
    bench.take(2, feature_id)
    before = bench.used(feature_id)
    bench.reserve("r1", 5, feature_id)
    assert was in CATALOG
    bench.publish(CATALOG.replace(was, became))

    if ends:
        bench.clock.now += TTL_MS + GRACE_MS
        assert bench.engine.reservations.take_back(["acme"])
    else:
        assert -5 == bench.commit("r1", 0).granted

    bench.publish(CATALOG)
    assert before == bench.used(feature_id)


def test_more_than_was_held_is_checked_against_todays_limit(bench: Held) -> None:
    bench.reserve("r1", 400)
    bench.publish(CATALOG.replace("tokens: {limit: 500", "tokens: {limit: 450"))

    denied = bench.commit("r1", 460)

    assert (False, Reason.LIMIT_EXCEEDED, 450, 400) == (
        denied.allowed,
        denied.reason,
        denied.limit,
        denied.used,
    )
    bench.publish(CATALOG.replace("      tokens: {limit: 500, per: day}\n", ""))
    assert Reason.NOT_ENTITLED == bench.commit("r1", 410).reason
    assert -10 == bench.commit("r1", 390).granted


def test_what_was_held_comes_back_to_the_window_that_was_open(bench: Held) -> None:
    bench.publish(CATALOG.replace("tokens: {limit: 500, per: day}", FIRST_USE))
    bench.take(10)
    bench.reserve("r1", 75)
    bench.reserve("r2", 75)
    assert 65 == bench.commit("r1", 140).granted
    assert [225] == bench.used()
    bench.clock.now += 2 * 3_600_000
    bench.take(30)

    assert bench.engine.reservations.take_back(["acme"])

    assert [30] == bench.used()


def test_a_hold_of_a_closed_window_leaves_the_next_one_alone(bench: Held) -> None:
    """Also where the server believes the window to be open still, as its clock is behind."""
    bench.publish(CATALOG.replace("tokens: {limit: 500, per: day}", FIRST_USE))
    bench.reserve("r1", 75)
    then = bench.clock.now
    bench.clock.now += 3_600_000
    bench.take(30)
    bench.clock.now = then

    bench.commit("r1", 20)

    bench.clock.now += 3_600_000
    assert [30] == bench.used()


def test_a_plan_change_that_resets_usage_leaves_the_new_counter_alone(bench: Held) -> None:
    catalog = CATALOG + "  fresh: {extends: free, usage_on_change: reset}\n"
    bench.publish(catalog)
    bench.provision("acme", "free")
    bench.reserve("r1", 75)
    bench.provision("acme", "fresh")
    bench.take(30)

    assert -75 == bench.commit("r1", 0).granted
    assert [30] == bench.used()


def test_a_settlement_without_any_counter_left_is_remembered(bench: Held) -> None:
    bench.clock.now = at("2031-01-14 23:59:30")
    bench.reserve("r1", 75)
    bench.clock.now = at("2031-01-16 23:59:30")
    later = bench.keys.customer("acme")
    bench.store.execute("ZADD", later.hold_ends, bench.clock.now + TTL_MS, "r1")

    assert (True, 0, False) == (
        (first := bench.commit("r1", 20)).allowed,
        first.granted,
        first.replayed,
    )
    assert bench.commit("r1", 20).replayed
    with pytest.raises(NotOpen):
        bench.commit("r1", 0)


@pytest.mark.parametrize(
    ("feature_id", "quantity", "told"),
    [
        ("tokens", 75, [(20, 75, 405)]),
        ("several", 75, [(20, 75, 305), (20, 75, 405)]),
        ("seats", 2, [(1, 2, 0)]),
        ("soft", 5, [(2, 5, 3)]),
        ("images", 4, [(1, 4, 0), (3, 12, 15)]),
        ("budget", 9, [(3, 9, 18)]),
    ],
)
def test_what_is_held_is_told_apart_from_what_is_used(
    bench: Held, feature_id: str, quantity: int, told: list[tuple[int, int, int]]
) -> None:
    bench.take({"tokens": 20, "several": 20, "soft": 2, "budget": 3}.get(feature_id, 1), feature_id)
    bench.reserve("r1", quantity, feature_id)

    _, one = bench.engine.entitlement("acme", feature_id)
    of_all = bench.engine.entitlements("acme").decisions[feature_id]
    (explained,) = bench.engine.decide(
        [ConsumeRequest("acme", feature_id, 0, Mode.CHECK_ONLY, every_limit=True, explain=True)]
    )

    assert isinstance(explained, Decision)
    for answer in (one, of_all, explained):
        shown = [(limit.used, limit.reserved, limit.remaining) for limit in answer.limits]
        assert told == shown
        assert (answer.used, answer.reserved, answer.remaining) in shown
    bench.commit("r1", 0)
    _, after = bench.engine.entitlement("acme", feature_id)
    assert [(used, 0) for used, _, _ in told] == [(x.used, x.reserved) for x in after.limits]


def test_what_is_held_of_a_resource_is_told_of_that_resource(bench: Held) -> None:
    bench.provision("acme", "free")
    bench.provision("acme", "free", resource_id="w")
    bench.reserve("r1", 75)
    bench.reserve("r2", 10, resource_id="w")

    _, own = bench.engine.entitlement("acme", "tokens")
    _, of_resource = bench.engine.entitlement("acme", "tokens", "w")

    assert [(0, 75), (0, 10)] == [(each.used, each.reserved) for each in (own, of_resource)]


def test_what_was_held_in_a_period_before_is_not_told_of_this_one(bench: Held) -> None:
    bench.clock.now = at("2031-01-14 23:59:30")
    bench.reserve("r1", 75)
    bench.clock.now = at("2031-01-15 00:00:10")

    _, answer = bench.engine.entitlement("acme", "tokens")

    assert (0, 0) == (answer.used, answer.reserved)
