"""A feature becomes another one: what customers have of it never gets another meaning."""

from itertools import product
from typing import Any

import pytest

from quotad.catalog import Catalog, Source, carry, compile_snapshot, parse, parse_entry_value
from quotad.entitlements.resolve import resolve
from quotad.errors import CatalogError
from quotad.model import Entitlement, Entry, FeatureType, MeterKind
from quotad.records import CustomerRecord, Override, Promotion, Subscription

NOW = 1_800_000_000_000

FEATURES = {
    "counter": "{type: metered}",
    "paid": "{type: metered, credit: {pool: pool, cost: 2}}",
    "fine": "{type: metered, decimals: 2}",
    "gauge": "{type: metered, kind: gauge}",
    "concurrency": "{type: metered, kind: concurrency}",
    "boolean": "{type: boolean}",
    "config": "{type: config}",
    "values": "{type: config, values: [email, phone]}",
}
PLANS = {"boolean": "true", "config": "10", "values": "email"}
WITHOUT_WINDOW: dict[str, Any] = {"limit": 5}
SOFT: dict[str, Any] = {"limit": 5, "soft": True}
SHADOW: dict[str, Any] = {"limit": 5, "enforce": "shadow"}
WRITTEN: dict[str, list[Any]] = {
    "counter": [WITHOUT_WINDOW, {"limit": 5, "per": "day"}, "unlimited", SOFT, SHADOW],
    "paid": [WITHOUT_WINDOW, {"limit": 5, "per": "day"}, "unlimited", True],
    "gauge": [WITHOUT_WINDOW, "unlimited", SOFT],
    "concurrency": [WITHOUT_WINDOW, "unlimited"],
    "boolean": [True],
    "config": ["20", ""],
    "values": ["phone", ["email", "phone"]],
}
COUNTED = ("counter", "paid", "gauge", "concurrency")
GOES_ON = [
    *[(was, now, WITHOUT_WINDOW) for was, now in product(COUNTED, repeat=2)],
    *[(was, now, "unlimited") for was, now in product(COUNTED, repeat=2)],
    *[(was, now, SOFT) for was, now in product(COUNTED[:3], repeat=2)],
    *[(was, now, SHADOW) for was, now in product(COUNTED[:3], repeat=2)],
    ("counter", "paid", {"limit": 5, "per": "day"}),
    ("paid", "counter", {"limit": 5, "per": "day"}),
    ("boolean", "paid", True),
    ("paid", "boolean", True),
    ("config", "values", "phone"),
    ("values", "config", "phone"),
    ("values", "config", ["email", "phone"]),
]
"""What means the same of both; the rest counts as not written."""


def catalog(kind: str) -> Catalog:
    """A catalog where feature `x` is of a kind, and plan `pro` grants it."""
    text = (
        f"version: 1\nfeatures: {{pool: {{type: metered}}, x: {FEATURES[kind]}}}\n"
        "plans: {pro: {apply_to: new, entitlements: {x: "
        f"{PLANS.get(kind, '{limit: 1}')}}}}}, none: {{}}}}\n"
    )
    return parse([Source("plans.yaml", text)])


CHANGES = [
    pytest.param(was, now, written, id=f"{was}-{now}-{number}")
    for was, now in product(WRITTEN, repeat=2)
    if was != now
    for number, written in enumerate(WRITTEN[was])
]


def held(kind: str, record: CustomerRecord) -> Entitlement | None:
    """What a customer has of the feature."""
    snapshot = compile_snapshot(catalog(kind), 1)
    return resolve(record, snapshot, NOW, "acme").entitlements.get("x")


def fits(entitlement: Entitlement) -> bool:
    """Whether it is one that a plan could grant."""
    feature = entitlement.feature
    if feature.type is not FeatureType.METERED:
        return not entitlement.limits and bool(entitlement.value) == (
            feature.type is FeatureType.CONFIG
        )
    loose = any(limit.soft or limit.shadow for limit in entitlement.limits)
    windows = any(limit.window for limit in entitlement.limits)
    return (
        not entitlement.value
        and not (windows and feature.kind is not MeterKind.COUNTER)
        and not (loose and feature.kind is MeterKind.CONCURRENCY)
        and bool(entitlement.limits or feature.credit)
    )


@pytest.mark.parametrize("plan_id", ["pro", "none"])
@pytest.mark.parametrize(("was", "now", "written"), CHANGES)
def test_what_a_customer_has_of_its_own_goes_on_if_it_fits_and_else_counts_for_nothing(
    was: str, now: str, written: Any, plan_id: str
) -> None:
    entry = parse_entry_value(catalog(was).definitions.features["x"], written)
    plain = CustomerRecord("acme", (Subscription(plan_id, NOW - 1),))
    overridden = CustomerRecord("acme", plain.subscriptions, overrides=(Override("x", entry),))
    promoted = CustomerRecord("acme", plain.subscriptions, promotions=(Promotion("x", entry),))

    found = held(now, overridden)

    assert found is None or fits(found)
    if (was, now, written) in GOES_ON:
        feature = catalog(now).definitions.features["x"]
        assert held(now, with_entry(plain, feature_entry(feature, written))) == found
    else:
        assert held(now, plain) == found == held(now, promoted)


def feature_entry(feature: Any, written: Any) -> Entry:
    """The entry as it would be written of the feature as it is now."""
    last = written[-1] if isinstance(written, list) and not feature.values else written
    return parse_entry_value(feature, last)


def with_entry(record: CustomerRecord, entry: Entry) -> CustomerRecord:
    return CustomerRecord("acme", record.subscriptions, overrides=(Override("x", entry),))


@pytest.mark.parametrize(("was", "now"), list(product(FEATURES, repeat=2)))
def test_a_feature_may_become_any_other_but_one_with_other_decimals(was: str, now: str) -> None:
    metered = {was, now} <= {*COUNTED, "fine"}
    if metered and "fine" in (was, now) and was != now:
        with pytest.raises(CatalogError, match=r"features\.x\.decimals: cannot change from"):
            carry(catalog(was), catalog(now))
        return

    after = carry(catalog(was), catalog(now))

    snapshot = compile_snapshot(Catalog.from_document(after.document), 1)
    for revision in (1, 2):
        plan = snapshot.plan("pro", revision)
        assert plan is not None
        assert fits(plan.entitlements["x"])
