"""The canonical document, its digest, and what a diff shows."""

import hashlib
import json
from typing import Any

import pytest
import yaml
from hypothesis import given, settings

from quotad.catalog import Catalog, CatalogChange, Source, compile_snapshot, diff, parse
from quotad.errors import CatalogError
from tests.unit.random_catalogs import raw_catalogs

YAML = """
# The same catalog in three formats.
version: 1
default_plan: free
features:
  seats: {kind: gauge, type: metered}
  api-calls: {type: metered, kind: counter, unit: call}
  size: {type: config}
plans:
  pro:
    extends: free
    entitlements:
      size: 2.5
      api-calls: {unlimited: true}
  free:
    entitlements:
      size: 10
      api-calls: {limit: 1_000, per: 1 week, week_starts: monday, timezone: UTC, soft: no}
"""
JSON = """
{
  "features": {
    "seats": {"type": "metered", "kind": "gauge"},
    "api-calls": {"unit": "call", "type": "metered"},
    "size": {"type": "config"}
  },
  "plans": {
    "free": {"entitlements": {
      "api-calls": {"limits": [{"per": "week", "anchor": "calendar", "limit": 1000}]},
      "size": "10"
    }},
    "pro": {"entitlements": {"api-calls": "unlimited", "size": "2.5"}, "extends": "free"}
  },
  "default_plan": "free",
  "version": 1
}
"""
TOML = """
version = 1
default_plan = "free"

[features]
seats = {type = "metered", kind = "gauge"}
api-calls = {type = "metered", unit = "call"}
size = {type = "config"}

[plans.free.entitlements]
api-calls = {limit = 1_000, per = "week"}
size = 10

[plans.pro]
extends = "free"
entitlements = {api-calls = "unlimited", size = 2.5}
"""
DOCUMENT = (
    b'{"version":1,"default_plan":"free",'
    b'"features":{"seats":{"type":"metered","kind":"gauge"},'
    b'"api-calls":{"type":"metered","unit":"call"},"size":{"type":"config"}},'
    b'"plans":{"free":{"entitlements":{'
    b'"api-calls":{"limits":[{"limit":1000,"per":"week"}]},"size":"10"}},'
    b'"pro":{"extends":"free","entitlements":{"api-calls":"unlimited","size":"2.5"}}}}'
)


@pytest.mark.parametrize(("name", "text"), [("a.yaml", YAML), ("a.json", JSON), ("a.toml", TOML)])
def test_the_document_does_not_depend_on_the_format(name: str, text: str) -> None:
    catalog = parse([Source(name, text)])

    assert DOCUMENT == catalog.document
    assert hashlib.sha256(DOCUMENT).hexdigest() == catalog.digest


def test_the_document_does_not_depend_on_the_files() -> None:
    head, plans = YAML.split("plans:\n")
    sources = [Source("a.yaml", head), Source("b.yaml", "plans:\n" + plans)]

    assert DOCUMENT == parse(sources).document


def test_the_order_of_features_is_part_of_the_document() -> None:
    one = parse([Source("a.yaml", "version: 1\nfeatures: {a: {type: boolean}, b: {type: config}}")])
    two = parse([Source("a.yaml", "version: 1\nfeatures: {b: {type: config}, a: {type: boolean}}")])

    assert one.digest != two.digest
    assert ["b", "a"] == list(compile_snapshot(Catalog.from_document(two.document), 1).features)
    assert [CatalogChange("features", '["a","b"]', '["b","a"]')] == diff(one, two)


def test_catalogs_of_the_same_content_are_equal() -> None:
    one, two = parse([Source("a.yaml", YAML)]), parse([Source("a.json", JSON)])

    assert one == two
    assert hash(one) == hash(two)
    assert f"<Catalog {one.digest[:12]}: 3 features, 2 plans>" == repr(one)
    assert one != parse([Source("a.yaml", "version: 1")])


def test_a_document_that_is_no_catalog_is_refused() -> None:
    for document, problem in (
        (b"\xff", "catalog.json: not UTF-8"),
        (b"[]", "catalog.json: must hold a mapping of names, not a list"),
        (b'{"version":9}', "catalog.json: version: unknown version 9; this server reads version 1"),
    ):
        with pytest.raises(CatalogError) as caught:
            Catalog.from_document(document)

        assert (problem,) == caught.value.problems


# Round trips


@settings(max_examples=150, deadline=None)
@given(raw_catalogs())
def test_a_document_reads_back_as_the_same_catalog(raw: dict[str, Any]) -> None:
    catalog = parse([Source("a.json", json.dumps(raw))])

    again = Catalog.from_document(catalog.document)

    assert catalog == again == Catalog(again.definitions)
    assert catalog.digest == again.digest == Catalog(again.definitions).digest
    assert compile_snapshot(catalog, 3) == compile_snapshot(again, 3)
    assert [] == diff(catalog, again)


@settings(max_examples=80, deadline=None)
@given(raw_catalogs(), raw_catalogs())
def test_two_catalogs_differ_exactly_if_their_digests_do(
    old: dict[str, Any], new: dict[str, Any]
) -> None:
    one = parse([Source("a.json", json.dumps(old))])
    two = parse([Source("a.json", json.dumps(new))])

    changes = diff(one, two)

    assert bool(changes) == (one.digest != two.digest)
    assert len(changes) == len({change.path for change in changes})
    assert sorted(changes, key=lambda change: change.path) == sorted(
        (CatalogChange(back.path, back.after, back.before) for back in diff(two, one)),
        key=lambda change: change.path,
    )


class AsInJson(yaml.SafeDumper):
    """Writes 1e-05 as JSON does, where PyYAML writes 1.0e-05: a value is kept as it is written."""


AsInJson.add_representer(
    float, lambda dumper, value: dumper.represent_scalar("tag:yaml.org,2002:float", repr(value))
)


@settings(max_examples=80, deadline=None)
@given(raw_catalogs())
def test_yaml_and_json_of_the_same_content_have_the_same_digest(raw: dict[str, Any]) -> None:
    # Quoted, since PyYAML writes text such as 1e5 bare, which YAML 1.2 reads as a number.
    text = yaml.dump(raw, Dumper=AsInJson, default_style='"', sort_keys=False)

    from_json = parse([Source("a.json", json.dumps(raw))])

    assert from_json == parse([Source("a.yaml", text)])


def test_a_document_of_an_earlier_release_is_read_though_a_file_may_not_hold_it() -> None:
    document = (
        b'{"version": 1, "features": {"support": {"type": "config", "values": ["", "email"]}},'
        b' "plans": {"pro": {"entitlements": {"support": "email"}}}}'
    )

    features = Catalog.from_document(document).definitions.features
    assert ("", "email") == features["support"].values
    with pytest.raises(CatalogError, match="must be printable text of 1 to 256 bytes"):
        parse([Source("catalog.json", document.decode())])
