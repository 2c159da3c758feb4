"""Where each value of a YAML or JSON text stands: its first and last character.

From PyYAML's events, as the strict reader's are, so that aliases can be seen. Of a block collection
the scanner knows no end: it ends with its last value.
"""

from collections.abc import Iterator
from typing import Any

import msgspec
import yaml
from yaml.events import (
    AliasEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from quotad.catalog.load_yaml import DEPTH_MAX

_SCANNER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

Path = tuple[str | int, ...]
"""Names of mappings and numbers of lists, from the top."""


class Spot(msgspec.Struct, gc=False):
    """Where one value stands."""

    start: int
    """Of its first character in the text."""
    end: int
    """Behind its last one."""
    kind: str
    """`scalar`, `mapping`, `list` or `alias`."""
    flow: bool = False
    """Whether it is written with brackets."""
    style: str = ""
    """Of a scalar: its quotes, or `|` and `>`."""
    anchored: bool = False
    entries: "list[tuple[Spot, Spot, str]]" = []
    """Of a mapping: where a name stands, where its value does, and the name."""
    items: "list[Spot]" = []
    """Of a list."""

    def below(self, name: str | int) -> "Spot | None":
        """Where a value of a mapping or a list stands; None: it has none such."""
        if isinstance(name, int):
            return self.items[name] if 0 <= name < len(self.items) else None
        return next((value for _, value, known in self.entries if known == name), None)

    def entry(self, name: str) -> int:
        """The number of an entry of a mapping; -1: it has none such."""
        names = [known for _, _, known in self.entries]
        return names.index(name) if name in names else -1


def spots(text: str) -> Spot | None:
    """Return where the values of a text stand; None: it holds no value.

    Raises:
        yaml.YAMLError: the text cannot be read.
        RecursionError: it is nested more deeply than a catalog may be.
    """
    scanner = _SCANNER(text)
    try:
        events = iter(scanner.get_event, None)
        for event in events:
            if isinstance(event, ScalarEvent | MappingStartEvent | SequenceStartEvent):
                return _read(text, event, events, 0)
        return None
    finally:
        scanner.dispose()


def deepest(root: Spot | None, path: Path) -> tuple[Spot | None, int]:
    """The spot that is nearest to a path, and how many of its names lead there."""
    spot = root
    for depth, name in enumerate(path):
        found = None if spot is None else spot.below(name)
        if found is None:
            return spot, depth
        spot = found
    return spot, len(path)


def _read(text: str, event: Any, events: Iterator[Any], depth: int) -> Spot:
    if depth > DEPTH_MAX:
        raise RecursionError
    start, end = event.start_mark.index, event.end_mark.index
    anchored = getattr(event, "anchor", None) is not None
    if isinstance(event, AliasEvent):
        return Spot(start, end, "alias")
    if isinstance(event, ScalarEvent):
        style = event.style or ""
        if style in ("|", ">"):  # the scanner has read on to the next line with something in it
            end = start + len(text[start:end].rstrip(" \r\n"))
        return Spot(start, end, "scalar", style=style, anchored=anchored)
    flow = bool(event.flow_style)
    if isinstance(event, MappingStartEvent):
        spot = Spot(start, start, "mapping", flow, anchored=anchored, entries=[])
        last: Any = event
        for last in events:
            if isinstance(last, MappingEndEvent):
                break
            key = _read(text, last, events, depth + 1)
            name = last.value if isinstance(last, ScalarEvent) else ""
            value = _read(text, next(events), events, depth + 1)
            spot.entries.append((key, value, name))
        spot.end = last.end_mark.index if flow else spot.entries[-1][1].end
        return spot
    spot = Spot(start, start, "list", flow, anchored=anchored, items=[])
    last = event
    for last in events:
        if isinstance(last, SequenceEndEvent):
            break
        spot.items.append(_read(text, last, events, depth + 1))
    spot.end = last.end_mark.index if flow else spot.items[-1].end
    return spot
