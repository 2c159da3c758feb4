"""What a valid catalog means: shapes, merging, normal form."""

import textwrap

from quotad.catalog import Catalog, Snapshot, Source, compile_snapshot, parse
from quotad.model import Anchor, Feature, FeatureType, Limit, MeterKind, Unit, Window

FEATURES = """
version: 1
features:
  api-calls: {type: metered, unit: call}
  seats: {type: metered, kind: gauge, unit: seat}
  export: {type: boolean}
  size: {type: config}
  support: {type: config, values: [email, phone]}
"""


def yaml_catalog(plans: str) -> Catalog:
    return parse([Source("features.yaml", FEATURES), Source("plans.yaml", textwrap.dedent(plans))])


def compiled(plans: str) -> Snapshot:
    return compile_snapshot(yaml_catalog(plans), version=7)


def test_features_keep_their_type_kind_unit_and_values() -> None:
    features = compiled("plans: {}").features

    assert [
        Feature("api-calls", FeatureType.METERED, unit="call"),
        Feature("seats", FeatureType.METERED, MeterKind.GAUGE, unit="seat"),
        Feature("export", FeatureType.BOOLEAN),
        Feature("size", FeatureType.CONFIG),
        Feature("support", FeatureType.CONFIG, values=("email", "phone")),
    ] == list(features.values())


def test_a_limit_without_per_is_for_a_lifetime() -> None:
    plan = compiled("plans: {free: {entitlements: {api-calls: {limit: 5}}}}").plans["free"]

    assert (Limit(5),) == plan.entitlements["api-calls"].limits


def test_several_windows_are_several_limits_in_their_order() -> None:
    plan = compiled(
        """
        plans:
          free:
            entitlements:
              api-calls:
                limits:
                  - {limit: 100, per: 5 hours}
                  - {limit: 9, per: month, anchor: subscription, soft: true}
        """
    ).plans["free"]

    assert (
        Limit(100, Window(Unit.HOUR, 5)),
        Limit(9, Window(Unit.MONTH, anchor=Anchor.SUBSCRIPTION), soft=True),
    ) == plan.entitlements["api-calls"].limits
