"""Slots of what is in flight: requests and answers, for both clients."""

import os
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from quotad.client import answers, messages
from quotad.client.building import checked
from quotad.client.calls import Consumption, Items, Policy, Steps, item_messages, retried
from quotad.client.results import ConsumeAllDecision, Decision
from quotad.v1 import quota_pb2 as pb


class AcquiredSlot(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to an acquire. Look at `.allowed`: the object itself is always true."""

    customer_id: str
    slot_id: str
    decision: ConsumeAllDecision
    """On all of it: `items` has the slot first, then what comes with it, in order."""
    expires_at: datetime | None
    """UTC; None: no slot is held."""

    @property
    def allowed(self) -> bool:
        """Whether the slot is held, and what comes with it counted; else nothing was taken."""
        return self.decision.allowed

    @property
    def slot(self) -> Decision:
        """The decision on the slot: `used` is what slots of the feature hold."""
        return self.decision.items[0]


class HeldSlot(msgspec.Struct, frozen=True, kw_only=True):
    """One of the slots that a customer holds of a feature."""

    slot_id: str
    quantity: int
    expires_at: datetime
    """UTC."""


def acquire(
    policy: Policy, consumption: Consumption, slot_id: str | None, ttl_s: float, also: Items
) -> Steps[AcquiredSlot]:
    """Acquire a slot; its id exists before the first try."""
    fields: dict[str, Any] = {}
    if slot_id is None:
        slot_id, fields["idempotency_ttl"] = os.urandom(16).hex(), policy.key_ttl
    request = checked(
        pb.AcquireSlotRequest,
        customer_id=consumption.customer_id,
        feature_id=consumption.feature_id,
        quantity=consumption.quantity,
        resource_id=consumption.resource_id,
        slot_id=slot_id,
        ttl=timedelta(seconds=ttl_s),
        also=item_messages(also, field="also"),
        **fields,
    )
    answer: pb.AcquireSlotResponse = yield from retried(policy, "AcquireSlot", request)
    return AcquiredSlot(
        customer_id=consumption.customer_id,
        slot_id=slot_id,
        decision=answers.decision_on_all(answer.decision),
        expires_at=messages.time(answer, "expires_at"),
    )


def heartbeat(policy: Policy, customer_id: str, slot_id: str, ttl_s: float) -> Steps[datetime]:
    """Let it end later."""
    request = heartbeat_request(customer_id, slot_id, ttl_s)
    answer: Any = yield from retried(policy, "Heartbeat", request)
    ends: datetime | None = messages.time(answer, "expires_at")
    assert ends is not None, "a slot that is held ends"
    return ends


def heartbeat_request(customer_id: str, slot_id: str, ttl_s: float) -> pb.HeartbeatRequest:
    """A heartbeat of a slot."""
    return checked(
        pb.HeartbeatRequest,
        customer_id=customer_id,
        slot_id=slot_id,
        ttl=timedelta(seconds=ttl_s),
    )


def release(policy: Policy, customer_id: str, slot_id: str) -> Steps[bool]:
    """Free it."""
    request = checked(pb.ReleaseSlotRequest, customer_id=customer_id, slot_id=slot_id)
    released: bool = (yield from retried(policy, "ReleaseSlot", request)).released
    return released


def list_slots(
    policy: Policy, customer_id: str, feature_id: str, resource_id: str
) -> Steps[Sequence[HeldSlot]]:
    """Those that are held."""
    request = checked(
        pb.ListSlotsRequest,
        customer_id=customer_id,
        feature_id=feature_id,
        resource_id=resource_id,
    )
    answer = yield from retried(policy, "ListSlots", request)
    return [messages.read(HeldSlot, slot) for slot in answer.slots]
