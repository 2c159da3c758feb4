"""How far past their limits calls may go while the store is gone, for `quotad catalog check`."""

from collections.abc import Iterator

from quotad.catalog.definitions import Definitions
from quotad.catalog.flatten import flatten
from quotad.catalog.numbers import unscaled
from quotad.catalog.parse_fallback import FALLBACK_KEY
from quotad.catalog.problems import path_with
from quotad.fallback import DENY, FallbackPolicy, WithoutStore
from quotad.model import Feature, FeatureType, Limit, MeterKind, Plan

_FEATURES_MAX = 20
_PLANS_MAX = 3


def overshoot(definitions: Definitions) -> list[str]:
    """State the worst case of every feature that is not denied, each with its path."""
    plans = flatten(definitions)
    found = list(_cases(definitions, plans))
    more = len(found) - _FEATURES_MAX
    return [*found[:_FEATURES_MAX], *([f"and of {more} more features"] if more > 0 else [])]


def _cases(definitions: Definitions, plans: dict[str, Plan]) -> Iterator[str]:
    features = definitions.features
    pools = {each.credit.pool_id for each in features.values() if each.credit is not None}
    for feature_id, feature in features.items():
        policy = feature.on_store_failure or definitions.on_store_failure or DENY
        if (
            policy == DENY
            or feature.type is not FeatureType.METERED
            or feature.credit is not None
            or feature.kind is MeterKind.CONCURRENCY
            or feature_id in pools
        ):
            continue
        path = path_with(path_with("features", feature_id), FALLBACK_KEY)
        if feature.on_store_failure is None:
            path = f"{FALLBACK_KEY} ({feature_id})"
        if policy.kind is WithoutStore.ALLOW:
            yield (
                f"{path}: while the store is gone usage may pass the limit by whatever is asked"
                " for, until the journal is full (journal_max_mb)"
            )
            continue
        shares = list(dict.fromkeys(_shares(policy, feature, plans)))
        told = "; ".join(shares[:_PLANS_MAX])
        if len(shares) > _PLANS_MAX:
            told += f"; and {len(shares) - _PLANS_MAX} more"
        yield (
            f"{path}: while the store is gone usage may pass the limit by {policy.in_words[7:]} of"
            f" it, per customer and period{f': {told}' if told else ''}"
        )


def _shares(policy: FallbackPolicy, feature: Feature, plans: dict[str, Plan]) -> Iterator[str]:
    for plan_id, plan in plans.items():
        right = plan.entitlements.get(feature.feature_id)
        for limit in () if right is None else right.limits:
            if limit.limit is None or limit.soft or limit.shadow or limit.per_unit:
                continue
            most = policy.share_of(limit.limit, 1)
            words = f"{_amount(most, feature)} of {_words(limit, feature)} ({plan_id})"
            yield words if most else f"{words}, so nothing is let through"


def _words(limit: Limit, feature: Feature) -> str:
    amount = _amount(limit.limit or 0, feature)
    return amount if limit.window is None else f"{amount} per {limit.window.per}"


def _amount(amount: int, feature: Feature) -> str:
    return f"{unscaled(amount, feature.decimals):,}"
