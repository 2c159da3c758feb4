"""Leases as a store keeps them: what lua/settle_lease.lua does, through its binding."""

import time
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from quotad.store.keys import escape
from quotad.store.lease_record import LEASED, Lease
from quotad.store.leases import (
    NO_LEASE,
    REMEMBERED_MS,
    FoundLease,
    LeaseScripts,
    LeaseStatus,
    LeaseStep,
    Released,
)
from tests.raw import raw
from tests.store.conftest import FAR_MS, NOW_MS, TAG, Scripted, endings, plain

TWO = plain((10, FAR_MS), (5, FAR_MS))


class Lent:
    """One lease of one customer, on two counters."""

    def __init__(self, scripted: Scripted) -> None:
        self.scripted = scripted
        self.scripts = LeaseScripts(scripted.store.connect())

    def find(self, lease_id: str = "l1") -> FoundLease:
        return self.scripts.find(self.scripted.keys, lease_id, time.monotonic() + 5)

    def settle(
        self,
        granted: int,
        quantity: int,
        lease_id: str = "l1",
        ended_ms: int = 0,
        not_after_ms: int = 0,
        **fields: object,
    ) -> tuple[int, Sequence[int], FoundLease]:
        lease = Lease("f", granted, 1, "", endings("ab", 2), granted, 0, 0, 5, False)
        step = LeaseStep(lease_id, NO_LEASE, lease, NOW_MS, quantity, TWO, catalog=TAG)
        step = msgspec.structs.replace(step, **fields)
        times_ms = (not_after_ms, ended_ms)
        return self.scripts.settle(self.scripted.keys, step, times_ms, time.monotonic() + 5)

    def release(self, back: int) -> int:
        found = self.find()
        released: dict[str, Any] = {"lease": None, "found": found, "catalog": ""}
        released["released"] = Released(4, 4 - back)
        return self.settle(0, -back, **released)[0]


@pytest.fixture
def lent(scripted: Scripted) -> Lent:
    return Lent(scripted)


def test_units_and_record_are_written_together(lent: Lent) -> None:
    status, used, _ = lent.settle(4, 4)

    assert (LeaseStatus.DONE, [0, 0]) == (status, used)
    assert {"a": 4, "b": 4} == lent.scripted.used()
    found = lent.find()
    assert found.lease is not None
    assert (4, NOW_MS, None) == (found.lease.granted, found.ends_ms, found.released)
    name = f"{lent.scripted.keys.usage}:a"
    assert FAR_MS == raw(lent.scripted.store).pexpiretime(name)


def test_a_renewal_moves_the_difference_and_keeps_the_expiry(lent: Lent) -> None:
    lent.settle(4, 4)
    found = lent.find()

    assert LeaseStatus.DONE == lent.settle(5, 1, found=found)[0]
    assert LeaseStatus.DONE == lent.settle(3, -2, found=lent.find())[0]

    assert {"a": 3, "b": 3} == lent.scripted.used()
    name = f"{lent.scripted.keys.usage}:a"
    assert FAR_MS == raw(lent.scripted.store).pexpiretime(name)


def test_a_record_that_has_changed_since_is_returned(lent: Lent) -> None:
    lent.settle(4, 4)

    status, _, found = lent.settle(2, 2)

    assert LeaseStatus.CHANGED == status
    assert lent.find() == found
    assert {"a": 4, "b": 4} == lent.scripted.used()


def test_a_release_gives_back_and_is_remembered(lent: Lent) -> None:
    lent.settle(4, 4)

    assert LeaseStatus.DONE == lent.release(3)

    assert {"a": 1, "b": 1} == lent.scripted.used()
    assert (None, Released(4, 1)) == ((found := lent.find()).lease, found.released)
    name = lent.scripted.keys.decision + escape(LEASED + "l1")
    assert 0 < raw(lent.scripted.store).pttl(name) <= REMEMBERED_MS
    status, _, changed = lent.settle(4, 4)
    assert (LeaseStatus.CHANGED, found) == (status, changed)


def test_what_is_given_back_to_a_counter_that_is_gone_is_lost(lent: Lent) -> None:
    lent.settle(4, 4)
    raw(lent.scripted.store).delete(f"{lent.scripted.keys.usage}:a")

    assert LeaseStatus.DONE == lent.release(4)
    assert {} == lent.scripted.used()


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"quantity": 6}, LeaseStatus.NO_ROOM),
        ({"catalog": "2.abc"}, LeaseStatus.STALE_CATALOG),
        ({"epoch": 7}, LeaseStatus.STALE_CUSTOMER),
        ({"not_after_ms": 1}, LeaseStatus.TOO_LATE),
        ({"counters": plain((10, 1), (5, 1))}, LeaseStatus.STALE_CLOCK),
    ],
)
def test_what_is_not_done_has_changed_nothing(
    lent: Lent, fields: dict[str, object], status: int
) -> None:
    words = {"granted": 4, "quantity": 4} | fields

    assert status == lent.settle(**words)[0]  # type: ignore[arg-type]
    assert {} == lent.scripted.used()
    assert NO_LEASE == lent.find()


def test_a_damaged_counter_changes_nothing(lent: Lent) -> None:
    name = f"{lent.scripted.keys.usage}:b"
    raw(lent.scripted.store).set(name, "x")

    assert LeaseStatus.DAMAGED == lent.settle(4, 4)[0]
    assert NO_LEASE == lent.find()


def test_leases_that_have_ended_leave_the_list_and_reservations_stay(lent: Lent) -> None:
    keys, store = lent.scripted.keys, raw(lent.scripted.store)
    lent.settle(2, 2)
    store.hset(keys.holds, "r1", "reservation")
    store.zadd(keys.hold_ends, {"r1": 1})

    lent.settle(2, 2, lease_id="l2", ended_ms=NOW_MS)

    assert {b"\x04l2", b"r1"} == set(store.hkeys(keys.holds))
    assert {b"\x04l2", b"r1"} == set(store.zrange(keys.hold_ends, 0, -1))
    assert {"a": 4, "b": 4} == lent.scripted.used()


def test_no_more_are_open_than_there_may_be(lent: Lent, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("quotad.store.leases.HOLDS_MAX", 1)
    lent.settle(2, 2)

    assert LeaseStatus.FULL == lent.settle(2, 2, lease_id="l2")[0]
    assert {"a": 2, "b": 2} == lent.scripted.used()
