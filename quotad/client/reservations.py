"""Reservations: requests and answers, for both clients."""

import os
from datetime import datetime
from typing import Any

import msgspec

from quotad.client import answers, messages
from quotad.client.building import checked
from quotad.client.calls import (
    Consumption,
    Items,
    Policy,
    Steps,
    item_messages,
    retried,
)
from quotad.client.errors import QuotaInvalid
from quotad.client.results import Decision, ItemsDecision
from quotad.v1 import quota_pb2 as pb


class Reservation(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a reserve. Look at `.allowed`: the object itself is always true."""

    customer_id: str
    reservation_id: str
    decision: Decision
    expires_at: datetime | None
    """UTC; None: nothing is held."""

    @property
    def allowed(self) -> bool:
        """Whether the quantity is held."""
        return self.decision.allowed


class JointReservation(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a reserve of several features. Look at `.allowed`."""

    customer_id: str
    reservation_id: str
    decision: ItemsDecision
    expires_at: datetime | None
    """UTC; None: nothing is held."""

    @property
    def allowed(self) -> bool:
        """Whether all of it is held; else nothing is."""
        return self.decision.allowed


def reserve(
    policy: Policy, consumption: Consumption, reservation_id: str | None, ttl_s: float
) -> Steps[Reservation]:
    """Take a quantity before the work; the id exists before the first try."""
    reservation_id = os.urandom(16).hex() if reservation_id is None else reservation_id
    request = checked(
        pb.ReserveRequest,
        customer_id=consumption.customer_id,
        feature_id=consumption.feature_id,
        quantity=consumption.quantity,
        resource_id=consumption.resource_id,
        reservation_id=reservation_id,
        ttl=messages.duration("ttl", ttl_s),
    )
    answer = yield from retried(policy, "Reserve", request)
    return Reservation(
        customer_id=consumption.customer_id,
        reservation_id=reservation_id,
        decision=answers.decision(answer.decision),
        expires_at=messages.time(answer, "expires_at"),
    )


def reserve_all(
    policy: Policy, customer_id: str, items: Items, reservation_id: str | None, ttl_s: float
) -> Steps[JointReservation]:
    """Take quantities of several features before the work, or nothing."""
    reservation_id = os.urandom(16).hex() if reservation_id is None else reservation_id
    request = checked(
        pb.ReserveRequest,
        customer_id=customer_id,
        items=some(item_messages(items)),
        reservation_id=reservation_id,
        ttl=messages.duration("ttl", ttl_s),
    )
    answer = yield from retried(policy, "Reserve", request)
    return JointReservation(
        customer_id=customer_id,
        reservation_id=reservation_id,
        decision=answers.decision_on_items(answer.decision),
        expires_at=messages.time(answer, "expires_at"),
    )


def some(items: list[Any]) -> list[Any]:
    """The items, of which there must be some: without them a request is about one feature.

    Raises:
        QuotaInvalid: there are none.
    """
    if not items:
        problem = "items: 0 of them; must be 1 to 16"
        raise QuotaInvalid(problem, code="INVALID_ARGUMENT", reason="INVALID_REQUEST")
    return items


def commit_all(
    policy: Policy,
    customer_id: str,
    reservation_id: str,
    used: Items | None,
    allow_overrun: bool,
) -> Steps[ItemsDecision]:
    """Settle by what was used of each feature."""
    request = checked(
        pb.CommitRequest,
        customer_id=customer_id,
        reservation_id=reservation_id,
        items=item_messages(used, pb.CommitItem) if used else (),
        allow_overrun=allow_overrun,
    )
    return answers.decision_on_items((yield from retried(policy, "Commit", request)))


def commit(
    policy: Policy,
    customer_id: str,
    reservation_id: str,
    quantity: int | None,
    allow_overrun: bool,
) -> Steps[Decision]:
    """Settle by what was used."""
    request = checked(
        pb.CommitRequest,
        customer_id=customer_id,
        reservation_id=reservation_id,
        quantity=quantity,
        allow_overrun=allow_overrun,
    )
    return answers.decision((yield from retried(policy, "Commit", request)))


def release(policy: Policy, customer_id: str, reservation_id: str) -> Steps[Decision]:
    """Settle by nothing."""
    request = checked(pb.ReleaseRequest, customer_id=customer_id, reservation_id=reservation_id)
    return answers.decision((yield from retried(policy, "Release", request)))


def release_all(policy: Policy, customer_id: str, reservation_id: str) -> Steps[ItemsDecision]:
    """The same, and the answer has each feature."""
    request = checked(pb.ReleaseRequest, customer_id=customer_id, reservation_id=reservation_id)
    return answers.decision_on_items((yield from retried(policy, "Release", request)))


def extend(
    policy: Policy, customer_id: str, reservation_id: str, ttl_s: float
) -> Steps[datetime | None]:
    """Let it end later."""
    request = checked(
        pb.ExtendRequest,
        customer_id=customer_id,
        reservation_id=reservation_id,
        ttl=messages.duration("ttl", ttl_s),
    )
    answer: Any = yield from retried(policy, "Extend", request)
    return messages.time(answer, "expires_at")
