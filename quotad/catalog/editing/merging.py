"""What two people have made of the same files, brought together."""

from collections.abc import Collection, Sequence
from difflib import SequenceMatcher
from typing import Any

import msgspec

from quotad.catalog.editing.changes import GONE, Edit, NoValue, PlanFiles
from quotad.catalog.editing.spell import same
from quotad.catalog.editing.splice import spelled_path
from quotad.catalog.editing.spots import Path
from quotad.catalog.sources import Source

_SECTIONS = ("features", "groups", "plans", "addons", "meters", "experiments")
_SINGLES = ("version", "default_plan", "product", "on_store_failure")


class Clash(msgspec.Struct, frozen=True):
    """A value that both have changed, each to another one."""

    path: str
    base: str
    """JSON; empty: there was none."""
    mine: str
    theirs: str


class MergedFiles(msgspec.Struct, frozen=True):
    """Two edits brought together."""

    files: tuple[Source, ...]
    """Theirs with mine on top; where both changed a value, theirs, unless mine was chosen."""
    clashes: tuple[Clash, ...]
    """What both have changed."""


def merge(
    base: Sequence[Source],
    mine: Sequence[Source],
    theirs: Sequence[Source],
    keep_mine: Collection[str] = (),
) -> MergedFiles:
    """Bring two edits of the same files together, value by value.

    Comments and spelling are those of a merge of lines, where that comes to the same values;
    else those of `theirs`, with my values put into them.

    Args:
        base: what both started from.
        mine: one edit.
        theirs: the other.
        keep_mine: paths of values that both changed where mine stands; theirs does at others.

    Raises:
        CatalogError: a file cannot be read.
        InvalidRequest: my values cannot be put into their text.
    """
    was, my, their = (_whole(PlanFiles(files)) for files in (base, mine, theirs))
    edits: list[Edit] = []
    clashes: list[Clash] = []
    for path, before, wanted, found in _changes((), was, my, their):
        clash = not same(found, before) and not same(found, wanted)
        here = spelled_path(path)
        if clash:
            clashes.append(Clash(here, *map(_json, (before, wanted, found))))
        if not clash or here in keep_mine:
            edits.append(Edit(path, wanted))
    files = PlanFiles(theirs).changed(edits)
    if not clashes:
        lines = _merged_lines(base, mine, theirs)
        if lines is not None and _means(lines, files):
            files = lines
    return MergedFiles(files, tuple(clashes))


def _means(lines: Sequence[Source], files: Sequence[Source]) -> bool:
    try:
        return same(_whole(PlanFiles(lines)), _whole(PlanFiles(files)))
    except Exception as error:  # noqa: BLE001 (a merge of lines may be anything)
        del error
        return False


def _whole(files: PlanFiles) -> dict[str, Any]:
    """All files as one mapping."""
    whole: dict[str, Any] = {}
    for section in _SECTIONS:
        names = files.names(section)
        if names:
            whole[section] = {name: files.at((section, name)) for name in names}
    for single in _SINGLES:
        value = files.at((single,))
        if not isinstance(value, NoValue):
            whole[single] = value
    return whole


def _changes(path: Path, was: Any, my: Any, their: Any) -> list[tuple[Path, Any, Any, Any]]:
    """What I changed: where, from what, to what, and what they have there."""
    if same(was, my):
        return []
    if all(isinstance(each, dict) for each in (was, my, their)):
        found = []
        for name in dict.fromkeys((*my, *was)):
            below = (each.get(name, GONE) for each in (was, my, their))
            found += _changes((*path, name), *below)
        return found
    return [(path, was, my, their)]


def _json(value: Any) -> str:
    return "" if isinstance(value, NoValue) else msgspec.json.encode(value).decode()


def _merged_lines(
    base: Sequence[Source], mine: Sequence[Source], theirs: Sequence[Source]
) -> tuple[Source, ...] | None:
    """Merge files line by line; None: they are other files, or the same lines were changed."""
    if not [x.name for x in base] == [x.name for x in mine] == [x.name for x in theirs]:
        return None
    merged = []
    for three in zip(base, mine, theirs, strict=True):
        was, my, their = (each.text.splitlines(keepends=True) for each in three)
        lines = _lines(was, my, their)
        if lines is None:
            return None
        merged.append(Source(three[0].name, "".join(lines)))
    return tuple(merged)


def _lines(was: list[str], my: list[str], their: list[str]) -> list[str] | None:
    edits = [_hunks(was, new) for new in (my, their)]
    lines: list[str] = []
    at = 0
    while edits[0] or edits[1]:
        first, other = edits if _comes_first(*edits) else edits[::-1]
        start, end, new = first.pop(0)
        if other and other[0] == (start, end, new):
            other.pop(0)
        elif other and other[0][0] <= end:
            return None
        lines += was[at:start] + new
        at = end
    return lines + was[at:]


_Hunk = tuple[int, int, list[str]]


def _comes_first(one: list[_Hunk], other: list[_Hunk]) -> bool:
    return not other or (bool(one) and one[0][:2] <= other[0][:2])


def _hunks(was: list[str], new: list[str]) -> list[_Hunk]:
    found = SequenceMatcher(None, was, new, autojunk=False).get_opcodes()
    return [(i, j, new[k:m]) for word, i, j, k, m in found if word != "equal"]
