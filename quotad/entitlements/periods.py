"""Reset periods: which period of a window a moment belongs to, when it starts and ends.

Owns the arithmetic of calendars, anchors and time zones; knows nothing of limits or counters.

In general
    Periods tile: the end of one is the start of the next, and `start <= now < end` always.
    A local time that the clocks skip is the moment of the jump; one that they repeat is the
    first of the two.

Anchor `calendar`
    second, minute, hour   Windows of 2, 3, 4, 6, 8, 12 or 24 hours start at multiples of their
                           length on the local clock, from midnight: on days of a clock change
                           one of them is longer or shorter. All others are exact durations
                           counted from the Unix epoch. Those of at most an hour are shifted by
                           the zone's UTC offset, so that the hours of half-hour zones start on
                           the local hour; when a clock change moves that grid (by half an hour,
                           for windows of an hour), the running period ends at the change.
    day                    Local midnight; N days are counted from local 1970-01-01.
    week                   Local midnight of the day that weeks start on; N weeks are counted
                           from the week that holds 1970-01-01.
    month                  Local midnight of the 1st; N months start where
                           (year * 12 + month - 1) is a multiple of N.
    year                   Local midnight of 1 January; N years start at multiples of N.

Anchor `subscription`
    Period k starts k windows after the anchor, also for negative k. Seconds, minutes and hours
    are exact durations. Days, weeks, months and years keep the anchor's local time of day;
    months and years keep its day of the month, or take the last day of a shorter month
    (31 Jan, 28 Feb, 31 Mar). Without an anchor (a customer without a subscription) the calendar
    applies.

Anchor `first_use`
    The window opens now and is as long as the first period of a subscription that starts now: a
    month ends at the same time on the same day of the next, or on its last. When it has opened
    already is known to the counter alone.
"""

from calendar import monthrange
from collections.abc import Callable
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec

from quotad.model import Anchor, Unit, Window
from quotad.records import CALENDAR

_HOUR_MS = 3_600_000
_DAY_MS = 24 * _HOUR_MS
_EXACT_MS = {Unit.SECOND: 1000, Unit.MINUTE: 60_000, Unit.HOUR: _HOUR_MS}

_EPOCH = datetime(1970, 1, 1)
_EPOCH_DAY = _EPOCH.toordinal()
_EPOCH_WEEKDAY = _EPOCH.weekday()


class Period(msgspec.Struct, frozen=True, gc=False):
    """One period of a window, from `start_ms` up to but without `end_ms`, in Unix time."""

    start_ms: int | None
    """None: a lifetime has no start."""
    end_ms: int | None
    """When usage resets; None: never."""
    period_id: str
    """Part of the counter's key, such as `month.c.1761955200`, `5hour.s.1763900000`, `5hour.f`,
    `life`."""


LIFETIME = Period(start_ms=None, end_ms=None, period_id="life")


def period_at(window: Window | None, now_ms: int, anchor_ms: int | None = None) -> Period:
    """Return the period of `window` that `now_ms` belongs to; of one that opens at first use, the
    period if it opens now.

    Args:
        window: None for a lifetime.
        now_ms: Unix time.
        anchor_ms: start of the subscription, for windows that are anchored to it; may be later
            than `now_ms`. None or `CALENDAR`: there is none.
    """
    if window is None:
        return LIFETIME
    exact_ms = _EXACT_MS.get(window.unit)
    count = window.count if window.count > 1 else ""
    if window.anchor is Anchor.FIRST_USE:
        if exact_ms is not None:
            end_ms = now_ms + exact_ms * window.count
        else:
            end_ms = _anchored(window, now_ms, now_ms)[1]
        return Period(now_ms, end_ms, f"{count}{window.unit.value}.f")
    if anchor_ms not in (None, CALENDAR) and window.anchor is Anchor.SUBSCRIPTION:
        kind = "s"
        if exact_ms is not None:
            length_ms = exact_ms * window.count
            start_ms = now_ms - (now_ms - anchor_ms) % length_ms
            end_ms = start_ms + length_ms
        else:
            start_ms, end_ms = _anchored(window, now_ms, anchor_ms)
    else:
        # Without a subscription the calendar's periods, but a separate counter: an entitlement
        # may have both anchors with one length.
        kind = "c" if window.anchor is Anchor.CALENDAR else "s"
        if exact_ms is not None:
            start_ms, end_ms = _clock(window.zone, exact_ms * window.count, now_ms)
        else:
            start_ms, end_ms = _calendar(window, now_ms)
    return Period(start_ms, end_ms, f"{count}{window.unit.value}.{kind}.{start_ms // 1000}")


def _calendar(window: Window, now_ms: int) -> tuple[int, int]:
    """Days, weeks, months and years of the calendar."""
    zone, unit, count = window.zone, window.unit, window.count
    local = datetime.fromtimestamp(now_ms // 1000, zone)
    if unit is Unit.MONTH or unit is Unit.YEAR:
        months = count if unit is Unit.MONTH else 12 * count

        def boundary(index: int) -> int:
            year, month = divmod(index * months, 12)
            return _instant(zone, datetime(year, month + 1, 1))

        return _around(boundary, (local.year * 12 + local.month - 1) // months, now_ms)
    if unit is Unit.DAY:
        first, days = _EPOCH_DAY, count
    else:
        first, days = _EPOCH_DAY - (_EPOCH_WEEKDAY - window.week_starts) % 7, 7 * count

    def midnight(index: int) -> int:
        return _instant(zone, datetime.fromordinal(first + index * days))

    return _around(midnight, (local.toordinal() - first) // days, now_ms)


def _anchored(window: Window, now_ms: int, anchor_ms: int) -> tuple[int, int]:
    """Days, weeks, months and years of a subscription."""
    zone, unit, count = window.zone, window.unit, window.count
    local = datetime.fromtimestamp(now_ms // 1000, zone)
    anchor = datetime.fromtimestamp(anchor_ms // 1000, zone)
    hour, minute, second, rest_ms = anchor.hour, anchor.minute, anchor.second, anchor_ms % 1000
    if unit is Unit.MONTH or unit is Unit.YEAR:
        months = count if unit is Unit.MONTH else 12 * count
        first, day = anchor.year * 12 + anchor.month - 1, anchor.day

        def boundary(index: int) -> int:
            if index == 0:
                return anchor_ms
            year, month = divmod(first + index * months, 12)
            month += 1
            # Every month has 28 days; only the others are worth asking the calendar.
            last = day if day <= 28 else min(day, monthrange(year, month)[1])
            return _instant(zone, datetime(year, month, last, hour, minute, second)) + rest_ms

        return _around(boundary, (local.year * 12 + local.month - 1 - first) // months, now_ms)
    days = count if unit is Unit.DAY else 7 * count
    first_time = datetime(anchor.year, anchor.month, anchor.day, hour, minute, second)

    def same_time(index: int) -> int:
        # Not through the local time for the anchor itself, which may be the second of two.
        if index == 0:
            return anchor_ms
        return _instant(zone, first_time + timedelta(days=index * days)) + rest_ms

    return _around(same_time, (local.toordinal() - anchor.toordinal()) // days, now_ms)


def _clock(zone: ZoneInfo, length_ms: int, now_ms: int) -> tuple[int, int]:
    """Seconds, minutes and hours of the calendar."""
    on_clock = length_ms % _HOUR_MS == 0 and _DAY_MS % length_ms == 0
    if zone.key == "UTC" or (length_ms > _HOUR_MS and not on_clock):
        start_ms = now_ms - now_ms % length_ms
        return start_ms, start_ms + length_ms
    if length_ms <= _HOUR_MS:
        return _shifted(zone, length_ms, now_ms)
    length = timedelta(milliseconds=length_ms)

    def boundary(index: int) -> int:
        return _instant(zone, _EPOCH + index * length)

    guess = (now_ms + _offset_ms(zone, now_ms)) // length_ms
    return _around(boundary, guess, now_ms)


def _shifted(zone: ZoneInfo, length_ms: int, now_ms: int) -> tuple[int, int]:
    """Exact durations of at most an hour, aligned to the local clock."""

    def shift(at_ms: int) -> int:
        return _offset_ms(zone, at_ms) % length_ms

    current = shift(now_ms)
    start_ms = now_ms - (now_ms + current) % length_ms
    end_ms = start_ms + length_ms
    if shift(start_ms) != current:
        start_ms = _first(lambda at_ms: shift(at_ms) == current, start_ms, now_ms)
    if shift(end_ms) != current:
        end_ms = _first(lambda at_ms: shift(at_ms) != current, now_ms, end_ms)
    return start_ms, end_ms


def _around(boundary: Callable[[int], int], index: int, now_ms: int) -> tuple[int, int]:
    """Return the two boundaries around `now_ms`, from a first guess that is near.

    The guess is off by one where the anchor's day or time of day is not yet reached, and where
    the clock shows a date twice or not at all. Boundaries never fall with their index, but may
    be equal (a day that a zone skipped), so the period found is the only one.
    """
    start_ms, end_ms = boundary(index), boundary(index + 1)
    while start_ms > now_ms:
        index -= 1
        start_ms, end_ms = boundary(index), start_ms
    while end_ms <= now_ms:
        index += 1
        start_ms, end_ms = end_ms, boundary(index + 1)
    return start_ms, end_ms


def _offset_ms(zone: ZoneInfo, at_ms: int) -> int:
    """Return what a zone is ahead of UTC at a moment."""
    return _milliseconds(datetime.fromtimestamp(at_ms // 1000, zone).utcoffset())


def _milliseconds(offset: timedelta | None) -> int:
    assert offset is not None, "a ZoneInfo knows its offset at every moment"
    return (offset.days * 86_400 + offset.seconds) * 1000


def _instant(zone: ZoneInfo, local: datetime) -> int:
    """Return the first moment at which the clocks of a zone show `local` or later.

    Args:
        zone: the zone.
        local: without a zone and without a fraction of a second.
    """
    since_epoch = local - _EPOCH
    local_ms = since_epoch.days * _DAY_MS + since_epoch.seconds * 1000
    if zone.key == "UTC":
        return local_ms
    # Of a time that the clocks repeat, fold 0 is the first. Of one that they skip, it has the
    # offset before the jump and fold 1 that after it. (`replace` would cost 1.5 us.)
    second_time = datetime(
        local.year, local.month, local.day, local.hour, local.minute, local.second, fold=1
    )
    before_ms = _milliseconds(zone.utcoffset(local))
    after_ms = _milliseconds(zone.utcoffset(second_time))
    if after_ms <= before_ms:
        return local_ms - before_ms
    return _first(
        lambda at_ms: at_ms + _offset_ms(zone, at_ms) >= local_ms,
        local_ms - after_ms,
        local_ms - before_ms,
    )


def _first(holds: Callable[[int], bool], before_ms: int, at_ms: int) -> int:
    """Return the first moment, in whole seconds, from which `holds` is true.

    It is not at `before_ms`, it is at `at_ms`, and it changes once in between: zones change
    their clocks months apart and on whole seconds.
    """
    low, high = before_ms // 1000, -(-at_ms // 1000)
    while high - low > 1:
        middle = (low + high) // 2
        if holds(middle * 1000):
            high = middle
        else:
            low = middle
    return high * 1000
