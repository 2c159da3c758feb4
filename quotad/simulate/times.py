"""The time that a log line names, in the ways that logs write it.

17/May/2026:10:05:03 +0000     Apache and nginx
2026-05-17T10:05:03.250Z       ISO 8601, RFC 3339; without a zone it is UTC
1779012303, 1779012303.25      Unix time in seconds
1779012303250                  in milliseconds; longer ones in micro- and nanoseconds
"""

import re
from datetime import UTC, datetime
from functools import lru_cache

from quotad.replay.access_log import LineError

_CLF = re.compile(r"(\d\d/[A-Z][a-z]{2}/\d{4}):(\d\d):(\d\d):(\d\d) ([+-]\d{4})")
_UNIX = re.compile(r"(\d{1,19})(\.\d*)?")

# Seconds of today have 10 digits until the year 2286, milliseconds 13, and so on.
_SECONDS_DIGITS, _MILLIS_DIGITS, _MICROS_DIGITS = 11, 14, 17

UNTIL_MS = int(datetime(3000, 1, 1, tzinfo=UTC).timestamp() * 1000)
"""Later times are taken for damage."""

_FORMATS = "17/May/2026:10:05:03 +0000, ISO 8601, or Unix time"


def parse_time(text: str) -> int:
    """Unix milliseconds of a time as logs write it.

    Raises:
        LineError: it is not one, or before 1970 or after 2999.
    """
    try:
        at_ms = _clf(text)
        if at_ms is None:
            at_ms = _unix(text)
        if at_ms is None:
            at_ms = _iso(text)
    except (ValueError, OverflowError):
        raise LineError(f"time {text[:40]!r} is not one of {_FORMATS}") from None
    if not 0 <= at_ms < UNTIL_MS:
        raise LineError(f"time {text[:40]!r} is not between 1970 and 2999")
    return at_ms


def _clf(text: str) -> int | None:
    match = _CLF.fullmatch(text)
    if match is None:
        return None
    day, hour, minute, second, zone = match.groups()
    hours, minutes, seconds = int(hour), int(minute), int(second)
    if hours > 23 or minutes > 59 or seconds > 60:  # 60: a leap second
        raise ValueError
    return _midnight_ms(day, zone) + ((hours * 60 + minutes) * 60 + seconds) * 1000


@lru_cache(maxsize=64)
def _midnight_ms(day: str, zone: str) -> int:
    """Few days follow each other in a log, and strptime is slow."""
    return int(datetime.strptime(f"{day} {zone}", "%d/%b/%Y %z").timestamp()) * 1000


def _unix(text: str) -> int | None:
    match = _UNIX.fullmatch(text)
    if match is None:
        return None
    whole, fraction = match.groups()
    digits, number = len(whole), int(whole)
    if digits <= _SECONDS_DIGITS:
        return number * 1000 + int((fraction or ".")[1:4].ljust(3, "0"))
    if digits <= _MILLIS_DIGITS:
        return number
    return number // 1000 if digits <= _MICROS_DIGITS else number // 1_000_000


def _iso(text: str) -> int:
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        at = at.replace(tzinfo=UTC)
    # Not timestamp(), whose fractions of a second are rounded as floats are.
    since = at - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1000 + since.microseconds // 1000


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
