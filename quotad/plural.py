"""Numbers of things in words: `1 decision`, `2,000 decisions`, `3 entries`."""

_HISSED = ("s", "x", "z", "ch", "sh")


def plural(count: int, noun: str) -> str:
    """Return a count and its noun, in the plural unless there is one of it."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {plural_of(noun)}"


def plural_of(noun: str) -> str:
    """Return the plural of an English noun; an abbreviation such as `MB` is its own."""
    if noun.isupper() or (noun.endswith("s") and not noun.endswith("ss")):
        return noun
    if noun.endswith("y") and noun[-2:-1] not in "aeiou":
        return f"{noun[:-1]}ies"
    return f"{noun}es" if noun.endswith(_HISSED) else f"{noun}s"
