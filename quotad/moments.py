"""Moments as people write them: ISO 8601, in files and rows."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)
_LAST_MS = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // _MS
"""People write 9999-12-31T23:59:59.999Z for what has no end."""


@lru_cache(maxsize=4096)
def parsed_time(text: str) -> int | None:
    """Unix time in milliseconds; None: not a time. Without a zone it is UTC."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    if at.tzinfo is None:
        at = at.replace(tzinfo=UTC)
    ms = (at - _EPOCH) // _MS
    return ms if 0 <= ms <= _LAST_MS else None


@lru_cache(maxsize=4096)
def written_time(ms: int | None) -> str | None:
    """Unix time in milliseconds as ISO 8601 in UTC."""
    if ms is None:
        return None
    at = _EPOCH + timedelta(milliseconds=ms)
    digits = "milliseconds" if ms % 1000 else "seconds"
    return at.isoformat(timespec=digits).replace("+00:00", "Z")
