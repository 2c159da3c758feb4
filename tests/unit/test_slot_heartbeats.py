"""Heartbeats of slots: when they are sent, and what their outcomes mean, without a server."""

import os
import threading
from collections.abc import Callable
from typing import Any
from weakref import ref

import pytest

from quotad.client import slot as module
from quotad.client.calls import Attempt, Consumption, Policy
from quotad.client.errors import QuotaServerError, QuotaUnavailable
from quotad.client.results import ConsumeAllDecision
from quotad.client.slot import BEATS, ENDED_MAX, Heartbeats, SlotState, WantedSlot
from quotad.client.slots import AcquiredSlot
from quotad.client.tranche import boottime
from quotad.decision import Reason
from tests.running import eventually

TTL_S = 30.0


class Clock:
    """Moves by hand."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(module, "boottime", made)
    return made


def answer(slot_id: str = "s", replayed: bool = False, allowed: bool = True) -> AcquiredSlot:
    decision = ConsumeAllDecision(
        allowed=allowed,
        reason=Reason.WITHIN_LIMIT,
        stopped_by=None,
        items=(),
        retry_after=None,
        replayed=replayed,
        catalog_version=1,
    )
    return AcquiredSlot(customer_id="acme", slot_id=slot_id, decision=decision, expires_at=None)


def held(clock: Clock, ttl_s: float = TTL_S, replayed: bool = False) -> tuple[SlotState, float]:
    """A slot that was acquired now, and when its first heartbeat is due."""
    wanted = WantedSlot(Consumption("acme", "exports"), None, ttl_s, ())
    slot = SlotState(Policy(timeout_s=1.0, retries=2), wanted)
    return slot, slot.taken(answer(replayed=replayed), clock.now)


GONE = QuotaServerError("not held", code="FAILED_PRECONDITION", reason="NOT_OPEN")
AWAY = QuotaUnavailable("no server", code="UNAVAILABLE")


def test_a_slot_is_lost_when_it_was_not_extended_for_its_time(clock: Clock) -> None:
    slot, due = held(clock)

    assert clock.now + TTL_S / BEATS == due
    clock.now += TTL_S - 0.1
    assert not slot.lost
    clock.now += 0.1
    assert slot.lost


def test_a_heartbeat_counts_from_when_it_was_sent(clock: Clock) -> None:
    slot, due = held(clock)
    sent = clock.now = due
    clock.now += 2

    assert sent + TTL_S / BEATS == slot.extended(object(), sent)
    clock.now = sent + TTL_S - 0.1
    assert not slot.lost
    clock.now = sent + TTL_S
    assert slot.lost


def test_a_late_answer_does_not_let_a_slot_end_earlier(clock: Clock) -> None:
    slot, due = held(clock)
    slot.extended(object(), due)
    slot.extended(object(), due - 5)

    clock.now = due + TTL_S - 0.1
    assert not slot.lost


def test_a_heartbeat_that_failed_is_sent_again_soon(clock: Clock) -> None:
    slot, due = held(clock)
    clock.now = due + 1

    again = slot.extended(AWAY, due)

    assert again is not None
    assert clock.now < again < clock.now + TTL_S / BEATS
    assert not slot.lost


def test_a_slot_that_a_server_does_not_hold_is_lost_at_once(clock: Clock) -> None:
    slot, due = held(clock)

    assert slot.extended(GONE, due) is None
    assert slot.lost
    assert not slot.leaving()


def test_a_slot_that_was_held_before_is_extended_at_once(clock: Clock) -> None:
    assert clock.now == held(clock, replayed=True)[1]


def test_a_slot_that_was_left_is_not_extended(clock: Clock) -> None:
    slot, due = held(clock)

    assert slot.leaving()
    assert slot.extended(object(), due) is None
    clock.now += TTL_S
    assert not slot.lost
    slot.left(False)
    assert slot.lost


def test_a_forked_child_does_not_release_what_its_parent_holds(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    slot, _ = held(clock)
    monkeypatch.setattr(os, "getpid", lambda: -1)

    assert not slot.leaving()


class Connection:
    """Keeps what was started, to be answered by hand."""

    is_open = True

    def __init__(self) -> None:
        self.started: list[tuple[str, Callable[[Any], None]]] = []
        self.failing = 0

    def start(self, attempt: Attempt, done: Callable[[Any], None]) -> None:
        if self.failing:
            self.failing -= 1
            raise ValueError("no")
        self.started.append((attempt.request.slot_id, done))


def slots_of(*ttls_s: float) -> list[SlotState]:
    found = []
    for number, ttl_s in enumerate(ttls_s):
        wanted = WantedSlot(Consumption("acme", "exports"), None, ttl_s, ())
        slot = SlotState(Policy(timeout_s=1.0, retries=2), wanted)
        slot.taken(answer(f"s{number}"), boottime())
        found.append(slot)
    return found


def test_one_thread_sends_what_is_due_in_its_order() -> None:
    connection = Connection()
    beats = Heartbeats(connection)
    now = boottime()
    late, soon, gone = slots_of(60, 60, 60)
    gone.leaving()

    beats.add(late, now + 0.05)
    beats.add(gone, now)
    beats.add(soon, now)
    eventually(lambda: len(connection.started), lambda count: count == 2)

    assert ["s1", "s0"] == [name for name, _ in connection.started]
    assert 1 == sum(thread.name == "quotad-slots" for thread in threading.enumerate())
    beats.close()
    assert 0 == sum(thread.name == "quotad-slots" for thread in threading.enumerate())
    beats.add(soon, now)
    assert 2 == len(connection.started)


def test_a_slot_that_cannot_be_extended_keeps_no_other_waiting(
    caplog: pytest.LogCaptureFixture,
) -> None:
    connection = Connection()
    connection.failing = 1
    beats = Heartbeats(connection)
    first, second = slots_of(60, 60)
    beats.add(first, 0)
    beats.add(second, 1)

    eventually(lambda: len(connection.started), lambda count: count == 1)

    assert "a slot was not extended" in caplog.text
    beats.close()


def test_a_slot_that_its_holder_has_dropped_is_not_extended() -> None:
    connection = Connection()
    beats = Heartbeats(connection)
    dropped, kept = slots_of(60, 60)
    beats.add(dropped, boottime() + 0.02)
    beats.add(kept, boottime() + 0.04)

    del dropped

    eventually(lambda: len(connection.started), lambda count: count == 1)
    assert ["s1"] == [name for name, _ in connection.started]
    beats.close()


def test_slots_that_were_left_are_not_kept_until_their_next_heartbeat() -> None:
    beats = Heartbeats(Connection())
    later = boottime() + 3600
    (kept,) = slots_of(60)
    beats.add(kept, later)
    for _ in range(3 * ENDED_MAX):
        (slot,) = slots_of(60)
        slot.leaving()
        beats.add(slot, later)

    assert len(beats._due) <= ENDED_MAX + 1
    assert kept in [each[2]() for each in beats._due]
    beats.close()


def test_a_forked_child_extends_only_what_it_has_acquired(monkeypatch: pytest.MonkeyPatch) -> None:
    connection = Connection()
    beats = Heartbeats(connection)
    (of_parent,) = slots_of(60)
    beats._due.append((boottime() + 3600, 0, ref(of_parent)))
    parents = beats._due
    monkeypatch.setattr(os, "getpid", lambda: -1)
    (of_child,) = slots_of(60)

    beats.add(of_child, 0)

    eventually(lambda: len(connection.started), lambda count: count == 1)
    assert [] == beats._due
    assert 1 == len(parents)
    beats.close()
