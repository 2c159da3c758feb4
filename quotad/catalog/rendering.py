"""A published catalog as a plan file, for versions whose files are not kept."""

import json
from typing import Any

from quotad.catalog.editing.spell import spell, spell_name
from quotad.catalog.revisions import read_record
from quotad.catalog.sources import Source
from quotad.records import CatalogRecord

_DEPTH = 3
"""Levels of names below each other; what is deeper stands in brackets."""

_KEPT = ("revision", "earlier")


def render_files(record: CatalogRecord) -> tuple[Source, ...]:
    """Return a published catalog as one YAML file, without what only publishes carry over."""
    if read_record(record) is None:
        return (Source("catalog.json", record.document.decode(errors="replace")),)
    values: dict[str, Any] = json.loads(record.document)
    values.pop("gone", None)
    for plan in values.get("plans", {}).values():
        for name in _KEPT:
            plan.pop(name, None)
    return (Source("catalog.yaml", "\n".join(_lines(values, 0)) + "\n"),)


def _lines(values: dict[str, Any], depth: int) -> list[str]:
    lines: list[str] = []
    for name, value in values.items():
        head = f"{'  ' * depth}{spell_name(name)}:"
        plain = name in ("features", "plans", "addons", "groups", "entitlements") or depth == 1
        if isinstance(value, dict) and value and plain and depth <= _DEPTH:
            lines += [head, *_lines(value, depth + 1)]
        else:
            lines.append(f"{head} {spell(_written(value))}")
    return lines


def _written(value: Any) -> Any:
    """A limit alone, as a person would write it."""
    if isinstance(value, dict) and list(value) == ["limits"] and len(value["limits"]) == 1:
        return value["limits"][0]
    return value
