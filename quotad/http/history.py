"""The history of customers: whose doing each of the latest writes was, and what it changed."""

from datetime import datetime

import msgspec

from quotad.http.answers import moment
from quotad.http.fields import PageSize
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


class CustomerChangesFound(msgspec.Struct, frozen=True, kw_only=True):
    """The latest writes of a customer."""

    changes: tuple[CustomerChangeAnswer, ...]
    """The newest first."""


@in_thread
def find(call: HttpCall, wanted: ListCustomerChanges) -> HttpAnswer:
    """Return the latest writes of a customer."""
    found = call.context.parts.history.of_customer(wanted.customer_id, wanted.page_size)
    return HttpAnswer(
        CustomerChangesFound(
            changes=tuple(
                CustomerChangeAnswer(
                    changed_at=moment(each.epoch),
                    actor=each.actor,
                    call=each.call,
                    changes=each.changes,
                    epoch=each.epoch,
                    comment=each.comment,
                )
                for each in found
            )
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
)
