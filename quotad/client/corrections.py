"""Refunds and set usage: requests and answers, for both clients."""

import os
from typing import Any

from quotad.client import answers
from quotad.client.building import checked
from quotad.client.calls import Consumption, Policy, Steps, retried
from quotad.client.results import Decision, ItemsDecision
from quotad.v1 import quota_pb2 as pb


def refund(policy: Policy, consumption: Consumption, **fields: Any) -> Steps[Decision]:
    """Take back what was counted; under a key, so that it is safe to send again."""
    key, taken_under = consumption.idempotency_key, fields.get("taken_under", "")
    if key is None and policy.retries and not taken_under:
        key, fields["idempotency_ttl"] = os.urandom(16).hex(), policy.key_ttl
    request = checked(
        pb.RefundRequest,
        customer_id=consumption.customer_id,
        feature_id=consumption.feature_id,
        quantity=consumption.quantity,
        resource_id=consumption.resource_id,
        idempotency_key=key or "",
        **fields,
    )
    return answers.decision((yield from retried(policy, "Refund", request)))


def set_usage(
    policy: Policy, customer_id: str, feature_id: str, used: int, *, key: str | None, **fields: Any
) -> Steps[Decision]:
    """Set usage, under a key, so that it is safe to send again."""
    if key is None and policy.retries:
        key, fields["idempotency_ttl"] = os.urandom(16).hex(), policy.key_ttl
    request = checked(
        pb.SetUsageRequest,
        customer_id=customer_id,
        feature_id=feature_id,
        used=used,
        idempotency_key=key or "",
        **fields,
    )
    return answers.decision((yield from retried(policy, "SetUsage", request)))


def refund_all(
    policy: Policy, customer_id: str, taken_under: str, **because: str
) -> Steps[ItemsDecision]:
    """Take back all that was taken together under a key."""
    request = checked(pb.RefundRequest, customer_id=customer_id, taken_under=taken_under, **because)
    return answers.decision_on_items((yield from retried(policy, "Refund", request)))
