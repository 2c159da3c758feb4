"""Slots: at most so many in flight, each until it is released or ends by itself."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from quotad.customers.overrides import NewEntitlement, set_override
from quotad.decision import ConsumeAllRequest, ConsumeRequest, Decision, Mode, Reason
from quotad.engine import Engine
from quotad.engine.insights import Notes, look_up
from quotad.engine.reservations import GRACE_MS
from quotad.errors import (
    IdempotencyMismatch,
    InvalidRequest,
    NotFound,
    NotOpen,
    StoreUnavailable,
    TooManyOpen,
)
from quotad.held import Setting
from quotad.operations.decisions import DecisionOperations
from quotad.operations.usage import UsageOperations
from quotad.records import CustomerRecord
from quotad.store import slots as slot_scripts
from quotad.store.erasures import Erasures
from quotad.store.nearby import NearbyStore
from quotad.store.usage import UsageStore
from tests.integration.slotted import TTL_MS, Slotted, slot
from tests.raw import raw

CATALOG = """
version: 1
default_plan: free
features:
  exports: {type: metered, kind: concurrency}
  renders: {type: metered, kind: concurrency}
  agents: {type: metered, kind: concurrency}
  calls: {type: metered}
  several: {type: metered}
  seats: {type: metered, kind: gauge}
  images: {type: metered, credit: {pool: budget, cost: 3}}
  budget: {type: metered}
  first: {type: metered}
  soft: {type: metered}
  sso: {type: boolean}
plans:
  free:
    entitlements:
      exports: {limit: 3}
      renders: unlimited
      calls: {limit: 10, per: day}
      several: {limits: [{limit: 4, per: day}, {limit: 9, per: month}]}
      seats: {limit: 3}
      images: unlimited
      budget: {limit: 30, per: month}
      first: {limit: 10, per: 5 hours, anchor: first_use}
      soft: {limit: 1, per: day, soft: true}
      sso: true
  small:
    extends: free
    entitlements:
      exports: {limit: 1}
"""


@pytest.fixture
def bench(store_url: str, prefix: str) -> Iterator[Slotted]:
    made = Slotted(store_url, prefix, CATALOG)
    yield made
    made.close()


def test_as_many_slots_are_held_as_the_limit_has(bench: Slotted) -> None:
    acquired = [bench.acquire(f"s{i}") for i in range(4)]

    assert [True] * 3 + [False] == [one.decision.allowed for one in acquired]
    first, full = acquired[0], acquired[3]
    (of_first,), (of_full,) = first.decision.items, full.decision.items
    assert (1, 1, 2, 3) == (of_first.granted, of_first.used, of_first.remaining, of_first.limit)
    assert (Reason.LIMIT_EXCEEDED, 0, 3, 0) == (
        of_full.reason,
        of_full.granted,
        of_full.used,
        of_full.remaining,
    )
    assert bench.clock.now + TTL_MS <= first.ends_ms <= bench.store.time_ms() + TTL_MS
    assert 0 == full.ends_ms
    assert {"s0": 1, "s1": 1, "s2": 1} == bench.held()


def test_a_denial_returns_when_enough_slots_end(bench: Slotted) -> None:
    first = bench.acquire("s1", 1, ttl_ms=10_000)
    second = bench.acquire("s2", 2, ttl_ms=20_000)

    def retry_after(quantity: int) -> int | None:
        return bench.acquire("s3", quantity).decision.retry_after_ms

    assert first.ends_ms - bench.clock.now == retry_after(1)
    assert second.ends_ms - bench.clock.now == retry_after(2)
    assert second.ends_ms - bench.clock.now == retry_after(3)
    assert retry_after(4) is None
    request = ConsumeRequest("acme", "exports", 2, Mode.CHECK_ONLY, explain=True)
    (checked,) = bench.decide(request)
    assert checked.explanation is not None
    assert (2, "3 at once", second.ends_ms) == (
        checked.explanation.missing,
        checked.explanation.denied_by,
        checked.explanation.frees_at_ms,
    )
    assert ["free"] == [source.source_id for source in checked.explanation.sources]
    assert checked.resets_at_ms is None


def test_a_released_slot_is_free_at_once(bench: Slotted) -> None:
    bench.acquire("s1", 2)

    assert bench.engine.slots.release("acme", "s1")
    assert not bench.engine.slots.release("acme", "s1")
    assert 3 == bench.free()
    assert bench.acquire("s2", 3).decision.allowed
    assert [] == [name for name in bench.names() if not raw(bench.store).exists(name)]
    bench.engine.slots.release("acme", "s2")
    assert 0 == raw(bench.store).exists(*bench.names())


def test_a_slot_whose_holder_is_gone_ends_by_itself(bench: Slotted) -> None:
    bench.acquire("s1", 2)
    bench.acquire("s2", 1, ttl_ms=2 * TTL_MS)

    bench.age()

    assert 2 == bench.free()
    assert {"s2": 1} == bench.held()
    assert 1 == bench.usage("exports")[0]
    with pytest.raises(NotOpen, match="slot_id: 's1' is not held any more"):
        bench.engine.slots.extend("acme", "s1", TTL_MS)
    assert not bench.engine.slots.release("acme", "s1")
    assert bench.acquire("s3", 2).decision.allowed
    assert {"s2": 1, "s3": 2} == bench.held()
    assert b"3" == raw(bench.store).hget(bench.names()[1], "")


def test_a_slot_ends_in_the_store_without_any_call(bench: Slotted) -> None:
    bench.acquire("s1")
    later = bench.acquire("s2", ttl_ms=2 * TTL_MS)

    ends = [raw(bench.store).pexpiretime(name) for name in bench.names()]
    extended = bench.engine.slots.extend("acme", "s1", 3 * TTL_MS)

    assert [later.ends_ms] * 2 == ends
    assert [extended] * 2 == [raw(bench.store).pexpiretime(name) for name in bench.names()]


def test_a_heartbeat_lets_a_slot_end_later_and_never_earlier(bench: Slotted) -> None:
    acquired = bench.acquire("s1")
    extend = bench.engine.slots.extend

    assert acquired.ends_ms == extend("acme", "s1", 1_000)
    later = extend("acme", "s1", 2 * TTL_MS)

    assert bench.clock.now + 2 * TTL_MS <= later <= bench.store.time_ms() + 2 * TTL_MS
    assert [later] == [one.ends_ms for one in bench.engine.slots.list("acme", "exports")]


def test_a_repeated_acquire_is_the_same_slot(bench: Slotted) -> None:
    also = {"calls": 2, "several": 1, "images": 4, "first": 1}
    first = bench.acquire("s1", 2, also=also)
    bench.acquire("s2")
    again = bench.acquire("s1", 2, also=also)

    assert (first.ends_ms, True) == (again.ends_ms, again.decision.replayed)
    assert first.decision.items == again.decision.items
    assert [2] == bench.usage("calls")
    assert {"s1": 2, "s2": 1} == bench.held()
    others: list[Any] = [
        slot("s1", 1, also=also),
        slot("s1", 2, "renders", also=also),
        slot("s1", 2, also=also | {"calls": 3}),
        slot("s1", 2),
        slot("s1", 2, also=also, resource_id="w"),
    ]
    for other in others:
        with pytest.raises(IdempotencyMismatch, match="slot_id: 's1' was used before"):
            bench.engine.slots.acquire(other)
    assert [2] == bench.usage("calls")


@pytest.mark.parametrize("how", ["released", "ended"])
def test_an_id_does_not_stand_for_another_slot(bench: Slotted, how: str) -> None:
    bench.acquire("s1", also={"calls": 2})
    if how == "released":
        bench.engine.slots.release("acme", "s1")
    else:
        bench.age()

    with pytest.raises(NotOpen, match="Use a new id for a new slot"):
        bench.acquire("s1", also={"calls": 2})
    assert [2] == bench.usage("calls")
    assert {} == bench.held()


def test_a_denied_slot_is_judged_afresh(bench: Slotted) -> None:
    bench.acquire("s1", 3)
    assert not bench.acquire("s2").decision.allowed
    with pytest.raises(NotFound, match="slot_id: 's2' is not known"):
        bench.engine.slots.extend("acme", "s2", TTL_MS)
    bench.engine.slots.release("acme", "s1")

    assert bench.acquire("s2").decision.allowed


def test_a_slot_is_remembered_for_its_time_after_it_has_ended(bench: Slotted) -> None:
    day = bench.shared.settings.idempotency_ttl_ms
    record = bench.keys.customer("acme").decision + "\x04"

    def kept(slot_id: str) -> int:
        left: int = raw(bench.store).pttl(record + slot_id)
        return round(left / 10_000) * 10_000

    for slot_id, asked in (("s1", 0), ("s2", 30_000), ("s3", 2 * day)):
        request = slot(slot_id, 1, "renders")
        fields = {"idempotency_ttl_ms": asked}
        bench.engine.slots.acquire(type(request)(**_fields(request) | fields))
    assert [TTL_MS + day, TTL_MS + 30_000, TTL_MS + day] == [kept(s) for s in ("s1", "s2", "s3")]
    bench.engine.slots.extend("acme", "s2", 600_000)
    assert 630_000 == kept("s2")


def _fields(request: Any) -> dict[str, Any]:
    return {name: getattr(request, name) for name in request.__struct_fields__}


WITH = {"calls": 2, "several": 1, "seats": 1, "images": 4, "first": 1, "soft": 2, "sso": 1}
"""What every kind of limit takes."""


def counted(bench: Slotted) -> list[list[int]]:
    return [bench.usage(name) for name in WITH if name != "sso"]


def test_what_comes_with_a_slot_is_counted_on_every_kind_of_limit(bench: Slotted) -> None:
    acquired = bench.acquire("s1", also=WITH)

    assert acquired.decision.allowed
    assert [[2], [1, 1], [1], [4, 12], [1], [2]] == counted(bench)


@pytest.mark.parametrize(
    ("feature_id", "quantity", "reason"),
    [
        ("calls", 11, Reason.LIMIT_EXCEEDED),
        ("several", 5, Reason.LIMIT_EXCEEDED),
        ("seats", 4, Reason.LIMIT_EXCEEDED),
        ("images", 11, Reason.INSUFFICIENT_CREDITS),
        ("first", 11, Reason.LIMIT_EXCEEDED),
        ("nope", 1, Reason.FEATURE_NOT_FOUND),
    ],
)
def test_nothing_is_held_or_counted_when_what_comes_with_it_is_denied(
    bench: Slotted, feature_id: str, quantity: int, reason: Reason
) -> None:
    bench.acquire("s1")
    before = counted(bench)

    also = {"soft": 1, feature_id: quantity}
    decision = bench.acquire("s2", also=also).decision

    assert (False, reason, 2) == (decision.allowed, decision.reason, decision.stopped_by)
    assert (True, 0, 1) == (
        decision.items[0].allowed,
        decision.items[0].granted,
        decision.items[0].used,
    )
    assert before == counted(bench)
    assert {"s1": 1} == bench.held()


def test_nothing_is_counted_when_there_is_no_slot(bench: Slotted) -> None:
    bench.acquire("s1", 3)

    decision = bench.acquire("s2", also=WITH).decision

    assert (False, 0) == (decision.allowed, decision.stopped_by)
    assert [0] * 8 == [item.granted for item in decision.items]
    assert [False] + [True] * 7 == [item.allowed for item in decision.items]
    assert [[0], [0, 0], [0], [0, 0], [0], [0]] == counted(bench)


def test_reservations_that_have_ended_make_room_for_what_comes_with_a_slot(
    bench: Slotted,
) -> None:
    bench.engine.reservations.reserve(ConsumeRequest("acme", "calls", 10), "r1", TTL_MS)
    assert not bench.acquire("s1", also={"calls": 1}).decision.allowed

    bench.clock.now += TTL_MS + GRACE_MS

    assert bench.acquire("s1", also={"calls": 1}).decision.allowed


NO_VERBS = (Mode.NORMAL, Mode.BEST_EFFORT, Mode.ADJUST_ONLY, Mode.REFUND)


@pytest.mark.parametrize("mode", NO_VERBS)
def test_what_is_in_flight_is_not_counted_by_other_verbs(bench: Slotted, mode: Mode) -> None:
    request = ConsumeRequest("acme", "exports", -1 if mode is Mode.REFUND else 1, mode)

    (answer,) = bench.engine.decide([request])

    assert isinstance(answer, InvalidRequest)
    assert str(answer).startswith("feature_id: 'exports' limits what is in flight; hold a slot")
    assert "AcquireSlot" in str(answer)
    assert {} == bench.held()


def test_usage_of_what_is_in_flight_is_not_set(bench: Slotted) -> None:
    bench.acquire("s1")

    with pytest.raises(InvalidRequest, match="'exports' is counted by its slots; release them"):
        bench.engine.set_usage(Setting("acme", "exports", 0))
    assert {"s1": 1} == bench.held()


def test_what_is_in_flight_is_not_lent_nor_checked_for_less_than_nothing(bench: Slotted) -> None:
    with pytest.raises(InvalidRequest, match="AcquireSlot"):
        bench.engine.leases.acquire(ConsumeRequest("acme", "exports"), "l1", TTL_MS)
    (answer,) = bench.engine.decide([ConsumeRequest("acme", "exports", -1, Mode.CHECK_ONLY)])
    assert isinstance(answer, InvalidRequest)
    assert str(answer).startswith(
        "quantity: -1 is negative, and 'exports' limits what is in flight"
    )


def test_what_is_in_flight_is_not_reserved_nor_consumed_with_others(bench: Slotted) -> None:
    with pytest.raises(InvalidRequest, match="AcquireSlot"):
        bench.engine.reservations.reserve(ConsumeRequest("acme", "exports"), "r1", TTL_MS)
    items = (ConsumeRequest("acme", "calls"), ConsumeRequest("acme", "exports"))
    (answer,) = bench.engine.decide([ConsumeAllRequest("acme", "", 0, items=items)])
    assert isinstance(answer, InvalidRequest)
    assert str(answer).startswith("items[1].feature_id: 'exports' limits what is in flight")
    looks = tuple(ConsumeRequest("acme", item.feature_id, 1, Mode.CHECK_ONLY) for item in items)
    request = ConsumeAllRequest("acme", "", 0, Mode.CHECK_ONLY, items=looks)
    (answer,) = bench.engine.decide([request])
    assert isinstance(answer, InvalidRequest)
    assert str(answer).startswith("items[1].feature_id: 'exports' limits what is in flight; check")
    assert [0] == bench.usage("calls")


@pytest.mark.parametrize("feature_id", ["calls", "seats", "images", "sso", "several"])
def test_no_slot_of_another_kind_of_feature_is_acquired(bench: Slotted, feature_id: str) -> None:
    with pytest.raises(InvalidRequest, match=f"{feature_id}' is not of `kind: concurrency`"):
        bench.acquire("s1", 1, feature_id)


@pytest.mark.parametrize("quantity", [0, 1, 2, 3])
def test_a_check_answers_how_many_are_free(bench: Slotted, quantity: int) -> None:
    bench.acquire("s1", 1)
    requests = [
        ConsumeRequest("acme", "calls", 4),
        ConsumeRequest("acme", "exports", quantity, Mode.CHECK_ONLY),
        ConsumeRequest("globex", "exports", quantity, Mode.CHECK_ONLY),
    ]

    _, mine, others = bench.decide(*requests)

    assert (quantity <= 2, 1, 2, 0) == (mine.allowed, mine.used, mine.remaining, mine.granted)
    assert (True, 0, 3) == (others.allowed, others.used, others.remaining)


def test_entitlements_show_what_slots_hold(bench: Slotted) -> None:
    bench.acquire("s1", 2)
    bench.acquire("s2", 5, "renders")

    granted = bench.engine.entitlements("acme").decisions
    _, one = bench.engine.entitlement("acme", "exports")

    assert granted["exports"] == one
    assert (2, 1, 3) == (one.used, one.remaining, one.limits[0].limit)
    assert (True, 5, Reason.UNLIMITED) == (
        granted["renders"].unlimited,
        granted["renders"].used,
        granted["renders"].reason,
    )


def test_what_the_customer_has_not_is_denied_by_its_reason(bench: Slotted) -> None:
    for feature_id, reason in (
        ("agents", Reason.NOT_ENTITLED),
        ("nope", Reason.FEATURE_NOT_FOUND),
    ):
        decision = bench.acquire("s1", 1, feature_id, also={"calls": 1}).decision
        assert (False, reason, 0) == (decision.allowed, decision.reason, decision.stopped_by)
    bench.archive("acme")
    assert Reason.CUSTOMER_ARCHIVED == bench.acquire("s1").decision.reason
    assert {} == bench.held()


def test_slots_of_a_customer_and_its_resources_are_apart(bench: Slotted) -> None:
    bench.provision("acme", "free")
    bench.provision("acme", "small", resource_id="w")

    assert bench.acquire("s1", 1, resource_id="w").decision.allowed
    assert not bench.acquire("s2", 1, resource_id="w").decision.allowed
    assert bench.acquire("s3", 3).decision.allowed
    bench.engine.slots.extend("acme", "s1", 2 * TTL_MS)
    assert ["s1"] == [one.slot_id for one in bench.engine.slots.list("acme", "exports", "w")]
    assert bench.engine.slots.release("acme", "s1")
    assert bench.acquire("s4", 1, resource_id="w").decision.allowed


def test_a_lower_limit_takes_no_slot_away_and_admits_none(bench: Slotted) -> None:
    bench.acquire("s1")
    bench.acquire("s2")
    bench.publish_elsewhere(CATALOG.replace("exports: {limit: 3}", "exports: {limit: 1}"))

    denied = bench.acquire("s3").decision  # and no notice was needed to know

    assert (False, 2, 0) == (denied.allowed, denied.items[0].used, denied.items[0].remaining)
    assert denied.catalog_version == 2
    bench.engine.slots.extend("acme", "s1", 2 * TTL_MS)
    bench.engine.slots.release("acme", "s1")
    assert not bench.acquire("s3").decision.allowed
    bench.engine.slots.release("acme", "s2")
    assert bench.acquire("s3").decision.allowed


def test_an_override_is_in_force_for_the_next_slot(bench: Slotted) -> None:
    bench.provision("acme", "free")
    bench.acquire("s1", 3)

    def write(value: object) -> None:
        def change(before: CustomerRecord | None) -> CustomerRecord:
            record = before or CustomerRecord("acme")
            wanted = NewEntitlement("exports", value)
            return set_override(record, wanted, bench.snapshots.current(), bench.clock.now)

        bench.customers.update("acme", change)

    write({"limit": 5})
    assert bench.acquire("s2", 2).decision.allowed
    write(False)
    assert Reason.REVOKED == bench.acquire("s3").decision.reason
    assert bench.acquire("s2", 2).decision.replayed


def test_no_more_slots_than_the_limit_are_held_at_once_by_many_servers(bench: Slotted) -> None:
    engines = [Engine(bench.shared, bench.store.connect()) for _ in range(12)]

    def work(place: int) -> tuple[int, int]:
        """Acquire and release; returns how often, and the most that any answer has seen."""
        slots, held, most = engines[place].slots, 0, 0
        for turn in range(20):
            acquired = slots.acquire(slot(f"{place}-{turn}", 1 + turn % 2, also={"soft": 1}))
            most = max(most, acquired.decision.items[0].used)
            if acquired.decision.allowed:
                held += 1
                assert slots.release("acme", f"{place}-{turn}")
        return held, most

    with ThreadPoolExecutor(12) as pool:
        done = list(pool.map(work, range(12)))
    for engine in engines:
        engine.close()

    assert 3 >= max(most for _, most in done)
    assert [sum(held for held, _ in done)] == bench.usage("soft")
    assert {} == bench.held()


def test_many_at_once_acquire_exactly_as_many_as_there_are(bench: Slotted) -> None:
    engines = [Engine(bench.shared, bench.store.connect()) for _ in range(20)]

    with ThreadPoolExecutor(20) as pool:
        acquired = list(
            pool.map(
                lambda n: engines[n].slots.acquire(slot(f"s{n}", also={"calls": 1})), range(20)
            )
        )
    for engine in engines:
        engine.close()

    assert 3 == sum(one.decision.allowed for one in acquired)
    assert [3] == bench.usage("calls")


def test_a_slot_whose_answer_was_lost_is_held_once(
    bench: Slotted, monkeypatch: pytest.MonkeyPatch
) -> None:
    scripts = bench.engine.slots._scripts
    acquire = scripts.acquire

    def loses(*words: Any) -> Any:
        acquire(*words)
        raise StoreUnavailable("lost")

    monkeypatch.setattr(scripts, "acquire", loses)
    with pytest.raises(StoreUnavailable):
        bench.acquire("s1", also={"calls": 2})
    monkeypatch.undo()
    assert bench.health.probe()

    again = bench.acquire("s1", also={"calls": 2}).decision

    assert (True, True) == (again.allowed, again.replayed)
    assert [2] == bench.usage("calls")
    assert {"s1": 1} == bench.held()


def test_a_call_that_was_given_up_takes_nothing(
    bench: Slotted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench.health, "not_after_ms", lambda *_: 1_000)

    with pytest.raises(StoreUnavailable):
        bench.acquire("s1", also={"calls": 2})
    monkeypatch.undo()
    bench.acquire("s2")
    monkeypatch.setattr(bench.health, "not_after_ms", lambda *_: 1_000)
    with pytest.raises(StoreUnavailable):
        bench.engine.slots.extend("acme", "s2", 2 * TTL_MS)
    monkeypatch.undo()

    assert {"s2": 1} == bench.held()
    assert [0] == bench.usage("calls")


def test_there_are_at_most_so_many_slots_of_an_unlimited_feature(
    bench: Slotted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slot_scripts, "SLOTS_MAX", 2)
    for slot_id in ("s1", "s2"):
        bench.acquire(slot_id, 10**9, "renders", also={"calls": 1})

    with pytest.raises(TooManyOpen, match="customer_id: 2 slots of 'renders' are held"):
        bench.acquire("s3", 1, "renders", also={"calls": 1})
    assert [2] == bench.usage("calls")
    bench.age(feature_id="renders")
    assert bench.acquire("s3", 1, "renders").decision.allowed


@pytest.mark.parametrize("lost", ["ends", "quantities", "one quantity", "total", "foreign"])
def test_slots_survive_what_is_lost_or_damaged_in_the_store(bench: Slotted, lost: str) -> None:
    bench.acquire("s1", 1)
    bench.acquire("s2", 1)
    client, (ends, quantities) = raw(bench.store), bench.names()
    if lost == "ends":
        client.delete(ends)
    elif lost == "quantities":
        client.delete(quantities)
    elif lost == "one quantity":
        client.hdel(quantities, "s2")
    elif lost == "total":
        client.hdel(quantities, "")
    else:
        client.delete(ends, quantities)
        client.set(ends, "x")
        client.set(quantities, "x")
    here = 0 if lost in ("ends", "foreign") else 2

    assert 3 - here == bench.free()
    assert here == len(bench.held())
    assert bench.acquire("s3", 3 - here).decision.allowed
    assert not bench.acquire("s4").decision.allowed
    assert 0 == bench.free()
    assert b"3" == client.hget(quantities, "")


def test_what_comes_with_a_slot_and_has_no_room_is_counted_as_denied(bench: Slotted) -> None:
    bench.acquire("s1", also={"calls": 11})
    bench.acquire("s2", 4)
    counters = UsageStore(bench.store, bench.keys)
    usage = UsageOperations(bench.customers, counters, bench.snapshots, bench.clock, bench.demand)

    bench.demand.flush(bench.clock.now)

    found = usage.of_customer("acme").usage
    assert [("calls", 0, 11)] == [(one.feature.feature_id, one.used, one.denied) for one in found]
    with pytest.raises(InvalidRequest, match="feature_id: 'exports' limits what is in flight"):
        usage.of_customer("acme", "exports")


def test_customers_that_hold_most_of_their_slots_are_near_a_limit(bench: Slotted) -> None:
    decisions = DecisionOperations(bench.engine, Notes(bench.nearby))
    decisions.acquire_slot(slot("s1", 3))
    decisions._notes.flush(bench.clock.now)

    (near,) = look_up(bench.engine, bench.nearby, bench.denied, "exports", 10).near
    assert ("acme", 3) == (near.customer.customer_id, near.status.used)
    bench.engine.slots.release("acme", "s1")
    assert [] == look_up(bench.engine, bench.nearby, bench.denied, "exports", 10).near


def test_erasing_a_customer_drops_its_slots(bench: Slotted) -> None:
    bench.acquire("s1")
    bench.acquire("s2", 1, "renders")
    nearby = NearbyStore(bench.store, bench.keys)

    Erasures(bench.store, bench.keys, bench.customers, nearby).erase("acme", [])

    assert 0 == raw(bench.store).exists(*bench.names(), *bench.names("renders"))
    with pytest.raises(NotFound):
        bench.engine.slots.release("acme", "s1")


def test_a_store_that_is_gone_fails_what_looks_at_slots_and_nothing_else(
    bench: Slotted, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: Any) -> Any:
        raise StoreUnavailable("gone")

    monkeypatch.setattr(bench.engine.slots._scripts, "read", gone)
    look = ConsumeRequest("acme", "exports", 1, Mode.CHECK_ONLY)

    answers = bench.engine.decide([look, ConsumeRequest("acme", "calls")])

    assert isinstance(answers[0], StoreUnavailable)
    assert isinstance(answers[1], Decision)
    assert answers[1].allowed
