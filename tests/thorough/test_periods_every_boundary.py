"""Every boundary of calendar and billing periods from 2000 to 2100, in ten time zones.

The oracle knows how far each zone's clocks are from UTC, read day by day, and finds when they
show a time by walking through that; dates come from dateutil. It shares no line with the code.
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from functools import cache
from itertools import count, takewhile
from zoneinfo import ZoneInfo

import pytest
from dateutil.relativedelta import relativedelta

from quotad.entitlements.periods import period_at
from quotad.model import Anchor, Unit, Window

EPOCH = datetime(1970, 1, 1)
FIRST, LAST = datetime(2000, 1, 1), datetime(2100, 1, 1)
DAY = 24 * 3600
ZONES = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Asia/Kolkata",
    "Australia/Lord_Howe",  # by half an hour
    "America/Sao_Paulo",  # at midnight, until 2019
    "America/Havana",  # at midnight
    "Africa/Casablanca",  # around Ramadan
    "Pacific/Apia",  # a day that was skipped
    "Antarctica/Casey",  # by three hours
]

DENSE = [zone for zone in ZONES if zone not in ("UTC", "Asia/Kolkata", "America/Havana")][:6]
"""Where every single day is looked at."""


def seconds(local: datetime) -> int:
    """What a clock shows, as seconds of its own since 1970."""
    return int((local - EPOCH).total_seconds())


@cache
def clock(zone: str) -> list[tuple[int, int, int]]:
    """From when to when a zone's clocks are how far ahead of UTC, all in seconds."""
    tz = ZoneInfo(zone)

    def ahead(at: int) -> int:
        offset = datetime.fromtimestamp(at, tz).utcoffset()
        assert offset is not None
        return int(offset.total_seconds())

    start = seconds(FIRST) - 500 * DAY
    end = seconds(LAST) + 500 * DAY
    spans: list[tuple[int, int, int]] = []
    since, offset = start, ahead(start)
    for at in range(start, end, DAY):
        if ahead(at) != offset:
            changed = next(s for s in range(at - DAY, at + 1, 60) if ahead(s) != offset)
            spans.append((since, changed, offset))
            since, offset = changed, ahead(changed)
    return [*spans, (since, end, offset)]


def moments(zone: str, wanted: Iterator[datetime]) -> list[int]:
    """When the clocks of a zone first show each of these times or later, without repetition.

    Args:
        zone: its name.
        wanted: times, the earliest first.
    """
    found: list[int] = []
    spans = clock(zone)
    index = 0
    for local in wanted:
        shown = seconds(local)
        while shown >= spans[index][1] + spans[index][2]:
            index += 1
        since, _, offset = spans[index]
        at = max(since, shown - offset) * 1000
        if not found or at > found[-1]:
            found.append(at)
    return found


def boundaries(window: Window, first_ms: int, last_ms: int, anchor_ms: int | None) -> list[int]:
    """The starts of all periods in a row; months and years asked for at their last moment too."""
    starts: list[int] = []
    now_ms = first_ms
    while now_ms <= last_ms:
        period = period_at(window, now_ms, anchor_ms)
        assert period.end_ms is not None
        assert period.start_ms == now_ms
        if window.unit is Unit.MONTH or window.unit is Unit.YEAR:
            assert period == period_at(window, period.end_ms - 1, anchor_ms)
        starts.append(now_ms)
        now_ms = period.end_ms
    return starts


def until_last(times: Iterator[datetime]) -> Iterator[datetime]:
    return takewhile(lambda local: local <= LAST, times)


def every(start: datetime, step: timedelta) -> Iterator[datetime]:
    return until_last(start + k * step for k in count())


def monday(local: datetime) -> datetime:
    return local - timedelta(days=local.weekday())


CALENDAR: dict[str, tuple[Window, Callable[[], Iterator[datetime]]]] = {
    "half_day": (Window(Unit.HOUR, 12), lambda: every(FIRST, timedelta(hours=12))),
    "day": (Window(Unit.DAY), lambda: every(FIRST, timedelta(days=1))),
    # 2000-01-01 is day 10,957 of the clock.
    "10 days": (Window(Unit.DAY, 10), lambda: every(datetime(2000, 1, 4), timedelta(days=10))),
    "week": (Window(Unit.WEEK), lambda: every(monday(FIRST), timedelta(weeks=1))),
    "week from Sunday": (
        Window(Unit.WEEK, week_starts=6),
        lambda: every(datetime(1999, 12, 26), timedelta(weeks=1)),
    ),
    "month": (
        Window(Unit.MONTH),
        lambda: until_last(datetime(2000 + k // 12, 1 + k % 12, 1) for k in count()),
    ),
    "3 months": (
        Window(Unit.MONTH, 3),
        lambda: until_last(datetime(2000 + k // 4, 1 + k % 4 * 3, 1) for k in count()),
    ),
    "year": (Window(Unit.YEAR), lambda: until_last(datetime(2000 + k, 1, 1) for k in count())),
}


def cases(pers: Iterable[str], **fewer: list[str]) -> list[tuple[str, str]]:
    return [(per, zone) for per in pers for zone in fewer.get(per, ZONES)]


@pytest.mark.parametrize(
    ("per", "zone"), cases(CALENDAR, day=DENSE, half_day=["Australia/Lord_Howe"])
)
def test_every_calendar_boundary_is_that_of_the_oracle(per: str, zone: str) -> None:
    window, times = CALENDAR[per]
    window = Window(window.unit, window.count, Anchor.CALENDAR, ZoneInfo(zone), window.week_starts)
    expected = moments(zone, times())

    assert expected == boundaries(window, expected[0], expected[-1], None)


ANCHORS = [
    datetime(2000, 1, 31),
    datetime(2000, 1, 30, 2, 30),
    datetime(2000, 1, 29, 23, 59, 59),
    datetime(2000, 2, 29),
    datetime(2000, 12, 31, 0, 30),
    datetime(2001, 2, 28, 3),
    datetime(2000, 10, 15, 1, 15),
]
STEPS: dict[str, tuple[Window, relativedelta]] = {
    "month": (Window(Unit.MONTH), relativedelta(months=1)),
    "5 months": (Window(Unit.MONTH, 5), relativedelta(months=5)),
    "year": (Window(Unit.YEAR), relativedelta(years=1)),
    "week": (Window(Unit.WEEK), relativedelta(weeks=1)),
    "day": (Window(Unit.DAY), relativedelta(days=1)),
}


@pytest.mark.parametrize(("per", "zone"), cases(STEPS, day=DENSE[:3]))
def test_every_billing_boundary_is_that_of_the_oracle(per: str, zone: str) -> None:
    window, step = STEPS[per]
    window = Window(window.unit, window.count, Anchor.SUBSCRIPTION, ZoneInfo(zone))
    # Days and weeks are many, and those of one anchor have all that there is to them.
    for anchor in ANCHORS[-1:] if per in ("day", "week") else ANCHORS:
        # Counted from the anchor each time: 31 Jan, 29 Feb, 31 Mar.
        times = until_last(anchor + step * k for k in count())
        expected = moments(zone, times)

        assert expected == boundaries(window, expected[0], expected[-1], expected[0])


def test_the_oracle_knows_the_dates_that_a_person_can_check() -> None:
    def shown(zone: str, *times: datetime) -> list[str]:
        return [
            str(datetime.fromtimestamp(at // 1000, ZoneInfo("UTC")))[:16]
            for at in moments(zone, iter(times))
        ]

    skipped = [datetime(2011, 12, day) for day in (29, 30, 31)]
    assert ["2011-12-29 10:00", "2011-12-30 10:00"] == shown("Pacific/Apia", *skipped)
    assert ["2018-11-04 03:00"] == shown("America/Sao_Paulo", datetime(2018, 11, 4))
    assert ["2099-06-30 22:00"] == shown("Europe/Berlin", datetime(2099, 7, 1))
    assert ["2023-02-28 00:00", "2024-02-29 00:00"] == shown(
        "UTC", *(datetime(2020, 2, 29) + relativedelta(years=k) for k in (3, 4))
    )
