"""Quota that is set aside: reservations of one call, leases of a caller that decides by itself."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from quotad.decision import ITEMS_MAX, ConsumeAllRequest, ConsumeRequest, Mode
from quotad.errors import InvalidRequest
from quotad.held import Used, UsedItem
from quotad.http.answers import (
    DecisionAnswer,
    decision_answer,
    items_answer,
    moment,
    settled_answer,
)
from quotad.http.fields import AnyQuantity, SomeQuantity, check_ids
from quotad.http.items import (
    ConsumeItem,
    ConsumeItems,
    check_item,
    check_unique,
    read_items,
)
from quotad.http.operation import HttpAnswer, HttpCall, Operation, RequestFields, on_decider
from quotad.lending import Leased, Renewal
from quotad.operations.decisions import DecisionOperations
from quotad.tokens.roles import Right

ReservationMilliseconds = Annotated[int, Meta(ge=1_000, le=86_400_000)]
LeaseMilliseconds = Annotated[int, Meta(ge=100, le=366 * 86_400_000)]

LEASE_MS = 60_000
"""Asked for where a request has no `ttl_ms`; the server's `lease_ttl_ms` bounds it."""

_IDS = ("customer_id", "reservation_id")
_LEASE_IDS = ("customer_id", "lease_id")


class Reserve(RequestFields, frozen=True, kw_only=True):
    """A quantity to be set aside until it is settled."""

    customer_id: str
    reservation_id: str
    """Made by the caller, of its own for each reservation of the customer."""
    feature_id: str = ""
    quantity: SomeQuantity | None = None
    """Absent: 1."""
    resource_id: str = ""
    items: ConsumeItems | None = None
    """Several features together, in place of feature_id, quantity and resource_id."""
    ttl_ms: ReservationMilliseconds = 60_000


class CommitItem(RequestFields, frozen=True, kw_only=True):
    """What was used of one feature."""

    feature_id: str
    resource_id: str = ""
    quantity: AnyQuantity | None = None
    """Absent: all that is held."""


class Commit(RequestFields, frozen=True, kw_only=True):
    """A reservation to be settled by what was used."""

    customer_id: str
    reservation_id: str
    quantity: AnyQuantity | None = None
    """What was used; absent: all that is held."""
    items: Annotated[tuple[CommitItem, ...], Meta(max_length=ITEMS_MAX)] = ()
    """Of several features, in place of quantity: of those left out all that is held was used."""
    allow_overrun: bool = False
    """Count what is above the reservation past every limit."""


class Release(RequestFields, frozen=True, kw_only=True):
    """A reservation to be settled by nothing."""

    customer_id: str
    reservation_id: str


class Extend(RequestFields, frozen=True, kw_only=True):
    """A reservation that is to end later."""

    customer_id: str
    reservation_id: str
    ttl_ms: ReservationMilliseconds = 60_000
    """From now on."""


class AcquireLease(RequestFields, frozen=True, kw_only=True):
    """A tranche of a hard limit to be lent."""

    customer_id: str
    feature_id: str
    lease_id: str
    """Made by the caller, of its own for each lease of the customer."""
    quantity: SomeQuantity
    """Less is lent when little remains."""
    resource_id: str = ""
    ttl_ms: LeaseMilliseconds = LEASE_MS
    """The server's `lease_ttl_ms` at most."""


class RenewLease(RequestFields, frozen=True, kw_only=True):
    """What was spent of a lease, and what is wanted from now on."""

    customer_id: str
    lease_id: str
    sequence: Annotated[int, Meta(ge=1, le=2**62)]
    """Above that of the renewal before; the same: that one, once more."""
    spent: AnyQuantity
    """In all, since the lease was acquired."""
    quantity: AnyQuantity
    """What may be spent from now on; less than what is left returns the rest."""
    ttl_ms: LeaseMilliseconds = LEASE_MS


class ReleaseLease(RequestFields, frozen=True, kw_only=True):
    """A lease to be returned."""

    customer_id: str
    lease_id: str
    spent: AnyQuantity
    """In all, since the lease was acquired."""


class ReservationAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a reservation."""

    decision: DecisionAnswer
    expires_at: datetime | None
    """null: nothing is held."""


class ExtensionAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """When a reservation ends."""

    expires_at: datetime | None


class LeaseAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What is lent."""

    decision: DecisionAnswer
    granted: int
    """In all, since the lease was acquired."""
    term_ms: int | None
    """Count it from before the request was sent, on a clock that counts sleep. null: nothing is
    lent, or not any longer."""
    expires_at: datetime | None
    last: bool
    """The term ends with the period, and no renewal goes beyond."""


class LeaseReleaseAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What a lease has returned."""

    returned: int


@on_decider
def reserve(decisions: DecisionOperations, call: HttpCall, wanted: Reserve) -> HttpAnswer:
    """Take a quantity until it is settled."""
    check_ids(wanted, _IDS)
    items: tuple[ConsumeRequest, ...] = ()
    if wanted.items is None:
        check_ids(wanted, ("feature_id",), ("resource_id",))
        quantity = 1 if wanted.quantity is None else wanted.quantity
        request = ConsumeRequest(
            wanted.customer_id, wanted.feature_id, quantity, resource_id=wanted.resource_id
        )
    else:
        items = _several(wanted, wanted.items)
        request = ConsumeAllRequest(wanted.customer_id, "", 0, items=items)
        if len(items) == 1:  # the same as without items
            (request,) = items
    reserved = decisions.reserve(request, wanted.reservation_id, wanted.ttl_ms)
    decision = items_answer(reserved.decision, items)
    return HttpAnswer(
        ReservationAnswer(decision=decision, expires_at=moment(reserved.ends_ms or None))
    )


def _several(wanted: Reserve, given: Sequence[ConsumeItem]) -> tuple[ConsumeRequest, ...]:
    for field in ("feature_id", "quantity", "resource_id"):
        if getattr(wanted, field):
            raise InvalidRequest(f"{field}: belongs into items where there are some; leave it out")
    items = read_items(wanted.customer_id, given, int(Mode.NORMAL))
    for place, item in enumerate(items):
        if item.quantity < 1:
            raise InvalidRequest(f"items[{place}].quantity: expected int >= 1")
        if item.requested_values:
            raise InvalidRequest(
                f"items[{place}].requested_values: nothing of them can be held; leave them out"
            )
    return items


@on_decider
def commit(decisions: DecisionOperations, call: HttpCall, wanted: Commit) -> HttpAnswer:
    """Settle a reservation by what was used."""
    check_ids(wanted, _IDS)
    used: Used = wanted.quantity
    if wanted.items:
        if wanted.quantity is not None:
            raise InvalidRequest("quantity: belongs into items where there are some; leave it out")
        for place, item in enumerate(wanted.items):
            check_item(item, place)
        used = [UsedItem(each.feature_id, each.resource_id, each.quantity) for each in wanted.items]
        check_unique([(each.feature_id, each.resource_id) for each in used], "give it once")
    answer = decisions.commit(
        wanted.customer_id, wanted.reservation_id, used, overrun=wanted.allow_overrun
    )
    return HttpAnswer(settled_answer(answer))


@on_decider
def release(decisions: DecisionOperations, call: HttpCall, wanted: Release) -> HttpAnswer:
    """Settle a reservation by nothing."""
    check_ids(wanted, _IDS)
    answer = decisions.release(wanted.customer_id, wanted.reservation_id)
    return HttpAnswer(settled_answer(answer))


@on_decider
def extend(decisions: DecisionOperations, call: HttpCall, wanted: Extend) -> HttpAnswer:
    """Let a reservation end later."""
    check_ids(wanted, _IDS)
    ends_ms = decisions.reservations.extend(
        wanted.customer_id, wanted.reservation_id, wanted.ttl_ms
    )
    return HttpAnswer(ExtensionAnswer(expires_at=moment(ends_ms)))


@on_decider
def acquire(decisions: DecisionOperations, call: HttpCall, wanted: AcquireLease) -> HttpAnswer:
    """Lend up to a quantity."""
    check_ids(wanted, (*_LEASE_IDS, "feature_id"), ("resource_id",))
    request = ConsumeRequest(
        wanted.customer_id,
        wanted.feature_id,
        wanted.quantity,
        resource_id=wanted.resource_id,
    )
    return HttpAnswer(_leased(decisions.acquire_lease(request, wanted.lease_id, wanted.ttl_ms)))


@on_decider
def renew(decisions: DecisionOperations, call: HttpCall, wanted: RenewLease) -> HttpAnswer:
    """Take a report of what was spent, and lend for a new term."""
    check_ids(wanted, _LEASE_IDS)
    renewal = Renewal(wanted.sequence, wanted.spent, wanted.quantity)
    return HttpAnswer(
        _leased(decisions.renew_lease(wanted.customer_id, wanted.lease_id, renewal, wanted.ttl_ms))
    )


@on_decider
def release_lease(
    decisions: DecisionOperations, call: HttpCall, wanted: ReleaseLease
) -> HttpAnswer:
    """Take back what was not spent."""
    check_ids(wanted, _LEASE_IDS)
    returned = decisions.release_lease(wanted.customer_id, wanted.lease_id, wanted.spent)
    return HttpAnswer(LeaseReleaseAnswer(returned=returned))


def _leased(leased: Leased) -> LeaseAnswer:
    return LeaseAnswer(
        decision=decision_answer(leased.decision),
        granted=leased.granted,
        term_ms=leased.term_ms if leased.ends_ms else None,
        expires_at=moment(leased.ends_ms or None),
        last=leased.last,
    )


OPERATIONS = (
    Operation(
        name="Reserve",
        method="POST",
        path="/v1/reservations",
        right=Right.CONSUME,
        wanted=Reserve,
        given=ReservationAnswer,
        act=reserve,
        about="Takes a quantity before the work, which comes back unless it is settled in time.",
    ),
    Operation(
        name="Commit",
        method="POST",
        path="/v1/reservations/commit",
        right=Right.CONSUME,
        wanted=Commit,
        given=DecisionAnswer,
        act=commit,
        about="Settles a reservation by what was used; granted is the difference.",
    ),
    Operation(
        name="Release",
        method="POST",
        path="/v1/reservations/release",
        right=Right.CONSUME,
        wanted=Release,
        given=DecisionAnswer,
        act=release,
        about="Settles a reservation by nothing: all of it comes back.",
    ),
    Operation(
        name="Extend",
        method="POST",
        path="/v1/reservations/extend",
        right=Right.CONSUME,
        wanted=Extend,
        given=ExtensionAnswer,
        act=extend,
        about="Lets an open reservation end later.",
    ),
    Operation(
        name="AcquireLease",
        method="POST",
        path="/v1/leases",
        right=Right.CONSUME,
        wanted=AcquireLease,
        given=LeaseAnswer,
        act=acquire,
        about="Lends up to a quantity of a hard limit to a caller that decides by itself.",
    ),
    Operation(
        name="RenewLease",
        method="POST",
        path="/v1/leases/renew",
        right=Right.CONSUME,
        wanted=RenewLease,
        given=LeaseAnswer,
        act=renew,
        about="Reports what was spent, and keeps, returns or refills what is lent.",
    ),
    Operation(
        name="ReleaseLease",
        method="POST",
        path="/v1/leases/release",
        right=Right.CONSUME,
        wanted=ReleaseLease,
        given=LeaseReleaseAnswer,
        act=release_lease,
        about="Returns what was not spent of a lease.",
    ),
)
