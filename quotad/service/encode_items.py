"""Answers about several features that were asked for before: each by its name."""

from collections.abc import Sequence

from quotad.decision import ConsumeAllDecision, ConsumeRequest, Decision
from quotad.held import HeldItem, SettledDecision
from quotad.service.wire import decision_bytes
from quotad.v1 import quota_pb2 as pb


def settled_bytes(answer: Decision) -> bytes:
    """The answer about one feature, or each of several that belong together."""
    if not isinstance(answer, SettledDecision):
        return decision_bytes(answer)
    return items_message(answer, answer.held).SerializeToString()


def items_message(
    answer: Decision, items: Sequence[HeldItem | ConsumeRequest]
) -> pb.CheckAndConsumeResponse:
    """The decision on several features.

    Args:
        answer: to it.
        items: what it holds; empty: it was not asked for in items.
    """
    if not items:
        return pb.CheckAndConsumeResponse.FromString(decision_bytes(answer))
    parts = answer.items if isinstance(answer, ConsumeAllDecision) else (answer,)
    message = pb.CheckAndConsumeResponse(
        allowed=answer.allowed,
        reason=answer.reason,  # type: ignore[arg-type]
        replayed=answer.replayed,
        catalog_version=answer.catalog_version,
    )
    if isinstance(answer, ConsumeAllDecision) and answer.stopped_by is not None:
        message.stopped_by = answer.stopped_by
    elif not answer.allowed:
        message.stopped_by = 0
    if answer.retry_after_ms is not None:
        message.retry_after.FromMilliseconds(answer.retry_after_ms)
    for item, part in zip(items, parts, strict=True):
        one = message.items.add(feature_id=item.feature_id, resource_id=item.resource_id)
        one.decision.ParseFromString(decision_bytes(part))
    return message
