"""Answers of the data plane, from the model to protobuf."""

from collections.abc import Sequence
from functools import lru_cache

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from quotad.engine import Granted
from quotad.errors import QuotadError
from quotad.model import Decision, Feature, FeatureType, LimitStatus, MeterKind
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


def duration(ms: int | None) -> Duration | None:
    """Milliseconds as protobuf has them."""
    if ms is None:
        return None
    seconds, rest = divmod(ms, 1000)
    return Duration(seconds=seconds, nanos=rest * 1_000_000)


def decision(answer: Decision) -> pb.CheckAndConsumeResponse:
    """A decision as a message; the hot path writes the same bytes with `wire.decision_bytes`."""
    return pb.CheckAndConsumeResponse(
        allowed=answer.allowed,
        reason=answer.reason,  # type: ignore[arg-type]
        granted=answer.granted,
        limit=answer.limit,
        unlimited=answer.unlimited,
        soft_limit=answer.soft_limit,
        used=answer.used,
        remaining=answer.remaining,
        overage=answer.overage,
        resets_at=timestamp(answer.resets_at_ms),
        retry_after=duration(answer.retry_after_ms),
        limits=[limit_status(status) for status in answer.limits],
        replayed=answer.replayed,
        catalog_version=answer.catalog_version,
        value=answer.value,
    )


def batch(answers: Sequence[Decision | QuotadError]) -> pb.BatchCheckAndConsumeResponse:
    """The answers to a batch, each a decision or an error of its own."""
    return pb.BatchCheckAndConsumeResponse(results=[_batch_result(a) for a in answers])


def entitlement(feature_id: str, feature: Feature | None, answer: Decision) -> pb.Entitlement:
    """What a customer may do with a feature.

    Args:
        feature_id: as asked for.
        feature: as the catalog defines it; None: it does not.
        answer: to a check for one unit.
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
    )
    message.limits.extend([limit_status(status) for status in answer.limits])
    if feature is not None:
        message.feature_type = _FEATURE_TYPES[feature.type]
        message.gauge = feature.kind is MeterKind.GAUGE
        message.unit = feature.unit
    return message


def entitlements(customer_id: str, granted: Granted) -> pb.GetEntitlementsResponse:
    """Everything a customer is entitled to."""
    effective = granted.effective
    features = granted.snapshot.features
    return pb.GetEntitlementsResponse(
        customer_id=customer_id,
        plan_id=effective.plan_id,
        denied_reason=effective.denied or 0,  # type: ignore[arg-type]
        entitlements=[
            entitlement(feature_id, features[feature_id], answer)
            for feature_id, answer in granted.decisions.items()
        ],
        catalog_version=granted.snapshot.version,
    )


def limit_status(status: LimitStatus) -> pb.LimitStatus:
    """The state of one limit as a message."""
    return pb.LimitStatus(
        limit=status.limit,
        soft_limit=status.soft,
        used=status.used,
        remaining=status.remaining,
        overage=status.overage,
        per=status.per,
        resets_at=timestamp(status.resets_at_ms),
    )


def _batch_result(answer: Decision | QuotadError) -> pb.BatchResult:
    if isinstance(answer, QuotadError):
        error = pb.Error(code=int(answer.status), reason=answer.reason, message=str(answer))
        return pb.BatchResult(error=error)
    return pb.BatchResult(response=decision(answer))
