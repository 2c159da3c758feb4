"""What a valid catalog means: shapes of entitlements, YAML as people write it, compiling."""

import textwrap
from zoneinfo import ZoneInfo

import pytest

from quotad.catalog import Catalog, Snapshot, Source, compile_snapshot, parse
from quotad.errors import CatalogError
from quotad.model import (
    QUANTITY_MAX,
    Anchor,
    Entitlement,
    Feature,
    FeatureType,
    Limit,
    MeterKind,
    Unit,
    Window,
)

FEATURES = """
version: 1
features:
  api-calls: {type: metered, unit: call}
  seats: {type: metered, kind: gauge, unit: seat}
  export: {type: boolean}
  size: {type: config, unit: MB}
  support: {type: config, values: [email, phone]}
"""


def compiled(plans: str) -> Snapshot:
    sources = [Source("features.yaml", FEATURES), Source("plans.yaml", textwrap.dedent(plans))]
    return compile_snapshot(parse(sources), version=7)


def entitlement(feature_id: str, value: str) -> Entitlement:
    snapshot = compiled(f"plans: {{free: {{entitlements: {{{feature_id}: {value}}}}}}}")
    return snapshot.plans["free"].entitlements[feature_id]


# Features


def test_features_keep_their_type_kind_unit_and_values() -> None:
    features = compiled("plans: {}").features

    assert [
        Feature("api-calls", FeatureType.METERED, unit="call"),
        Feature("seats", FeatureType.METERED, MeterKind.GAUGE, unit="seat"),
        Feature("export", FeatureType.BOOLEAN),
        Feature("size", FeatureType.CONFIG, unit="MB"),
        Feature("support", FeatureType.CONFIG, values=("email", "phone")),
    ] == list(features.values())


def test_names_and_descriptions_are_kept_in_the_document() -> None:
    text = """
        version: 1
        features: {a: {type: boolean, name: A, description: "Is\\nA"}}
        plans: {p: {name: P, description: Is P}}
    """

    assert (
        b'{"version":1,"features":{"a":{"name":"A","description":"Is\\nA","type":"boolean"}},'
        b'"plans":{"p":{"name":"P","description":"Is P","entitlements":{}}}}'
    ) == parse([Source("a.yaml", text)]).document


def test_an_id_may_be_any_printable_text_of_256_bytes() -> None:
    name = "ü" * 128
    text = f"version: 1\nfeatures: {{{name}: {{type: boolean}}, 'a.b [c]': {{type: boolean}}}}"

    catalog = parse([Source("a.yaml", text)])

    assert [name, "a.b [c]"] == list(compile_snapshot(catalog, 1).features)


# Entitlements


@pytest.mark.parametrize(
    ("value", "limits"),
    [
        ("{limit: 5}", [Limit(5)]),
        ("{limit: 0, per: day}", [Limit(0, Window(Unit.DAY))]),
        ("{limit: 1_000, per: 1 month}", [Limit(1000, Window(Unit.MONTH))]),
        ("{limit: 5, per: 5 hours}", [Limit(5, Window(Unit.HOUR, 5))]),
        ("{limit: 5, per: 30 day, soft: true}", [Limit(5, Window(Unit.DAY, 30), True)]),
        (f"{{limit: {QUANTITY_MAX}, per: year, anchor: calendar}}", [
            Limit(QUANTITY_MAX, Window(Unit.YEAR))
        ]),
        ("{limit: 5, per: month, anchor: subscription}", [
            Limit(5, Window(Unit.MONTH, anchor=Anchor.SUBSCRIPTION))
        ]),
        ("{limit: 5, per: week, week_starts: sunday, timezone: Asia/Kolkata}", [
            Limit(5, Window(Unit.WEEK, zone=ZoneInfo("Asia/Kolkata"), week_starts=6))
        ]),
        ("{limits: [{limit: 5, per: minute}, {limit: 50, per: day}, {limit: 500}]}", [
            Limit(5, Window(Unit.MINUTE)), Limit(50, Window(Unit.DAY)), Limit(500)
        ]),
        ("{limits: [{limit: 5, per: day}, {limit: 6, per: day, anchor: subscription}]}", [
            Limit(5, Window(Unit.DAY)), Limit(6, Window(Unit.DAY, anchor=Anchor.SUBSCRIPTION))
        ]),
        ("unlimited", [Limit(None)]),
        ("{unlimited: true}", [Limit(None)]),
        ("{unlimited: true, per: month}", [Limit(None, Window(Unit.MONTH))]),
        ("{limits: [{unlimited: true, per: month}, {limit: 5, per: second}]}", [
            Limit(None, Window(Unit.MONTH)), Limit(5, Window(Unit.SECOND))
        ]),
    ],
)  # fmt: skip
def test_a_metered_entitlement_is_its_limits(value: str, limits: list[Limit]) -> None:
    found = entitlement("api-calls", value)

    assert tuple(limits) == found.limits
    assert (limits[0].limit is None and len(limits) == 1) == found.unlimited


def test_a_gauge_has_one_limit_for_a_lifetime() -> None:
    assert (Limit(3, None, soft=True),) == entitlement("seats", "{limit: 3, soft: true}").limits
    assert (Limit(None),) == entitlement("seats", "unlimited").limits


def test_a_boolean_entitlement_is_there_or_not() -> None:
    assert Entitlement(Feature("export", FeatureType.BOOLEAN)) == entitlement("export", "true")
    assert (
        {} == compiled("plans: {free: {entitlements: {export: false}}}").plans["free"].entitlements
    )


@pytest.mark.parametrize(
    ("written", "stored"),
    [
        ("10", "10"),
        ("-2.50", "-2.50"),
        ("1e+2", "1e+2"),
        ("1_000.10", "1000.10"),
        ("0.1234567890123456789", "0.1234567890123456789"),
        ("'2.50'", "2.50"),
        ("large", "large"),
        ("''", ""),
        ("007", "007"),
        ("12:30", "12:30"),
        ("2025-11-23", "2025-11-23"),
        ("0x1F", "0x1F"),
        ("unlimited", "unlimited"),
        ("'true'", "true"),
    ],
)
def test_a_config_value_is_text_as_it_is_read(written: str, stored: str) -> None:
    assert stored == entitlement("size", written).value


# Inheritance


def test_a_plan_has_what_it_extends_in_the_order_of_the_features() -> None:
    snapshot = compiled(
        """
        plans:
          enterprise: {extends: pro, entitlements: {export: true}}
          pro: {extends: free, entitlements: {api-calls: {limit: 9}}}
          free: {entitlements: {support: email, seats: {limit: 3}, api-calls: {limit: 5}}}
        """
    )

    assert ["enterprise", "pro", "free"] == list(snapshot.plans)
    assert ["api-calls", "seats", "export", "support"] == list(
        snapshot.plans["enterprise"].entitlements
    )
    assert (Limit(9),) == snapshot.plans["enterprise"].entitlements["api-calls"].limits
    assert ["api-calls", "seats", "support"] == list(snapshot.plans["free"].entitlements)


def test_false_switches_off_what_is_inherited() -> None:
    snapshot = compiled(
        """
        plans:
          free: {entitlements: {export: true, api-calls: {limit: 5}, seats: {limit: 3}}}
          lean: {extends: free, entitlements: {export: false, api-calls: false}}
          fat: {extends: lean, entitlements: {export: true}}
        """
    )

    assert ["seats"] == list(snapshot.plans["lean"].entitlements)
    assert ["seats", "export"] == list(snapshot.plans["fat"].entitlements)


def test_a_bare_unlimited_counts_in_the_windows_that_it_replaces() -> None:
    plans = compiled(
        """
        plans:
          pro:
            entitlements:
              api-calls:
                limits:
                  - {limit: 100, per: minute}
                  - {limit: 5000, per: month, anchor: subscription, soft: true}
          team: {extends: pro, entitlements: {api-calls: unlimited}}
          enterprise: {extends: team, entitlements: {api-calls: {unlimited: true}}}
          monthly: {extends: pro, entitlements: {api-calls: {unlimited: true, per: month}}}
          lifetime: {extends: pro, entitlements: {api-calls: {limits: [{unlimited: true}]}}}
          none: {extends: pro, entitlements: {api-calls: false}}
          again: {extends: none, entitlements: {api-calls: unlimited}}
        """
    ).plans
    windows = (Window(Unit.MINUTE), Window(Unit.MONTH, anchor=Anchor.SUBSCRIPTION))

    for name in ("team", "enterprise"):
        assert tuple(Limit(None, window) for window in windows) == (
            plans[name].entitlements["api-calls"].limits
        )
    assert (Limit(None, Window(Unit.MONTH)),) == plans["monthly"].entitlements["api-calls"].limits
    assert (Limit(None),) == plans["lifetime"].entitlements["api-calls"].limits
    assert (Limit(None),) == plans["again"].entitlements["api-calls"].limits


def test_a_snapshot_has_version_digest_and_default_plan() -> None:
    catalog = parse([Source("a.yaml", "version: 1\ndefault_plan: free\nplans: {free: {}}")])

    snapshot = compile_snapshot(catalog, version=42)

    assert (42, catalog.digest, "free") == (
        snapshot.version,
        snapshot.digest,
        snapshot.default_plan,
    )
    assert compiled("plans: {}").default_plan is None


# YAML as people write it


def test_anchors_aliases_and_merge_keys_work() -> None:
    plans = compiled(
        """
        plans:
          free:
            entitlements: &free
              api-calls: &calls {limit: 5, per: day}
              seats: {limit: 1}
          trial:
            entitlements:
              <<: *free
              seats: {limit: 3}
          own:
            entitlements:
              api-calls: *calls
              <<: [{export: true}, {export: false, size: 1}]
        """
    ).plans

    assert (Limit(5, Window(Unit.DAY)),) == plans["trial"].entitlements["api-calls"].limits
    assert (Limit(3),) == plans["trial"].entitlements["seats"].limits
    assert ["api-calls", "export", "size"] == list(plans["own"].entitlements)


def test_tags_of_plain_values_are_understood() -> None:
    assert "5" == entitlement("size", "!!str 5").value
    assert (Limit(5),) == entitlement("api-calls", "{limit: !!int 5}").limits


# Size


def test_fifty_plans_of_two_hundred_features_are_compiled() -> None:
    snapshot = compile_snapshot(large_catalog(plans=50, features=200), 1)

    assert 50 * 200 == sum(len(plan.entitlements) for plan in snapshot.plans.values())


def large_catalog(plans: int, features: int) -> Catalog:
    lines = ["version: 1", "features:"]
    lines += [f"  feature-{index}: {{type: metered}}" for index in range(features)]
    lines += ["plans:"]
    for plan in range(plans):
        lines += [f"  plan-{plan}:", f"    extends: plan-{plan - 1}" if plan % 10 else ""]
        lines += ["    entitlements:"]
        lines += [
            f"      feature-{index}: {{limit: {plan}, per: month}}" for index in range(features)
        ]
    return parse([Source("large.yaml", "\n".join(lines))])


def test_a_chain_of_ten_thousand_plans_is_no_matter() -> None:
    chain = "".join(f"  p{index + 1}: {{extends: p{index}}}\n" for index in range(9_999))

    snapshot = compiled(f"plans:\n  p0: {{entitlements: {{export: true}}}}\n{chain}")

    assert ["export"] == list(snapshot.plans["p9999"].entitlements)


def test_more_than_ten_thousand_names_are_refused() -> None:
    names = "".join(f"  f{index}: {{type: boolean}}\n" for index in range(10_001))

    with pytest.raises(CatalogError) as caught:
        parse([Source("a.yaml", f"version: 1\nfeatures:\n{names}")])

    assert ("a.yaml: features: 10001 features, at most 10000 are allowed",) == (
        caught.value.problems
    )


def test_inheritance_cannot_make_a_small_file_fill_the_memory() -> None:
    features = "".join(f"  f{index}: {{type: boolean}}\n" for index in range(2000))
    rights = "".join(f"      f{index}: true\n" for index in range(2000))
    plans = "".join(f"  p{index}: {{extends: all}}\n" for index in range(1000))
    text = f"version: 1\nfeatures:\n{features}plans:\n  all:\n    entitlements:\n{rights}{plans}"

    with pytest.raises(CatalogError) as caught:
        parse([Source("a.yaml", text)])

    assert (
        "a.yaml: plans: 2,002,000 entitlements with those inherited, at most 1,000,000 are allowed",
    ) == caught.value.problems
