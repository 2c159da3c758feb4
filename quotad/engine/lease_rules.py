"""What a holder may ask of its lease, and what it is answered when it may not."""

import msgspec

from quotad.decision import Decision
from quotad.errors import IdempotencyMismatch, InvalidRequest, NotFound, NotOpen, StoreUnavailable
from quotad.lending import Leased, Renewal
from quotad.store.lease_record import Lease
from quotad.store.leases import FoundLease


def opened(found: FoundLease, lease_id: str) -> Lease:
    """The lease, if it is on the list.

    Raises:
        NotFound: there is no such lease.
        NotOpen: it was released.
    """
    if found.lease is not None:
        return found.lease
    if found.released is not None:
        raise was_released(lease_id)
    raise NotFound(
        f"lease_id: {lease_id!r} is not known; it never was, or has ended and counts as used"
    )


def check_spent(lease: Lease, spent: int) -> None:
    """Raise InvalidRequest unless so much may have been spent in all."""
    if not lease.spent <= spent <= lease.granted:
        raise InvalidRequest(
            f"spent: {spent} is not between {lease.spent}, reported before, and {lease.granted},"
            " lent so far; it counts from AcquireLease on"
        )


def check_repeated(lease: Lease, lease_id: str, asked: Renewal) -> None:
    """Raise unless a renewal is the latest one once more.

    Raises:
        IdempotencyMismatch: its numbers are others than before.
        InvalidRequest: a later one has been made.
    """
    if asked.sequence < lease.sequence:
        raise InvalidRequest(
            f"sequence: {asked.sequence} was overtaken by {lease.sequence} of {lease_id!r}"
        )
    if (asked.spent, asked.wanted) != (lease.spent, lease.wanted):
        raise IdempotencyMismatch(
            f"sequence: {asked.sequence} of {lease_id!r} was used before with another spent or"
            " quantity; use the next one"
        )


def again(decision: Decision, lease: Lease, ends_ms: int, now_ms: int) -> Leased:
    """What a call is answered once more, with a decision of now."""
    repeated = msgspec.structs.replace(decision, replayed=True)
    return lent(lease, repeated, ends_ms, now_ms)


def lent(lease: Lease, decision: Decision, ends_ms: int, now_ms: int) -> Leased:
    """What a call is answered whose lease goes on."""
    return Leased(
        decision,
        lease.granted,
        ends_ms,
        ends_ms - now_ms,
        lease.last,
        lease.feature_id,
        lease.resource_id,
    )


def as_answer(looked: Decision) -> Decision:
    """A decision that was asked for every limit, without the list where there is only one."""
    return msgspec.structs.replace(looked, limits=()) if len(looked.limits) == 1 else looked


def was_released(lease_id: str) -> NotOpen:
    """Return the refusal of a call about a lease that its holder has returned."""
    return NotOpen(f"lease_id: {lease_id!r} is not open any more; it was released before")


def has_ended(lease_id: str) -> NotOpen:
    """Return the refusal of a call about a lease whose term is over."""
    return NotOpen(
        f"lease_id: {lease_id!r} has ended; what it held and was not returned counts as used"
    )


def keeps_changing() -> StoreUnavailable:
    """Return the error of a call that others have always been faster than."""
    return StoreUnavailable("catalog, customer or usage keeps changing; try again")
