"""The name that a mistyped word probably means: the "did you mean" of every refusal."""

import difflib
from collections.abc import Iterable

WORD_MAX = 60
"""Longest word (characters) that is compared: the time grows with its length times that of a name,
and no one mistypes that much."""


def nearest(word: str, names: Iterable[str]) -> str | None:
    """Return the name nearest to a word, whatever its case; None: no name is like it."""
    if len(word) > WORD_MAX:
        return None
    folded = {name.casefold(): name for name in names}
    near = difflib.get_close_matches(word.casefold(), folded, n=1)
    return folded[near[0]] if near else None


def did_you_mean(word: str, names: Iterable[str], otherwise: str = "") -> str:
    """Return `did you mean 'x'?` for the name nearest to a word, or what to state without one."""
    near = nearest(word, names)
    return f"did you mean {near!r}?" if near else otherwise
