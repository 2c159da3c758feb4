"""Plans, add-ons and their prices, in Stigg's shapes."""

from collections.abc import Iterable

from quotad.catalog import Snapshot
from quotad.http.stigg.entitlements import configuration_of, plain, value_shape
from quotad.http.stigg.words import Shape, feature_shape, uuid_of
from quotad.model import AddOn, Entitlement, Entry, Feature, FeatureType, MeterKind, Plan
from quotad.prices import ONCE, Price
from quotad.stigg_words import RESETS

PRODUCT = "product"
"""The one product, of which all plans are, by its id."""

_PERIODS = {"month": "MONTHLY", "12 months": "ANNUALLY", "year": "ANNUALLY", ONCE: "MONTHLY"}
"""`billingPeriod`; what there is no word for is as a catalog spells it."""


def plan_shape(snapshot: Snapshot, plan_id: str, revision: int) -> Shape:
    """A `Plan`, also one that is no longer in the catalog; its lists are made when asked for."""
    plan = snapshot.plan(plan_id, revision) or Plan(plan_id, {})

    def own() -> list[Shape]:
        return _rights(plan, snapshot, inherited=False)

    def inherited() -> list[Shape]:
        return _rights(plan, snapshot, inherited=True)

    def addons() -> list[Shape]:
        return [addon_shape(each, plan, snapshot) for each in addons_of(plan_id, snapshot)]

    def base() -> Shape | None:
        extended = base_of(plan, snapshot)
        if extended is None:
            return None
        return plan_shape(snapshot, extended.plan_id, extended.revision)

    return {
        "id": uuid_of("plan", plan_id),
        "refId": plan_id,
        "displayName": plan.name or plan_id,
        "description": plan.description or None,
        "additionalMetaData": plan.metadata,
        "pricingType": pricing_type(plan.prices),
        "versionNumber": revision,
        "product": product_shape(snapshot),
        "basePlan": base,
        "prices": [price_shape(each, plan, snapshot) for each in plan.prices],
        "entitlements": own,
        "inheritedEntitlements": inherited,
        "compatibleAddons": addons,
        "compatiblePackageGroups": [],
        "defaultTrialConfig": None,
    }


def product_shape(snapshot: Snapshot) -> Shape:
    """The `Product` of every plan."""
    return {
        "id": uuid_of("product", PRODUCT),
        "refId": PRODUCT,
        "displayName": snapshot.product or PRODUCT,
        "productSettings": {"downgradePlan": None},
    }


def addon_ref(addon_id: str, snapshot: Snapshot) -> Shape:
    """An `Addon` by its names, also one that is no longer in the catalog."""
    addon = snapshot.addons.get(addon_id)
    return {
        "id": uuid_of("addon", addon_id),
        "refId": addon_id,
        "displayName": addon_id if addon is None else addon.name or addon_id,
        "description": None if addon is None else addon.description or None,
        "additionalMetaData": {} if addon is None else addon.metadata,
        "maxQuantity": None if addon is None else addon.max_quantity,
    }


def addon_shape(addon: AddOn, plan: Plan, snapshot: Snapshot) -> Shape:
    """An `Addon` for a plan that may take it."""
    return addon_ref(addon.addon_id, snapshot) | {
        "pricingType": pricing_type(addon.prices),
        "prices": [price_shape(each, plan, snapshot) for each in addon.prices],
    }


def addons_of(plan_id: str, snapshot: Snapshot) -> Iterable[AddOn]:
    """The add-ons that a plan may take."""
    for addon in snapshot.addons.values():
        if addon.plans is None or plan_id in addon.plans:
            yield addon


def price_shape(price: Price, plan: Plan, snapshot: Snapshot) -> Shape:
    """A `Price`; the amount is a number here, and exact in the catalog."""
    feature = snapshot.features.get(price.feature_id)
    names = (plan.plan_id, price.feature_id, price.amount, price.currency, price.billing)
    return {
        "id": uuid_of("price", *names),
        "billingId": price.stripe_price or None,
        "billingModel": _model(price, plan, snapshot),
        "billingPeriod": _PERIODS.get(price.billing, price.billing),
        "billingCadence": "ONE_OFF" if price.billing == ONCE else "RECURRING",
        "price": {"amount": float(price.amount), "currency": price.currency},
        "featureId": price.feature_id or None,
        "feature": None if feature is None else feature_shape(feature),
    }


def pricing_type(prices: Iterable[Price]) -> str:
    """`pricingType`: what has no price in the catalog is agreed upon elsewhere."""
    amounts = [float(each.amount) for each in prices]
    if not amounts:
        return "CUSTOM"
    return "PAID" if any(amounts) else "FREE"


def _model(price: Price, plan: Plan, snapshot: Snapshot) -> str:
    if not price.feature_id:
        return "FLAT_FEE"
    feature = snapshot.features.get(price.feature_id)
    sold = price.feature_id in plan.per_unit
    in_use = feature is not None and feature.kind is MeterKind.GAUGE
    return "PER_UNIT" if sold or in_use else "USAGE_BASED"


def base_of(plan: Plan, snapshot: Snapshot) -> Plan | None:
    """The plan that it extends; groups are no plans."""
    for name in plan.bases:
        if name in snapshot.plans:
            return snapshot.plans[name]
    return None


def _rights(plan: Plan, snapshot: Snapshot, inherited: bool) -> list[Shape]:
    """What it has as the plan that it extends, or else what it has of its own."""
    base = base_of(plan, snapshot)
    theirs = {} if base is None else base.entitlements
    return [
        _right(plan, right)
        for name, right in plan.entitlements.items()
        if (theirs.get(name) == right) is inherited
    ]


def _right(plan: Plan, right: Entitlement) -> Shape:
    """What a plan grants of a feature; per unit, where it is sold so."""
    return granted_shape(right.feature, right) | {
        "id": uuid_of("right", plan.plan_id, right.feature.feature_id),
        "hiddenFromWidgets": [],
        "isCustom": False,
        "displayNameOverride": None,
    }


def granted_shape(feature: Feature, granted: Entitlement | Entry) -> Shape:
    """What is granted of a feature, as it is written."""
    limits = granted.limits or ()
    first = limits[0] if limits else None
    window = None if first is None else first.window
    metered = feature.type is FeatureType.METERED
    endless = granted.limits is None or all(each.limit is None for each in limits)
    limit = None if first is None or first.limit is None else plain(first.limit, feature.decimals)
    shape: Shape = {
        "featureId": feature.feature_id,
        "feature": feature_shape(feature),
        "usageLimit": limit,
        "hasUnlimitedUsage": metered and endless and granted.limits != (),
        "hasSoftLimit": first is not None and first.soft,
        "enumValues": None,
        "resetPeriod": RESETS.get("" if window is None else window.per),
        "resetPeriodConfiguration": configuration_of(window),
    }
    return shape if metered else shape | value_shape(feature, granted.value, granted.values)
