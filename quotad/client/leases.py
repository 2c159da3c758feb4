"""Leases: requests and answers, for both clients."""

import os
from datetime import datetime, timedelta
from typing import Any

import msgspec

from quotad.client import answers, messages
from quotad.client.building import checked
from quotad.client.calls import Consumption, Policy, Steps, retried
from quotad.client.results import Decision
from quotad.v1 import quota_pb2 as pb


class LeaseTerm(msgspec.Struct, frozen=True, kw_only=True):
    """What may be spent of a lease, and for how long."""

    customer_id: str
    lease_id: str
    decision: Decision
    """Of what was lent or renewed; else what asking for one unit would be answered."""
    granted: int
    """In all, since the lease was acquired."""
    term: timedelta | None
    """From before the request was sent; None: nothing is lent, or the lease is not renewed: stop
    spending and release it."""
    expires_at: datetime | None
    """The same moment by the server's clock, UTC."""
    last: bool
    """The term ends with the period, and no renewal goes beyond."""


def acquire(
    policy: Policy, consumption: Consumption, lease_id: str | None, ttl_s: float | None
) -> Steps[LeaseTerm]:
    """Lend up to a quantity; the id exists before the first try."""
    lease_id = os.urandom(16).hex() if lease_id is None else lease_id
    request = checked(
        pb.AcquireLeaseRequest,
        customer_id=consumption.customer_id,
        feature_id=consumption.feature_id,
        quantity=consumption.quantity,
        resource_id=consumption.resource_id,
        lease_id=lease_id,
        ttl=_ttl(ttl_s),
    )
    answer = yield from retried(policy, "AcquireLease", request)
    return _term(request, answer)


def renew(
    policy: Policy,
    customer_id: str,
    lease_id: str,
    numbers: tuple[int, int, int],
    ttl_s: float | None = None,
) -> Steps[LeaseTerm]:
    """Report what was spent, for a new term.

    Args:
        policy: of the client.
        customer_id: whose it is.
        lease_id: which.
        numbers: the sequence, what was spent in all, and what is wanted.
        ttl_s: longest term.
    """
    sequence, spent, quantity = numbers
    request = checked(
        pb.RenewLeaseRequest,
        customer_id=customer_id,
        lease_id=lease_id,
        sequence=sequence,
        spent=spent,
        quantity=quantity,
        ttl=_ttl(ttl_s),
    )
    answer = yield from retried(policy, "RenewLease", request)
    return _term(request, answer)


def release(policy: Policy, customer_id: str, lease_id: str, spent: int) -> Steps[int]:
    """Return what was not spent."""
    request = checked(
        pb.ReleaseLeaseRequest, customer_id=customer_id, lease_id=lease_id, spent=spent
    )
    answer: Any = yield from retried(policy, "ReleaseLease", request)
    return int(answer.returned)


def _ttl(ttl_s: float | None) -> timedelta | None:
    return None if ttl_s is None else timedelta(seconds=ttl_s)


def _term(request: Any, answer: Any) -> LeaseTerm:
    return LeaseTerm(
        customer_id=request.customer_id,
        lease_id=request.lease_id,
        decision=answers.decision(answer.decision),
        granted=answer.granted,
        term=answer.term.ToTimedelta() if answer.HasField("term") else None,
        expires_at=messages.time(answer, "expires_at"),
        last=answer.last,
    )
