import time

import pytest

from quotad.clock import SyncedClock

HOUR_US = 3_600_000_000


def test_before_the_first_contact_it_is_this_machines_clock() -> None:
    before = time.time_ns() // 1_000_000
    now = SyncedClock().now_ms()

    assert before - 1 <= now <= time.time_ns() // 1_000_000 + 1


@pytest.mark.parametrize("ahead_us", [0, 5 * HOUR_US, -5 * HOUR_US, -(10**15)])
def test_it_follows_the_stores_clock_however_far_that_is(
    monkeypatch: pytest.MonkeyPatch, ahead_us: int
) -> None:
    clock = SyncedClock()
    store_us = time.time_ns() // 1000 + ahead_us
    sent, received = 1_000_000_000, 1_004_000_000  # 4 ms apart

    clock.sync(store_us, sent, received)

    # The store read its clock halfway between.
    for later_ms in (0, 2, 60_000):
        monkeypatch.setattr(time, "monotonic_ns", lambda at=later_ms: 1_002_000_000 + at * 10**6)
        assert store_us // 1000 + later_ms == clock.now_ms()


def test_a_step_of_this_machines_clock_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SyncedClock()
    clock.sync(1_800_000_000_000_000, 0, 0)
    monkeypatch.setattr(time, "monotonic_ns", lambda: 7_000_000)
    monkeypatch.setattr(time, "time_ns", lambda: 0)

    assert 1_800_000_000_007 == clock.now_ms()
