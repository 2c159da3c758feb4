"""Numbers of things in words: `1 decision`, `2,000 decisions`."""


def plural(count: int, noun: str) -> str:
    """Return a count and its noun, with an s unless there is one of it."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
