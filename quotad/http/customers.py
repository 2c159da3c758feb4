"""Customers: provision, change, archive, read."""

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from quotad.customers.profile import Profile
from quotad.customers.subscriptions import Cancellation, Change, Provision, Trial
from quotad.errors import InvalidRequest
from quotad.http.customer_answers import (
    CustomerAnswer,
    customer_answer,
)
from quotad.http.fields import Epoch, moment_ms
from quotad.http.operation import HttpAnswer, HttpCall, Operation, RequestFields, in_thread
from quotad.records import StoredCustomer
from quotad.tokens.roles import Right

Addons = dict[str, Annotated[int, Meta(ge=0, le=2**31 - 1)]]
UnitCount = Annotated[int, Meta(ge=1, le=2**62)]
Texts = dict[str, str]
ChangeTime = Literal["NOW", "PERIOD_END"]


class TrialFields(RequestFields, frozen=True, kw_only=True):
    """A trial."""

    end: datetime
    then: Literal["CONVERT", "END"] = "CONVERT"
    """CONVERT: the subscription goes on, on `plan_id`."""
    plan_id: str = ""
    """What it converts to; empty: the plan of the trial."""


class UpdateCustomer(RequestFields, frozen=True, kw_only=True):
    """What a customer is known by; what is left out stays, empty: none any more."""

    customer_id: str
    name: str | None = None
    """For people: at most 256 bytes."""
    email: str | None = None
    timezone: str | None = None
    """Of the tz database: Europe/Berlin."""
    metadata: Texts = msgspec.field(default_factory=dict)
    """For callers; keys left out stay, an empty value removes one."""
    external_ids: Texts = msgspec.field(default_factory=dict)
    """Ids in other systems, by system; as with metadata."""
    if_epoch: Epoch | None = None
    comment: str = ""
    """Why, for the history: at most 1,024 bytes."""


class ProvisionRequest(UpdateCustomer, frozen=True, kw_only=True):
    """A customer and its subscription."""

    plan_id: str
    start: datetime | None = None
    """Absent: now, or as the subscription that there is."""
    subscription_id: str = ""
    resource_id: str = ""
    addons: Addons = msgspec.field(default_factory=dict)
    """Quantity by add-on."""
    end: datetime | None = None
    """Absent: goes on."""
    anchor: datetime | None = None
    """Of the billing periods; absent: the start."""
    trial: TrialFields | None = None
    subscription_external_ids: Texts = msgspec.field(default_factory=dict)
    """Of the subscription in other systems; keys left out stay, an empty value removes one."""
    unit_quantity: UnitCount | None = None
    """What is bought of the plan, such as 50 seats; absent: stays, or 1."""


class ChangeSubscription(RequestFields, frozen=True, kw_only=True):
    """A change of a subscription."""

    customer_id: str
    subscription_id: str = ""
    resource_id: str = ""
    plan_id: str = ""
    """Empty: stays."""
    addons: Addons | None = None
    """All of them; absent: they stay."""
    unit_quantity: UnitCount | None = None
    """Absent: stays."""
    latest_revision: bool = False
    """Move to the latest revision of the plan."""
    when: ChangeTime = "NOW"
    if_epoch: Epoch | None = None
    comment: str = ""
    """Why, for the history: at most 1,024 bytes."""


class CancelRequest(RequestFields, frozen=True, kw_only=True):
    """The end of a subscription."""

    customer_id: str
    subscription_id: str = ""
    resource_id: str = ""
    when: ChangeTime = "NOW"
    if_epoch: Epoch | None = None
    comment: str = ""
    """Why, for the history: at most 1,024 bytes."""


class ArchiveCustomer(RequestFields, frozen=True, kw_only=True):
    """Whom to archive."""

    customer_id: str
    if_epoch: Epoch | None = None
    comment: str = ""
    """Why, for the history: at most 1,024 bytes."""


class GetCustomer(RequestFields, frozen=True, kw_only=True):
    """Which customer."""

    customer_id: str


@in_thread
def provision(call: HttpCall, wanted: ProvisionRequest) -> HttpAnswer:
    """Create the customer or change its plan."""
    new = Provision(
        wanted.plan_id,
        moment_ms(wanted.start, "start"),
        wanted.subscription_id,
        wanted.resource_id,
        wanted.addons,
        moment_ms(wanted.end, "end"),
        moment_ms(wanted.anchor, "anchor"),
        None if wanted.trial is None else _trial(wanted.trial),
        _profile(wanted),
        wanted.unit_quantity,
        wanted.subscription_external_ids,
    )
    customers = call.commented(wanted.comment)
    return shown(call, customers.provision(wanted.customer_id, new, wanted.if_epoch))


@in_thread
def update(call: HttpCall, wanted: UpdateCustomer) -> HttpAnswer:
    """Change what the customer is known by."""
    customers = call.commented(wanted.comment)
    return shown(call, customers.update(wanted.customer_id, _profile(wanted), wanted.if_epoch))


@in_thread
def change(call: HttpCall, wanted: ChangeSubscription) -> HttpAnswer:
    """Change plan, add-ons, units or revision, now or later."""
    new = Change(
        wanted.subscription_id,
        wanted.resource_id,
        wanted.plan_id,
        wanted.addons,
        wanted.latest_revision,
        wanted.when == "PERIOD_END",
        wanted.unit_quantity,
    )
    customers = call.commented(wanted.comment)
    return shown(call, customers.change_subscription(wanted.customer_id, new, wanted.if_epoch))


@in_thread
def cancel(call: HttpCall, wanted: CancelRequest) -> HttpAnswer:
    """End a subscription, now or later."""
    end = Cancellation(wanted.subscription_id, wanted.resource_id, wanted.when == "PERIOD_END")
    customers = call.commented(wanted.comment)
    return shown(call, customers.cancel_subscription(wanted.customer_id, end, wanted.if_epoch))


@in_thread
def archive(call: HttpCall, wanted: ArchiveCustomer) -> HttpAnswer:
    """Deny everything from here on."""
    customers = call.commented(wanted.comment)
    return shown(call, customers.archive(wanted.customer_id, wanted.if_epoch))


@in_thread
def get(call: HttpCall, wanted: GetCustomer) -> HttpAnswer:
    """Return a provisioned customer."""
    return shown(call, call.context.parts.customers.get(wanted.customer_id))


def shown(call: HttpCall, stored: StoredCustomer) -> HttpAnswer:
    """Return a customer as it is now."""
    return HttpAnswer(customer_answer(call.context.parts.customers.show(stored)))


def _profile(wanted: UpdateCustomer) -> Profile:
    return Profile(wanted.name, wanted.email, wanted.timezone, wanted.metadata, wanted.external_ids)


def _trial(given: TrialFields) -> Trial:
    end_ms = moment_ms(given.end, "trial.end")
    if end_ms is None:
        raise InvalidRequest("trial.end: missing; say when the trial is over")
    return Trial(end_ms, given.then == "END", given.plan_id)


CUSTOMER = "/v1/customers/{customer_id}"


def write_operation(
    name: str, method: str, path: str, wanted: type[RequestFields], act: Any, about: str
) -> Operation:
    """Describe an operation that writes a customer and answers with it."""
    return Operation(
        name=name,
        method=method,
        path=path,
        right=Right.MANAGE,
        wanted=wanted,
        given=CustomerAnswer,
        act=act,
        about=about,
    )


OPERATIONS = (
    write_operation(
        "ProvisionCustomer",
        "PUT",
        CUSTOMER,
        ProvisionRequest,
        provision,
        "Creates the customer or changes its plan; brings an archived customer back.",
    ),
    write_operation(
        "UpdateCustomer",
        "PATCH",
        CUSTOMER,
        UpdateCustomer,
        update,
        "Changes what a customer is known by; one without a record gets it.",
    ),
    write_operation(
        "ChangeSubscription",
        "POST",
        f"{CUSTOMER}/change-subscription",
        ChangeSubscription,
        change,
        "Changes plan, add-ons, units or revision, now or when the billing period ends.",
    ),
    write_operation(
        "CancelSubscription",
        "POST",
        f"{CUSTOMER}/cancel-subscription",
        CancelRequest,
        cancel,
        "Ends a subscription, now or when its billing period ends; takes back what still waits.",
    ),
    write_operation(
        "ArchiveCustomer",
        "POST",
        f"{CUSTOMER}/archive",
        ArchiveCustomer,
        archive,
        "Denies everything until the customer is provisioned again. Usage is kept.",
    ),
    Operation(
        name="GetCustomer",
        method="GET",
        path=CUSTOMER,
        right=Right.READ,
        wanted=GetCustomer,
        given=CustomerAnswer,
        act=get,
        about="Returns a provisioned customer.",
    ),
)
