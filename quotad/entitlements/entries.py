"""The entry of an add-on, a promotion or an override, as a separate entitlement."""

from quotad.entitlements.merge import anchored, without_limit
from quotad.entitlements.units import of_units
from quotad.model import Entitlement, Entry, Feature, FeatureType, Limit, MeterKind

# Looking a member up in its enum takes as long as the rest of a line.
METERED = FeatureType.METERED
BOOLEAN = FeatureType.BOOLEAN
CONFIG = FeatureType.CONFIG
COUNTER = MeterKind.COUNTER
CONCURRENCY = MeterKind.CONCURRENCY

LIFETIME_UNLIMITED = (Limit(limit=None),)


def entitled(
    feature: Feature, entry: Entry, replaced: Entitlement | None = None, units: int = 1
) -> Entitlement | None:
    """Return what `entry` grants; None: nothing, or it does not fit the feature any more.

    What is written at customers stays when the catalog changes: a value that the feature does
    not have any more, a limit of what is not metered any more, count as not written.

    Args:
        feature: as the catalog in force defines it.
        entry: grants something.
        replaced: what the customer has without it: unlimited keeps its windows.
        units: of the subscription, for limits per unit.
    """
    if feature.type is METERED:
        limits = _limits(feature, entry, replaced)
        if limits is None:
            return None
        price = entry.overage_price
        found = Entitlement(feature, limits=of_units(limits, units), overage_price=price)
        # Also aligned as what it replaces, or the same windows would be other counters.
        return found if replaced is None else anchored(found, replaced.anchor_ms)
    if entry.limits != ():
        return None
    if feature.type is BOOLEAN:
        return None if _has_value(entry) else Entitlement(feature)
    if not _has_value(entry):
        return None
    if not feature.values:
        return Entitlement(feature, value=entry.value)
    written = entry.values or (entry.value,)
    values = tuple(value for value in feature.values if value in written)
    return Entitlement(feature, value=values[-1], values=values) if values else None


def fitting(feature: Feature, entry: Entry) -> Entry | None:
    """Return what of `entry` still means something; None: nothing.

    What it grants is the same; as a catalog would spell it today.
    """
    if not entry.granted:
        return entry
    found = entitled(feature, entry)
    if found is None or feature.type is not CONFIG:
        return None if found is None else entry
    values = found.values or (() if found.value else ("",))
    return Entry(value=found.value, values=values)


def _has_value(entry: Entry) -> bool:
    """Whether it is of a config feature; an empty text comes with `values`, unlike true."""
    return bool(entry.value or entry.values)


def _limits(
    feature: Feature, entry: Entry, replaced: Entitlement | None
) -> tuple[Limit, ...] | None:
    if entry.limits is None:
        if replaced is None or not replaced.limits:
            return LIFETIME_UNLIMITED
        return without_limit(replaced.limits)
    if not entry.limits:
        return () if feature.credit is not None and not _has_value(entry) else None
    if feature.kind is not COUNTER and any(limit.window for limit in entry.limits):
        return None
    if feature.kind is CONCURRENCY and any(limit.soft or limit.shadow for limit in entry.limits):
        return None
    return entry.limits
