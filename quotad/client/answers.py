"""What the calls return, read from the protobuf answers."""

from msgspec.structs import replace

from quotad.client.errors import QuotaError, from_result
from quotad.client.messages import member, optional, read, time
from quotad.client.results import (
    ConsumeAllDecision,
    Decision,
    Entitlement,
    Entitlements,
    EntitlementSource,
    Explanation,
    ItemsDecision,
    LimitStatus,
    LocalDecision,
    OverageTerms,
)
from quotad.decision import Reason, SourceKind
from quotad.model import FeatureType
from quotad.recent import Recent
from quotad.v1 import quota_pb2 as pb

_REST_BYTES_MAX = 64
_READ: Recent[bytes, Decision] = Recent(1024)
"""Decisions by the bytes of their answers without `used` and `remaining`, which are nearly all that
the answers to one process differ in."""


def decision(message: pb.CheckAndConsumeResponse) -> Decision:
    """Read one answer, and take `used` and `remaining` out of it."""
    if not message.allowed or message.overage:
        return _decision(message)  # `retry_after`, or how much, is of this answer alone
    used, remaining = message.used, message.remaining
    message.ClearField("used")
    message.ClearField("remaining")
    rest = message.SerializeToString()
    known = _READ.young.get(rest) or _READ.get(rest)
    if known is None:
        known = _decision(message)
        if len(rest) <= _REST_BYTES_MAX:  # with `limits` or an explanation it is of this alone, too
            _READ.put(rest, known)
    return replace(known, used=used, remaining=remaining)


def _decision(message: pb.CheckAndConsumeResponse) -> Decision:
    """Read one answer, field by field: `read` takes twice as long."""
    # To read a list costs more than to see that it is empty, as nearly all of them are.
    limits, values = message.limits, message.values
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
        resets_at=time(message, "resets_at"),
        retry_after=message.retry_after.ToTimedelta() if message.HasField("retry_after") else None,
        limits=tuple(map(_limit_status, limits)) if limits else (),
        replayed=message.replayed,
        is_fallback=message.is_fallback,
        catalog_version=message.catalog_version,
        value=message.value,
        values=tuple(values) if values else (),
        variant=message.variant,
        would_deny=message.would_deny,
        pool_id=message.pool_id,
        decimals=message.decimals,
        explanation=_explanation(message) if message.HasField("explanation") else None,
        reserved=message.reserved,
        leased=message.leased,
    )


def local(answer: Decision) -> LocalDecision:
    """The decision on one unit of what a server has lent.

    Args:
        answer: the server's, to the lease.
    """
    fields = {name: getattr(answer, name) for name in Decision.__struct_fields__}
    reason = Reason.UNLIMITED if answer.unlimited else Reason.WITHIN_LIMIT
    fields |= {"allowed": True, "reason": reason, "granted": 1, "retry_after": None}
    return LocalDecision(**fields | {"replayed": False})


def decision_on_all(message: pb.CheckAndConsumeAllResponse) -> ConsumeAllDecision:
    """Read the answer on several features."""
    return read(
        ConsumeAllDecision,
        message,
        reason=_reason(message.reason),
        items=tuple(decision(item) for item in message.items),
        retry_after=message.retry_after.ToTimedelta() if message.HasField("retry_after") else None,
    )


def decision_on_items(message: pb.CheckAndConsumeResponse) -> ItemsDecision:
    """Read the answer about several features that are known by name."""
    return ItemsDecision(
        allowed=message.allowed,
        reason=_reason(message.reason),
        stopped_by=optional(message, "stopped_by"),
        items=tuple(decision(each.decision) for each in message.items) or (decision(message),),
        retry_after=message.retry_after.ToTimedelta() if message.HasField("retry_after") else None,
        replayed=message.replayed,
        catalog_version=message.catalog_version,
        is_fallback=message.is_fallback,
        features=tuple(each.feature_id for each in message.items),
        resources=tuple(each.resource_id for each in message.items),
    )


def batch_outcome(message: pb.BatchResult) -> Decision | QuotaError:
    """Read one result of a batch: a decision, or the error of this request alone."""
    if message.HasField("error"):
        return from_result(message.error)
    return decision(message.response)


def entitlement(message: pb.Entitlement) -> Entitlement:
    """Read one entitlement."""
    return read(
        Entitlement,
        message,
        feature_type=_FEATURE_TYPES.get(message.feature_type),
        reason=_reason(message.reason),
        limits=tuple(_limit_status(limit) for limit in message.limits),
        overage_price=read(OverageTerms, message.overage_price)
        if message.HasField("overage_price")
        else None,
    )


def entitlements(message: pb.GetEntitlementsResponse) -> Entitlements:
    """Read everything one customer is entitled to."""
    return read(
        Entitlements,
        message,
        denied_reason=_reason(message.denied_reason) if message.denied_reason else None,
        entitlements=tuple(entitlement(each) for each in message.entitlements),
    )


_FEATURE_TYPES: dict[int, FeatureType] = {
    pb.FEATURE_TYPE_BOOLEAN: FeatureType.BOOLEAN,
    pb.FEATURE_TYPE_CONFIG: FeatureType.CONFIG,
    pb.FEATURE_TYPE_METERED: FeatureType.METERED,
}


def _limit_status(message: pb.LimitStatus) -> LimitStatus:
    return LimitStatus(
        limit=optional(message, "limit"),
        soft_limit=message.soft_limit,
        used=message.used,
        remaining=message.remaining,
        overage=message.overage,
        per=message.per,
        resets_at=time(message, "resets_at"),
        shadow=message.shadow,
        overage_limit=optional(message, "overage_limit"),
        pool_id=message.pool_id,
        decimals=message.decimals,
        mark=message.mark,
        reserved=message.reserved,
        leased=message.leased,
    )


def _explanation(answer: pb.CheckAndConsumeResponse) -> Explanation:
    message = answer.explanation
    return read(Explanation, message, sources=tuple(_source(each) for each in message.sources))


def _source(message: pb.EntitlementSource) -> EntitlementSource:
    kind = member(SourceKind, message.kind, "SOURCE_KIND_")
    return read(EntitlementSource, message, kind=kind)


def _reason(number: int) -> Reason:
    reason: Reason = member(Reason, number, "REASON_")
    return reason
