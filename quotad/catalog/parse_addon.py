"""One add-on -> `AddOn`."""

from collections.abc import Mapping

from quotad.catalog.known import Known
from quotad.catalog.numbers import parse_amount, parse_per_unit
from quotad.catalog.parse_entitlement import CONDITIONS, ON, UNLIMITED, parse_right
from quotad.catalog.parse_feature import TEXT_KEYS, archived_of, texts_of
from quotad.catalog.parse_limit import refuse_window
from quotad.catalog.parse_price import parse_prices
from quotad.catalog.problems import Place, check_keys, described, mapping_of
from quotad.catalog.windows import WINDOW_KEYS, parse_window
from quotad.model import AddOn, AddOnEntry, Feature, FeatureType, MeterKind, Window
from quotad.records import ADDON_QUANTITY_MAX

LIFETIME = "lifetime"
"""`per` of an add-on that means the limit without a window."""

_KEYS = ("archived", "entitlements", "max_quantity", "plans", "prices", *TEXT_KEYS)
_ENTRY_KEYS = ("add", "set", *WINDOW_KEYS)
_PLANS_ONLY = "is only for plans; write 'add' for more than the plan's limit, 'set' for another"
_ENTRY_ELSEWHERE = {
    **dict.fromkeys(("limit", "limits"), _PLANS_ONLY),
    **dict.fromkeys(
        ("soft", "overage_limit", "enforce"),
        "is only for plans; an add-on leaves it as in the plan, so leave it out",
    ),
    **dict.fromkeys((*CONDITIONS, "overage_price"), "is only for plans and groups; leave it out"),
    "unlimited": "stands alone; write 'unlimited' or an amount",
}
_SHAPES = "{add: 1000}, {set: 1000} or unlimited"


def parse_addon(known: Known, place: Place, addon_id: str, value: object) -> AddOn | None:
    """Return an add-on, or None if it is none at all; problems are noted."""
    raw = mapping_of(place, value, "{entitlements: {api-calls: {add: 1000}}}")
    if raw is None:
        return None
    check_keys(place, raw, _KEYS)
    entries = known.entries(place, raw, "{api-calls: {add: 1000}}", _entry)
    plans = None
    if "plans" in raw:
        # Sorted: the order has no meaning, and the same content has one document.
        plans = tuple(sorted(known.merged.names(place.key("plans"), raw["plans"], "plan")))
    prices = parse_prices(known, place, raw)
    texts, archived = texts_of(place, raw), archived_of(place, raw)
    return AddOn(addon_id, entries, _max_quantity(place, raw), plans, *texts, prices, archived)


def _max_quantity(place: Place, raw: Mapping[str, object]) -> int | None:
    if "max_quantity" not in raw:
        return None
    value = raw["max_quantity"]
    fits = isinstance(value, int) and not isinstance(value, bool)
    if isinstance(value, int) and fits and 1 <= value <= ADDON_QUANTITY_MAX:
        return value
    place.key("max_quantity").refuse(
        f"must be a whole number from 1 to {ADDON_QUANTITY_MAX:,}, not {described(value)};"
        " leave it out for any quantity"
    )
    return None


def _entry(place: Place, feature: Feature, value: object) -> AddOnEntry | None:
    if value is False:
        place.refuse("an add-on only adds, and switches nothing off; leave the feature out")
        return None
    if feature.type is not FeatureType.METERED:
        entry = parse_right(place, feature, value)
        text = feature.type is FeatureType.CONFIG and not feature.values
        if entry is not None and text and not entry.value:
            place.refuse("an add-on only adds, and an empty text is nothing; leave the feature out")
            return None
        return None if entry is None else AddOnEntry(entry=entry)
    bare = isinstance(value, dict) and len(value) == 1 and value.get("unlimited") is True
    if bare or value == "unlimited":
        return AddOnEntry(entry=UNLIMITED)
    if value is True and feature.credit is not None:
        return AddOnEntry(entry=ON)
    if isinstance(value, dict):
        return _amount(place, feature, value)
    hint = place.suggestion(value, ("unlimited",)) if isinstance(value, str) else ""
    place.refuse(
        f"is a metered feature: in an add-on write {_SHAPES}, not {described(value)}{hint}"
    )
    return None


def _amount(place: Place, feature: Feature, raw: dict[str, object]) -> AddOnEntry | None:
    fits = check_keys(place, raw, _ENTRY_KEYS, _ENTRY_ELSEWHERE)
    known, window = _window(place, feature, raw)
    if "add" in raw and "set" in raw:
        place.refuse("has both 'add' and 'set'; keep one")
        return None
    key = "add" if "add" in raw else "set"
    if key not in raw:
        if fits:
            place.refuse(f"has no amount; write {_SHAPES}")
        return None
    amount, per_unit = parse_per_unit(place.key(key), feature, raw[key], _at_least_one)
    if amount is None or not known:
        return None
    add, set_to = (amount, None) if key == "add" else (None, amount)
    return AddOnEntry(add, set_to, window, names_window="per" in raw, per_unit=per_unit)


def _at_least_one(place: Place, feature: Feature, value: object) -> int | None:
    return parse_amount(place, feature, value, least=1)


def _window(
    place: Place, feature: Feature, raw: Mapping[str, object]
) -> tuple[bool, Window | None]:
    if feature.kind is not MeterKind.COUNTER:
        refuse_window(place, feature, raw)
        return True, None
    if raw.get("per") != LIFETIME:
        return parse_window(place, raw)
    for key in WINDOW_KEYS:
        if key in raw and key != "per":
            place.key(key).refuse(f"has no meaning with 'per: {LIFETIME}'")
    return True, None
