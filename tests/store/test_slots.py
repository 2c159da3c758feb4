"""Slots as a store keeps them: what the scripts of lua/*slot*.lua do, through their binding."""

import time
from typing import NamedTuple

import pytest

from quotad.errors import StoreUnavailable, TooManyOpen
from quotad.slots import SLOT, OpenSlot
from quotad.store import ChargeStatus, Once, Settlement
from quotad.store import slots as binding
from quotad.store.keys import slot_names
from quotad.store.slots import SlotOutcome, SlotScripts, SlotToHold
from tests.raw import raw
from tests.store.conftest import TAG, Scripted

TTL_MS = 60_000
HELD, FULL, NOT_HELD = SlotOutcome.HELD, SlotOutcome.FULL, SlotOutcome.NOT_HELD
ALLOWED, DENIED = ChargeStatus.ALLOWED, ChargeStatus.DENIED


class Got(NamedTuple):
    """The answer to an acquire."""

    outcome: int
    settlement: Settlement
    before: int
    at_ms: int


class Held:
    """Slots of one feature of one customer, with a limit of 3."""

    def __init__(self, scripted: Scripted) -> None:
        self.scripted = scripted
        self.slots = SlotScripts(scripted.store.connect())
        self.names = slot_names(scripted.keys, "exports")

    def acquire(
        self,
        slot_id: str,
        quantity: int = 1,
        *,
        takes: int = 1,
        caps: tuple[int, ...] = (10,),
        print_: str = "f",
        epoch: int = 0,
        tag: str = TAG,
        not_after_ms: int = 0,
        ttl_ms: int = TTL_MS,
    ) -> Got:
        charge = self.scripted.charge(takes, *caps, epoch=epoch)
        once = Once(SLOT + slot_id, print_.ljust(16), b"memo", 5 * TTL_MS)
        charge = type(charge)(
            charge.keys, epoch, takes if caps else 0, charge.verb, charge.counters, once
        )
        wanted = SlotToHold(self.scripted.keys, "exports", slot_id, quantity, 3, ttl_ms)
        got = self.slots.acquire(tag, charge, wanted, time.monotonic() + 5, not_after_ms)
        return Got(*got)

    def end(self, slot_id: str) -> None:
        """Let a slot have ended."""
        raw(self.scripted.store).zadd(self.names[0], {slot_id: 1})

    def held(self) -> list[OpenSlot]:
        return self.slots.list(self.scripted.keys, "exports", time.monotonic() + 5)

    def read(self, cap: int = 3, quantity: int = 1) -> tuple[int, int]:
        looks = [(self.scripted.keys, "exports", cap, quantity)]
        return self.slots.read(looks, time.monotonic() + 5)[0]

    def extend(self, slot_id: str, ttl_ms: int, not_after_ms: int = 0) -> int:
        times_ms = (not_after_ms, ttl_ms, TTL_MS)
        deadline = time.monotonic() + 5
        return self.slots.extend(self.scripted.keys, "exports", slot_id, times_ms, deadline)

    def release(self, slot_id: str) -> bool:
        deadline = time.monotonic() + 5
        return self.slots.release(self.scripted.keys, "exports", slot_id, deadline)


@pytest.fixture
def held(scripted: Scripted) -> Held:
    return Held(scripted)


def test_a_slot_and_its_charge_are_taken_together(held: Held) -> None:
    got = held.acquire("s1", 2, takes=4, caps=(10, 5))

    assert (HELD, ALLOWED, [0, 0], 0) == (
        got.outcome,
        got.settlement.status,
        got.settlement.used,
        got.before,
    )
    assert {"a": 4, "b": 4} == held.scripted.used()
    assert [OpenSlot("s1", 2, got.at_ms)] == held.held()
    assert (2, 0) == held.read()


@pytest.mark.parametrize(
    ("quantity", "takes", "outcome", "status"),
    [
        (2, 1, FULL, ALLOWED),
        (1, 11, NOT_HELD, DENIED),
        (2, 11, FULL, DENIED),
        (0, 0, NOT_HELD, ALLOWED),
    ],
)
def test_both_or_nothing(held: Held, quantity: int, takes: int, outcome: int, status: int) -> None:
    first = held.acquire("s1", 2)

    got = held.acquire("s2", quantity, takes=takes)

    assert (outcome, status, [1], 2) == (
        got.outcome,
        got.settlement.status,
        got.settlement.used,
        got.before,
    )
    assert {"a": 1} == held.scripted.used()
    assert ["s1"] == [slot.slot_id for slot in held.held()]
    assert got.at_ms == (first.at_ms if outcome == FULL else 0)


def test_a_slot_without_a_charge_is_held(held: Held) -> None:
    got = held.acquire("s1", caps=())

    assert (HELD, ALLOWED) == (got.outcome, got.settlement.status)
    assert {} == held.scripted.used()


def test_what_was_planned_on_something_stale_takes_nothing(held: Held) -> None:
    raw(held.scripted.store).set(held.scripted.keys.epoch, 7)

    for got, status in (
        (held.acquire("s1"), ChargeStatus.STALE_CUSTOMER),
        (held.acquire("s1", tag="0.old"), ChargeStatus.STALE_CATALOG),
        (held.acquire("s1", not_after_ms=1), ChargeStatus.TOO_LATE),
    ):
        assert (NOT_HELD, status) == (got.outcome, got.settlement.status)
    assert [] == held.held()
    assert {} == held.scripted.used()
    assert HELD == held.acquire("s1", epoch=7).outcome


def test_an_id_is_one_slot_of_the_same_parameters(held: Held) -> None:
    first = held.acquire("s1")

    again, other = held.acquire("s1"), held.acquire("s1", print_="g")
    held.end("s1")
    ended = held.acquire("s1")

    assert (SlotOutcome.REPLAYED, b"10@0,0@0|memo", first.at_ms) == (
        again.outcome,
        again.settlement.memo,
        again.at_ms,
    )
    assert [SlotOutcome.MISMATCH, SlotOutcome.ENDED] == [other.outcome, ended.outcome]
    assert {"a": 1} == held.scripted.used()


def test_what_has_ended_makes_room_and_is_removed(held: Held) -> None:
    for slot_id in ("s1", "s2", "s3"):
        held.acquire(slot_id)
    assert FULL == held.acquire("s4").outcome
    held.end("s1")
    held.end("s2")

    assert (1, 0) == held.read()
    assert (HELD, 1) == held.acquire("s4", 2)[::2]
    client = raw(held.scripted.store)
    assert [b"s3", b"s4"] == sorted(client.zrange(held.names[0], 0, -1))
    assert {b"": b"3", b"s3": b"1", b"s4": b"2"} == client.hgetall(held.names[1])


def test_what_is_read_counts_the_time_until_there_is_room(held: Held) -> None:
    ends = [held.acquire(f"s{i}", ttl_ms=TTL_MS * (i + 1)).at_ms for i in range(3)]

    assert [(3, ends[0]), (3, ends[1]), (3, ends[2]), (3, 0)] == [
        held.read(quantity=quantity) for quantity in (1, 2, 3, 4)
    ]
    assert (3, ends[1]) == held.read(cap=2, quantity=1)
    assert (3, 0) == held.read(cap=10)


def test_many_slots_are_walked_until_enough_have_ended(held: Held, scripted: Scripted) -> None:
    client, (ends, quantities) = raw(scripted.store), held.names
    far_ms = scripted.store.time_ms() + 3_600_000
    client.zadd(ends, {f"s{i:04}": far_ms + i for i in range(2_500)})
    client.hset(quantities, mapping={f"s{i:04}": 1 for i in range(2_500)} | {"": 2_500})

    assert (2_500, far_ms + 1_999) == held.read(cap=2_500, quantity=2_000)
    client.hdel(quantities, "")  # all of them are added up one by one
    assert 2_500 == held.read()[0]
    client.zadd(ends, {f"s{i:04}": 1 for i in range(2_499)})
    assert (HELD, 1) == held.acquire("s")[::2]
    assert {b"": b"2", b"s2499": b"1", b"s": b"1"} == client.hgetall(quantities)


def test_a_slot_ends_later_and_not_earlier_nor_again(held: Held) -> None:
    got = held.acquire("s1")

    assert got.at_ms == held.extend("s1", 1_000)
    later = held.extend("s1", 2 * TTL_MS)
    assert [OpenSlot("s1", 1, later)] == held.held()
    with pytest.raises(StoreUnavailable):
        held.extend("s1", 3 * TTL_MS, not_after_ms=1)
    held.end("s1")
    assert 0 == held.extend("s1", TTL_MS)
    assert 0 == held.extend("nope", TTL_MS)


def test_a_slot_is_released_once(held: Held) -> None:
    held.acquire("s1", 2)
    held.acquire("s2")

    assert [True, False, False] == [held.release(name) for name in ("s1", "s1", "nope")]
    assert (1, 0) == held.read()
    held.end("s2")
    assert not held.release("s2")
    assert 0 == raw(held.scripted.store).exists(*held.names)


def test_keys_of_another_type_hold_no_slots_and_make_way(held: Held) -> None:
    held.acquire("s1")
    for name in held.names:
        raw(held.scripted.store).delete(name)
        raw(held.scripted.store).set(name, "x")

    assert (0, [], (0, 0)) == (held.extend("s1", TTL_MS), held.held(), held.read())
    assert not held.release("s1")
    assert SlotOutcome.ENDED == held.acquire("s1").outcome
    assert HELD == held.acquire("s2").outcome
    assert ["s2"] == [slot.slot_id for slot in held.held()]


def test_there_are_at_most_so_many_slots(held: Held, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binding, "SLOTS_MAX", 1)
    held.acquire("s1")

    with pytest.raises(TooManyOpen):
        held.acquire("s2")
    assert {"a": 1} == held.scripted.used()
