"""The marks on the way to a limit: near it, and all of it used."""

NEAR_PERCENT = 80
"""Of a limit that is used: from here on it is near."""

FULL = 100 // (100 - NEAR_PERCENT)
"""A limit is near when what remains, so many times, is no more than all of it."""


def is_near(limit: int | None, remaining: int) -> bool:
    """Return whether most of a limit is used; never of none, or of one that allows nothing."""
    return bool(limit) and remaining * FULL <= limit  # type: ignore[operator]


def mark(limit: int | None, used: int) -> int:
    """Return the mark that usage has reached: 100 at the limit and above, 80 near it, else 0."""
    if limit is None or used * 100 < limit * NEAR_PERCENT:
        return 0
    return 100 if used >= limit else NEAR_PERCENT
