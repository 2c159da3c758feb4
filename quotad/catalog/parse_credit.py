"""What pays for a feature: `credit: {pool: ai-credits, cost: 2.5}` -> `Credit`."""

import msgspec

from quotad.catalog.merge import Merged
from quotad.catalog.numbers import parse_decimal
from quotad.catalog.parse_feature import DECIMALS_MAX
from quotad.catalog.problems import Place, check_keys, described, mapping_of, shown
from quotad.model import QUANTITY_MAX, Credit, Feature, FeatureType, MeterKind

_KEYS = ("pool", "cost")

_Features = dict[str, Feature | None]


def with_credits(merged: Merged, features: _Features) -> _Features:
    """Return the features with what pays for them; those with a wrong `credit` as None."""
    paying = {
        feature_id
        for feature_id, (_, raw) in merged.features.items()
        if isinstance(raw, dict) and "credit" in raw
    }
    linked = dict(features)
    for feature_id in features:
        feature = features[feature_id]
        place, raw = merged.features[feature_id]
        if feature is None or feature_id not in paying or not isinstance(raw, dict):
            continue
        place = place.key("credit")
        fields = mapping_of(place, raw["credit"], "{pool: ai-credits, cost: 2}")
        pool = None if fields is None else _pool(merged, features, place, fields)
        if fields is not None and pool is not None and pool.feature_id in paying:
            own = pool.feature_id == feature_id
            place.key("pool").refuse(
                "a feature cannot be its own pool"
                if own
                else f"{shown(pool.feature_id)} is itself paid from a pool; name a pool that is not"
            )
            pool = None
        cost = None
        if fields is not None and pool is not None and "cost" in fields:
            cost = _cost(place.key("cost"), pool, fields["cost"])
        linked[feature_id] = None
        if pool is not None and cost is not None:
            linked[feature_id] = msgspec.structs.replace(
                feature, credit=Credit(pool.feature_id, cost)
            )
    return linked


def _pool(
    merged: Merged, features: _Features, place: Place, raw: dict[str, object]
) -> Feature | None:
    """Return the feature that is named as the pool, or None after noting why it cannot be one."""
    fits = check_keys(place, raw, _KEYS)
    missing = [key for key in _KEYS if key not in raw]
    if missing:
        if fits:
            place.refuse(f"has no {missing[0]}; write {{pool: ai-credits, cost: 2}}")
        return None
    place, name = place.key("pool"), raw["pool"]
    if not isinstance(name, str):
        place.refuse(f"must be the name of a feature, not {described(name)}")
        return None
    if name not in features:
        if merged.complete:
            place.refuse(f"unknown feature {shown(name)}{place.suggestion(name, features)}")
        return None
    feature = features[name]
    if feature is None:
        return None
    if feature.type is FeatureType.METERED and feature.kind is MeterKind.COUNTER:
        return feature
    metered = feature.type is FeatureType.METERED
    what = feature.kind.in_words if metered else f"{feature.type.value} feature"
    place.refuse(f"{shown(name)} is a {what}; a pool is a metered counter")
    return None


def _cost(place: Place, pool: Feature, value: object) -> int | None:
    hint = ""
    if pool.decimals < DECIMALS_MAX:
        hint = f"; the pool {shown(pool.feature_id)} may say more with 'decimals'"
    cost = parse_decimal(place, value, pool.decimals, hint)
    if cost is None:
        return None
    if cost <= 0:
        place.refuse("must be more than 0; without 'credit' the feature costs nothing")
        return None
    if cost > QUANTITY_MAX:
        place.refuse("is larger than what is counted exactly")
        return None
    return cost
