"""Answers of the data plane, from the model to protobuf; decisions have `wire`."""

from functools import lru_cache

from google.protobuf.timestamp_pb2 import Timestamp

from quotad.decision import Decision, Explanation, LimitStatus
from quotad.engine.shared import Granted
from quotad.errors import QuotadError
from quotad.marks import mark
from quotad.model import Feature, FeatureType, MeterKind
from quotad.prices import OveragePrice
from quotad.v1 import quota_pb2 as pb

_FEATURE_TYPES: dict[FeatureType, pb.FeatureType] = {
    FeatureType.BOOLEAN: pb.FEATURE_TYPE_BOOLEAN,
    FeatureType.CONFIG: pb.FEATURE_TYPE_CONFIG,
    FeatureType.METERED: pb.FEATURE_TYPE_METERED,
}


@lru_cache(maxsize=4096)
def timestamp(ms: int | None) -> Timestamp | None:
    """Unix milliseconds as protobuf has them; not to be changed, as answers share it."""
    if ms is None:
        return None
    seconds, rest = divmod(ms, 1000)
    return Timestamp(seconds=seconds, nanos=rest * 1_000_000)


def explanation(told: Explanation) -> pb.Explanation:
    """Where an entitlement comes from, as a message."""
    return pb.Explanation(
        sources=[
            pb.EntitlementSource(
                kind=source.kind,  # type: ignore[arg-type]
                source_id=source.source_id,
                won=source.won,
                grants=source.grants,
                revision=source.revision,
                quantity=source.quantity,
                subscription_id=source.subscription_id,
                feature_id=source.feature_id,
                ends_at=timestamp(source.ends_at_ms),
                note=source.note,
            )
            for source in told.sources
        ],
        missing=told.missing,
        denied_by=told.denied_by,
        frees_at=timestamp(told.frees_at_ms),
        left_out=told.left_out,
    )


def error(failed: QuotadError) -> pb.Error:
    """Why one request of a batch has no answer, as a message."""
    message = pb.Error(code=int(failed.status), reason=failed.reason, message=failed.for_caller)
    if failed.retry_after_ms:
        message.retry_after.FromMilliseconds(failed.retry_after_ms)
    return message


def entitlement(
    feature_id: str,
    feature: Feature | None,
    answer: Decision,
    overage_price: OveragePrice | None = None,
) -> pb.Entitlement:
    """What a customer may do with a feature.

    Args:
        feature_id: as asked for.
        feature: as the catalog defines it; None: it does not.
        answer: to a check for one unit.
        overage_price: of usage past a soft limit; None: none.
    """
    message = pb.Entitlement(
        feature_id=feature_id,
        allowed=answer.allowed,
        reason=answer.reason,  # type: ignore[arg-type]
        value=answer.value,
        limit=answer.limit,
        unlimited=answer.unlimited,
        soft_limit=answer.soft_limit,
        used=answer.used,
        remaining=answer.remaining,
        overage=answer.overage,
        resets_at=timestamp(answer.resets_at_ms),
        limits=[limit_status(status, marked=True) for status in answer.limits],
        values=answer.values,
        variant=answer.variant,
        pool_id=answer.pool_id,
        decimals=answer.decimals,
        mark=max((mark(s.limit, _taken(s)) for s in answer.limits), default=0),
        reserved=answer.reserved,
        leased=answer.leased,
    )
    if overage_price is not None:
        message.overage_price.amount = overage_price.amount
        message.overage_price.currency = overage_price.currency
        message.overage_price.each = overage_price.each
    if feature is not None:
        message.feature_type = _FEATURE_TYPES[feature.type]
        message.gauge = feature.kind is MeterKind.GAUGE
        message.concurrency = feature.kind is MeterKind.CONCURRENCY
        message.unit = feature.unit
        message.name = feature.name
    return message


def entitlements(
    customer_id: str, resource_id: str, granted: Granted
) -> pb.GetEntitlementsResponse:
    """Everything a customer, or one of its resources, is entitled to."""
    effective = granted.effective
    features = granted.snapshot.features
    plan = granted.snapshot.plans.get(effective.plan_id)
    return pb.GetEntitlementsResponse(
        customer_id=customer_id,
        plan_id=effective.plan_id,
        denied_reason=effective.denied or 0,  # type: ignore[arg-type]
        entitlements=[
            entitlement(
                feature_id,
                features[feature_id],
                answer,
                effective.entitlements[feature_id].overage_price,
            )
            for feature_id, answer in granted.decisions.items()
        ],
        catalog_version=granted.snapshot.version,
        resource_id=resource_id,
        plan_name="" if plan is None else plan.name,
    )


def limit_status(status: LimitStatus, *, marked: bool) -> pb.LimitStatus:
    """The state of one limit as a message, with its mark where it is one of an entitlement."""
    return pb.LimitStatus(
        limit=status.limit,
        soft_limit=status.soft,
        used=status.used,
        remaining=status.remaining,
        overage=status.overage,
        per=status.per,
        resets_at=timestamp(status.resets_at_ms),
        shadow=status.shadow,
        overage_limit=status.overage_limit,
        pool_id=status.pool_id,
        decimals=status.decimals,
        mark=mark(status.limit, _taken(status)) if marked else 0,
        reserved=status.reserved,
        leased=status.leased,
    )


def _taken(status: LimitStatus) -> int:
    """What there is no room for any more, used or held."""
    return status.used + status.reserved + status.leased
