"""Entitlements for a share of a plan's customers."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quotad.catalog import Snapshot, Source, compile_snapshot, parse
from quotad.entitlements import rollout
from quotad.entitlements.resolve import Effective, resolve
from quotad.entitlements.rollout import is_inside
from quotad.model import Entry, Limit, Rollout
from quotad.records import CustomerRecord, Override, Promotion, Subscription

NOW = 1_800_000_000_000


def snapshot(percent: float = 30, exports: float = 50) -> Snapshot:
    text = f"""
version: 1
default_plan: free
features:
  calls: {{type: metered}}
  editor: {{type: boolean}}
  export: {{type: config}}
plans:
  free:
    entitlements:
      calls: {{limit: 5}}
      editor: {{rollout: {{percent: {percent}, inherit: true}}}}
      export:
        value: csv
        rollout: {{percent: {exports}, salt: x, variant: early, inherit: true}}
  pro:
    extends: free
    entitlements:
      calls: {{limit: 50}}
      export: {{value: pdf, rollout: {{percent: 20}}}}
"""
    return compile_snapshot(parse([Source("plans.yaml", text)]), 3)


def of_everybody(catalog: Snapshot, plan_id: str = "free") -> dict[str, Effective]:
    return {
        name: resolve(
            CustomerRecord(name, (Subscription(plan_id, NOW),), updated_ms=NOW), catalog, NOW, name
        )
        for name in (f"customer-{i}" for i in range(1000))
    }


def test_the_share_is_as_large_as_its_percentage() -> None:
    found = of_everybody(snapshot())

    assert 250 < sum("editor" in each.entitlements for each in found.values()) < 350


@pytest.mark.parametrize(
    ("per_myriad", "inside"), [(0, False), (6601, False), (6602, True), (10_000, True)]
)
def test_who_is_inside_is_the_same_for_ever(per_myriad: int, inside: bool) -> None:
    assert inside == is_inside(Rollout(per_myriad, "new-editor", "rollout"), "acme")


@given(st.text(), st.text(), st.integers(0, 10_000), st.integers(0, 10_000))
def test_a_growing_share_never_takes_a_customer_out(
    salt: str, customer_id: str, before: int, after: int
) -> None:
    before, after = sorted((before, after))
    inside = [is_inside(Rollout(share, salt, ""), customer_id) for share in (before, after)]

    assert inside == sorted(inside)


def test_every_customer_gets_the_variant_also_without_the_feature() -> None:
    for effective in of_everybody(snapshot()).values():
        editor = effective.entitlements.get("editor")
        export = effective.entitlements.get("export")

        assert ("control" if editor is None else "rollout") == effective.variants["editor"]
        assert ("control" if export is None else "early") == effective.variants["export"]
        for granted in filter(None, (editor, export)):
            assert effective.variants[granted.feature.feature_id] == granted.variant
            assert (None, None) == (granted.rollout, granted.otherwise)


def test_outside_a_customer_has_what_the_plan_would_have_without_it() -> None:
    found = of_everybody(snapshot(), "pro").values()

    values = {
        (each.variants["export"], each.entitlements["export"].value)
        for each in found
        if "export" in each.entitlements
    }
    nothing = {each.variants["export"] for each in found if "export" not in each.entitlements}

    assert {("rollout", "pdf"), ("early", "csv")} == values
    assert {"control"} == nothing


def test_customers_on_the_same_side_share_a_table() -> None:
    found = of_everybody(snapshot()).values()

    assert 4 == len({id(each.entitlements) for each in found})
    assert 4 == len({each.table for each in found})
    assert {("free", 1)} == {each.table[:2] for each in found if isinstance(each.table, tuple)}


def test_of_the_default_plan_too() -> None:
    catalog = snapshot()
    provisioned = of_everybody(catalog)
    unknown = {name: resolve(None, catalog, NOW, name) for name in provisioned}

    assert [each.entitlements for each in provisioned.values()] == [
        each.entitlements for each in unknown.values()
    ]
    assert [each.table for each in provisioned.values()] == [
        each.table for each in unknown.values()
    ]
    assert [each.variants for each in provisioned.values()] == [
        each.variants for each in unknown.values()
    ]


def test_two_catalogs_do_not_mix_their_tables() -> None:
    nobody, all_of_them = snapshot(0), snapshot(100)
    for _ in range(2):
        for catalog, expected in ((nobody, 0), (all_of_them, 1000)):
            found = of_everybody(catalog).values()

            assert expected == sum("editor" in each.entitlements for each in found)


def test_the_tables_that_are_kept_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = [each.entitlements for each in of_everybody(snapshot()).values()]
    monkeypatch.setattr(rollout, "ENTRIES_MAX", 5)
    catalogs = [snapshot() for _ in range(4)]

    for catalog in catalogs:
        found = of_everybody(catalog).values()
        assert expected == [each.entitlements for each in found]

    kept = rollout._kept
    assert [id(catalog) for catalog in catalogs[:1:-1]] == [id(each.snapshot()) for each in kept]
    assert all(len(each.tables) <= 3 for each in kept)


def test_who_has_an_override_is_in_no_experiment() -> None:
    record = CustomerRecord(
        "acme",
        (Subscription("free", NOW),),
        updated_ms=NOW,
        overrides=(Override("editor", Entry()),),
    )

    effective = resolve(record, snapshot(100), NOW, "acme")

    assert {"export"} == set(effective.variants)
    assert "" == effective.entitlements["editor"].variant


def test_a_promotion_leaves_the_variant() -> None:
    more = Promotion("calls", Entry(limits=(Limit(9),)))
    record = CustomerRecord("acme", (Subscription("free", NOW),), promotions=(more,))
    catalog = snapshot()
    free = catalog.plans["free"]
    rolled = msgspec.structs.replace(
        free.entitlements["calls"], rollout=Rollout(10_000, "calls", "ten")
    )
    catalog.plans["free"] = msgspec.structs.replace(
        free, entitlements={**free.entitlements, "calls": rolled}, conditional=("calls",)
    )

    effective = resolve(record, catalog, NOW, "acme")

    assert (9, "ten") == (
        effective.entitlements["calls"].limits[0].limit,
        effective.entitlements["calls"].variant,
    )


def test_of_two_subscriptions_the_variant_is_that_of_the_main_one() -> None:
    both = (Subscription("pro", NOW), Subscription("free", NOW, "more"))
    found = [
        resolve(CustomerRecord("acme", subscriptions), snapshot(100, 100), NOW, f"customer-{i}")
        for i in range(50)
        for subscriptions in (both, both[:1])
    ]

    assert [each.variants for each in found[::2]] == [each.variants for each in found[1::2]]
    assert {"early", "rollout"} == {each.variants["export"] for each in found}


def test_customers_outside_get_their_variant_also_where_something_else_grants_the_feature() -> None:
    catalog = snapshot(percent=0)
    promoted = CustomerRecord(
        "acme", (Subscription("free", NOW),), promotions=(Promotion("editor", Entry()),)
    )
    overridden = CustomerRecord(
        "acme", (Subscription("free", NOW),), overrides=(Override("editor", Entry()),)
    )

    found = [
        resolve(record, catalog, NOW, "acme").entitlements["editor"].variant
        for record in (promoted, overridden)
    ]

    assert ["control", ""] == found
