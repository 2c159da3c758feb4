"""From values as they are to values as they are meant, in the files that have them."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from quotad.catalog.editing.spell import same
from quotad.catalog.editing.splice import EditStep, Put, Take, TextOnly, edit, read_values
from quotad.catalog.editing.spots import Path
from quotad.catalog.sources import Source


class NoValue(msgspec.Struct, frozen=True):
    """Stands for no value."""


GONE: Final = NoValue()


class Edit(msgspec.Struct, frozen=True):
    """What is meant to stand at a path such as `("plans", "pro", "name")`."""

    path: Path
    value: Any = GONE
    """GONE: nothing."""


def differences(path: Path, old: Any, new: Any) -> list[EditStep]:
    """List the smallest edits that make one value of another."""
    if isinstance(new, NoValue):
        return [] if isinstance(old, NoValue) else [Take(path)]
    if isinstance(old, NoValue):
        return [Put(path, new)]
    if same(old, new):
        return []
    steps: list[EditStep] = []
    if isinstance(old, dict) and isinstance(new, dict) and old and new:
        if old.keys().isdisjoint(new):
            return [Put(path, new)]
        for name in (*new, *(name for name in old if name not in new)):
            steps += differences((*path, name), old.get(name, GONE), new.get(name, GONE))
        # What goes, goes last: a mapping that is empty in between loses its lines.
        return sorted(steps, key=lambda step: isinstance(step, Take))
    if isinstance(old, list) and isinstance(new, list) and old and new:
        return _of_lists(path, old, new)
    return [Put(path, new)]


def _of_lists(path: Path, old: list[Any], new: list[Any]) -> list[EditStep]:
    if len(new) == len(old) - 1:
        for index in range(len(old)):
            if same([*old[:index], *old[index + 1 :]], new):
                return [Take((*path, index))]
    steps: list[EditStep] = []
    for index in range(max(len(old), len(new))):
        before = old[index] if index < len(old) else GONE
        after = new[index] if index < len(new) else GONE
        steps += differences((*path, index), before, after)
    takes = [step for step in steps if step.path[:-1] == path and isinstance(step, Take)]
    return [step for step in steps if step not in takes] + takes[::-1]


class PlanFiles:
    """The files of a catalog, to be changed together.

    Args:
        files: all of them.

    Raises:
        CatalogError: one of them cannot be read.
    """

    def __init__(self, files: Sequence[Source]) -> None:
        self.files = tuple(files)
        self._values = [read_values(file) for file in files]

    def at(self, path: Path) -> Any:
        """What stands at a path, in whichever file; GONE: nothing."""
        return _at(self._values[self._of(path)], path) if self.files else GONE

    def names(self, section: str) -> list[str]:
        """The names of a section, such as `plans`, in the order of the files."""
        found: list[str] = []
        for values in self._values:
            below = values.get(section)
            found += below if isinstance(below, dict) else ()
        return list(dict.fromkeys(found))

    def changed(self, edits: Sequence[Edit]) -> tuple[Source, ...]:
        """Return the files with edits made.

        Raises:
            CatalogError: a file cannot be read any more.
            InvalidRequest: an edit cannot be made.
        """
        steps: dict[int, list[EditStep]] = {}
        for each in edits:
            number = self._of(each.path)
            old = _at(self._values[number], each.path)
            steps.setdefault(number, []).extend(differences(each.path, old, each.value))
        return tuple(
            edit(file, tuple(steps[number])) if steps.get(number) else file
            for number, file in enumerate(self.files)
        )

    def _of(self, path: Path) -> int:
        """The number of the file that has a path, or where it would be put."""
        for depth in (2, 1):
            for number, values in enumerate(self._values):
                found = _at(values, path[:depth])
                if not isinstance(found, NoValue) and (depth == 2 or isinstance(found, dict)):
                    return number
        texts = [n for n, file in enumerate(self.files) if not file.name.endswith(".toml")]
        if not texts:
            raise TextOnly("", path, "TOML is changed as text only")
        return texts[0]


def _at(values: Any, path: Path) -> Any:
    for name in path:
        try:
            values = values[name]
        except (KeyError, IndexError, TypeError):
            return GONE
    return values
