"""Numbers and times as pages show them: filters of the templates."""

from datetime import UTC, datetime
from urllib.parse import quote

from markupsafe import Markup

from quotad.history import LOCAL
from quotad.records import CatalogRecord
from quotad.segments import written_segment

NONE = "\u2013"
"""A dash, where there is nothing to show."""

_UNITS = ((86_400_000, "day"), (3_600_000, "hour"), (60_000, "minute"))
_DAY_MS = 86_400_000


def number(value: int | None) -> str:
    """A whole number with commas; None: a dash."""
    return NONE if value is None else f"{value:,}"


def amount(value: int | None, decimals: int = 0) -> str:
    """An amount in units of 10^-decimals."""
    if value is None:
        return NONE
    if not decimals:
        return f"{value:,}"
    sign, digits = "-" if value < 0 else "", abs(value)
    whole, rest = divmod(digits, 10**decimals)
    return f"{sign}{whole:,}.{rest:0{decimals}d}"


def value_words(value: str, unit: str) -> str:
    """A config value: a whole number of a unit with commas, anything else as it is."""
    whole = unit and value.isascii() and value.isdigit() and len(value) < 20
    return f"{int(value):,}" if whole else value


def sentence(text: str) -> str:
    """A message with a full stop, where another sentence follows."""
    return text if text.endswith((".", "!", "?")) else f"{text}."


def upper_first(text: str) -> str:
    """A text with a capital letter, and the rest of it as it is: `MB`, not `Mb`."""
    return text[:1].upper() + text[1:]


def day(ms: int | None) -> str:
    """A Unix time as a date, in UTC."""
    if ms is None:
        return NONE
    at = datetime.fromtimestamp(ms / 1000, UTC)
    return f"{at.day} {at:%b %Y}"


def moment(ms: int | None) -> str:
    """A Unix time as date and time, in UTC."""
    if ms is None:
        return NONE
    at = datetime.fromtimestamp(ms / 1000, UTC)
    return f"{at.day} {at:%b %Y, %H:%M} UTC"


def relative(ms: int, now_ms: int) -> str:
    """How far a Unix time is from now."""
    ahead, span = ms > now_ms, abs(ms - now_ms)
    if span < 60_000:
        return "within a minute" if ahead else "just now"
    for unit_ms, name in _UNITS:
        if span >= unit_ms:
            count = span // unit_ms
            if name == "day" and count > 60:
                return day(ms)
            text = f"{count} {name}{'' if count == 1 else 's'}"
            return f"in {text}" if ahead else f"{text} ago"
    raise AssertionError


def when(ms: int | None, now_ms: int) -> Markup:
    """A `time` element: how far away, and exactly on its title."""
    if ms is None:
        return Markup(NONE)
    iso = datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="seconds")
    return Markup('<time datetime="{}" title="{}">{}</time>').format(
        iso, moment(ms), relative(ms, now_ms)
    )


def by(record: CatalogRecord) -> str:
    """Whose doing a version was: the name that its publisher gave, and that of its token."""
    named, actor = record.published_by, record.actor
    if actor in ("", LOCAL, named):
        return named or actor or NONE
    return f"{named} ({actor})" if named else actor


def percent(used: int, limit: int) -> int:
    """How much of a limit is used, in whole percent, and 100 only when all of it is."""
    if limit <= 0:
        return 100
    return used * 100 // limit


def segment(text: str) -> str:
    """A text as one segment of a path."""
    return written_segment(text)


def in_query(text: str) -> str:
    """A text as a value of a query."""
    return quote(text, safe="")
