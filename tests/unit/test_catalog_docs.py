"""The catalogs of the documentation and of the examples are what they say."""

import re
from pathlib import Path

import pytest

from quotad.catalog import Source, compile_snapshot, parse, read_sources
from quotad.errors import CatalogError
from quotad.model import LIMITS_MAX, QUANTITY_MAX, Limit, Unit, Window

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs" / "catalog.md").read_text()
BLOCKS = re.findall(r"^```([^\n]+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
COMPLETE = [(info, text) for info, text in BLOCKS if info in ("yaml", "toml", "json")]


@pytest.mark.parametrize(("ending", "text"), COMPLETE)
def test_a_catalog_of_the_documentation_is_valid(ending: str, text: str) -> None:
    compile_snapshot(parse([Source(f"catalog.{ending}", text)]), version=1)


def test_every_block_of_the_documentation_says_what_it_is() -> None:
    assert {"yaml", "toml", "yaml fragment", "yaml wrong", "text"} == {info for info, _ in BLOCKS}
    assert len(COMPLETE) >= 5


def test_the_toml_of_the_documentation_is_its_first_catalog() -> None:
    first, toml = COMPLETE[0], next(block for block in COMPLETE if block[0] == "toml")

    assert parse([Source("a.yaml", first[1])]) == parse([Source("a.toml", toml[1])])


def test_a_fragment_of_the_documentation_is_a_valid_entitlement() -> None:
    head = "version: 1\nfeatures: {a: {type: metered}}\nplans:\n p:\n  entitlements:\n   a:\n"
    for info, text in BLOCKS:
        if info == "yaml fragment":
            parse([Source("a.yaml", head + re.sub("^", "    ", text, flags=re.MULTILINE))])


def test_the_wrong_catalog_of_the_documentation_says_what_is_printed() -> None:
    wrong = next(text for info, text in BLOCKS if info == "yaml wrong")
    printed = next(text for info, text in BLOCKS if info == "text")

    with pytest.raises(CatalogError) as caught:
        parse([Source("pro.yaml", wrong)])

    assert tuple(printed.splitlines()) == caught.value.problems


def test_the_sizes_of_the_documentation_are_those_of_the_code() -> None:
    assert f"from 0 to {QUANTITY_MAX:,}" in PAGE
    assert f"| limits of one entitlement | {LIMITS_MAX} |" in PAGE


def test_the_example_is_a_product_to_try() -> None:
    snapshot = compile_snapshot(parse(read_sources(ROOT / "examples" / "catalog")), version=1)

    assert "free" == snapshot.default_plan
    assert ["free", "pro", "enterprise"] == list(snapshot.plans)
    assert (Limit(100, Window(Unit.DAY)),) == (
        snapshot.plans["free"].entitlements["api-calls"].limits
    )
    assert [Unit.MINUTE, Unit.MONTH] == [
        limit.window.unit
        for limit in snapshot.plans["enterprise"].entitlements["api-calls"].limits
        if limit.limit is None and limit.window is not None
    ]
