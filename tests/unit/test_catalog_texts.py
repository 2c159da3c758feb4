"""What a catalog says for people and callers: names, descriptions, metadata, the product."""

import json

import pytest

from quotad.catalog import Catalog, Source, carry, compile_snapshot, diff, parse
from quotad.errors import CatalogError

TEXT = """
version: 1
product: Acme Cloud
features:
  calls:
    type: metered
    name: API calls
    description: Of the public API.
    metadata: {docs: https://acme.example/api, tier: '1'}
  credits: {type: metered, name: Credits}
  images: {type: metered, name: Images, credit: {pool: credits, cost: 1}}
groups:
  basics: {metadata: {a: b}, entitlements: {calls: unlimited}}
plans:
  pro:
    name: Pro
    description: For teams.
    metadata: {colour: blue}
    apply_to: new
    entitlements: {calls: {limit: 5, per: day}, images: true}
addons:
  more:
    name: More calls
    metadata: {colour: red}
    entitlements: {calls: {add: 5}}
"""
CATALOG = parse([Source("a.yaml", TEXT)])


def test_texts_are_kept_in_the_document_and_in_the_compiled_catalog() -> None:
    again = Catalog.from_document(CATALOG.document)
    snapshot = compile_snapshot(again, 1)

    assert CATALOG.document == Catalog(again.definitions).document
    calls, pro, more = snapshot.features["calls"], snapshot.plans["pro"], snapshot.addons["more"]
    assert "Acme Cloud" == snapshot.product
    assert ("API calls", "Of the public API.") == (calls.name, calls.description)
    assert {"docs": "https://acme.example/api", "tier": "1"} == calls.metadata
    assert ("Pro", "For teams.", {"colour": "blue"}) == (pro.name, pro.description, pro.metadata)
    assert ("More calls", "", {"colour": "red"}) == (more.name, more.description, more.metadata)
    assert "Images" == snapshot.features["images"].name
    assert {"a": "b"} == json.loads(CATALOG.document)["groups"]["basics"]["metadata"]


def test_a_catalog_without_them_has_the_document_that_it_had_before() -> None:
    text = "version: 1\nfeatures: {calls: {type: metered}}\nplans: {pro: {}}\n"

    assert (
        b'{"version":1,"features":{"calls":{"type":"metered"}},"plans":{"pro":{"entitlements":{}}}}'
        == parse([Source("a.yaml", text)]).document
    )


def test_other_texts_are_changes_but_no_new_revision() -> None:
    changed = TEXT.replace("API calls", "Calls").replace("    description: For teams.\n", "")
    changed = changed.replace("Acme Cloud", "Acme").replace("blue", "red")

    after = carry(CATALOG, parse([Source("a.yaml", changed)]))

    assert 1 == after.definitions.plans["pro"].revision
    assert [
        ("product", '"Acme Cloud"', '"Acme"'),
        ("features.calls.name", '"API calls"', '"Calls"'),
        ("plans.pro.metadata.colour", '"blue"', '"red"'),
        ("plans.pro.description", '"For teams."', ""),
    ] == [(each.path, each.before, each.after) for each in diff(CATALOG, after)]


@pytest.mark.parametrize(
    ("metadata", "problem"),
    [
        ("5", "metadata: must be a mapping such as {tier: '1'}, not 5"),
        ("{tier: 1}", "metadata.tier: must be text, not 1; write it in quotes"),
        ("{tier: yes}", "metadata.tier: must be text, not true; write it in quotes"),
        ("{tier: [a]}", "metadata.tier: must be text, not a list"),
        (f"{{tier: {'x' * 1025}}}", "metadata.tier: is 1025 bytes long, at most 1024 are allowed"),
        ("{'': x}", 'metadata[""]: a key must be printable text of 1 to 128 bytes'),
        (
            str({f"k{n}": "x" for n in range(51)}),
            "metadata: has 51 keys, at most 50 are allowed",
        ),
    ],
)
def test_wrong_metadata_is_refused_where_it_stands(metadata: str, problem: str) -> None:
    text = TEXT.replace("{colour: blue}", metadata)

    with pytest.raises(CatalogError) as caught:
        parse([Source("a.yaml", text)])

    assert (f"a.yaml: plans.pro.{problem}",) == caught.value.problems


def test_a_mistyped_product_is_refused_with_what_was_meant() -> None:
    with pytest.raises(CatalogError) as unknown:
        parse([Source("a.yaml", TEXT.replace("product:", "prodct:"))])
    with pytest.raises(CatalogError) as number:
        parse([Source("a.yaml", TEXT.replace("Acme Cloud", "5"))])

    assert ("a.yaml: unknown key 'prodct', did you mean 'product'?",) == unknown.value.problems
    assert ("a.yaml: product: must be text, not 5",) == number.value.problems
