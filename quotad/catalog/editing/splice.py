"""Edits of one plan file: a value is put somewhere or taken out, and no other byte changes.

Each edit cuts exactly the span of a value and is read again: a text that does not say what was
meant (an anchor that others refer to, say) is refused and stays as it was.
"""

import re
from typing import Any

import msgspec
import yaml

from quotad.catalog.editing.spell import same, spell, spell_name
from quotad.catalog.editing.spots import Path, Spot, deepest, spots
from quotad.catalog.load import load
from quotad.catalog.problems import Place, Problems, path_with
from quotad.catalog.sources import Source
from quotad.errors import InvalidRequest

_BOM = "\ufeff"
_OWN_LINE = re.compile(r"[ \t]*\Z")
_DASH = re.compile(r"^ *-", re.MULTILINE)
_COMMA = re.compile(r"\s*,")
_REST_OF_LINE = re.compile(r"[ \t]*,?[ \t]*(?:#[^\n]*)?(?:\r?\n|\Z)")


class Put(msgspec.Struct, frozen=True, tag=True):
    """A value in place of the one at a path, or a new one; what it is in is made if need be."""

    path: Path
    value: Any


class Take(msgspec.Struct, frozen=True, tag=True):
    """The value at a path is taken out, with its name."""

    path: Path


EditStep = Put | Take


class _Cut(msgspec.Struct, frozen=True):
    """Characters that are replaced."""

    start: int
    end: int
    text: str


def spelled_path(path: Path) -> str:
    """Return a path as problems show it."""
    text = ""
    for name in path:
        text = f"{text}[{name}]" if isinstance(name, int) else path_with(text, name)
    return text


def read_values(source: Source) -> dict[str, Any]:
    """Return the top-level mapping of a file.

    Raises:
        CatalogError: it cannot be read.
    """
    problems = Problems()
    raw = load(Place(problems, source.name), source.text)
    problems.raise_if_any()
    return raw or {}


def edit(source: Source, steps: tuple[EditStep, ...]) -> Source:
    """Return a file with edits made, in their order.

    Raises:
        CatalogError: the file cannot be read.
        InvalidRequest: an edit cannot be made in the text as it is.
    """
    ending = source.name.partition("#")[0].rpartition(".")[2].lower()
    if ending == "toml":
        raise TextOnly(source.name, (), "TOML is changed as text only")
    intended = _unshared(read_values(source))
    text = source.text.removeprefix(_BOM)
    for step in steps:
        _apply(intended, step, source.name)
        writer = _Writer(source.name, text, step.path, ending == "json")
        cut = writer.put(step.value) if isinstance(step, Put) else writer.take()
        text = text[: cut.start] + cut.text + text[cut.end :]
    mark = _BOM if source.text.startswith(_BOM) else ""
    edited = Source(source.name, mark + text)
    _check(edited, intended, steps)
    return edited


def _check(edited: Source, intended: dict[str, Any], steps: tuple[EditStep, ...]) -> None:
    """Raise unless a file says what was meant."""
    problems = Problems()
    found = load(Place(problems, edited.name), edited.text)
    same_order = _order(found) == _order(intended)
    if problems or not same(found, intended) or not same_order:
        raise _refused(edited.name, steps[0].path)


def _order(values: dict[str, Any] | None) -> list[str]:
    """The features in their order, which has a meaning."""
    features = (values or {}).get("features")
    return list(features) if isinstance(features, dict) else []


class TextOnly(InvalidRequest):
    """An edit that only a person can make, in the text of a file.

    Args:
        file: its name.
        path: what was to be changed; empty: anything in it.
        why: the text alone can change it.
    """

    def __init__(self, file: str, path: Path, why: str) -> None:
        self.file = file
        self.path = spelled_path(path)
        self.why = why
        super().__init__(": ".join(each for each in (file, self.path, why) if each))


def _refused(name: str, path: Path) -> InvalidRequest:
    why = (
        "cannot be changed by itself (an anchor, an alias or a merge key is involved, or an unusual"
        " spelling); change it in the text"
    )
    return TextOnly(name, path, why)


def _unshared(value: Any) -> Any:
    """A copy in which nothing stands in two places, as values of aliases do."""
    if isinstance(value, dict):
        return {name: _unshared(item) for name, item in value.items()}
    return [_unshared(item) for item in value] if isinstance(value, list) else value


def _apply(values: Any, step: EditStep, name: str) -> None:
    """Make an edit in values."""
    *way, last = step.path
    for part in way:
        missing = isinstance(part, str) and isinstance(values, dict) and values.get(part) is None
        if missing and isinstance(step, Put):
            values[part] = {}
        try:
            values = values[part]
        except (KeyError, IndexError, TypeError):
            raise InvalidRequest(f"{name}: {spelled_path(step.path)}: is not there") from None
    try:
        if isinstance(step, Take):
            del values[last]
        elif isinstance(values, list) and last == len(values):
            values.append(step.value)
        else:
            values[last] = step.value
    except (KeyError, IndexError, TypeError):
        raise InvalidRequest(f"{name}: {spelled_path(step.path)}: is not there") from None


class _Writer:
    """One edit of one text.

    Args:
        name: of the file.
        text: its content.
        path: of what is edited.
        strict_json: whether it is JSON.
    """

    def __init__(self, name: str, text: str, path: Path, strict_json: bool) -> None:
        self._name = name
        self._text = text
        self._path = path
        self._json = strict_json
        self._line_end = "\r\n" if "\r\n" in text else "\n"
        try:
            self._root = spots(text)
        except (yaml.YAMLError, RecursionError):
            raise _refused(name, path) from None

    def put(self, value: Any) -> _Cut:
        """What to cut so that the value is there."""
        spot, depth = deepest(self._root, self._path)
        missing = self._path[depth:]
        if spot is None:
            return self._first_of_file(value)
        if not missing:
            return self._replaced(spot, value)
        if spot.kind == "scalar":  # nothing, such as `entitlements:` without entries
            return self._replaced(spot, _nested(missing, value))
        if spot.kind == "mapping" and isinstance(missing[0], str):
            return self._new_entry(spot, missing, value)
        if spot.kind == "list" and missing == (len(spot.items),):
            return self._new_item(spot, value)
        raise _refused(self._name, self._path)

    def take(self) -> _Cut:
        """What to cut so that the value and its name are gone."""
        spot, depth = deepest(self._root, self._path[:-1])
        last = self._path[-1]
        if spot is None or depth < len(self._path) - 1:
            raise _refused(self._name, self._path)
        if isinstance(last, str):
            index = spot.entry(last)
            spans = [(key.start, value.end) for key, value, _ in spot.entries]
        else:
            index = last if spot.kind == "list" else -1
            spans = [(self._dash(spot, at), item.end) for at, item in enumerate(spot.items)]
        if not 0 <= index < len(spans):
            raise _refused(self._name, self._path)
        if len(spans) == 1 and not spot.flow:
            return self._in_place(*spans[0], "[]" if spot.kind == "list" else "{}")
        if spot.flow:
            return self._out_of_brackets(spans, index)
        return self._out_of_block(spans, index)

    def _dash(self, spot: Spot, index: int) -> int:
        """Where an item starts, its dash included."""
        if spot.flow:
            return spot.items[index].start
        if not index:
            return spot.start
        dash = _DASH.search(self._text, spot.items[index - 1].end)
        if dash is None:
            raise _refused(self._name, self._path)
        return dash.end() - 1

    def _first_of_file(self, value: Any) -> _Cut:
        text, end = self._text, len(self._text)
        lines = self._block(self._path, value, "", "  ")
        start = self._line_end if text and not text.endswith("\n") else ""
        return _Cut(end, end, start + lines + self._line_end)

    def _replaced(self, spot: Spot, value: Any) -> _Cut:
        if spot.anchored or spot.kind == "alias":
            raise _refused(self._name, self._path)
        like = self._text[spot.start : spot.end]
        spelled = spell(value, self._json, like if spot.kind == "scalar" else "")
        return self._in_place(spot.start, spot.end, spelled)

    def _in_place(self, start: int, end: int, spelled: str) -> _Cut:
        """Put one line where something was, maybe of several lines below its name."""
        before = self._text[:start].rstrip(" \r\n")
        if before.endswith(":") and "\n" in self._text[len(before) : start]:
            start = len(before)
        space = " " if start and self._text[start - 1] in ":-" else ""
        return _Cut(start, end, space + spelled)

    def _new_entry(self, spot: Spot, missing: Path, value: Any) -> _Cut:
        if spot.flow:
            name, rest = str(missing[0]), missing[1:]
            spelled = spell(_nested(rest, value) if rest else value, self._json)
            entry = f"{spell_name(name, self._json)}: {spelled}"
            return self._into_brackets(spot, [key.start for key, _, _ in spot.entries], entry)
        first = spot.entries[0][0].start
        indent = " " * (first - self._line_start(first))
        at = self._end_of_line(spot.entries[-1][1].end)
        lines = self._block(missing, value, indent, self._step(indent))
        return _Cut(at, at, self._line_end + lines)

    def _new_item(self, spot: Spot, value: Any) -> _Cut:
        if spot.flow:
            return self._into_brackets(
                spot, [item.start for item in spot.items], spell(value, self._json)
            )
        indent = " " * (spot.start - self._line_start(spot.start))
        at = self._end_of_line(spot.items[-1].end)
        return _Cut(at, at, f"{self._line_end}{indent}- {spell(value)}")

    def _block(self, path: Path, value: Any, indent: str, step: str) -> str:
        """Names below each other, and the value behind the last one."""
        lines = [f"{indent}{step * at}{spell_name(str(name))}:" for at, name in enumerate(path)]
        return self._line_end.join(lines) + " " + spell(value)

    def _step(self, indent: str) -> str:
        """By how much the file indents."""
        root = self._root
        for _, value, _ in root.entries if root is not None else ():
            if value.kind == "mapping" and not value.flow:
                first = value.entries[0][0].start
                return " " * (first - self._line_start(first))
        return "  "

    def _into_brackets(self, spot: Spot, starts: list[int], entry: str) -> _Cut:
        """A new last entry of a mapping or a list in brackets."""
        if not starts:
            at = self._text.index("{" if spot.kind == "mapping" else "[", spot.start) + 1
            return _Cut(at, at, entry)
        at = spot.entries[-1][1].end if spot.kind == "mapping" else spot.items[-1].end
        line = self._line_start(starts[-1])
        indent = self._text[line : starts[-1]]
        below = self._line_start(spot.start) != line
        if below and _OWN_LINE.match(indent):
            return _Cut(at, at, f",{self._line_end}{indent}{entry}")
        return _Cut(at, at, f", {entry}")

    def _out_of_brackets(self, spans: list[tuple[int, int]], index: int) -> _Cut:
        start, end = spans[index]
        following = spans[index + 1][0] if index + 1 < len(spans) else None
        line = self._line_start(start)
        rest = _REST_OF_LINE.match(self._text, end)
        own = rest is not None and _OWN_LINE.match(self._text[line:start])
        if own and rest and (not self._json if following is None else rest.end() <= following):
            return _Cut(line, rest.end(), "")
        if following is not None:
            return _Cut(start, following, "")
        if index:
            return _Cut(spans[index - 1][1], end, "")
        comma = _COMMA.match(self._text, end)
        return _Cut(start, comma.end() if comma else end, "")

    def _out_of_block(self, spans: list[tuple[int, int]], index: int) -> _Cut:
        start, end = spans[index]
        line = self._line_start(start)
        if self._text[line:start].strip(" "):  # behind the dash of a list's item
            if index + 1 == len(spans):
                raise _refused(self._name, self._path)
            following = spans[index + 1][0]
            return _Cut(start, end if "#" in self._text[end:following] else following, "")
        behind = self._text.find("\n", end) + 1
        if behind:
            return _Cut(line, behind, "")
        return _Cut(len(self._text[:line].rstrip("\r\n")), len(self._text), "")

    def _line_start(self, at: int) -> int:
        return self._text.rfind("\n", 0, at) + 1

    def _end_of_line(self, at: int) -> int:
        end = self._text.find("\n", at)
        if end < 0:
            return len(self._text)
        return end - 1 if self._text[end - 1] == "\r" and end > at else end


def _nested(path: Path, value: Any) -> Any:
    for name in reversed(path):
        value = {name: value}
    return value
