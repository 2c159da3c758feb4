"""Customers that are looked for: those with a record, those that were only seen."""

from typing import Literal

from quotad.http.answers import moment
from quotad.http.customer_answers import (
    CustomersFound,
    SeenAnswer,
    SeenFound,
    customer_answer,
)
from quotad.http.fields import PageSize
from quotad.http.operation import HttpAnswer, HttpCall, Operation, RequestFields, in_thread
from quotad.store.facets import Wanted
from quotad.tokens.roles import Right


class ListCustomers(RequestFields, frozen=True, kw_only=True):
    """What is looked for; what is left out is not asked for."""

    id_prefix: str = ""
    name: str = ""
    """What the name, or the rest of it from some word on, starts with."""
    plan_id: str = ""
    """Of a subscription in force."""
    status: Literal["ACTIVE", "ARCHIVED"] | None = None
    email: str = ""
    """The whole of it, in any case."""
    external_id: str = ""
    """In any other system, of the customer or of a subscription."""
    in_trial: bool = False
    """Only those of which a trial is under way, of `plan_id` where it is given."""
    page_size: PageSize = 0
    page_token: str = ""


class ListSeen(RequestFields, frozen=True, kw_only=True):
    """What is looked for."""

    id_prefix: str = ""
    page_size: PageSize = 0
    page_token: str = ""


@in_thread
def find(call: HttpCall, wanted: ListCustomers) -> HttpAnswer:
    """Return a page of customers, or of those that are looked for."""
    archived = None if wanted.status is None else wanted.status == "ARCHIVED"
    search = Wanted(
        wanted.id_prefix,
        wanted.name,
        wanted.plan_id,
        archived,
        wanted.email,
        wanted.external_id,
        in_trial=wanted.in_trial,
    )
    page = call.context.parts.finding.find(search, wanted.page_token, wanted.page_size)
    show = call.context.parts.customers.show
    return HttpAnswer(
        CustomersFound(
            customers=tuple(customer_answer(show(stored)) for stored in page.customers),
            next_page_token=page.next_token,
        )
    )


@in_thread
def list_seen(call: HttpCall, wanted: ListSeen) -> HttpAnswer:
    """Return a page of customers on the default plan that were never provisioned."""
    page = call.context.parts.finding.list_seen(
        wanted.id_prefix, wanted.page_token, wanted.page_size
    )
    return HttpAnswer(
        SeenFound(
            customers=tuple(
                SeenAnswer(customer_id=each.customer_id, seen_at=moment(each.seen_ms))
                for each in page.customers
            ),
            next_page_token=page.next_token,
        )
    )


OPERATIONS = (
    Operation(
        name="ListCustomers",
        method="GET",
        path="/v1/customers",
        right=Right.READ,
        wanted=ListCustomers,
        given=CustomersFound,
        act=find,
        about="Returns a page of customers, or of those that are looked for.",
    ),
    Operation(
        name="ListSeenCustomers",
        method="GET",
        path="/v1/seen-customers",
        right=Right.READ,
        wanted=ListSeen,
        given=SeenFound,
        act=list_seen,
        about="Returns customers on the default plan that calls were about, without a record.",
    ),
)
