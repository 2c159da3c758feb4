"""Windows that open at first use are as long as the calendar says from where they open."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from dateutil.relativedelta import relativedelta
from hypothesis import given
from hypothesis import strategies as st

from quotad.entitlements.periods import Period, period_at
from quotad.model import Anchor, Unit, Window

ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Asia/Kolkata",
    "Australia/Lord_Howe",
    "Pacific/Apia",
)
FROM_MS = int(datetime(2000, 1, 1, tzinfo=UTC).timestamp() * 1000)
TO_MS = int(datetime(2100, 1, 1, tzinfo=UTC).timestamp() * 1000)
EXACT = {Unit.SECOND: 1, Unit.MINUTE: 60, Unit.HOUR: 3600}


def opening(unit: Unit, count: int = 1, zone: str = "UTC") -> Window:
    return Window(unit, count, Anchor.FIRST_USE, ZoneInfo(zone))


def at(text: str, zone: str = "UTC") -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp() * 1000)


# unit, count, zone, opens, closes
TABLE = [
    (Unit.SECOND, 30, "UTC", "2031-01-15 12:00:00.250", "2031-01-15 12:00:30.250"),
    (Unit.HOUR, 5, "UTC", "2031-01-15 22:10", "2031-01-16 03:10"),
    (Unit.DAY, 1, "UTC", "2031-01-15 22:10", "2031-01-16 22:10"),
    (Unit.WEEK, 2, "UTC", "2031-01-15 22:10", "2031-01-29 22:10"),
    (Unit.MONTH, 1, "UTC", "2031-01-31 22:10", "2031-02-28 22:10"),
    (Unit.MONTH, 1, "UTC", "2032-01-31 22:10", "2032-02-29 22:10"),
    (Unit.MONTH, 1, "UTC", "2031-02-28 22:10", "2031-03-28 22:10"),
    (Unit.MONTH, 3, "UTC", "2031-11-30 00:00", "2032-02-29 00:00"),
    (Unit.YEAR, 1, "UTC", "2032-02-29 06:00", "2033-02-28 06:00"),
    # The day in between has 23 hours, and that of the autumn 25.
    (Unit.DAY, 1, "Europe/Berlin", "2031-03-29 12:00", "2031-03-30 12:00"),
    (Unit.DAY, 1, "Europe/Berlin", "2031-10-25 12:00", "2031-10-26 12:00"),
    # There is no half past two on the day that the clocks go forward.
    (Unit.DAY, 1, "Europe/Berlin", "2031-03-29 02:30", "2031-03-30 03:00"),
    (Unit.HOUR, 24, "Europe/Berlin", "2031-03-29 12:00", "2031-03-30 13:00"),
    (Unit.MONTH, 1, "America/New_York", "2031-01-30 23:00", "2031-02-28 23:00"),
]


@pytest.mark.parametrize(("unit", "count", "zone", "opens", "closes"), TABLE)
def test_a_window_closes_its_length_after_it_opened(
    unit: Unit, count: int, zone: str, opens: str, closes: str
) -> None:
    period = period_at(opening(unit, count, zone), at(opens, zone))

    assert (at(opens, zone), at(closes, zone)) == (period.start_ms, period.end_ms)


def test_its_counter_is_named_by_its_length_alone() -> None:
    now_ms = at("2031-01-15 12:00")

    assert ["5hour.f", "month.f", "2week.f"] == [
        period_at(opening(unit, count), now_ms + count).period_id
        for unit, count in ((Unit.HOUR, 5), (Unit.MONTH, 1), (Unit.WEEK, 2))
    ]
    # No subscription has a say in it.
    assert Period(now_ms, now_ms + 3_600_000, "hour.f") == period_at(
        opening(Unit.HOUR), now_ms, anchor_ms=17
    )


@given(
    st.sampled_from(list(Unit)), st.integers(1, 40), st.sampled_from(ZONES),
    st.integers(FROM_MS, TO_MS),
)  # fmt: skip
def test_it_ends_where_another_calendar_does(
    unit: Unit, count: int, zone: str, now_ms: int
) -> None:
    period = period_at(opening(unit, count, zone), now_ms)

    assert period.end_ms is not None
    assert (True, now_ms) == (period.end_ms > now_ms, period.start_ms)
    if unit in EXACT:
        assert EXACT[unit] * count * 1000 == period.end_ms - now_ms
        return
    opens = datetime.fromtimestamp(now_ms // 1000, ZoneInfo(zone)).replace(tzinfo=None)
    length: Any = {
        Unit.DAY: timedelta(days=count),
        Unit.WEEK: timedelta(weeks=count),
        Unit.MONTH: relativedelta(months=count),
        Unit.YEAR: relativedelta(years=count),
    }[unit]
    local = (opens + length).replace(tzinfo=ZoneInfo(zone))
    if local.astimezone(UTC).astimezone(ZoneInfo(zone)).replace(tzinfo=None) != local.replace(
        tzinfo=None
    ):
        return  # a time that the clocks skip; the table has one
    assert int(local.timestamp()) * 1000 + now_ms % 1000 == period.end_ms
