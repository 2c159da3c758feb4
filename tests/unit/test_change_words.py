"""What a publish changes, in the words of people, and the order that plans stand in."""

import pytest

from quotad.catalog import ApplyTo, Source, compile_snapshot, diff, parse
from quotad.catalog.revisions import carry
from quotad.dashboard.catalog_words import Compiled
from quotad.dashboard.change_words import ChangeGroup, change_count, change_groups
from quotad.dashboard.plan_order import in_selling_order

TEXT = """
version: 1
default_plan: free
features:
  calls: {type: metered, unit: call, name: API calls}
  export: {type: boolean, name: CSV export}
plans:
  enterprise: {name: Enterprise, extends: pro, entitlements: {export: true}}
  free: {name: Free, entitlements: {calls: {limit: 10, per: day}}}
  pro:
    name: Pro
    extends: free
    prices: [{amount: "29.00", currency: USD}]
    entitlements:
      calls:
        limits: [{limit: 60, per: minute}, {limit: 1000, per: month, anchor: subscription}]
addons:
  more: {name: More calls, plans: [pro], entitlements: {calls: {add: 500, per: month}}}
"""


def compiled(text: str, over: Compiled | None = None, apply_to: ApplyTo | None = None) -> Compiled:
    catalog = parse([Source("p.yaml", text)])
    if over is not None:
        catalog = carry(over.catalog, catalog, apply_to)
    return Compiled(catalog, compile_snapshot(catalog, version=1))


BEFORE = compiled(TEXT)


def words(group: ChangeGroup) -> list[str]:
    """As the page shows them."""
    shown = []
    for line in group.lines:
        about = " ".join(each for each in (line.where, line.what) if each)
        change = " -> ".join(each for each in (line.before, line.after) if each)
        texts = (line.kind, about, change, line.note and f"({line.note})")
        shown.append(" ".join(each for each in texts if each))
    return shown


def changes(old: str, new: str, apply_to: ApplyTo | None = None) -> list[tuple[str, list[str]]]:
    after = compiled(TEXT.replace(old, new), BEFORE, apply_to)
    found = diff(BEFORE.catalog, after.catalog)
    groups = change_groups(found, after, BEFORE)
    assert change_count(found) == sum(len(group.lines) for group in groups)
    return [(group.title, words(group)) for group in groups]


@pytest.mark.parametrize(
    ("old", "new", "title", "lines"),
    [
        (
            "limit: 1000",
            "limit: 500",
            "Pro",
            [
                "changed API calls 60 / minute and 1,000 / month -> 60 / minute and 500 / month"
                " (also on Enterprise)"
            ],
        ),
        (
            "{limit: 10, per: day}",
            "{limit: 5, per: month, soft: true}",
            "Free",
            ["changed API calls 10 / day -> 5 / month soft"],
        ),
        (
            "anchor: subscription",
            "anchor: first_use",
            "Pro",
            ["changed API calls anchor subscription -> first_use"],
        ),
        (
            "entitlements: {export: true}",
            "entitlements: {}",
            "Enterprise",
            ["removed CSV export"],
        ),
        (
            "entitlements: {export: true}",
            "entitlements: {export: {until: 2027-01-01}}",
            "Enterprise",
            ["changed CSV export \u2713 -> \u2713 until 1 Jan 2027"],
        ),
        ('"29.00"', '"39.00"', "Pro", ["changed price $29.00 / month -> $39.00 / month"]),
        ("name: Free,", "name: Starter,", "Starter", ["changed name Free -> Starter"]),
        (
            "extends: pro, ",
            "extends: free, ",
            "Enterprise",
            ["changed extends Pro -> Free"],
        ),
        ("add: 500", "add: 900", "More calls", ["changed API calls +500 / month -> +900 / month"]),
        (
            "plans: [pro],",
            "plans: [pro, enterprise],",
            "More calls",
            ["changed for customers on Pro -> Pro, Enterprise"],
        ),
        ("unit: call", "unit: request", "Features", ["changed API calls unit call -> request"]),
        (
            "default_plan: free",
            "default_plan: pro",
            "Catalog",
            ["changed Plan of customers that were never provisioned Free -> Pro"],
        ),
    ],
)
def test_a_change_is_one_line_in_words(old: str, new: str, title: str, lines: list[str]) -> None:
    assert [(title, lines)] == changes(old, new)


def test_the_first_version_names_each_thing_once_with_plans_as_they_are_sold() -> None:
    groups = change_groups(diff(None, BEFORE.catalog), BEFORE, None)

    assert [
        ("Catalog", ["added Plan of customers that were never provisioned Free"]),
        (
            "Features",
            [
                "added API calls counted, starts again each period, in calls",
                "added CSV export on or off",
            ],
        ),
        ("Free", ["added", "added API calls 10 / day"]),
        (
            "Pro",
            [
                "added extends Free \u00b7 $29.00 / month",
                "added API calls 60 / minute and 1,000 / month",
            ],
        ),
        ("Enterprise", ["added extends Pro", "added CSV export"]),
        ("More calls", ["added for Pro", "added API calls +500 / month"]),
    ] == [(group.title, words(group)) for group in groups]
    assert {"added"} == {group.kind for group in groups[2:]}


def test_a_change_for_new_subscriptions_says_who_keeps_what() -> None:
    assert [
        (
            "Pro",
            [
                "changed a new revision, 2 (who has the plan now keeps what they have)",
                "changed API calls 60 / minute and 1,000 / month -> 60 / minute and 500 / month"
                " (also on Enterprise)",
            ],
        ),
        (
            "Enterprise",
            ["changed a new revision, 2 (who has the plan now keeps what they have)"],
        ),
    ] == changes("limit: 1000", "limit: 500", ApplyTo.NEW)


@pytest.mark.parametrize(
    ("plans", "order"),
    [
        # By what they cost, whatever the currency and the billing period.
        (
            """
  a-team: {prices: [{amount: "1200", currency: EUR, billing: year}]}
  basic: {prices: [{amount: "9.00", currency: USD}]}
  custom: {}
  zero: {}
""",
            ["zero", "basic", "a-team", "custom"],
        ),
        # By how they extend each other, a base before the plan that costs less.
        (
            """
  a: {extends: b}
  b: {extends: c}
  c: {}
  seats: {extends: b, prices: [{amount: "5", currency: USD, feature: calls}]}
  zero: {}
""",
            ["zero", "c", "b", "seats", "a"],
        ),
        # By what they grant, where nothing else is known; what is not sold any more comes last.
        (
            """
  all: {entitlements: {calls: unlimited}}
  big: {entitlements: {calls: {limit: 1000}}}
  gone: {archived: true}
  small: {entitlements: {calls: {limit: 5}}}
  zero: {}
""",
            ["zero", "small", "big", "all", "gone"],
        ),
    ],
)
def test_plans_stand_as_they_are_sold(plans: str, order: list[str]) -> None:
    text = f"version: 1\ndefault_plan: zero\nfeatures: {{calls: {{type: metered}}}}\nplans:{plans}"

    assert order == [each.plan_id for each in in_selling_order(compiled(text).snapshot)]
