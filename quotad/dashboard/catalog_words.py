"""A catalog in words: what features are, what plans and add-ons grant, what they cost."""

from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache

import msgspec

from quotad.catalog import Catalog, Snapshot, compile_snapshot
from quotad.dashboard.shown import amount, day, moment, value_words
from quotad.model import Entitlement, Feature, FeatureType, Limit
from quotad.prices import Price

NOTHING = "\u2013"
GRANTED = "\u2713"

KIND_WORDS = {
    "boolean": "on or off",
    "counter": "counted, starts again each period",
    "gauge": "goes up and down",
    "concurrency": "so many at once",
    "config": "a value to read",
}

_SIGNS = {"USD": "$", "EUR": "\u20ac", "GBP": "\u00a3"}


class Compiled(msgspec.Struct, frozen=True):
    """A catalog as it is written and as it is flattened."""

    catalog: Catalog
    snapshot: Snapshot

    def name(self, section: str, id_: str) -> str:
        """The name of a plan, a feature or an add-on for people."""
        if section == "features":
            feature = self.snapshot.features.get(id_)
            return (feature.name if feature else "") or id_
        if section == "plans":
            plan = self.catalog.definitions.plans.get(id_)
            return (plan.name if plan else "") or id_
        addon = self.catalog.definitions.addons.get(id_)
        return (addon.name if addon else "") or id_


@lru_cache(maxsize=8)
def compiled(document: bytes) -> Compiled:
    """Return a published or a prepared document, read and flattened."""
    catalog = Catalog.from_document(document)
    return Compiled(catalog, compile_snapshot(catalog, 0))


def right_words(right: Entitlement | None) -> str:
    """What a plan grants of a feature, such as `1,000 / month and 10 / second`."""
    if right is None:
        return NOTHING
    feature = right.feature
    if feature.type is FeatureType.BOOLEAN:
        return GRANTED
    if feature.type is FeatureType.CONFIG:
        return ", ".join(right.values) or value_words(right.value, feature.unit)
    words = [limit_words(limit, feature.decimals) for limit in right.limits]
    if not words or all(limit.limit is None for limit in right.limits):
        return "by its pool" if feature.credit is not None and not right.limits else "Unlimited"
    return " and ".join(words)


def right_notes(right: Entitlement | None) -> list[str]:
    """What is special about it: soft, for a share of customers, for a time."""
    if right is None:
        return []
    notes = []
    if any(limit.soft for limit in right.limits):
        price = right.overage_price
        more = f", +{money(price.amount, price.currency)} per {price.each:,}" if price else ""
        notes.append(f"soft{more}")
    if any(limit.shadow for limit in right.limits):
        notes.append("shadow: counted, never denied")
    if right.rollout is not None:
        notes.append(f"{amount(right.rollout.per_myriad, 2).removesuffix('.00')} % of customers")
    if right.span is not None and right.span.from_ms is not None:
        notes.append(f"from {day(right.span.from_ms)}")
    if right.span is not None and right.span.until_ms is not None:
        notes.append(f"until {day(right.span.until_ms)}")
    return notes


def limit_words(limit: Limit, decimals: int) -> str:
    """`1,000 / month`."""
    number = "unlimited" if limit.limit is None else amount(limit.limit, decimals)
    unit = " per unit" if limit.per_unit else ""
    per = f" / {limit.window.per}" if limit.window is not None else ""
    return f"{number}{unit}{per}"


def price_words(price: Price, features: Mapping[str, Feature]) -> str:
    """`$29.00 / month`, `$15.00 per seat / month`."""
    feature = features.get(price.feature_id or "")
    each = f" per {feature.unit or feature.feature_id}" if feature else ""
    billing = " once" if price.billing == "once" else f" / {price.billing}"
    return f"{money(price.amount, price.currency)}{each}{billing}"


def money(number: str, currency: str) -> str:
    """`$29.00`."""
    sign = _SIGNS.get(currency)
    return f"{sign}{number}" if sign else f"{number} {currency}"


def said(right: Entitlement | None) -> list[str]:
    """What a plan grants of a feature, and what is special about it."""
    return [right_words(right), *right_notes(right)]


def kind_of(feature: Feature) -> str:
    """The word of a feature's kind in forms."""
    return feature.kind.value if feature.type is FeatureType.METERED else feature.type.value


def time_words(text: str) -> str:
    """A time of a catalog: its day where it is midnight in UTC."""
    try:
        at_ms = round(datetime.fromisoformat(text).timestamp() * 1000)
    except (ValueError, OverflowError):
        return text
    return moment(at_ms) if at_ms % 86_400_000 else day(at_ms)
