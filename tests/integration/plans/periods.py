"""Reset periods for the model: every boundary from the calendar, nothing from quotad."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from dateutil.relativedelta import relativedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
CALENDAR = -1
"""In place of an anchor."""
EXACT_MS = {"second": 1000, "minute": 60_000, "hour": 3_600_000}
HOUR_MS, DAY_MS = 3_600_000, 86_400_000
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


class Window(NamedTuple):
    """A window as a catalog writes it."""

    unit: str
    number: int = 1
    anchor: str = "calendar"
    zone: str = "UTC"
    week_starts: int = 0

    @property
    def per(self) -> str:
        return self.unit if self.number == 1 else f"{self.number} {self.unit}s"


class Period(NamedTuple):
    name: tuple[Any, ...]
    """Usage of the same name is counted together."""
    end_ms: int | None
    """Of a window that opens at first use: when it closes if it opens now."""


def window_of(said: dict[str, Any]) -> Window | None:
    """The window of what a catalog says of a limit."""
    per = said.get("per")
    if per is None or per == "lifetime":
        return None
    first, _, rest = per.partition(" ")
    count, unit = (int(first), rest.removesuffix("s")) if rest else (1, first)
    return Window(
        unit,
        count,
        said.get("anchor", "calendar"),
        said.get("timezone", "UTC"),
        WEEKDAYS.index(said.get("week_starts", "monday")),
    )


@cache
def period(window: Window | None, now_ms: int, anchor_ms: int | None) -> Period:
    """The period that a moment is in; without an anchor the calendar's."""
    if window is None:
        return Period(("life",), None)
    if window.anchor == "first_use":
        return Period((window.per, "first_use"), _anchored(window, now_ms, now_ms)[1])
    if window.anchor == "subscription" and anchor_ms not in (None, CALENDAR):
        start_ms, end_ms = _anchored(window, now_ms, anchor_ms)
    else:
        start_ms, end_ms = _calendar(window, now_ms)
    assert start_ms <= now_ms < end_ms
    return Period((window.per, window.anchor, start_ms), end_ms)


def _anchored(window: Window, now_ms: int, anchor_ms: int) -> tuple[int, int]:
    if window.unit in EXACT_MS:
        length_ms = EXACT_MS[window.unit] * window.number
        start_ms = anchor_ms + (now_ms - anchor_ms) // length_ms * length_ms
        return start_ms, start_ms + length_ms
    first = _local(window.zone, anchor_ms)

    def boundary(index: int) -> int:
        if index == 0:
            return anchor_ms
        return _first_moment(window.zone, first + _length(window) * index)

    days = {"day": 1, "week": 7, "month": 31, "year": 366}[window.unit] * window.number
    return _around(boundary, (now_ms - anchor_ms) // (days * DAY_MS) - 2, now_ms)


def _calendar(window: Window, now_ms: int) -> tuple[int, int]:
    zone, count = window.zone, window.number
    if window.unit in EXACT_MS:
        return _clock(zone, EXACT_MS[window.unit] * count, now_ms)
    today = _local(zone, now_ms)
    midnight = datetime(today.year, today.month, today.day)
    if window.unit == "year":
        start = datetime(today.year - today.year % count, 1, 1)
    elif window.unit == "month":
        month = today.year * 12 + today.month - 1
        year, before = divmod(month - month % count, 12)
        start = datetime(year, before + 1, 1)
    elif window.unit == "week":
        # The week that holds 1970-01-01, a Thursday.
        monday = datetime(1970, 1, 1) - timedelta(days=(3 - window.week_starts) % 7)
        start = midnight - timedelta(days=(midnight - monday).days % (7 * count))
    else:
        start = midnight - timedelta(days=(midnight - datetime(1970, 1, 1)).days % count)
    length = _length(window)
    return _around(lambda index: _first_moment(zone, start + length * index), -2, now_ms)


def _clock(zone: str, length_ms: int, now_ms: int) -> tuple[int, int]:
    if length_ms > HOUR_MS and DAY_MS % length_ms == 0:
        today = _local(zone, now_ms)
        midnight = datetime(today.year, today.month, today.day)
        step = timedelta(milliseconds=length_ms)
        return _around(lambda index: _first_moment(zone, midnight + step * index), -2, now_ms)
    shift_ms = 0
    if length_ms <= HOUR_MS:
        here = (EPOCH + timedelta(milliseconds=now_ms)).astimezone(ZoneInfo(zone))
        offset = here.utcoffset()
        assert offset is not None
        shift_ms = int(offset.total_seconds()) * 1000
    start_ms = now_ms - (now_ms + shift_ms) % length_ms
    return start_ms, start_ms + length_ms


def _around(boundary: Callable[[int], int], index: int, now_ms: int) -> tuple[int, int]:
    """The boundaries around a moment, walking up from one that is well before it."""
    while boundary(index + 1) <= now_ms:
        index += 1
    return boundary(index), boundary(index + 1)


def _length(window: Window) -> relativedelta:
    length: dict[str, Any] = {f"{window.unit}s": window.number}
    return relativedelta(**length)


def _local(zone: str, at_ms: int) -> datetime:
    """What the clocks of a zone show."""
    return (EPOCH + timedelta(milliseconds=at_ms)).astimezone(ZoneInfo(zone)).replace(tzinfo=None)


def _first_moment(zone: str, shown: datetime) -> int:
    """When the clocks of a zone show a time, or have just jumped over it."""
    at = shown.replace(tzinfo=ZoneInfo(zone), fold=0).astimezone(UTC)
    at_ms = (at - EPOCH) // timedelta(milliseconds=1)
    if _local(zone, at_ms) == shown:
        return at_ms
    at_ms -= at_ms % 60_000
    while _local(zone, at_ms - 60_000) >= shown:
        at_ms -= 60_000
    return at_ms
