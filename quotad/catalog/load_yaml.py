"""YAML -> plain Python values, from PyYAML's events, stricter than its loaders.

Why not `yaml.safe_load`: it keeps the last of two equal keys silently, reads `12:30` as 750 and
`010` as 8, and lets aliases grow a small file without bound. Anchors, aliases and merge keys
(`<<`) work as usual, within a budget.
"""

import re
from collections.abc import Iterator
from typing import Any

import yaml
from yaml.events import (
    AliasEvent,
    CollectionStartEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    StreamEndEvent,
    StreamStartEvent,
)

from quotad.catalog.bounds import VALUES_MAX
from quotad.catalog.numbers import WrittenFloat
from quotad.catalog.problems import Place, UnreadableError, described, shown

DEPTH_MAX = 50
"""Deepest nesting; a catalog needs seven levels."""

# The scanner written in C is about ten times faster; a PyYAML built without it works as well.
_SCANNER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

# The error of libyaml at 1,000 levels since 0.2.6. It reads ahead within brackets, and so is there
# before anything at `DEPTH_MAX` can be seen.
_TOO_DEEP = "exceeded maximum nesting depth"

_CONSTANTS = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON"), True),
    **dict.fromkeys(("false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF"), False),
}
_INT = re.compile(r"[-+]?(?:0|[1-9][0-9_]*)")
_FLOAT = re.compile(
    r"[-+]?(?:[0-9][0-9_]*\.[0-9_]*|\.[0-9][0-9_]*|[0-9][0-9_]*(?=[eE]))(?:[eE][-+]?[0-9]+)?"
    r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
)
_TAGS = {f"tag:yaml.org,2002:{name}" for name in ("int", "float", "bool", "null")}


def load_yaml(place: Place, text: str) -> object:
    """Return the one document of a YAML text; an empty text is an empty mapping.

    Keys that are defined twice or are not text are noted at `place`.

    Raises:
        UnreadableError: syntax, more than one document, or a structure past the limits above.
    """
    try:
        return _Reader(_events(text)).document(place)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        if mark and error.problem == _TOO_DEEP:
            raise UnreadableError(f"line {mark.line + 1}: is nested too deeply") from error
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        why = ", ".join(part for part in (error.context, error.problem) if part)
        # A row beyond the text: YAML counts some line breaks that `split` does not.
        rows = text.split("\n")[mark.line : mark.line + 1] if mark else []
        if mark and rows and rows[0][mark.column :].startswith("\t"):
            why += " (indent with spaces, not tabs)"
        raise UnreadableError(f"{where}YAML syntax: {why}") from error
    except (yaml.YAMLError, UnicodeError) as error:
        reason = getattr(error, "reason", None) or "not readable"
        raise UnreadableError(f"YAML syntax: {reason}") from error


def _events(text: str) -> Iterator[Event]:
    """Like `yaml.parse`, which asks twice for every event."""
    scanner = _SCANNER(text)
    try:
        while (event := scanner.get_event()) is not None:
            yield event
    finally:
        scanner.dispose()


class _Reader:
    """Builds values from events; a recursion that `DEPTH_MAX` bounds."""

    def __init__(self, events: Iterator[Event]) -> None:
        self._events = events
        self._count = 0
        self._anchors: dict[str, tuple[object, int]] = {}
        """Value and size of what an anchor names, once it is complete."""

    def document(self, place: Place) -> object:
        value: object = {}
        documents = 0
        for event in self._events:
            if isinstance(event, DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise UnreadableError(
                        f"line {_line(event)}: holds several documents (---); use several files"
                    )
                value = self._value(next(self._events), place, 0)
            elif isinstance(event, StreamEndEvent):
                break
            elif not isinstance(event, StreamStartEvent):
                continue
        return {} if value is None else value

    def _plain(self, event: Event) -> tuple[bool, object]:
        """Whether an event is a scalar as nearly all are, without tag and anchor; and its value."""
        if type(event) is not ScalarEvent or event.tag is not None or event.anchor is not None:
            return False, None
        self._spend(1, event)
        text: str = event.value
        return True, _resolved(text, event) if event.implicit[0] else text

    def _value(self, event: Event, place: Place, depth: int) -> object:
        if isinstance(event, AliasEvent):
            return self._alias(event)
        self._spend(1, event)
        if depth > DEPTH_MAX:
            raise UnreadableError(f"line {_line(event)}: is nested too deeply")
        before = self._count
        value: object
        if isinstance(event, ScalarEvent):
            value = _scalar(event, place)
        elif isinstance(event, CollectionStartEvent):
            if event.tag not in (None, "!", "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"):
                place.refuse(f"line {_line(event)}: the YAML tag {event.tag} is not supported")
            if isinstance(event, MappingStartEvent):
                value = self._mapping(place, depth)
            else:
                value = self._sequence(place, depth)
        else:
            raise UnreadableError(f"line {_line(event)}: YAML syntax: {type(event).__name__}")
        if event.anchor is not None:
            self._anchors[event.anchor] = (value, self._count - before + 1)
        return value

    def _sequence(self, place: Place, depth: int) -> list[object]:
        items: list[object] = []
        while not isinstance(event := next(self._events), SequenceEndEvent):
            plain, value = self._plain(event)
            if not plain:
                value = self._value(event, place.item(len(items)), depth + 1)
            items.append(value)
        return items

    def _mapping(self, place: Place, depth: int) -> dict[str, object]:
        values: dict[str, object] = {}
        first: dict[str, Event] = {}
        merged: list[object] = []
        while not isinstance(event := next(self._events), MappingEndEvent):
            if isinstance(event, ScalarEvent) and event.value == "<<" and event.implicit[0]:
                merged.append(self._value(next(self._events), place, depth + 1))
                continue
            name = self._key(event, place, depth)
            if name is None:
                self._value(next(self._events), place, depth + 1)
                continue
            following = next(self._events)
            plain, value = self._plain(following)
            if not plain:
                value = self._value(following, place.key(name), depth + 1)
            if name in values:
                lines = f"on line {_line(first[name])} and {_line(event)}"
                place.key(name).refuse(f"is defined twice, {lines}")
                continue
            values[name] = value
            first[name] = event
        for value in merged:
            _merge(place, values, value)
        return values

    def _key(self, event: Event, place: Place, depth: int) -> str | None:
        plain, key = self._plain(event)
        if not plain:
            key = self._value(event, place, depth + 1)
        if isinstance(key, str):
            return key
        where = f"line {_line(event)}"
        if not isinstance(event, ScalarEvent):
            place.refuse(f"{where}: a name must be text, not {described(key)}")
        elif key is None:
            place.refuse(f"{where}: a name must be text, not nothing")
        else:
            kind = "true or false" if isinstance(key, bool) else "a number"
            name = shown(event.value)
            place.refuse(f"{where}: YAML reads the name {event.value} as {kind}; write {name}")
        return None

    def _alias(self, event: AliasEvent) -> object:
        name = event.anchor
        if name not in self._anchors:
            raise UnreadableError(
                f"line {_line(event)}: the alias *{name} has no anchor that ends before it"
            )
        value, size = self._anchors[name]
        self._spend(size, event)
        return value

    def _spend(self, size: int, event: Event) -> None:
        self._count += size
        if self._count > VALUES_MAX:
            raise UnreadableError(
                f"line {_line(event)}: more than {VALUES_MAX:,} values, aliases written out"
            )


def _line(event: Event) -> int:
    return event.start_mark.line + 1 if event.start_mark is not None else 0


def _merge(place: Place, values: dict[str, object], merged: object) -> None:
    """Add what a merge key brings; what is there already stays."""
    for mapping in merged if isinstance(merged, list) else [merged]:
        if not isinstance(mapping, dict):
            place.refuse(f"<<: must be a mapping, not {described(mapping)}")
            continue
        for name, value in mapping.items():
            values.setdefault(name, value)


def _scalar(event: ScalarEvent, place: Place) -> object:
    text: str = event.value
    if event.tag in (None, "!") and not event.implicit[0]:
        return text
    if event.tag == "tag:yaml.org,2002:str":
        return text
    if event.tag not in (None, "!") and event.tag not in _TAGS:
        place.refuse(f"line {_line(event)}: the YAML tag {event.tag} is not supported")
        return text
    return _resolved(text, event)


def _resolved(text: str, event: Event) -> object:
    """Return what a text without quotes stands for."""
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if text[0] not in "+-.0123456789":
        return text
    if _INT.fullmatch(text):
        try:
            return int(text.replace("_", ""))
        except ValueError as error:
            raise UnreadableError(f"line {_line(event)}: a number has too many digits") from error
    if _FLOAT.fullmatch(text):
        digits = text.replace("_", "")
        if digits[-3:].isalpha():  # .inf, .nan
            return float(digits.replace(".", ""))
        return WrittenFloat(digits)
    return text
