"""Problems of a catalog with the line that each of them is about."""

import json
import re
from collections.abc import Sequence

import msgspec
import yaml

from quotad.catalog.editing.spots import Path, deepest, spots
from quotad.catalog.sources import Source

_STEP = re.compile(r'\.?([^\s.\[\]:"\'\\]+)|\[(\d+)\]|\[("(?:[^"\\]|\\.)*")\]')
_LINE = re.compile(r"line (\d+)")


class Placed(msgspec.Struct, frozen=True):
    """A problem, and where it is."""

    file: str
    """Empty: it is of no single file."""
    line: int
    """From 1; 0: unknown."""
    path: str
    """`plans.pro.entitlements.api-calls.limit`; empty: of the whole file."""
    text: str


def placed(problems: Sequence[str], files: Sequence[Source]) -> list[Placed]:
    """Find the line of each problem, as `CatalogError` lists them."""
    return [_placed(problem, files) for problem in problems]


def _placed(problem: str, files: Sequence[Source]) -> Placed:
    for file in files:
        if not problem.startswith(f"{file.name}: "):
            continue
        rest = problem[len(file.name) + 2 :]
        path, written, text = spelled(rest)
        named = _LINE.match(text)
        line = int(named[1]) if named else line_of(file, path)
        return Placed(file.name, line, written, text)
    return Placed("", 0, "", problem)


def line_of(file: Source, path: Path) -> int:
    """The line of a path, or of the nearest thing to it that is there; 0: unknown."""
    try:
        root = spots(file.text)
    except (yaml.YAMLError, RecursionError):
        return 0
    _, depth = deepest(root, path)
    if root is None or not depth:
        return 0
    spot, _ = deepest(root, path[: depth - 1])
    assert spot is not None
    last = path[depth - 1]
    if isinstance(last, str):
        start = spot.entries[spot.entry(last)][0].start
    else:
        start = spot.items[last].start
    return file.text.count("\n", 0, start) + 1


def spelled(text: str) -> tuple[Path, str, str]:
    """The path that a problem starts with, as it is spelled, and what it says."""
    names: list[str | int] = []
    at = 0
    while step := _STEP.match(text, at):
        if not names and text[at] in ".[":
            break
        plain, index, quoted = step.groups()
        names.append(plain or (int(index) if index else json.loads(quoted)))
        at = step.end()
    if names and text.startswith(": ", at):
        return tuple(names), text[:at], text[at + 2 :]
    return (), "", text
