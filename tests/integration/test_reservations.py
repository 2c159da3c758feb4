"""Reserve, commit, release, extend: what is held is settled once, by whichever comes first."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from quotad.engine import Engine
from quotad.engine.reservations import GRACE_MS, Reserved
from quotad.errors import (
    IdempotencyMismatch,
    InvalidRequest,
    NotFound,
    NotOpen,
    QuotadError,
    StoreUnavailable,
)
from quotad.held import SettledDecision, UsedItem
from quotad.model import (
    ConsumeAllDecision,
    ConsumeAllRequest,
    ConsumeRequest,
    Decision,
    Mode,
    Reason,
)
from quotad.store.erasures import Erasures
from quotad.store.holds import settled_key, taken_key
from quotad.store.nearby import NearbyStore
from tests.deciding import Bench, at

CATALOG = """
version: 1
default_plan: free
features:
  tokens: {type: metered}
  several: {type: metered}
  seats: {type: metered, kind: gauge}
  soft: {type: metered}
  images: {type: metered, credit: {pool: budget, cost: 3}}
  budget: {type: metered}
  sso: {type: boolean}
plans:
  free:
    entitlements:
      tokens: {limit: 500, per: day}
      several: {limits: [{limit: 400, per: day}, {limit: 500, per: month}]}
      seats: {limit: 3}
      soft: {limit: 10, per: month, soft: true}
      images: unlimited
      budget: {limit: 30, per: month}
      sso: true
"""
FIRST_USE = "tokens: {limit: 500, per: hour, anchor: first_use}"
TTL_MS = 60_000
PAIR = ("seats", "tokens")


class Held(Bench):
    """An engine whose store's clock is that of the engine, so that what ends, ends in both."""

    def reserve(
        self, hold_id: str, quantity: int = 75, feature_id: str = "tokens", **fields: str
    ) -> Reserved:
        request = ConsumeRequest("acme", feature_id, quantity, **fields)  # type: ignore[arg-type]
        return self.engine.reservations.reserve(request, hold_id, TTL_MS)

    def commit(self, hold_id: str, quantity: int | None = None, overrun: bool = False) -> Decision:
        return self.engine.reservations.commit("acme", hold_id, quantity, overrun)

    def reserve_all(self, hold_id: str, items: dict[str, int]) -> Reserved:
        asked = tuple(ConsumeRequest("acme", *each) for each in items.items())
        request = ConsumeAllRequest("acme", "", 0, items=asked)
        return self.engine.reservations.reserve(request, hold_id, TTL_MS)

    def commit_all(
        self, hold_id: str, used: dict[str, int], overrun: bool = False
    ) -> SettledDecision:
        items = [UsedItem(name, quantity=quantity) for name, quantity in used.items()]
        answer = self.engine.reservations.commit("acme", hold_id, items, overrun)
        assert isinstance(answer, SettledDecision)
        return answer

    def used(self, feature_id: str = "tokens") -> list[int]:
        """What counters hold now; nothing is taken back for it."""
        request = ConsumeRequest("acme", feature_id, mode=Mode.CHECK_ONLY, every_limit=True)
        (answer,) = self.engine._decide_as_held([request])
        assert isinstance(answer, Decision)
        return [limit.used for limit in answer.limits]

    def take(self, quantity: int, feature_id: str = "tokens") -> Decision:
        (answer,) = self.engine.decide([ConsumeRequest("acme", feature_id, quantity)])
        assert isinstance(answer, Decision)
        return answer


@pytest.fixture
def bench(store_url: str, prefix: str) -> Iterator[Held]:
    made = Held(store_url, prefix)
    made.publish(CATALOG)
    yield made
    made.close()


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


SEVERAL = {"tokens": 200, "several": 75, "seats": 2, "images": 4, "budget": 6, "sso": 1}


def test_several_features_are_held_together_on_every_kind_of_limit(bench: Held) -> None:
    reserved = bench.reserve_all("r1", SEVERAL)

    assert reserved.decision.allowed
    assert [[200], [75, 75], [2], [4, 18], [18]] == [bench.used(name) for name in list(SEVERAL)[:5]]
    settled = bench.engine.reservations.commit(
        "acme", "r1", [UsedItem("tokens", quantity=150), UsedItem("images", quantity=1)]
    )
    assert isinstance(settled, SettledDecision)
    assert [-50, 0, 0, -3, 0, 0] == [item.granted for item in settled.items]
    assert tuple(SEVERAL) == tuple(item.feature_id for item in settled.held)
    assert [[150], [75, 75], [2], [1, 9], [9]] == [bench.used(name) for name in list(SEVERAL)[:5]]
    again = bench.engine.reservations.commit(
        "acme", "r1", [UsedItem("tokens", quantity=150), UsedItem("images", quantity=1)]
    )
    assert isinstance(again, SettledDecision)
    assert (True, settled.items) == (again.replayed, again.items)
    with pytest.raises(NotOpen):
        bench.commit_all("r1", {"tokens": 151, "images": 1})


def test_a_reservation_of_several_features_is_all_or_nothing(bench: Held) -> None:
    reserved = bench.reserve_all("r1", {"tokens": 200, "seats": 4})

    assert isinstance(reserved.decision, ConsumeAllDecision)
    assert (False, 1, 0) == (
        reserved.decision.allowed,
        reserved.decision.stopped_by,
        reserved.ends_ms,
    )
    assert ([0], [0]) == (bench.used(), bench.used("seats"))
    with pytest.raises(NotFound):
        bench.commit("r1")


def test_more_of_one_feature_and_less_of_another_is_settled_or_denied_as_one(bench: Held) -> None:
    bench.reserve_all("r1", {"tokens": 400, "seats": 2})
    bench.take(50)

    denied = bench.commit_all("r1", {"tokens": 460, "seats": 1})
    assert (False, 0) == (denied.allowed, denied.stopped_by)
    assert ([450], [2]) == (bench.used(), bench.used("seats"))
    settled = bench.commit_all("r1", {"tokens": 450, "seats": 1})
    assert [50, -1] == [item.granted for item in settled.items]
    assert ([500], [1]) == (bench.used(), bench.used("seats"))


def test_more_of_one_feature_needs_no_room_of_another(bench: Held) -> None:
    """Where a limit is passed by what was recorded, and nothing more is asked of it."""
    bench.reserve_all("r1", {"tokens": 100, "seats": 1})
    bench.engine.decide([ConsumeRequest("acme", "seats", 5, Mode.ADJUST_ONLY)])

    settled = bench.commit_all("r1", {"tokens": 150})

    assert (True, [50, 0]) == (settled.allowed, [item.granted for item in settled.items])
    assert ([150], [6]) == (bench.used(), bench.used("seats"))


@pytest.mark.parametrize("first", [0, 1], ids=["more first", "less first"])
def test_what_one_feature_gives_back_to_a_pool_another_one_may_take(
    bench: Held, first: int
) -> None:
    items = {"images": 4, "budget": 18}  # 12 and 18 of 30
    bench.reserve_all("r1", dict(sorted(items.items(), reverse=not first)))

    settled = bench.commit_all("r1", {"images": 9, "budget": 3})

    assert settled.allowed
    assert {5, -15} == {item.granted for item in settled.items}
    assert [[9, 30], [30]] == [bench.used("images"), bench.used("budget")]
    assert not bench.take(1, "budget").allowed
    assert bench.commit_all("r1", {"images": 9, "budget": 3}).replayed


def test_an_overrun_of_one_of_several_features_is_forced(bench: Held) -> None:
    bench.reserve_all("r1", {"tokens": 400, "images": 2})

    settled = bench.commit_all("r1", {"tokens": 510, "images": 11}, overrun=True)

    assert [Reason.OVER_LIMIT, Reason.OVER_LIMIT] == [item.reason for item in settled.items]
    assert ([510], [11, 33]) == (bench.used(), bench.used("images"))


def test_several_features_that_have_ended_come_back_before_a_denial(bench: Held) -> None:
    bench.reserve_all("r1", SEVERAL)
    bench.clock.now += TTL_MS + GRACE_MS

    assert bench.take(500).allowed
    assert [[0, 0], [0], [0, 0], [0]] == [bench.used(name) for name in list(SEVERAL)[1:5]]


def test_several_features_of_resources_come_back_whatever_the_catalog_has_become(
    bench: Held,
) -> None:
    bench.provision("acme", "free")
    bench.provision("acme", "free", resource_id="w")
    own, of_resource = bench.used("images"), ConsumeRequest("acme", "images", 3, resource_id="w")
    items = (ConsumeRequest("acme", "images", 2), of_resource)
    request = ConsumeAllRequest("acme", "", 0, items=items)
    assert bench.engine.reservations.reserve(request, "r1", TTL_MS).decision.allowed
    told = [bench.engine.entitlement("acme", "images", name)[1] for name in ("", "w")]
    assert [(0, 6), (0, 9)] == [(each.limits[1].used, each.limits[1].reserved) for each in told]
    bench.publish(CATALOG.replace("cost: 3", "cost: 2"))

    bench.engine.reservations.release("acme", "r1")

    assert own == bench.used("images")
    told = [bench.engine.entitlement("acme", "images", name)[1] for name in ("", "w")]
    assert [0, 0] == [each.limits[1].used for each in told]


def test_a_repeated_reserve_of_several_features_is_the_same_reservation(bench: Held) -> None:
    first, again = bench.reserve_all("r1", SEVERAL), bench.reserve_all("r1", SEVERAL)

    assert (first.ends_ms, True) == (again.ends_ms, again.decision.replayed)
    with pytest.raises(IdempotencyMismatch):
        bench.reserve_all("r1", SEVERAL | {"tokens": 201})
    with pytest.raises(IdempotencyMismatch):
        bench.reserve("r1", 200)
    bench.engine.reservations.release("acme", "r1")
    with pytest.raises(NotOpen):
        bench.reserve_all("r1", SEVERAL)


def test_a_commit_of_several_features_is_about_what_is_held(bench: Held) -> None:
    bench.reserve_all("r1", {"tokens": 1, "seats": 1})

    with pytest.raises(InvalidRequest, match="quantity: the reservation holds several features"):
        bench.commit("r1", 1)
    with pytest.raises(InvalidRequest, match=r"items\[1\].feature_id: the .* holds no 'soft'"):
        bench.commit_all("r1", {"tokens": 1, "soft": 1})
    with pytest.raises(InvalidRequest, match="holds no 'tokens' of 'w'"):
        bench.engine.reservations.commit("acme", "r1", [UsedItem("tokens", "w", 1)])
    assert bench.commit("r1").allowed


def test_erasing_a_customer_drops_its_reservations(bench: Held) -> None:
    bench.reserve("r1", 75)
    nearby = NearbyStore(bench.store, bench.keys)

    Erasures(bench.store, bench.keys, bench.customers, nearby).erase("acme", [])

    keys = bench.keys.customer("acme")
    assert [None, None] == bench.store.read([keys.holds, keys.hold_ends])
    assert [] == [name for names in bench.store.scan(keys.holds) for name in names]
    with pytest.raises(NotFound):
        bench.commit("r1", 1)
