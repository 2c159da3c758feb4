"""The canonical document, its digest, and what a diff shows."""

import hashlib
import json
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from quotad.catalog import Catalog, Change, Source, compile_snapshot, diff, parse
from quotad.errors import CatalogError

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
    assert [Change("features", '["a","b"]', '["b","a"]')] == diff(one, two)


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

IDS = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=8)
TEXTS = st.text(st.characters(codec="utf-8"), max_size=8)
WINDOWS = st.fixed_dictionaries(
    {"per": st.sampled_from(["second", "5 hours", "day", "week", "3 months", "1 year"])},
    optional={
        "anchor": st.sampled_from(["calendar", "subscription", "first_use"]),
        "timezone": st.sampled_from(["UTC", "Europe/Berlin"]),
    },
)
LIMITS: st.SearchStrategy[dict[str, Any]] = st.builds(
    lambda limit, window, how: {"limit": limit, **window, **how},
    st.integers(0, 10**13),
    st.one_of(st.just({}), WINDOWS),
    st.sampled_from(
        [{}, {"soft": True}, {"soft": True, "overage_limit": 5}, {"enforce": "shadow"}]
    ),
)
ROLLOUTS = st.fixed_dictionaries(
    {"percent": st.one_of(st.integers(0, 100), st.sampled_from([0.01, 12.5, 99.99]))},
    optional={"salt": st.just("salt"), "variant": st.just("large")},
)
SCALARS = st.one_of(TEXTS, st.integers(-(10**18), 10**18), st.floats(-1e9, 1e9))
VALUES = ["a", "b", "c"]
KINDS: dict[str, dict[str, Any]] = {
    "counter": {"type": "metered"},
    "gauge": {"type": "metered", "kind": "gauge"},
    "pool": {"type": "metered", "decimals": 2},
    "paid": {"type": "metered", "credit": {"pool": "pool", "cost": 0.25}},
    "boolean": {"type": "boolean"},
    "config": {"type": "config"},
    "values": {"type": "config", "values": VALUES},
}
COUNTED = st.one_of(st.just("unlimited"), st.just(False), LIMITS)
SHAPES: dict[str, st.SearchStrategy[Any]] = {
    "counter": COUNTED,
    "gauge": st.one_of(st.just("unlimited"), st.builds(dict, limit=st.integers(0, 99))),
    "pool": COUNTED,
    "paid": st.one_of(st.just(True), COUNTED),
    "boolean": st.booleans(),
    "config": st.one_of(st.just(False), SCALARS),
    "values": st.one_of(
        st.sampled_from(VALUES), st.lists(st.sampled_from(VALUES), min_size=1, unique=True)
    ),
}
ADDED: dict[str, st.SearchStrategy[Any]] = {
    "counter": st.just("unlimited"),
    "gauge": st.builds(dict, add=st.integers(1, 9)),
    "pool": st.just("unlimited"),
    "paid": st.just(True),
    "boolean": st.just(True),
    "config": SCALARS.filter(lambda value: value != ""),
    "values": SHAPES["values"],
}
PLAN_KEYS: dict[str, st.SearchStrategy[Any]] = {
    "description": TEXTS,
    "apply_to": st.sampled_from(["new", "all"]),
    "billing": st.sampled_from(["month", "1 year"]),
    "usage_on_change": st.sampled_from(["keep", "reset"]),
}
CHOICE: st.SearchStrategy[Any] = st.booleans()


def with_rollout(kind: str, value: Any, rollout: Any) -> Any:
    """The entry for a share of customers, where its shape has room for that."""
    if isinstance(value, dict):
        return value | {"rollout": rollout}
    if kind in ("config", "values") and value is not False:
        return {"value": value, "rollout": rollout}
    if value is True:
        return {"rollout": rollout}
    return {"unlimited": True, "rollout": rollout} if value == "unlimited" else value


def rights(features: dict[str, str]) -> st.SearchStrategy[dict[str, Any]]:
    shapes = {
        name: st.one_of(
            SHAPES[kind], st.builds(with_rollout, st.just(kind), SHAPES[kind], ROLLOUTS)
        )
        for name, kind in features.items()
    }
    return st.fixed_dictionaries({}, optional=shapes)


@st.composite
def raw_catalogs(draw: st.DrawFn) -> dict[str, Any]:
    features = draw(st.dictionaries(IDS, st.sampled_from(sorted(KINDS)), max_size=5))
    features["pool"] = "pool"
    names = st.lists(IDS, max_size=2, unique=True)
    groups = {name: {"entitlements": draw(rights(features))} for name in draw(names)}
    plans: dict[str, Any] = {}
    for name in draw(st.lists(IDS, max_size=4, unique=True)):
        plan = draw(st.fixed_dictionaries({}, optional=PLAN_KEYS))
        plan["entitlements"] = draw(rights(features))
        if plans and draw(CHOICE):
            plan["extends"] = draw(st.sampled_from(sorted(plans)))
        if groups and draw(CHOICE):
            plan["groups"] = draw(st.permutations(sorted(groups)))
        plans[name] = plan
    raw: dict[str, Any] = {"version": 1, "plans": plans, "groups": groups, "addons": {}}
    raw["features"] = {name: KINDS[kind] for name, kind in features.items()}
    added = {name: ADDED[kind] for name, kind in features.items()}
    for name in draw(names):
        addon: dict[str, Any] = {"entitlements": draw(st.fixed_dictionaries({}, optional=added))}
        if plans and draw(CHOICE):
            addon["plans"] = draw(st.permutations(sorted(plans)))
        raw["addons"][name] = addon
    if plans and draw(CHOICE):
        raw["default_plan"] = draw(st.sampled_from(sorted(plans)))
    return raw


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
        (Change(back.path, back.after, back.before) for back in diff(two, one)),
        key=lambda change: change.path,
    )


@settings(max_examples=80, deadline=None)
@given(raw_catalogs())
def test_yaml_and_json_of_the_same_content_have_the_same_digest(raw: dict[str, Any]) -> None:
    # Quoted, since PyYAML writes text such as 1e5 bare, which YAML 1.2 reads as a number.
    text = yaml.safe_dump(raw, default_style='"', sort_keys=False)

    from_json = parse([Source("a.json", json.dumps(raw))])

    assert from_json == parse([Source("a.yaml", text)])
