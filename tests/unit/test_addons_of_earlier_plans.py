"""Add-ons are checked against plans as they are sold now, and had with plans as they were."""

import pytest

from quotad.catalog import ApplyTo, Catalog, Source, carry, compile_snapshot, parse
from quotad.entitlements.explain import explain
from quotad.entitlements.resolve import resolve
from quotad.records import CustomerRecord, Subscription
from tests.unit.effective import told

NOW = 1_800_000_000_000

TODAY = "{limit: 5000, per: month, anchor: subscription}"
ADDONS = """
addons:
  more: {plans: [pro], entitlements: {calls: {add: 100}}}
  most: {plans: [pro], entitlements: {calls: {set: 900}}}
"""


def catalog(pro: str, addons: str = "") -> Catalog:
    """A plan that grants calls; `free` never does."""
    text = (
        "version: 1\nfeatures: {calls: {type: metered}, pool: {type: metered},"
        " paid: {type: metered, credit: {pool: pool, cost: 1}}}\n"
        f"plans: {{free: {{}}, pro: {{apply_to: new, entitlements: {{{pro}}}}}}}\n"
    )
    return parse([Source("plans.yaml", text + addons)])


def subscriber(**addons: int) -> CustomerRecord:
    """Somebody who has had the plan from its first revision on."""
    return CustomerRecord("acme", (Subscription("pro", NOW - 1, addons=addons),))


@pytest.mark.parametrize(
    ("was", "addons", "expected"),
    [
        ("", {}, "-"),
        ("", {"more": 2}, "200/month.s"),
        ("", {"more": 2, "most": 1}, "900/month.s"),
        ("calls: {limit: 7, per: day}", {"more": 2}, "207/day"),
        (
            "calls: {limits: [{limit: 9, per: minute}, {limit: 70, per: month}]}",
            {"more": 1},
            "9/minute, 170/month",
        ),
        (
            "calls: {limits: [{limit: 9, per: minute}, {limit: 70, per: day, enforce: shadow}]}",
            {"more": 1},
            "109/minute, 70/day shadow",
        ),
        ("calls: unlimited", {"more": 1}, "unlimited"),
    ],
)
def test_an_amount_changes_the_longest_limit_there_was_and_else_brings_that_of_today(
    was: str, addons: dict[str, int], expected: str
) -> None:
    after = carry(catalog(was), catalog(f"calls: {TODAY}", ADDONS))
    snapshot = compile_snapshot(Catalog.from_document(after.document), 1)
    record = subscriber(**addons)

    assert expected == told(resolve(record, snapshot, NOW, "acme").entitlements.get("calls"))
    assert addons.keys() <= {
        source.source_id for source in explain(record, snapshot, NOW, "acme", "", "calls")
    }


def test_outside_of_a_rollout_an_add_on_brings_its_own_limit() -> None:
    rolled = "calls: {limit: 5000, per: day, rollout: {percent: 0}}"
    snapshot = compile_snapshot(catalog(rolled, ADDONS), 1)

    effective = resolve(subscriber(more=3), snapshot, NOW, "acme")

    assert "300/day" == told(effective.entitlements.get("calls"))


def test_of_plans_with_other_windows_the_longest_counts() -> None:
    plans = (
        "plans:\n  a: {entitlements: {calls: {limit: 1, per: 40 days}}}\n"
        "  b: {entitlements: {calls: {limit: 1, per: month}}}\n  pro: {entitlements: {calls: %s}}\n"
        "addons: {more: {entitlements: {calls: {add: 100}}}}\n"
    )
    before, after = (
        parse([Source("a.yaml", "version: 1\nfeatures: {calls: {type: metered}}\n" + text)])
        for text in ("plans: {pro: {}}", plans % "{limit: 1, per: day}")
    )

    snapshot = compile_snapshot(carry(before, after, ApplyTo.NEW), 1)

    effective = resolve(subscriber(more=1), snapshot, NOW, "acme")
    assert "100/40 days" == told(effective.entitlements.get("calls"))


def test_the_window_of_today_is_not_written_into_the_catalog() -> None:
    document = catalog(f"calls: {TODAY}", ADDONS).document

    assert b'"more":{"plans":["pro"],"entitlements":{"calls":{"add":100}}}' in document


def test_what_only_its_pool_limits_stays_so() -> None:
    text = "addons: {more: {plans: [pro], entitlements: {paid: {add: 5}}}}"
    snapshot = compile_snapshot(catalog("paid: true, pool: {limit: 5}", text), 1)
    record = subscriber(more=1)

    [addon, *_] = explain(record, snapshot, NOW, "acme", "", "paid")

    assert () == resolve(record, snapshot, NOW, "acme").entitlements["paid"].limits
    assert ("more", False) == (addon.source_id, addon.won)
    assert "adds to nothing: the plan has it unlimited" == addon.note
