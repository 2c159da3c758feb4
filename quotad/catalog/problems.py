"""How problems of a catalog are collected and worded: file, path inside it, what to do instead.

Owns the spelling of paths and the suggestions ("did you mean"). Knows nothing of what a catalog
means.
"""

import json
import re
from collections.abc import Collection, Mapping
from typing import TypeVar

from quotad.errors import CatalogError
from quotad.nearest import nearest
from quotad.plural import plural

T = TypeVar("T")

PROBLEMS_MAX = 1000
"""Most problems that are spelled out; the rest is only counted."""

_COMPARISONS_MAX = 20_000
"""Most names compared for suggestions in one parse: a file full of misspelled names must not
take minutes to refuse (one comparison takes up to 90 us)."""

_SHOWN_MAX = 60
"""Longest piece of a user's text repeated in a problem, in characters."""

_NOWHERE: Mapping[str, str] = {}

_PLAIN_KEY = re.compile(r"""[^\s.\[\]:"'\\]+""")


class UnreadableError(Exception):
    """The text of one source cannot be turned into values; the message names cause and place."""


class Problems:
    """Everything that is wrong with one catalog."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self.count = 0
        self._comparisons = 0

    def __bool__(self) -> bool:
        return self.count > 0

    def add(self, source: str, path: str, text: str) -> None:
        """Note one problem."""
        self.count += 1
        if self.count <= PROBLEMS_MAX:
            self._lines.append(": ".join(part for part in (source, path, text) if part))

    def raise_if_any(self) -> None:
        """Raise `CatalogError` with every problem noted so far."""
        if not self.count:
            return
        more = self.count - len(self._lines)
        raise CatalogError(
            [*self._lines, f"and {plural(more, 'more problem')}"] if more else self._lines
        )

    def suggestion(self, word: str, names: Collection[str]) -> str:
        """Return `, did you mean 'x'?` for the name nearest to `word`, or nothing."""
        self._comparisons += len(names)
        if self._comparisons > _COMPARISONS_MAX:
            return ""
        near = nearest(word, names)
        return "" if near is None else f", did you mean {shown(near)}?"


class Place:
    """A spot in a source that problems are reported for."""

    __slots__ = ("_name", "_parent", "problems", "source")

    def __init__(
        self,
        problems: Problems,
        source: str,
        name: str | int = "",
        parent: "Place | None" = None,
    ) -> None:
        """Prepare.

        Args:
            problems: where they are noted.
            source: name of the file.
            name: of what is here, in the mapping or list that it is in.
            parent: the place of that; None: this is the whole of the source.
        """
        self.problems = problems
        self.source = source
        self._name = name
        self._parent = parent

    # The path is spelled on demand: never, for a good catalog.

    def key(self, name: str) -> "Place":
        """Return the place of a key of the mapping that is here."""
        return Place(self.problems, self.source, name, self)

    def item(self, index: int) -> "Place":
        """Return the place of an item of the list that is here."""
        return Place(self.problems, self.source, index, self)

    @property
    def path(self) -> str:
        """Where in the source, such as `plans.pro.entitlements.api-calls.limits[0]`."""
        names: list[str | int] = []
        place: Place | None = self
        while place is not None:
            names.append(place._name)
            place = place._parent
        path = str(names.pop())
        for name in reversed(names):
            path = f"{path}[{name}]" if isinstance(name, int) else path_with(path, name)
        return path

    def refuse(self, text: str) -> None:
        """Note a problem with what is here."""
        self.problems.add(self.source, self.path, text)

    def suggestion(self, word: str, names: Collection[str]) -> str:
        """Return `, did you mean 'x'?` for the name nearest to `word`, or nothing."""
        return self.problems.suggestion(word, names)


def path_with(path: str, name: str) -> str:
    """Append a key to a path; keys that would be misread are quoted: `plans["a.b"].extends`."""
    if len(name) > _SHOWN_MAX:
        name = name[:_SHOWN_MAX] + "..."
        plain = False
    else:
        plain = _PLAIN_KEY.fullmatch(name) is not None and name.isprintable()
    if not plain:
        return f"{path}[{json.dumps(name, ensure_ascii=not name.isprintable())}]"
    return f"{path}.{name}" if path else name


def shown(text: str) -> str:
    """Quote a piece of the user's text, shortened."""
    return repr(text if len(text) <= _SHOWN_MAX else text[:_SHOWN_MAX] + "...")


def described(value: object) -> str:
    """Describe in a few words a value that stands where something else was expected."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        # TOML's hexadecimal numbers can be longer than Python is willing to print.
        return str(value) if abs(value) < 10**30 else "a huge number"
    if isinstance(value, float):
        return str(value)
    if isinstance(value, str):
        return f"the text {shown(value)}"
    if isinstance(value, list):
        return "a list"
    return "a mapping" if isinstance(value, dict) else "a date or time"


def mapping_of(place: Place, value: object, example: str) -> dict[str, object] | None:
    """Return `value` if it is a mapping, else note a problem that shows an example."""
    if isinstance(value, dict):
        return value
    place.refuse(f"must be a mapping such as {example}, not {described(value)}")
    return None


def word_of(place: Place, value: object, words: Mapping[str, T]) -> T | None:
    """Return what one of a few words stands for, else note a problem that lists them."""
    if isinstance(value, str) and value in words:
        return words[value]
    known = ", ".join(words)
    if isinstance(value, str):
        hint = place.suggestion(value, words) or f" (known: {known})"
        place.refuse(f"unknown {place.path.rpartition('.')[2]} {shown(value)}{hint}")
    else:
        place.refuse(f"must be one of {known}, not {described(value)}")
    return None


def text_of(place: Place, value: object, bytes_max: int) -> str | None:
    """Return `value` if it is text of at most `bytes_max` bytes of UTF-8, else note a problem."""
    if not isinstance(value, str):
        place.refuse(f"must be text, not {described(value)}")
        return None
    try:
        size = len(value.encode())
    except UnicodeEncodeError:
        place.refuse("holds half of a surrogate pair, which is not text")
        return None
    if size > bytes_max:
        place.refuse(f"is {size} bytes long, at most {bytes_max} are allowed")
        return None
    return value


def check_keys(
    place: Place,
    raw: Mapping[str, object],
    known: Collection[str],
    elsewhere: Mapping[str, str] = _NOWHERE,
) -> bool:
    """Whether `raw` has only known keys; a problem is noted for every other.

    Args:
        place: of the mapping.
        raw: the mapping.
        known: keys that it may have.
        elsewhere: keys that people look for here, and what to do instead of each.
    """
    fits = True
    for key in raw:
        if key in known:
            continue
        fits = False
        if key in elsewhere:
            place.refuse(f"{shown(key)} {elsewhere[key]}")
            continue
        hint = place.suggestion(key, known) or f" (known: {', '.join(known)})"
        place.refuse(f"unknown key {shown(key)}{hint}")
    return fits
