"""When an entry of a plan is in force: `from: 2026-12-01, until: 2027-01-01` -> `Span`."""

from collections.abc import Mapping
from datetime import date, datetime

from quotad.catalog.problems import Place, described
from quotad.model import Span
from quotad.moments import parsed_time

SPAN_KEYS = ("from", "until")


def parse_span(place: Place, raw: Mapping[str, object]) -> Span | None:
    """Return what `from` and `until` of an entry come to; None: neither is there, or one is wrong.

    Problems are noted.
    """
    if not any(key in raw for key in SPAN_KEYS):
        return None
    starts, ends = (_moment(place, raw, key) for key in SPAN_KEYS)
    if starts is not None and ends is not None and ends <= starts:
        place.key("until").refuse("must be later than 'from'")
        return None
    return Span(starts, ends)


def _moment(place: Place, raw: Mapping[str, object], key: str) -> int | None:
    if key not in raw:
        return None
    value = raw[key]
    if isinstance(value, date | datetime):  # of TOML
        value = value.isoformat()
    ms = parsed_time(value) if isinstance(value, str) else None
    if ms is None:
        place.key(key).refuse(
            f"must be a day or a time such as 2027-01-01 or 2027-01-01T09:00+01:00, not"
            f" {described(value)}"
        )
    return ms
