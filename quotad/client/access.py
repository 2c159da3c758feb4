"""What `EntitlementsClient` returns, and how it is made of what quotad answers."""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from quotad.client.results import Decision, Entitlement, LimitStatus
from quotad.model import FeatureType
from quotad.stigg_words import DENIED, RESETS

_WHOLE = re.compile(r"-?\d+")


class BooleanAccess(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a feature is on, and what all answers have."""

    has_access: bool
    is_fallback: bool = False
    """No server answered, and the fallback decided."""
    access_denied_reason: str | None = None
    """None: there is access, or it is a fallback."""
    feature_id: str = ""
    feature_name: str = ""


class NumericAccess(BooleanAccess, frozen=True, kw_only=True):
    """The number that a feature is configured with."""

    value: int | None = None
    is_unlimited: bool = False


class EnumAccess(BooleanAccess, frozen=True, kw_only=True):
    """The words that a feature is configured with."""

    enum_values: tuple[str, ...] = ()
    requested_values: tuple[str, ...] = ()


class MeteredAccess(BooleanAccess, frozen=True, kw_only=True):
    """Whether there is room; of several limits the tightest is shown."""

    usage_limit: float | None = None
    """None: unlimited, or nothing is granted."""
    is_unlimited: bool = False
    has_soft_limit: bool = False
    current_usage: float = 0
    requested_usage: int = 1
    reset_period: str | None = None
    """`YEAR`, `MONTH`, `WEEK`, `DAY`, `HOUR`; None: none of them."""
    usage_period_end: datetime | None = None
    """UTC."""


AnyAccess = BooleanAccess | NumericAccess | EnumAccess | MeteredAccess


class UsageMeasurement(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a usage report."""

    id: str
    customer_id: str
    feature_id: str
    resource_id: str
    value: int
    current_usage: float
    usage_period_end: datetime | None
    """UTC."""


def boolean(entitlement: Entitlement) -> BooleanAccess:
    """The answer about a switch."""
    return BooleanAccess(**_base(entitlement, BooleanAccess))


def numeric(entitlement: Entitlement) -> NumericAccess:
    """The answer about a number."""
    whole = _WHOLE.fullmatch(entitlement.value)
    return NumericAccess(
        **_base(entitlement, NumericAccess), value=int(entitlement.value) if whole else None
    )


def words(entitlement: Entitlement, requested: Sequence[str]) -> EnumAccess:
    """The answer about words; all that are requested must be granted."""
    granted = entitlement.values or ((entitlement.value,) if entitlement.value else ())
    fields = _base(entitlement, EnumAccess)
    if fields["has_access"] and not set(requested) <= set(granted):
        fields |= {"has_access": False, "access_denied_reason": "RequestedValuesMismatch"}
    return EnumAccess(**fields, enum_values=granted, requested_values=tuple(requested))


def metered(entitlement: Entitlement, requested: int, decision: Decision | None) -> MeteredAccess:
    """The answer about what is counted.

    Args:
        entitlement: as it is now, which is about one unit.
        requested: how much is about to be used.
        decision: on more or less than one unit; None: it is one.
    """
    fields = _base(entitlement, MeteredAccess)
    if decision is not None and entitlement.feature_type is FeatureType.METERED:
        fields |= {
            "has_access": decision.allowed,
            "access_denied_reason": denied_reason(decision),
            "is_fallback": decision.is_fallback,
        }
    limit = _tightest(entitlement.limits)
    if limit is not None:
        fields |= {
            "usage_limit": None if limit.limit is None else _plain(limit.limit, limit.decimals),
            "has_soft_limit": limit.soft_limit,
            "current_usage": _plain(limit.used, limit.decimals),
            "reset_period": RESETS.get(limit.per),
            "usage_period_end": limit.resets_at,
        }
    unlimited = entitlement.unlimited if limit is None else limit.limit is None
    return MeteredAccess(**fields, is_unlimited=unlimited, requested_usage=requested)


def whatever(entitlement: Entitlement) -> AnyAccess:
    """The answer of the feature's own kind."""
    kind = _kind(entitlement)
    if kind is MeteredAccess:
        return metered(entitlement, 1, None)
    if kind is EnumAccess:
        return words(entitlement, ())
    return numeric(entitlement) if kind is NumericAccess else boolean(entitlement)


def measured(
    decision: Decision, key: str, value: int, customer_id: str, feature_id: str, resource_id: str
) -> UsageMeasurement:
    """What became of a report, from what counted it."""
    shown = _tightest(decision.limits) or decision
    return UsageMeasurement(
        id=key,
        customer_id=customer_id,
        feature_id=feature_id,
        resource_id=resource_id,
        value=value,
        current_usage=_plain(shown.used, shown.decimals),
        usage_period_end=shown.resets_at,
    )


def window(entitlement: Entitlement) -> str:
    """The window of the limit that is shown, when there are several; else empty."""
    shown = _tightest(entitlement.limits) if len(entitlement.limits) > 1 else None
    return "" if shown is None else shown.per or "lifetime"


def denied_reason(answer: Decision | Entitlement) -> str | None:
    """Why it was denied, in the words that are known; None: it was not."""
    return None if answer.allowed else DENIED.get(answer.reason, "Unknown")


def _base(entitlement: Entitlement, kind: type[BooleanAccess]) -> dict[str, Any]:
    known = entitlement.feature_type is not None
    reason = denied_reason(entitlement)
    if known and reason is None and _kind(entitlement) is not kind:
        reason = "FeatureTypeMismatch"
    return {
        "has_access": reason is None,
        "access_denied_reason": reason,
        "feature_id": entitlement.feature_id,
        "feature_name": entitlement.name or entitlement.feature_id,
    }


def _kind(entitlement: Entitlement) -> type[BooleanAccess]:
    if entitlement.feature_type is FeatureType.METERED:
        return MeteredAccess
    if entitlement.feature_type is not FeatureType.CONFIG:
        return BooleanAccess
    whole = not entitlement.values and _WHOLE.fullmatch(entitlement.value)
    return NumericAccess if whole else EnumAccess


def _tightest(limits: Sequence[LimitStatus]) -> LimitStatus | None:
    """The limit with the least room; what is in shadow or unlimited stands back."""
    return min(
        limits,
        key=lambda each: (
            each.limit is None or each.shadow,
            _plain(each.remaining, each.decimals),
        ),
        default=None,
    )


def _plain(amount: int, decimals: int) -> float:
    return amount / 10**decimals if decimals else amount
