"""What the calls return: frozen values, read once from the protobuf answers.

Does not decide anything: `allowed` is the server's word.
"""

from datetime import UTC, datetime, timedelta

import msgspec

from quotad.client.errors import QuotaError, from_number
from quotad.model import FeatureType, Reason
from quotad.v1 import quota_pb2 as pb


class LimitStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One of an entitlement's limits, after the call."""

    limit: int | None
    """None: unlimited."""
    soft_limit: bool
    used: int
    remaining: int
    overage: int
    per: str
    """`minute`, `5 hours`; empty: lifetime."""
    resets_at: datetime | None
    """UTC; None: never."""


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to one consume or check. Look at `.allowed`: the object itself is always true."""

    allowed: bool
    reason: Reason
    granted: int
    """What this call took; negative when it gave back, 0 when denied or only checked."""
    limit: int | None
    """The limit that decided: of a denial the one that frees last, else the one with least
    remaining. None without a limit."""
    unlimited: bool
    soft_limit: bool
    used: int
    """After this call."""
    remaining: int
    overage: int
    """Used above a soft limit."""
    resets_at: datetime | None
    """UTC; None when it never does."""
    retry_after: timedelta | None
    """Of a denial, when waiting helps."""
    limits: tuple[LimitStatus, ...]
    """Filled when the entitlement has several."""
    replayed: bool
    """The first decision under this idempotency key, returned again."""
    is_fallback: bool
    """The store did not answer, and the feature's policy decided."""
    catalog_version: int
    value: str
    """Of a config feature."""


class Entitlement(msgspec.Struct, frozen=True, kw_only=True):
    """What one customer may do with one feature now."""

    feature_id: str
    feature_type: FeatureType | None
    """None when nothing is known of the feature."""
    gauge: bool
    """Metered, goes down again, never resets."""
    unit: str
    allowed: bool
    """Whether one more unit would be allowed now."""
    reason: Reason
    value: str
    """Of a config feature."""
    limit: int | None
    unlimited: bool
    soft_limit: bool
    used: int
    remaining: int
    overage: int
    resets_at: datetime | None
    """UTC; None when it never does."""
    limits: tuple[LimitStatus, ...]
    """Every limit, also a single one."""


class Entitlements(msgspec.Struct, frozen=True, kw_only=True):
    """What one customer may do now, feature by feature, in the catalog's order."""

    customer_id: str
    plan_id: str
    """Empty without an active subscription."""
    denied_reason: Reason | None
    """Why there is no entitlement at all; None when the customer has a plan."""
    entitlements: tuple[Entitlement, ...]
    catalog_version: int


def decision(message: pb.CheckAndConsumeResponse) -> Decision:
    """Read one answer."""
    return Decision(
        allowed=message.allowed,
        reason=_reason(message.reason),
        granted=message.granted,
        limit=message.limit if message.HasField("limit") else None,
        unlimited=message.unlimited,
        soft_limit=message.soft_limit,
        used=message.used,
        remaining=message.remaining,
        overage=message.overage,
        resets_at=_resets_at(message),
        retry_after=message.retry_after.ToTimedelta() if message.HasField("retry_after") else None,
        limits=tuple(_limit_status(limit) for limit in message.limits),
        replayed=message.replayed,
        is_fallback=message.is_fallback,
        catalog_version=message.catalog_version,
        value=message.value,
    )


def batch_outcome(message: pb.BatchResult) -> Decision | QuotaError:
    """Read one result of a batch: a decision, or the error of this request alone."""
    if message.HasField("error"):
        error = message.error
        return from_number(error.code, error.message, error.reason)
    return decision(message.response)


def entitlement(message: pb.Entitlement) -> Entitlement:
    """Read one entitlement."""
    return Entitlement(
        feature_id=message.feature_id,
        feature_type=_FEATURE_TYPES.get(message.feature_type),
        gauge=message.gauge,
        unit=message.unit,
        allowed=message.allowed,
        reason=_reason(message.reason),
        value=message.value,
        limit=message.limit if message.HasField("limit") else None,
        unlimited=message.unlimited,
        soft_limit=message.soft_limit,
        used=message.used,
        remaining=message.remaining,
        overage=message.overage,
        resets_at=_resets_at(message),
        limits=tuple(_limit_status(limit) for limit in message.limits),
    )


def entitlements(message: pb.GetEntitlementsResponse) -> Entitlements:
    """Read everything one customer is entitled to."""
    return Entitlements(
        customer_id=message.customer_id,
        plan_id=message.plan_id,
        denied_reason=_reason(message.denied_reason) if message.denied_reason else None,
        entitlements=tuple(entitlement(each) for each in message.entitlements),
        catalog_version=message.catalog_version,
    )


_FEATURE_TYPES: dict[int, FeatureType] = {
    pb.FEATURE_TYPE_BOOLEAN: FeatureType.BOOLEAN,
    pb.FEATURE_TYPE_CONFIG: FeatureType.CONFIG,
    pb.FEATURE_TYPE_METERED: FeatureType.METERED,
}


def _limit_status(message: pb.LimitStatus) -> LimitStatus:
    return LimitStatus(
        limit=message.limit if message.HasField("limit") else None,
        soft_limit=message.soft_limit,
        used=message.used,
        remaining=message.remaining,
        overage=message.overage,
        per=message.per,
        resets_at=_resets_at(message),
    )


def _resets_at(
    message: pb.CheckAndConsumeResponse | pb.LimitStatus | pb.Entitlement,
) -> datetime | None:
    return message.resets_at.ToDatetime(tzinfo=UTC) if message.HasField("resets_at") else None


def _reason(number: int) -> Reason:
    try:
        return Reason(number)
    except ValueError:
        # A newer server may know more reasons. `allowed` is all that a caller needs to go on, so
        # the answer must not become an error; the number passes through under a name of its own.
        reason = int.__new__(Reason, number)
        reason._name_ = f"REASON_{number}"
        reason._value_ = number
        return reason
