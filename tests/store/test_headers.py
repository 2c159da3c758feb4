"""The header of a script is its specification of KEYS, ARGV and results; the body does the same."""

import re
from pathlib import Path
from typing import NamedTuple

import pytest

from quotad.store import scripts
from tests.processes import ROOT

SCRIPTS = sorted((ROOT / "lua").glob("*.lua"))
INCLUDES = sorted((ROOT / "lua" / "include").glob("*.lua"))

STRIDES = {
    "terms": ("TERMS_ARGS",),
    "limit": ("DETAILED_ARGS",),
    "run": ("RUN_ARGS", "QUANTITY_ARGS"),
    "counter": ("COUNTER_ARGS",),
    "charge": ("CHARGE_ARGS", "ONCE_ARGS"),
    "feature": ("FEATURE_ARGS",),
    "entry": ("ENTRY_ARGS", "ONCE_ARGS"),
    "ledger": ("LEDGER_ARGS",),
    "command": ("COMMAND_ARGS",),
    "field": ("FIELD_ARGS",),
}
"""By a group of arguments that repeats, the constants that count its words."""


class Script(NamedTuple):
    header: str
    body: str
    constants: dict[str, int]
    """Numbers that the body gives a name in capitals."""


def read(path: Path) -> Script:
    text = scripts.expand(path)
    for name in bodies(path):  # which has a header of its own
        text = text.replace(scripts.body(name), "")
    lines = text.splitlines()
    end = next(i for i, line in enumerate(lines) if not line.startswith("--"))
    body = "\n".join(line.partition("--")[0] for line in lines[end:])
    constants: dict[str, int] = {}
    for names, values in re.findall(r"^local ([A-Z_, ]+) = ([-\d, ]+)$", body, re.MULTILINE):
        pairs = zip(names.split(", "), values.split(","), strict=True)
        constants.update((name.strip(), int(value)) for name, value in pairs)
    return Script("\n".join(lines[:end]), body, constants)


def groups(header: str) -> dict[str, list[str]]:
    """Names of the words of every group of ARGV that repeats, by what it repeats for."""
    found: dict[str, list[str]] = {}
    into = inner = ""
    for line in header.splitlines():
        start = re.match(r"-- (KEYS|ARGV)   then per (\w+)", line)
        if start:
            into = start[2] if start[1] == "ARGV" else ""
        elif not line.startswith("--   "):
            into = ""
        word = re.match(r"--(   |     )(\w+) +[^ ]", line)
        if into and word:
            of = into if word[1] == "   " else inner
            found.setdefault(of, []).append(word[2])
        if "then per limit" in line:
            inner = "limit"
    return found


def includes(path: Path) -> set[str]:
    return set(re.findall(r'^-- @include "(\w+)"$', path.read_text(), re.MULTILINE))


def bodies(path: Path) -> list[str]:
    return re.findall(r'^-- @body "(\w+)"$', path.read_text(), re.MULTILINE)


each = pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)


@each
@pytest.mark.parametrize("table", ["KEYS", "ARGV"])
def test_a_header_names_the_places_that_the_body_uses(path: Path, table: str) -> None:
    script = read(path)

    named = {int(place) for place in re.findall(rf"^-- {table}\[(\d+)\]", script.header, re.M)}
    used = {int(place) for place in re.findall(rf"\b{table}\[(\d+)\]", script.body)}

    if f"unpack({table})" in script.body:  # all at once, then by their place among the values
        used |= {int(place) for place in re.findall(r"\bvalues\[(\d+)\]", script.body)}
    assert named == used


@each
def test_keys_of_any_number_start_where_the_header_has_it(path: Path) -> None:
    script = read(path)

    starts = re.findall(r"^-- KEYS\[(\d+)\.\.\]", script.header, re.MULTILINE)
    constants = [value for name, value in script.constants.items() if name.startswith("FIRST_")]

    assert sorted(map(int, starts)) == sorted(constants)


@each
def test_a_header_counts_the_words_of_its_groups_as_the_body_does(path: Path) -> None:
    script = read(path)

    counted = {
        name: sum(script.constants[constant] for constant in STRIDES[name])
        for name in groups(script.header)
    }
    known = {constant for name in counted for constant in STRIDES[name]} | {"PLAIN_ARGS"}

    assert {name: len(words) for name, words in groups(script.header).items()} == counted
    assert {name for name in script.constants if name.endswith("_ARGS")} <= known


@each
def test_a_header_lists_the_outcomes_with_their_numbers(path: Path) -> None:
    script = read(path)

    returns = script.header.partition("-- Returns")[2].partition("-- Guarantee")[0]
    listed = {name: int(number) for number, name in re.findall(r"(-?\d+) ([A-Z_]+)\b", returns)}
    shapes = ("_ARGS", "_LENGTH", "_KEY", "_MAX", "_TAG", "HEAD")
    outcomes = {
        name: value for name, value in script.constants.items() if not name.endswith(shapes)
    }

    assert outcomes == listed


@each
def test_a_header_ends_with_returns_and_a_guarantee(path: Path) -> None:
    header = read(path).header

    assert 0 < header.find("\n-- Returns ") < header.find("\n-- Guarantee: ")


@pytest.mark.parametrize("path", [*SCRIPTS, *INCLUDES], ids=lambda path: path.stem)
def test_a_script_calls_every_function_that_it_includes(path: Path) -> None:
    code = "\n".join(line.partition("--")[0] for line in path.read_text().splitlines())

    assert [] == [name for name in includes(path) if f"{name}(" not in code]


@pytest.mark.parametrize("path", INCLUDES, ids=lambda path: path.stem)
def test_an_included_file_holds_one_function_of_its_name_that_knows_no_place_of_its_own(
    path: Path,
) -> None:
    text = path.read_text()

    assert [path.stem] == re.findall(r"function (\w+)\(", text)
    assert text.startswith("-- ")
    assert not re.search(r"\b(KEYS|ARGV)\[\d", text)
    assert any(path.stem in includes(user) for user in [*SCRIPTS, *INCLUDES])


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_a_script_has_another_one_as_a_function_of_its_keys_and_arguments(path: Path) -> None:
    functions = r'^local function \w+\(KEYS, ARGV\)\n-- @body "(\w+)"\nend$'

    assert bodies(path) == re.findall(functions, path.read_text(), re.MULTILINE)
    assert all(scripts.body(name) in scripts.load(path.stem).text for name in bodies(path))


def test_what_two_includes_share_stands_in_a_script_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "include").mkdir()
    for name, text in {
        "top.lua": '-- Top.\n-- @include "left"\n-- @include "right"\nreturn left() + right()\n',
        "include/left.lua": '-- @include "shared"\nlocal function left() return shared end\n',
        "include/right.lua": '-- @include "shared"\nlocal function right() return shared end\n',
        "include/shared.lua": '-- @include "left"\nlocal shared = 1\n',
    }.items():
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(scripts, "_folder", lambda: tmp_path)

    lines = [line for line in scripts.expand(tmp_path / "top.lua").splitlines() if line]

    assert [
        "-- Top.",
        "local shared = 1",
        "local function left() return shared end",
        "local function right() return shared end",
        "return left() + right()",
    ] == lines
