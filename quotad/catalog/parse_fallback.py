"""What stands below `on_store_failure` -> `FallbackPolicy`, and who can have which."""

from collections.abc import Mapping

import msgspec

from quotad.catalog.merge import Merged
from quotad.catalog.numbers import parse_decimal, unscaled
from quotad.catalog.problems import Place, check_keys, described, word_of
from quotad.fallback import ALLOW, DENY, MYRIAD, FallbackPolicy, WithoutStore
from quotad.model import Feature, FeatureType, MeterKind

FALLBACK_KEY = "on_store_failure"

_WORDS = {"deny": DENY, "allow": ALLOW}
_EXAMPLE = "{local: 10 %}"


def parse_policy(place: Place, value: object) -> FallbackPolicy | None:
    """Return a policy, or None after noting what is wrong with it."""
    if not isinstance(value, dict):
        if value == "local":
            place.refuse(f"says no share; write {_EXAMPLE}")
            return None
        if not isinstance(value, str):
            place.refuse(f"must be deny, allow or {_EXAMPLE}, not {described(value)}")
            return None
        return word_of(place, value, _WORDS)
    if not check_keys(place, value, ("local",)):
        return None
    if "local" not in value:
        place.refuse(f"is empty; write {_EXAMPLE}")
        return None
    share, spot = value["local"], place.key("local")
    if isinstance(share, str):
        share = share.removesuffix("%").strip()
    per_myriad = parse_decimal(spot, share, 2, "")
    if per_myriad is None:
        return None
    if not 0 < per_myriad <= MYRIAD:
        spot.refuse("must be above 0 % and at most 100 %; to let nothing through write 'deny'")
        return None
    return FallbackPolicy(WithoutStore.LOCAL, per_myriad)


def parse_default_policy(merged: Merged) -> FallbackPolicy | None:
    """Return that of the catalog; None: it has none."""
    if FALLBACK_KEY not in merged.singles:
        return None
    return parse_policy(*merged.singles[FALLBACK_KEY])


def write_policy(policy: FallbackPolicy) -> object:
    """Return a policy as a catalog spells it."""
    if policy.kind is WithoutStore.LOCAL:
        return {"local": f"{unscaled(policy.per_myriad, 2)} %"}
    return policy.kind.value


def with_policies(
    merged: Merged, features: Mapping[str, Feature | None]
) -> dict[str, Feature | None]:
    """Give features the policy that is written for them; what cannot have it is noted."""
    pools = {each.credit.pool_id for each in features.values() if each and each.credit}
    found: dict[str, Feature | None] = {}
    for feature_id, feature in features.items():
        place, raw = merged.features[feature_id]
        found[feature_id] = feature
        if feature is None or not isinstance(raw, dict) or FALLBACK_KEY not in raw:
            continue
        spot = place.key(FALLBACK_KEY)
        policy = parse_policy(spot, raw[FALLBACK_KEY])
        if policy is None:
            continue
        if policy.kind is not WithoutStore.DENY:
            reason = _needs_store(feature, feature_id in pools)
            if reason:
                spot.refuse(f"{reason}; its calls are denied while the store is gone")
                continue
            if policy.kind is WithoutStore.LOCAL and feature.type is not FeatureType.METERED:
                spot.refuse(
                    f"a {feature.type.value} feature has no limit to have a share of; write"
                    " 'allow' to have it answered by the plan, or 'deny'"
                )
                continue
        found[feature_id] = msgspec.structs.replace(feature, on_store_failure=policy)
    return found


def _needs_store(feature: Feature, is_pool: bool) -> str:
    """Why calls on a feature need the store whatever its policy; empty: they do not."""
    if feature.credit is not None:
        return (
            f"a pool ({feature.credit.pool_id}) pays for the feature, and only the store knows what"
            " is left of it"
        )
    if is_pool:
        return "it is a pool, and only the store knows what is left of it"
    if feature.kind is MeterKind.CONCURRENCY:
        return "its slots are held in the store"
    return ""
