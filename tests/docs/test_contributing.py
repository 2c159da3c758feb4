"""CONTRIBUTING.md names files and commands that there are."""

import re

from tests.processes import ROOT

TEXT = (ROOT / "CONTRIBUTING.md").read_text()


def test_every_file_that_contributors_are_sent_to_exists() -> None:
    named = set(re.findall(r"`?\b((?:quotad|lua|protos|tests|docs|loadtests)/[\w/.]*)", TEXT))

    assert named
    assert [] == [name for name in sorted(named) if not (ROOT / name).exists()]


def test_every_folder_of_tests_is_in_its_table() -> None:
    folders = {path.name for path in (ROOT / "tests").iterdir() if (path / "__init__.py").exists()}

    assert folders == set(re.findall(r"^\| `tests/(\w+)/`", TEXT, re.MULTILINE))


def test_every_make_command_for_contributors_is_a_target() -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    named = re.findall(r"^make\b ?([a-z -]*)|`make ([a-z -]+)`", TEXT, re.MULTILINE)

    assert named
    assert {word for pair in named for words in pair for word in words.split()} <= set(targets)
