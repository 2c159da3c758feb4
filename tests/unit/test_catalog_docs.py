"""What the pages about catalogs say of sizes and formats, and the example, is so.

That their blocks are valid is tested with those of all pages, in tests/docs.
"""

import re
from pathlib import Path

from quotad.catalog import Source, compile_snapshot, parse, read_sources
from quotad.model import LIMITS_MAX, QUANTITY_MAX, Limit, Unit, Window

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs" / "catalog.md").read_text()
LIMITS = (ROOT / "docs" / "limits.md").read_text()
BLOCKS = re.findall(r"^```([^\n]+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def test_the_toml_of_the_documentation_is_its_first_catalog() -> None:
    first, toml = (next(text for kind, text in BLOCKS if kind == info) for info in ("yaml", "toml"))

    assert parse([Source("a.yaml", first)]) == parse([Source("a.toml", toml)])


def test_the_sizes_of_the_documentation_are_those_of_the_code() -> None:
    assert f"from 0 to {QUANTITY_MAX:,}" in LIMITS
    assert f"at most {LIMITS_MAX} limits" in LIMITS
    assert f"| limits of one entitlement | {LIMITS_MAX} |" in PAGE


def test_the_example_is_a_product_to_try() -> None:
    snapshot = compile_snapshot(parse(read_sources(ROOT / "examples" / "catalog")), version=1)

    assert "free" == snapshot.default_plan
    assert ["free", "pro", "team", "enterprise"] == list(snapshot.plans)
    assert (Limit(100, Window(Unit.DAY)),) == (
        snapshot.plans["free"].entitlements["api-calls"].limits
    )
    assert [Unit.MINUTE, Unit.MONTH] == [
        limit.window.unit
        for limit in snapshot.plans["enterprise"].entitlements["api-calls"].limits
        if limit.limit is None and limit.window is not None
    ]
