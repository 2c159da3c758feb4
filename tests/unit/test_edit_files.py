"""Small edits of plan files: what was meant comes out, and no other line changes."""

import json
import re
from random import Random
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from quotad.catalog import Source
from quotad.catalog.editing.changes import Edit, PlanFiles
from quotad.catalog.editing.splice import Put, Take, edit, read_values
from quotad.catalog.editing.spots import Path
from quotad.errors import InvalidRequest
from tests.unit import drawn_files


def paths(value: Any, at: Path = ()) -> list[Path]:
    entries: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        entries = list(value.items())
    elif isinstance(value, list):
        entries = list(enumerate(value))
    return [path for name, item in entries for path in [(*at, name), *paths(item, (*at, name))]]


def changed(value: Any, path: Path, new: Any, take: bool) -> Any:
    """The values after an edit."""
    if not path:
        return new
    name, *rest = path
    copy: Any = dict(value) if isinstance(value, dict) else list(value)
    if not rest and take:
        del copy[name]
    elif not rest and isinstance(copy, list) and name == len(copy):
        copy.append(new)
    else:
        copy[name] = changed(copy[name] if rest else None, tuple(rest), new, take)
    return copy


def lines_of(text: str, path: Path) -> tuple[int, int]:
    """The first and the last line of an entry, by PyYAML's own composer."""
    node, first = yaml.compose(text, yaml.SafeLoader), 0
    for name in path:
        assert node is not None
        if isinstance(node, yaml.MappingNode):
            key, node = next((k, v) for k, v in node.value if k.value == str(name))
            first = key.start_mark.line
        else:
            node = node.value[name]
            first = node.start_mark.line
    assert node is not None
    while isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        node = node.value[-1][1] if isinstance(node, yaml.MappingNode) else node.value[-1]
    return first, node.end_mark.line


def common(one: list[str], other: list[str]) -> int:
    """How many lines are the same from the start."""
    pairs = list(zip(one, other, strict=False))
    return next((i for i, (a, b) in enumerate(pairs) if a != b), len(pairs))


SEEDS = st.integers(0, 2**32)


@given(SEEDS)
@settings(max_examples=300)
def test_an_edit_changes_what_was_meant_and_no_other_line(seed: int) -> None:
    random = Random(seed)
    value = drawn_files.a_catalog(random)
    text = drawn_files.Writer(random).file(value)
    path = random.choice([path for path in paths(value) if path != ("version",)])
    new, take = drawn_files.a_value(random), random.random() < 0.3
    edited = edit(Source("a.yaml", text), (Take(path) if take else Put(path, new),)).text

    assert read_values(Source("a.yaml", edited)) == changed(value, path, new, take)
    before, after = text.splitlines(keepends=True), edited.splitlines(keepends=True)
    first, last = lines_of(text, path)
    above, below = common(before, after), common(before[::-1], after[::-1])
    # The name of what was taken may get an empty mapping beside it.
    assert above >= first or not "".join(before[above + 1 : first]).strip(), "above was changed"
    # The second entry of a list's item comes up to the dash when the first is taken.
    assert below >= len(before) - 1 - last - take, "below was changed"
    outside = [*before[:first], *before[last + 1 :]]
    assert all(note in edited for note in re.findall(r"# note \d+:", "".join(outside)))


@given(SEEDS)
@settings(max_examples=300)
def test_a_new_value_changes_at_most_the_line_that_it_is_added_to(seed: int) -> None:
    random = Random(seed)
    value = drawn_files.a_catalog(random)
    text = drawn_files.Writer(random).file(value)
    places = [p for p in [(), *paths(value)] if isinstance(at(value, p), dict | list)]
    parent = random.choice(places)
    there = at(value, parent)
    path = (*parent, len(there) if isinstance(there, list) else "new: one")
    new = drawn_files.a_value(random)
    edited = edit(Source("a.yaml", text), (Put(path, new),)).text

    assert read_values(Source("a.yaml", edited)) == changed(value, path, new, False)
    before, after = text.splitlines(), edited.splitlines()
    kept = common(before, after) + common(before[::-1], after[::-1])
    assert kept >= len(before) - 1


def at(value: Any, path: Path) -> Any:
    for name in path:
        value = value[name]
    return value


@given(SEEDS)
def test_json_stays_json(seed: int) -> None:
    random = Random(seed)
    value = drawn_files.a_catalog(random)
    text = json.dumps(value, indent=random.choice([None, 2]))
    path = random.choice([*paths(value), ("plans", "new"), ("meters", "x", "name")])
    new, take = drawn_files.a_value(random), random.random() < 0.3 and path in paths(value)
    edited = edit(Source("a.json", text), (Take(path) if take else Put(path, new),)).text

    if path[0] == "meters":
        assert json.loads(edited) == value | {"meters": {"x": {"name": new}}}
    else:
        assert json.loads(edited) == changed(value, path, new, take)


SHARED = """
version: 1
plans:
  free: &base
    entitlements: {sso: true, seats: {limit: 1}}
  pro: *base
  team:
    <<: *base
    name: Team
"""


@pytest.mark.parametrize(
    "path",
    [
        ("plans", "free", "entitlements", "sso"),
        ("plans", "pro", "entitlements", "sso"),
        ("plans", "team", "entitlements", "sso"),
        ("plans", "pro"),
    ],
)
def test_what_an_anchor_shares_is_refused_and_not_changed_for_several(path: Path) -> None:
    with pytest.raises(InvalidRequest, match="change it in the text"):
        edit(Source("a.yaml", SHARED), (Put(path, False),))


def test_what_stands_beside_an_anchor_can_be_changed() -> None:
    edited = edit(Source("a.yaml", SHARED), (Put(("plans", "team", "name"), "Teams"),)).text

    assert edited == SHARED.replace("Team", "Teams")


def test_a_byte_order_mark_stays() -> None:
    edited = edit(Source("a.yaml", "\ufeffversion: 1\nplans: {}\n"), (Put(("plans", "a"), {}),))

    assert edited.text == "\ufeffversion: 1\nplans: {a: {}}\n"


def test_toml_is_changed_as_text_only() -> None:
    with pytest.raises(InvalidRequest, match="as text only"):
        edit(Source("a.toml", "version = 1\n"), (Put(("product",), "x"),))


@given(SEEDS)
@settings(max_examples=200)
def test_any_value_becomes_any_other_by_small_edits(seed: int) -> None:
    random = Random(seed)
    value = drawn_files.a_catalog(random)
    text = drawn_files.Writer(random).file(value)
    files = PlanFiles([Source("a.yaml", text)])
    edits = []
    for name, old in value["plans"].items():
        new = mixed(random, old, drawn_files.a_value(random))
        value = changed(value, ("plans", name), new, False)
        edits.append(Edit(("plans", name), new))
    (edited,) = files.changed(edits)

    assert read_values(edited) == value


def mixed(random: Random, old: Any, new: Any) -> Any:
    """A value with parts of two."""
    if isinstance(old, dict) and isinstance(new, dict):
        both = list(dict.fromkeys([*old, *new]))
        names = drawn_files.some(random, both, min(4, len(both)))
        return {n: mixed(random, old.get(n, new.get(n)), new.get(n, old.get(n))) for n in names}
    if isinstance(old, list) and isinstance(new, list):
        return [*old[: random.randrange(len(old) + 1)], *new]
    return random.choice([old, new])
