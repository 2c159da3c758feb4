"""Entries of a catalog and the chain of an entitlement, as people read them."""

import json

import pytest

from quotad.catalog import Catalog, Source, compile_snapshot, entry_value, parse, parse_entry_value
from quotad.dashboard.chain import SourceLine, source_lines
from quotad.dashboard.grant_words import grant_words
from quotad.dashboard.names import CatalogNames
from quotad.decision import EntitlementSource, SourceKind

CATALOG = """
version: 1
default_plan: free
features: {calls: {type: metered}, sso: {type: boolean}, size: {type: config}}
plans:
  free: {name: Free, entitlements: {calls: {limit: 10, per: month}}}
  pro: {name: Pro, extends: free, entitlements: {calls: {limit: 1000, per: month}}}
addons: {more: {name: More calls, entitlements: {calls: {add: 500}}}}
"""
PER_MONTH = {"limit": 1000, "per": "month"}


@pytest.mark.parametrize(
    ("feature", "value", "words"),
    [
        ("sso", True, "granted"),
        ("sso", False, "not granted"),
        ("size", "large", "large"),
        ("calls", "unlimited", "unlimited"),
        ("calls", {"limit": 5}, "5"),
        ("calls", PER_MONTH, "1,000 per month"),
        (
            "calls",
            PER_MONTH | {"anchor": "subscription"},
            "1,000 per month, from the day on which the subscription started",
        ),
        (
            "calls",
            {"limit": 5, "per": "5 hours", "anchor": "first_use"},
            "5 per 5 hours, from its first use",
        ),
        (
            "calls",
            PER_MONTH | {"soft": True, "overage_limit": 200},
            "1,000 per month, soft, at most 200 past it",
        ),
        ("calls", PER_MONTH | {"enforce": "shadow"}, "1,000 per month, counted, never denied"),
        ("calls", PER_MONTH | {"timezone": "Europe/Berlin"}, "1,000 per month, in Europe/Berlin"),
        (
            "calls",
            {"limits": [PER_MONTH, {"limit": 9, "per": "week", "week_starts": "sunday"}]},
            "1,000 per month and 9 per week, weeks from Sunday",
        ),
        ("calls", {"limit": {"per_unit": 3}, "per": "day"}, "3 per unit per day"),
    ],
)
def test_an_entry_is_said_in_words(feature: str, value: object, words: str) -> None:
    known = parse([Source("plans.yaml", CATALOG)]).definitions.features[feature]
    spelled = entry_value(parse_entry_value(known, value), known)

    assert words == grant_words(json.loads(json.dumps(spelled)))


def source(kind: SourceKind, source_id: str, won: bool, grants: object, **more: object) -> object:
    made = EntitlementSource(int(kind), source_id, won, json.dumps(grants), **more)  # type: ignore[arg-type]
    return made


def chain(*sources: object) -> list[SourceLine]:
    found: Catalog = parse([Source("plans.yaml", CATALOG)])
    names = CatalogNames(compile_snapshot(found, 0))
    return source_lines(sources, names)  # type: ignore[arg-type]


def test_one_source_is_in_force_and_what_is_added_stands_on_top() -> None:
    lines = chain(
        source(
            SourceKind.ADDON,
            "more",
            True,
            {"add": 500},
            quantity=2,
            note="adds 500 x 2; decides the limit per month",
        ),
        source(SourceKind.PLAN, "pro", True, {"limits": [PER_MONTH]}, revision=2),
        source(SourceKind.BASE_PLAN, "free", False, {}, note="replaced by plan pro"),
    )

    assert [
        ("in force", "Plan Pro (revision 2)", "1,000 per month", ""),
        ("on top", "Add-on More calls", "2 \u00d7 +500, 1,000 together", ""),
        ("", "Base plan Free", "", "replaced by plan Pro"),
    ] == [(each.part, each.title, each.grants, each.note) for each in lines]


def test_several_that_decide_a_part_each_say_which() -> None:
    lines = chain(
        source(SourceKind.PROMOTION, "", True, PER_MONTH, note="decides the limit per month"),
        source(SourceKind.PLAN, "pro", True, {"limit": 9, "per": "day"}, note="decides the rest"),
    )

    assert ["in part", "in part"] == [each.part for each in lines]


def test_an_id_that_begins_like_another_is_not_taken_for_it() -> None:
    (line,) = chain(source(SourceKind.PLAN, "pro", False, True, note="less than plan pro-x grants"))

    assert "less than plan pro-x grants" == line.note
