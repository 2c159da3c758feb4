"""The history of customers: whose doing each of the latest writes was, and the way back."""

from datetime import datetime

import msgspec

from quotad.history import CustomerChange
from quotad.http.answers import moment
from quotad.http.customer_answers import CustomerAnswer, customer_answer
from quotad.http.fields import Epoch, PageSize, WrittenEpoch
from quotad.http.operation import HttpAnswer, HttpCall, Operation, RequestFields, in_thread
from quotad.tokens.roles import Right


class ListCustomerChanges(RequestFields, frozen=True, kw_only=True):
    """Whose changes."""

    customer_id: str
    page_size: PageSize = 0
    """At most 100 are kept."""


class CustomerChangeAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A write of a customer."""

    changed_at: datetime | None
    actor: str
    """A token's name; without tokens `local`, or an address."""
    call: str
    """The operation."""
    changes: tuple[str, ...]
    """In words."""
    epoch: int
    """That it made."""
    comment: str
    """Why, as whoever made it wrote it."""
    undoable: bool
    """Whether what the customer was before is kept: `RollbackCustomer` can bring it back."""


class CustomerChangesFound(msgspec.Struct, frozen=True, kw_only=True):
    """The latest writes of a customer."""

    changes: tuple[CustomerChangeAnswer, ...]
    """The newest first."""


@in_thread
def find(call: HttpCall, wanted: ListCustomerChanges) -> HttpAnswer:
    """Return the latest writes of a customer."""
    found = call.context.parts.history.of_customer(wanted.customer_id, wanted.page_size)
    return HttpAnswer(CustomerChangesFound(changes=tuple(map(_change, found))))


def _change(change: CustomerChange) -> CustomerChangeAnswer:
    return CustomerChangeAnswer(
        changed_at=moment(change.epoch),
        actor=change.actor,
        call=change.call,
        changes=change.changes,
        epoch=change.epoch,
        comment=change.comment,
        undoable=change.undoable,
    )


class RollbackCustomer(RequestFields, frozen=True, kw_only=True):
    """Before which write a customer is to be again."""

    customer_id: str
    epoch: WrittenEpoch
    """Of the write that is undone, and with it all that came after."""
    if_epoch: Epoch | None = None
    """Of the latest write that is undone: refused (412) where the customer is at another. Absent:
    only its latest write is undone, so `epoch` must be that."""
    comment: str = ""
    """Why, for the history: at most 1,024 bytes."""
    dry_run: bool = False
    """Writes nothing; what would be different is in `changes`."""


class CustomerRolledBack(msgspec.Struct, frozen=True, kw_only=True):
    """A customer as it was before a write."""

    customer: CustomerAnswer
    """After it; its epoch is still that of before where `dry_run` is set."""
    changes: tuple[str, ...]
    """What is different, in words; empty: nothing."""
    undone: tuple[CustomerChangeAnswer, ...]
    """The writes that are undone, the newest first."""


@in_thread
def roll_back(call: HttpCall, wanted: RollbackCustomer) -> HttpAnswer:
    """Make a customer what it was before a write."""
    parts = call.context.parts
    done = parts.rollbacks.roll_back(
        wanted.customer_id,
        wanted.epoch,
        wanted.if_epoch,
        actor=call.actor,
        comment=wanted.comment,
        dry_run=wanted.dry_run,
    )
    return HttpAnswer(
        CustomerRolledBack(
            customer=customer_answer(parts.customers.show(done.customer)),
            changes=done.changes,
            undone=tuple(map(_change, done.undone)),
        )
    )


OPERATIONS = (
    Operation(
        name="ListCustomerChanges",
        method="GET",
        path="/v1/customers/{customer_id}/changes",
        right=Right.READ,
        wanted=ListCustomerChanges,
        given=CustomerChangesFound,
        act=find,
        about="Returns the latest writes of a customer: whose doing each was, what it changed.",
    ),
    Operation(
        name="RollbackCustomer",
        method="POST",
        path="/v1/customers/{customer_id}/rollback",
        right=Right.MANAGE,
        wanted=RollbackCustomer,
        given=CustomerRolledBack,
        act=roll_back,
        about="Makes a customer what it was before one of its latest writes. Usage stays.",
    ),
)
