"""Every fenced block of the documentation is of a kind that a test looks at."""

import re
import shlex
from pathlib import Path

import pytest
import yaml

from quotad.catalog import Source, compile_snapshot, parse
from quotad.config import Config, load
from quotad.errors import CatalogError
from tests.docs.commands import check_words
from tests.docs.commands import parse as parse_command
from tests.docs.pages import PATHS, Block, all_blocks, blocks, prose
from tests.processes import ROOT

CATALOGS = ("yaml", "json", "toml")

KINDS = {
    "yaml": "a complete catalog",
    "json": "a complete catalog",
    "toml": "a complete catalog",
    "yaml fragment": "the inside of an entitlement",
    "yaml wrong": "a catalog that is refused, with the `text` below it",
    "yaml kubernetes": "manifests",
    "yaml prometheus": "settings of Prometheus",
    "json service config": "used by tests/integration/test_many_calls.py",
    "nginx": "run by tests/http/test_nginx.py",
    "caddyfile": "run by tests/http/test_caddy.py",
    "python": "run by test_examples.py",
    "console": "run by test_examples.py",
    "go": "compiled and run by tests/clients/test_go.py",
    "js": "a part of an example, as tests/clients/test_examples.py compares",
    "tsx": "a part of an example, as tests/clients/test_examples.py compares",
    "ts": "compiled and run by tests/clients/test_typescript_docs.py",
    "sh": "command lines that do not end, or not here; only their words are checked",
    "text": "output or a drawing",
}


def each(*infos: str) -> pytest.MarkDecorator:
    """Run a test for each block of these kinds."""
    found = [pytest.param(block, id=block.place) for block in all_blocks(*infos)]
    assert found
    return pytest.mark.parametrize("block", found)


def test_every_block_is_of_a_known_kind() -> None:
    found = [block for page in PATHS for block in blocks(page)]

    assert [] == [f"{b.place}: {b.info!r}" for b in found if b.info not in KINDS]
    assert len(found) >= 30


@each(*CATALOGS)
def test_a_catalog_is_complete_and_valid(block: Block) -> None:
    catalog = parse([Source(f"catalog.{block.info}", block.text)])

    assert compile_snapshot(catalog, version=1).plans or not catalog.definitions.plans


@each("yaml fragment")
def test_a_fragment_is_a_valid_entitlement(block: Block) -> None:
    head = "version: 1\nfeatures: {a: {type: metered}}\nplans:\n p:\n  entitlements:\n   a:\n"

    parse([Source("a.yaml", head + re.sub("^", "    ", block.text, flags=re.MULTILINE))])


@each("yaml wrong")
def test_a_wrong_catalog_is_refused_with_what_is_printed_below_it(block: Block) -> None:
    below = blocks(block.page)
    printed = below[below.index(block) + 1]
    assert "text" == printed.info

    with pytest.raises(CatalogError) as caught:
        parse([Source("pro.yaml", block.text)])

    assert tuple(printed.text.splitlines()) == caught.value.problems


@each("yaml kubernetes")
def test_a_manifest_is_valid_yaml_with_a_valid_catalog_inside(block: Block) -> None:
    documents = list(yaml.safe_load_all(block.text))

    assert all({"apiVersion", "kind", "metadata"} <= document.keys() for document in documents)
    maps = [each["data"] for each in documents if each["kind"] == "ConfigMap"]
    assert maps
    for data in maps:
        parse([Source(name, text) for name, text in data.items()])
    for line in re.findall(r"args: \[(.*)\]", block.text):
        parse_command("quotad " + line.replace(",", " "))


@each("sh")
def test_a_command_line_that_is_not_run_has_the_right_words(block: Block) -> None:
    for line in block.text.splitlines():
        word, *rest = shlex.split(line, comments=True)
        if word == "make":
            targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
            assert set(rest) <= set(targets), f"{block.place}: {line}"
        elif word == "node":
            assert (ROOT / rest[0]).exists(), f"{block.place}: {line}"
        else:
            # A command may have arguments beside the settings.
            given = parse_command(line).items()
            load({name: value for name, value in given if name in Config.__struct_fields__}, {})


def test_drawings_and_output_hold_no_command_that_is_not_run() -> None:
    for block in all_blocks("text"):
        commands = re.findall(r"^\s*(?:\$ |quotad |grpcurl |make ).*", block.text, re.MULTILINE)

        assert [] == commands, block.place


@pytest.mark.parametrize("page", [pytest.param(page, id=page.name) for page in PATHS])
def test_the_commands_in_the_text_have_the_right_words(page: Path) -> None:
    for span in re.findall(r"`(quotad [a-z][^`]*)`", prose(page)):
        check_words(span)
