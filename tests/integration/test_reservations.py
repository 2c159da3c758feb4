"""Reserve, commit, release, extend: what is held is settled once, by whichever comes first."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from quotad.decision import ConsumeAllRequest, ConsumeRequest, Decision, Mode, Reason
from quotad.engine import Engine
from quotad.engine.reservations import GRACE_MS
from quotad.errors import (
    IdempotencyMismatch,
    NotFound,
    NotOpen,
    QuotadError,
    StoreUnavailable,
)
from quotad.store.erasures import Erasures
from quotad.store.holds import settled_key, taken_key
from quotad.store.nearby import NearbyStore
from tests.deciding import at
from tests.integration.reserving import TTL_MS, Held, holding

PAIR = ("seats", "tokens")


@pytest.fixture
def bench(store_url: str, prefix: str) -> Iterator[Held]:
    yield from holding(store_url, prefix)


def test_what_is_held_is_used_until_it_is_settled(bench: Held) -> None:
    reserved = bench.reserve("r1", 400)

    assert reserved.decision.allowed
    assert (400, 400, 100) == (
        reserved.decision.granted,
        reserved.decision.used,
        reserved.decision.remaining,
    )
    assert bench.clock.now + TTL_MS == reserved.ends_ms
    assert Reason.LIMIT_EXCEEDED == bench.take(200).reason
    committed = bench.commit("r1", 300)
    assert (True, -100, 300) == (committed.allowed, committed.granted, committed.used)
    assert bench.take(200).allowed


@pytest.mark.parametrize(
    ("feature_id", "held", "actual", "counted"),
    [
        ("tokens", 75, 75, [75]),
        ("tokens", 75, 0, [0]),
        ("tokens", 75, 90, [90]),
        ("several", 75, 20, [20, 20]),
        ("seats", 2, 1, [1]),
        ("soft", 15, 20, [20]),
        ("images", 5, 2, [2, 6]),
        ("images", 5, 7, [7, 21]),
    ],
)
def test_a_commit_counts_what_was_used_on_every_kind_of_limit(
    bench: Held, feature_id: str, held: int, actual: int, counted: list[int]
) -> None:
    bench.reserve("r1", held, feature_id)

    answer = bench.commit("r1", actual)

    assert (True, actual - held) == (answer.allowed, answer.granted)
    assert counted == bench.used(feature_id)


def test_a_commit_without_a_quantity_counts_what_is_held(bench: Held) -> None:
    bench.reserve("r1", 75)

    assert 0 == bench.commit("r1").granted
    assert [75] == bench.used()


def test_an_overrun_is_denied_or_forced(bench: Held) -> None:
    bench.reserve("r1", 400)
    bench.take(100)

    denied = bench.commit("r1", 450)
    assert (False, Reason.LIMIT_EXCEEDED, 500) == (denied.allowed, denied.reason, denied.used)
    forced = bench.commit("r1", 450, overrun=True)

    assert (True, Reason.OVER_LIMIT, 50, 550) == (
        forced.allowed,
        forced.reason,
        forced.granted,
        forced.used,
    )


@pytest.mark.parametrize("actual", [75, 20, 90, 0])
def test_a_repeated_commit_is_answered_again(bench: Held, actual: int) -> None:
    bench.reserve("r1", 75)
    first = bench.commit("r1", actual)
    again = bench.commit("r1", actual)

    assert (first.granted, first.used, True) == (again.granted, again.used, again.replayed)
    assert [actual] == bench.used()
    with pytest.raises(NotOpen, match="reservation_id: 'r1' is not open any more"):
        bench.commit("r1", 33)
    assert [actual] == bench.used()


def test_a_repeated_reserve_is_the_same_reservation(bench: Held) -> None:
    first, again = bench.reserve("r1", 75), bench.reserve("r1", 75)

    assert (first.ends_ms, 75, True) == (
        again.ends_ms,
        again.decision.granted,
        again.decision.replayed,
    )
    assert [75] == bench.used()
    with pytest.raises(IdempotencyMismatch, match="reservation_id: 'r1' was used before"):
        bench.reserve("r1", 76)
    with pytest.raises(IdempotencyMismatch):
        bench.reserve("r1", 75, resource_id="w")
    bench.commit("r1", 20)
    with pytest.raises(NotOpen):
        bench.reserve("r1", 75)
    assert [20] == bench.used()
    assert not bench.engine.reservations.take_back(["acme"])


def test_twenty_reservations_at_once_are_exactly_as_many_as_there_is_room_for(bench: Held) -> None:
    engines = [Engine(bench.shared, bench.store.connect()) for _ in range(20)]

    def reserve(place: int) -> bool:
        request = ConsumeRequest("acme", "tokens", 75)
        made = engines[place].reservations.reserve(request, f"r{place}", TTL_MS)
        return made.decision.allowed

    with ThreadPoolExecutor(20) as pool:
        allowed = list(pool.map(reserve, range(20)))
    for engine in engines:
        engine.close()

    assert 6 == sum(allowed)
    assert [450] == bench.used()


def test_what_has_ended_comes_back_before_a_denial(bench: Held) -> None:
    bench.reserve("r1", 400)
    bench.reserve("r2", 100)
    assert not bench.take(1).allowed

    bench.clock.now += TTL_MS + GRACE_MS

    assert bench.take(500).allowed
    assert [500] == bench.used()
    with pytest.raises(NotOpen, match="has ended"):
        bench.commit("r1", 10)


@pytest.fixture
def three_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("quotad.store.holds", "quotad.engine.reservations"):
        monkeypatch.setattr(f"{module}.READ_MAX", 3)


@pytest.mark.usefixtures("three_at_once")
def test_all_that_has_ended_comes_back_however_many_there_are(bench: Held) -> None:
    for number in range(20):
        bench.reserve(f"r{number}", 25)
    bench.clock.now += TTL_MS + GRACE_MS

    assert bench.take(500).allowed
    for number in range(20):
        assert not bench.reserve(f"s{number}", 1).decision.allowed
    _, answer = bench.engine.entitlement("acme", "tokens")
    assert (500, 0) == (answer.used, answer.reserved)


@pytest.mark.usefixtures("three_at_once")
def test_what_is_damaged_leaves_the_list_and_keeps_nothing_back(bench: Held) -> None:
    for number in range(6):
        bench.reserve(f"r{number}", 25)
    keys = bench.keys.customer("acme")
    for number in range(4):
        bench.store.execute("SET", taken_key(keys, f"r{number}"), "damaged")
    bench.clock.now += TTL_MS + GRACE_MS

    assert bench.engine.reservations.take_back(["acme"])
    assert not bench.engine.reservations.take_back(["acme"])
    assert [100] == bench.used()  # how much of it was held, nothing tells any more


def test_what_has_ended_comes_back_before_several_features_are_denied(bench: Held) -> None:
    bench.reserve("r1", 400)
    items = tuple(ConsumeRequest("acme", name, 1 + 199 * (name == "tokens")) for name in PAIR)
    together = ConsumeAllRequest("acme", "", 0, items=items)

    (held,) = bench.engine.decide([together])
    bench.clock.now += TTL_MS + GRACE_MS
    (ended,) = bench.engine.decide([together])

    assert [False, True] == [isinstance(a, Decision) and a.allowed for a in (held, ended)]
    assert [200] == bench.used()


def test_what_has_ended_comes_back_before_usage_is_read(bench: Held) -> None:
    bench.reserve("r1", 400)
    bench.clock.now += TTL_MS + GRACE_MS

    _, answer = bench.engine.entitlement("acme", "tokens")
    granted = bench.engine.entitlements("acme")

    assert 0 == answer.used
    assert 0 == granted.decisions["tokens"].used


def test_what_is_held_comes_back_to_its_own_period(bench: Held) -> None:
    bench.clock.now = at("2031-01-14 23:59:30")
    bench.reserve("r1", 400)
    bench.clock.now = at("2031-01-15 00:00:10")
    bench.take(50)

    bench.commit("r1", 100)

    assert [50] == bench.used()
    bench.clock.now = at("2031-01-14 23:59:59")
    assert [100] == bench.used()


def test_a_denied_reservation_holds_nothing(bench: Held) -> None:
    reserved = bench.reserve("r1", 501)

    assert (False, Reason.LIMIT_EXCEEDED, 0) == (
        reserved.decision.allowed,
        reserved.decision.reason,
        reserved.ends_ms,
    )
    with pytest.raises(NotFound, match="reservation_id: 'r1' is not known"):
        bench.commit("r1", 1)
    assert bench.reserve("r1", 500).decision.allowed  # judged afresh


def test_what_no_counter_takes_part_in_cannot_be_held(bench: Held) -> None:
    assert 0 == bench.reserve("r1", 1, "sso").ends_ms
    assert Reason.FEATURE_NOT_FOUND == bench.reserve("r2", 1, "nope").decision.reason


def test_a_server_that_dies_before_it_takes_leaves_nothing_held(
    bench: Held, monkeypatch: pytest.MonkeyPatch
) -> None:
    reservations = bench.engine.reservations
    monkeypatch.setattr(reservations, "_decide_fairly", lambda requests: [StoreUnavailable("died")])
    with pytest.raises(StoreUnavailable):
        bench.reserve("r1", 400)
    monkeypatch.undo()
    bench.clock.now += TTL_MS + GRACE_MS

    assert not reservations.take_back(["acme"])
    assert bench.take(500).allowed


def test_a_server_that_dies_before_it_answers_is_repeated(
    bench: Held, monkeypatch: pytest.MonkeyPatch
) -> None:
    reservations, decide = bench.engine.reservations, bench.engine.decide

    def dies(requests: list[ConsumeRequest]) -> list[Decision | QuotadError]:
        decide(requests)
        return [StoreUnavailable("died")]

    monkeypatch.setattr(reservations, "_decide_fairly", dies)
    with pytest.raises(StoreUnavailable):
        bench.reserve("r1", 400)
    with pytest.raises(StoreUnavailable):
        bench.commit("r1", 300)
    monkeypatch.undo()

    assert bench.commit("r1", 300).replayed
    assert [300] == bench.used()


def test_a_try_that_was_denied_leaves_the_one_that_was_not(
    bench: Held, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same Reserve on two servers: one is denied, the other finds room a moment later."""
    bench.take(500)
    other = Engine(bench.shared, bench.store.connect())
    reservations, decide = bench.engine.reservations, bench.engine._decide_as_held
    request = ConsumeRequest("acme", "tokens", 75)

    def denied(requests: list[ConsumeRequest]) -> list[Decision | QuotadError]:
        answers = decide(requests)
        bench.engine.decide([ConsumeRequest("acme", "tokens", -500, Mode.REFUND)])
        assert other.reservations.reserve(request, "r1", TTL_MS).decision.allowed
        return answers

    monkeypatch.setattr(reservations, "_decide_fairly", denied)
    assert not bench.reserve("r1").decision.allowed
    monkeypatch.undo()
    other.close()

    bench.clock.now += TTL_MS + GRACE_MS
    assert reservations.take_back(["acme"])
    assert [0] == bench.used()


def test_a_reserve_after_the_end_of_one_that_took_nothing_is_a_new_one(
    bench: Held, monkeypatch: pytest.MonkeyPatch
) -> None:
    reservations = bench.engine.reservations
    monkeypatch.setattr(reservations, "_decide_fairly", lambda requests: [StoreUnavailable("died")])
    with pytest.raises(StoreUnavailable):
        bench.reserve("r1", 400)
    monkeypatch.undo()
    bench.clock.now += 2 * TTL_MS

    reserved = bench.reserve("r1", 300)

    assert bench.clock.now + TTL_MS == reserved.ends_ms
    assert -300 == bench.commit("r1", 0).granted


def test_a_settlement_is_remembered_as_long_as_what_it_settles(bench: Held) -> None:
    keys = bench.keys.customer("acme")
    bench.engine.reservations.reserve(ConsumeRequest("acme", "tokens"), "r1", 86_400_000)

    bench.commit("r1", 0)

    taken, settled = [
        bench.store.execute("PTTL", key) for key in (taken_key(keys, "r1"), settled_key(keys, "r1"))
    ]
    assert 0 < taken <= settled


def test_what_is_not_open_any_more_says_what_became_of_it(bench: Held) -> None:
    for hold_id in ("committed", "released", "ended"):
        bench.reserve(hold_id, 10)
    bench.commit("committed", 5)
    bench.commit("released", 0)
    with pytest.raises(NotOpen, match="'committed' is not open any more; it was committed before"):
        bench.commit("committed", 7)
    with pytest.raises(NotOpen, match="it was released, or it has ended, before"):
        bench.commit("released", 7)
    bench.clock.now += TTL_MS
    with pytest.raises(NotOpen, match="'ended' has ended, and what it held comes back"):
        bench.commit("ended", 7)
    bench.clock.now += GRACE_MS
    bench.engine.reservations.take_back(["acme"])
    with pytest.raises(NotOpen, match="it was released, or it has ended, before"):
        bench.commit("ended", 7)
    with pytest.raises(NotOpen, match="it was committed before"):
        bench.engine.reservations.extend("acme", "committed", TTL_MS)


def test_an_unknown_reservation_and_one_of_another_customer_are_refused(bench: Held) -> None:
    bench.reserve("r1", 75)

    with pytest.raises(NotFound):
        bench.commit("nope", 1)
    with pytest.raises(NotFound):
        bench.engine.reservations.commit("globex", "r1", 1)
    with pytest.raises(NotFound):
        bench.engine.reservations.extend("globex", "r1", TTL_MS)
    assert [75] == bench.used()


def test_erasing_a_customer_drops_its_reservations(bench: Held) -> None:
    bench.reserve("r1", 75)
    nearby = NearbyStore(bench.store, bench.keys)

    Erasures(bench.store, bench.keys, bench.customers, nearby).erase("acme", [])

    keys = bench.keys.customer("acme")
    assert [None, None] == bench.store.read([keys.holds, keys.hold_ends])
    assert [] == [name for names in bench.store.scan(keys.holds) for name in names]
    with pytest.raises(NotFound):
        bench.commit("r1", 1)
