"""One entry of a plan's `entitlements` -> `Entry`, by the type of its feature."""

import math
from collections.abc import Mapping
from typing import Any

import msgspec

from quotad.catalog.numbers import WrittenFloat
from quotad.catalog.parse_limit import ELSEWHERE, LIMIT_KEYS, parse_limit, parse_limits
from quotad.catalog.parse_overage import parse_overage_price
from quotad.catalog.parse_rollout import parse_inherit, parse_rollout
from quotad.catalog.parse_span import SPAN_KEYS, parse_span
from quotad.catalog.problems import Place, Problems, check_keys, described, shown, text_of
from quotad.catalog.windows import FOR_LIFE
from quotad.errors import CatalogError, InvalidRequest
from quotad.model import Entry, Feature, FeatureType

VALUE_BYTES_MAX = 4096
"""Longest value of a config feature, which is part of every answer about it."""

OFF = Entry(granted=False)
ON = Entry()
UNLIMITED = Entry(limits=None)

EXACT_MAX = 2.0**53 - 1
"""Largest float that stands for one whole number: the next may be 2^53 or 2^53 + 1."""

_DEPTH_MAX = 8
"""Deeper than any entry is nested: {limits: [{limit: 5}]} is three levels."""

CONDITIONS = ("rollout", *SPAN_KEYS)
"""Keys of an entry that is for a share of customers, or for a time."""

_ENTRY_KEYS = ("limits", *LIMIT_KEYS, "overage_price", *CONDITIONS)

_METERED_SHAPES = "{limit: 1000, per: month}, unlimited or false"
_PAID_SHAPES = "true, {limit: 1000, per: month}, unlimited or false"


def parse_entry(place: Place, feature: Feature, value: object) -> Entry | None:
    """Return a plan's entry for `feature`, or None after noting what is wrong with it."""
    if not isinstance(value, dict) or not any(key in value for key in CONDITIONS):
        return parse_right(place, feature, value)
    rollout = inherit = None
    problems = place.problems.count
    if "rollout" in value:
        spot = place.key("rollout")
        rollout = parse_rollout(spot, feature.feature_id, value["rollout"])
        inherit = parse_inherit(spot, value["rollout"])
    span = parse_span(place, value)
    fits = place.problems.count == problems
    rest: Any = {key: item for key, item in value.items() if key not in CONDITIONS}
    if feature.type is FeatureType.BOOLEAN:
        check_keys(place, value, CONDITIONS)
        rest = True
    elif feature.credit is not None and not rest:
        rest = True
    entry = parse_right(place, feature, rest)
    if entry is None or not fits:
        return None
    return msgspec.structs.replace(entry, rollout=rollout, inherit=inherit, span=span)


def parse_right(place: Place, feature: Feature, value: object) -> Entry | None:
    """Return the entry of `feature` where it is for every customer, and for all time."""
    if value is False:
        return OFF
    if isinstance(value, dict) and "rollout" in value:
        place.key("rollout").refuse("is only for plans and groups")
        return None
    if isinstance(value, dict) and any(key in value for key in SPAN_KEYS):
        key = next(key for key in SPAN_KEYS if key in value)
        place.key(key).refuse(
            "is only for plans and groups; an override or a promotion has a start of its own"
        )
        return None
    if feature.type is FeatureType.BOOLEAN:
        if value is True:
            return ON
        place.refuse(f"is a boolean feature: write true or false, not {described(value)}")
        return None
    if feature.type is FeatureType.CONFIG:
        return _config(place, feature, value)
    return _metered(place, feature, value)


def parse_entry_value(feature: Feature, value: object) -> Entry:
    """Return the entry of an override or a promotion for `feature`.

    Args:
        feature: as the catalog defines it.
        value: as a catalog spells it, in JSON values; floats without a fraction are whole numbers,
            unless they are from a file and the feature keeps what is written.

    Raises:
        InvalidRequest: with everything that is wrong with it.
    """
    problems = Problems()
    whole = _whole(value, _DEPTH_MAX, keeps=feature.type is FeatureType.CONFIG)
    entry = parse_right(Place(problems, "", "entitlement"), feature, whole)
    try:
        problems.raise_if_any()
    except CatalogError as error:
        raise InvalidRequest("; ".join(map(_for_life, error.problems))) from None
    if entry is None:
        raise InvalidRequest("entitlement: cannot be read")
    if feature.type is FeatureType.CONFIG and entry.granted and not (entry.value or entry.values):
        return msgspec.structs.replace(entry, values=("",))
    return entry


def _for_life(problem: str) -> str:
    """A problem with what to do about it here, where a limit without `per` keeps the plan's."""
    if problem.startswith("entitlement.per: "):
        return problem.replace(FOR_LIFE, "write {limits: [{limit: ...}]} for a lifetime")
    return problem


def _whole(value: object, depth: int, *, keeps: bool) -> object:
    """Return `value` with whole numbers as such: JSON of a protobuf knows nothing but floats.

    What is nested deeper than anything that means something stays as it is, to be refused: people
    can nest deeper than Python can follow.

    Args:
        value: as it was written.
        depth: how deep to look.
        keeps: whether a number of a file stays as it is written, and one that may stand for another
            stays a float, to be refused.
    """
    if depth == 0:
        return value
    if isinstance(value, float) and value.is_integer():
        if keeps and (isinstance(value, WrittenFloat) or abs(value) > EXACT_MAX):
            return value
        return int(value)
    if isinstance(value, dict):
        return {key: _whole(item, depth - 1, keeps=keeps) for key, item in value.items()}
    if isinstance(value, list):
        return [_whole(item, depth - 1, keeps=keeps) for item in value]
    return value


def _config(place: Place, feature: Feature, value: object) -> Entry | None:
    if isinstance(value, dict):
        if any(key in LIMIT_KEYS or key == "limits" for key in value):
            values = ", ".join(feature.values) or "10 or text"
            place.refuse(f"is a config feature, without limits: write its value ({values})")
            return None
        if not check_keys(place, value, ("value", *CONDITIONS)):
            return None
        if "value" not in value:
            place.refuse("has no value; write {value: 10, rollout: {percent: 10}}")
            return None
        place, value = place.key("value"), value["value"]
    if isinstance(value, list):
        return _config_list(place, feature, value)
    text = _config_value(place, feature, value)
    if text is None:
        return None
    return Entry(value=text, values=(text,) if feature.values else ())


def _config_list(place: Place, feature: Feature, rows: list[object]) -> Entry | None:
    if not feature.values:
        place.refuse(
            "must be one value: a list is for config features that have 'values', and"
            f" {shown(feature.feature_id)} has none"
        )
        return None
    if not rows:
        place.refuse("is empty; write false to switch the feature off")
        return None
    texts: dict[str, int] = {}
    for index, row in enumerate(rows):
        text = _config_value(place.item(index), feature, row)
        if text is None:
            continue
        first = texts.setdefault(text, index)
        if first != index:
            place.item(index).refuse(f"{shown(text)} is already in the list")
    granted = tuple(text for text in feature.values if text in texts)
    return Entry(value=granted[-1], values=granted) if granted else None


def _config_value(place: Place, feature: Feature, value: object) -> str | None:
    text = config_text(place, value)
    if text is not None and feature.values and text not in feature.values:
        hint = place.suggestion(text, feature.values) or f" ({', '.join(feature.values)})"
        place.refuse(f"{shown(text)} is not one of the feature's values{hint}")
        return None
    return text


def config_text(place: Place, value: object) -> str | None:
    """Return a config value as the text that is stored, or note why it cannot be one."""
    if isinstance(value, bool):
        place.refuse(
            f"must be a number or text, not {described(value)}; to mean the word, quote it"
        )
        return None
    if isinstance(value, int) and abs(value) < 10**30:
        return str(value)
    if isinstance(value, float) and math.isfinite(value):
        if abs(value) > EXACT_MAX and not isinstance(value, WrittenFloat):
            place.refuse("is too large for an exact number here; write it as text")
            return None
        return str(value)
    if isinstance(value, str):
        return text_of(place, value, VALUE_BYTES_MAX)
    place.refuse(f"must be a number or text, not {described(value)}")
    return None


def _metered(place: Place, feature: Feature, value: object) -> Entry | None:
    if value is True and feature.credit is not None:
        return ON
    if value == "unlimited":
        return UNLIMITED
    if isinstance(value, dict):
        return _limits(place, feature, value)
    if isinstance(value, str):
        hint = place.suggestion(value, ("unlimited",))
    elif isinstance(value, list):
        hint = "; several windows go below 'limits:'"
    else:
        hint = ""
    shapes = _METERED_SHAPES if feature.credit is None else _PAID_SHAPES
    place.refuse(f"is a metered feature: write {shapes}, not {described(value)}{hint}")
    return None


def _limits(place: Place, feature: Feature, raw: Mapping[str, object]) -> Entry | None:
    if "overage_price" not in raw:
        return _without_price(place, feature, raw)
    spot = place.key("overage_price")
    price = parse_overage_price(spot, raw["overage_price"])
    rest = {key: value for key, value in raw.items() if key != "overage_price"}
    entry = _without_price(place, feature, rest)
    if entry is None or price is None:
        return None
    if not any(limit.soft for limit in entry.limits or ()):
        spot.refuse("is of what is past a soft limit; write 'soft: true' as well")
        return None
    return msgspec.structs.replace(entry, overage_price=price)


def _without_price(place: Place, feature: Feature, raw: Mapping[str, object]) -> Entry | None:
    if "limits" not in raw:
        if len(raw) == 1 and raw.get("unlimited") is True:
            return UNLIMITED
        limit = parse_limit(place, feature, raw, _ENTRY_KEYS)
        return None if limit is None else Entry(limits=(limit,))
    check_keys(place, raw, _ENTRY_KEYS, ELSEWHERE)
    beside = [key for key in raw if key in LIMIT_KEYS]
    if beside:
        place.refuse(f"has both 'limits' and {shown(beside[0])}; put it into the list")
    limits = parse_limits(place.key("limits"), feature, raw["limits"])
    return None if limits is None else Entry(limits=limits)
