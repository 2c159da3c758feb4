import time

import pytest

from quotad import clock as clock_module
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


@pytest.mark.parametrize("step_s", [40 * 86_400, 3, -3, -86_400, 0])
def test_a_step_of_the_stores_clock_is_measured(
    monkeypatch: pytest.MonkeyPatch, step_s: int
) -> None:
    monkeypatch.setattr(clock_module, "_elapsed_ns", lambda: 0)
    clock = SyncedClock()
    assert 0 == clock.sync(1_800_000_000_000_000, 0, 4_000_000)

    monkeypatch.setattr(clock_module, "_elapsed_ns", lambda: 5 * 10**9)
    store_us = 1_800_000_005_000_000 + step_s * 10**6

    assert step_s * 1000 == clock.sync(store_us, 5 * 10**9, 5_004_000_000)
    assert 0 == clock.sync(store_us, 5 * 10**9, 5_004_000_000)


def test_what_a_slow_answer_leaves_in_doubt_is_no_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock_module, "_elapsed_ns", lambda: 0)
    clock = SyncedClock()
    clock.sync(1_800_000_000_000_000, 0, 3 * 10**9)

    assert 0 == clock.sync(1_800_000_002_500_000, 0, 4_000_000)


def test_a_moment_that_is_surely_before_a_deadline_is(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SyncedClock()
    clock.sync(1_800_000_000_000_000, 0, 8_000_000)  # at 4 ms, give or take 4 ms

    bound_ms = clock.surely_before_ms(1.004)

    assert 1_800_000_001_000 - 4 - 5 == bound_ms
