"""The reset period of a limit: `per`, `anchor`, `timezone`, `week_starts` -> `Window`."""

import functools
import re
import zoneinfo
from collections.abc import Mapping
from zoneinfo import ZoneInfo

from quotad.catalog.problems import Place, described, shown, word_of
from quotad.model import Anchor, Unit, Window

WINDOW_KEYS = ("per", "anchor", "timezone", "week_starts")

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

YEARS_MAX = 100
"""Longest window; beyond it calendar arithmetic would leave the dates that Python knows."""

_DAY_MS = 86_400_000
# A year of the Gregorian calendar is 365.2425 days on average, and a month a twelfth of it.
_AVERAGE_MS = {
    Unit.SECOND: 1000,
    Unit.MINUTE: 60_000,
    Unit.HOUR: 3_600_000,
    Unit.DAY: _DAY_MS,
    Unit.WEEK: 7 * _DAY_MS,
    Unit.MONTH: 2_629_746_000,
    Unit.YEAR: 31_556_952_000,
}
_LIFETIME_MS = YEARS_MAX * _AVERAGE_MS[Unit.YEAR]

_LONGEST_DAYS = {Unit.DAY: 1, Unit.WEEK: 7, Unit.MONTH: 31, Unit.YEAR: 366}
HISTORY_MAX_MS = 10 * 366 * _DAY_MS

_UNITS = {unit.value: unit for unit in Unit}
_ANCHORS = {anchor.value: anchor for anchor in Anchor}
_COUNT_MAX = {
    Unit.SECOND: YEARS_MAX * 365 * 86_400,
    Unit.MINUTE: YEARS_MAX * 365 * 1440,
    Unit.HOUR: YEARS_MAX * 365 * 24,
    Unit.DAY: YEARS_MAX * 365,
    Unit.WEEK: YEARS_MAX * 52,
    Unit.MONTH: YEARS_MAX * 12,
    Unit.YEAR: YEARS_MAX,
}
_PER = re.compile(r"(?:([0-9]{1,12})\s+)?(\S+)")

FOR_LIFE = "leave 'per' out for a lifetime"
"""What to do instead in a catalog; an override without `per` keeps the plan's window."""

# What people write first, where the nearest spelling would mislead or none is near.
_OTHER_WORDS = {
    "quarter": "; write '3 months'",
    "fortnight": "; write '2 weeks'",
    **dict.fromkeys(("lifetime", "life", "never", "none"), f"; {FOR_LIFE}"),
}


def parse_window(place: Place, raw: Mapping[str, object]) -> tuple[bool, Window | None]:
    """Return whether the window of a limit is known, and the window; None: a lifetime.

    Problems are noted at `place`.
    """
    if "per" not in raw:
        for key in WINDOW_KEYS:
            if key in raw:
                place.key(key).refuse("has no meaning without 'per'")
        return True, None
    per = _per(place.key("per"), raw["per"])
    anchor = Anchor.CALENDAR
    if "anchor" in raw:
        anchor = _anchor(place.key("anchor"), raw["anchor"])
    zone = "UTC"
    if "timezone" in raw:
        zone = _zone(place.key("timezone"), raw["timezone"])
    week_starts = 0
    if "week_starts" in raw:
        week_starts = _weekday(place.key("week_starts"), raw["week_starts"])
        if per is not None and (per[0] is not Unit.WEEK or anchor is not Anchor.CALENDAR):
            place.key("week_starts").refuse("is only for weeks with 'anchor: calendar'")
            week_starts = 0
    if per is None:
        return False, None
    return True, _window(*per, anchor, zone, week_starts)


def parse_billing(place: Place, value: object) -> Window | None:
    """Return a billing period, which starts with the subscription, or note a problem."""
    per = _per(place, value)
    return None if per is None else _window(*per, Anchor.SUBSCRIPTION, "UTC", 0)


def parse_history(place: Place, value: object) -> Window | None:
    """Return how long usage stays to be read after its period, or note a problem."""
    per = _per(place, value)
    if per is None:
        return None
    window = _window(*per, Anchor.CALENDAR, "UTC", 0)
    if not window.historic:
        place.refuse("must be in days, weeks, months or years, such as '13 months'")
    elif kept_ms(window) > HISTORY_MAX_MS:
        place.refuse(f"must be at most 10 years, not {window.per}")
    return window


def kept_ms(history: Window | None) -> int:
    """The longest time that a number of days, weeks, months or years may take; None: no time."""
    return 0 if history is None else _LONGEST_DAYS[history.unit] * history.count * _DAY_MS


def length_ms(window: Window | None) -> int:
    """How long a window is on average; a lifetime counts as a hundred years."""
    return _LIFETIME_MS if window is None else _AVERAGE_MS[window.unit] * window.count


def write_window(window: Window) -> dict[str, str]:
    """Return a window as a catalog spells it, without what is usual."""
    written = {"per": window.per}
    if window.anchor is not Anchor.CALENDAR:
        written["anchor"] = window.anchor.value
    if window.zone.key != "UTC":
        written["timezone"] = window.zone.key
    if window.week_starts:
        written["week_starts"] = WEEKDAYS[window.week_starts]
    return written


@functools.lru_cache(maxsize=1024)
def _window(unit: Unit, count: int, anchor: Anchor, zone: str, week_starts: int) -> Window:
    """Return one shared object per window: ten thousand limits have a handful of them."""
    return Window(unit, count, anchor, ZoneInfo(zone), week_starts)


def _per(place: Place, value: object) -> tuple[Unit, int] | None:
    if not isinstance(value, str):
        place.refuse(f"must be a period such as 'month' or '5 hours', not {described(value)}")
        return None
    match = _PER.fullmatch(value.strip())
    if match is None:
        place.refuse(f"must be a period such as 'month' or '5 hours', not {described(value)}")
        return None
    digits, word = match.groups()
    unit = _UNITS.get(word)
    if unit is None and digits is not None:
        unit = _UNITS.get(word.removesuffix("s"))
    if unit is None:
        hint = _OTHER_WORDS.get(word.casefold())
        place.refuse(f"unknown unit {shown(word)}{hint or place.suggestion(word, _UNITS)}")
        return None
    count = 1 if digits is None else int(digits)
    if count == 0:
        place.refuse("must be at least 1")
        return None
    if count > _COUNT_MAX[unit]:
        place.refuse(f"is longer than {YEARS_MAX} years; {FOR_LIFE}")
        return None
    return unit, count


def _anchor(place: Place, value: object) -> Anchor:
    return word_of(place, value, _ANCHORS) or Anchor.CALENDAR


def _zone(place: Place, value: object) -> str:
    if not isinstance(value, str):
        place.refuse(f"must be an IANA time zone such as Europe/Berlin, not {described(value)}")
        return "UTC"
    zone = zone_named(value)
    if zone is None:
        hint = place.suggestion(value, zone_names()) or "; use an IANA name such as Europe/Berlin"
        place.refuse(f"unknown time zone {shown(value)}{hint}")
    return zone or "UTC"


def zone_named(text: str) -> str | None:
    """Return the name of a time zone; None: there is no such zone."""
    try:
        return ZoneInfo(text).key
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        # Not only unknown names: a directory of the database ('Europe') is an OSError.
        return None


@functools.cache
def zone_names() -> tuple[str, ...]:
    """List the time zones that there are."""
    # Sorted, so that of two names that are equally near the same is always suggested.
    return tuple(sorted(zoneinfo.available_timezones()))


def _weekday(place: Place, value: object) -> int:
    if isinstance(value, str) and value in WEEKDAYS:
        return WEEKDAYS.index(value)
    if isinstance(value, str):
        hint = place.suggestion(value, WEEKDAYS) or "; write monday, tuesday, ..."
        place.refuse(f"unknown day {shown(value)}{hint}")
    else:
        place.refuse(f"must be a day such as monday, not {described(value)}")
    return 0
