"""Values -> text of a plan file, on one line, as a person would write them."""

import json
import re
from typing import Any

from quotad.catalog.load_yaml import load_yaml
from quotad.catalog.problems import Place, Problems, UnreadableError

_SIMPLE = re.compile(r"[A-Za-z0-9](?:[\w ./()%+-]*[\w.)%+])?", re.ASCII)
"""Texts that need no quotes in any place, unless YAML reads them as something else."""


def spell(value: Any, strict_json: bool = False, like: str = "") -> str:
    """Return a value as one line of YAML, in brackets where it is a mapping or a list.

    Args:
        value: text, number, boolean, None, list or mapping.
        strict_json: spell it as JSON.
        like: what stood in its place; its quotes and the `_` of its number are kept.
    """
    if isinstance(value, dict):
        fields = (
            f"{spell_name(name, strict_json)}: {spell(item, strict_json)}"
            for name, item in value.items()
        )
        return "{" + ", ".join(fields) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(spell(item, strict_json) for item in value) + "]"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False) if strict_json else _text(value, like[:1])
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return f"{value:_}" if "_" in like and not strict_json else str(value)
    return "null" if value is None else str(value)


def spell_name(name: str, strict_json: bool = False) -> str:
    """Return the name of a mapping's entry."""
    return json.dumps(name, ensure_ascii=False) if strict_json else _text(name, "")


def _text(text: str, quote: str) -> str:
    if quote == "'" and text.isprintable():
        return "'" + text.replace("'", "''") + "'"
    if quote != '"' and _SIMPLE.fullmatch(text) and "  " not in text and _is_text(text):
        return text
    return '"' + "".join(map(_escaped, text)) + '"'


def _escaped(char: str) -> str:
    if char in '"\\':
        return "\\" + char
    if char.isprintable():
        return char
    return {"\n": "\\n", "\t": "\\t"}.get(char, f"\\U{ord(char):08X}")


def _is_text(text: str) -> bool:
    try:
        return load_yaml(Place(Problems(), ""), text) == text
    except UnreadableError:
        return False


def same(one: Any, other: Any) -> bool:
    """Whether two read values are the same to a catalog: 1, 1.0, true and "1" are four."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[name], other[name]) for name in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, float):
        return str(one) == str(other)
    return bool(one == other)
