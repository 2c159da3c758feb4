"""Customers: provision, change, override, promote, archive, erase, find, import and export."""

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from quotad.customers.overrides import NewEntitlement
from quotad.customers.profile import Profile
from quotad.customers.subscriptions import Cancellation, Change, Provision, Trial
from quotad.errors import InvalidRequest
from quotad.http.answers import moment
from quotad.http.customer_answers import (
    CustomerAnswer,
    CustomersFound,
    ErasedAnswer,
    ErasuresFound,
    ExportedAnswer,
    ImportedAnswer,
    ProblemOfRow,
    SeenAnswer,
    SeenFound,
    customer_answer,
    erasure_answer,
)
from quotad.http.fields import Epoch, PageSize, moment_ms
from quotad.http.operation import HttpAnswer, HttpCall, Operation, RequestFields, in_thread
from quotad.records import StoredCustomer
from quotad.store.facets import Wanted
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


class CancelRequest(RequestFields, frozen=True, kw_only=True):
    """The end of a subscription."""

    customer_id: str
    subscription_id: str = ""
    resource_id: str = ""
    when: ChangeTime = "NOW"
    if_epoch: Epoch | None = None


class SetOverride(RequestFields, frozen=True, kw_only=True):
    """What a customer has of a feature instead of everything else."""

    customer_id: str
    feature_id: str
    entitlement: Any
    """As a catalog spells it: true, "email", "unlimited", {"limit": 5, "per": "day"}; false
    revokes."""
    start: datetime | None = None
    """Until then it is as if it were not there, nor the one that it replaces; absent: now."""
    resource_id: str = ""
    if_epoch: Epoch | None = None


class GrantPromotion(RequestFields, frozen=True, kw_only=True):
    """What a customer has of a feature for a time, where it is more than the rest."""

    customer_id: str
    feature_id: str
    entitlement: Any
    """As of an override, but not false."""
    start: datetime | None = None
    """Absent: now."""
    end: datetime | None = None
    """Absent: no end."""
    resource_id: str = ""
    if_epoch: Epoch | None = None


class OfFeature(RequestFields, frozen=True, kw_only=True):
    """Which override or promotion."""

    customer_id: str
    feature_id: str
    resource_id: str = ""
    if_epoch: Epoch | None = None


class ArchiveCustomer(RequestFields, frozen=True, kw_only=True):
    """Whom to archive."""

    customer_id: str
    if_epoch: Epoch | None = None


class EraseCustomer(RequestFields, frozen=True, kw_only=True):
    """Whom to erase for good."""

    customer_id: str
    erased_by: str = ""
    """For the history."""
    if_epoch: Epoch | None = None


class GetCustomer(RequestFields, frozen=True, kw_only=True):
    """Which customer."""

    customer_id: str


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
    page_size: PageSize = 0
    page_token: str = ""


class ListSeen(RequestFields, frozen=True, kw_only=True):
    """What is looked for."""

    id_prefix: str = ""
    page_size: PageSize = 0
    page_token: str = ""


class ListErasures(RequestFields, frozen=True, kw_only=True):
    """How many erasures."""

    page_size: PageSize = 0


class ImportCustomers(RequestFields, frozen=True, kw_only=True):
    """Customers to be written, each as in its row."""

    rows: Annotated[tuple[msgspec.Raw, ...], Meta(max_length=1000)]
    """As the page about importing describes them."""
    dry_run: bool = False
    """Check only."""


class ExportCustomers(RequestFields, frozen=True, kw_only=True):
    """Which page."""

    page_size: PageSize = 0
    page_token: str = ""


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
    customers = call.customers
    return _shown(call, customers.provision(wanted.customer_id, new, wanted.if_epoch))


@in_thread
def update(call: HttpCall, wanted: UpdateCustomer) -> HttpAnswer:
    """Change what the customer is known by."""
    customers = call.customers
    return _shown(call, customers.update(wanted.customer_id, _profile(wanted), wanted.if_epoch))


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
    customers = call.customers
    return _shown(call, customers.change_subscription(wanted.customer_id, new, wanted.if_epoch))


@in_thread
def cancel(call: HttpCall, wanted: CancelRequest) -> HttpAnswer:
    """End a subscription, now or later."""
    end = Cancellation(wanted.subscription_id, wanted.resource_id, wanted.when == "PERIOD_END")
    customers = call.customers
    return _shown(call, customers.cancel_subscription(wanted.customer_id, end, wanted.if_epoch))


@in_thread
def set_override(call: HttpCall, wanted: SetOverride) -> HttpAnswer:
    """Give the customer this of a feature instead of everything else."""
    new = NewEntitlement(
        wanted.feature_id,
        wanted.entitlement,
        wanted.resource_id,
        start_ms=moment_ms(wanted.start, "start"),
    )
    customers = call.customers
    return _shown(call, customers.set_override(wanted.customer_id, new, wanted.if_epoch))


@in_thread
def remove_override(call: HttpCall, wanted: OfFeature) -> HttpAnswer:
    """Let the customer have again what it has without the override."""
    stored = call.customers.remove_override(
        wanted.customer_id, wanted.feature_id, wanted.resource_id, wanted.if_epoch
    )
    return _shown(call, stored)


@in_thread
def grant_promotion(call: HttpCall, wanted: GrantPromotion) -> HttpAnswer:
    """Give the customer this of a feature for a time, where it is more than the rest."""
    new = NewEntitlement(
        wanted.feature_id,
        wanted.entitlement,
        wanted.resource_id,
        moment_ms(wanted.end, "end"),
        moment_ms(wanted.start, "start"),
    )
    customers = call.customers
    return _shown(call, customers.grant_promotion(wanted.customer_id, new, wanted.if_epoch))


@in_thread
def revoke_promotion(call: HttpCall, wanted: OfFeature) -> HttpAnswer:
    """End a promotion now."""
    stored = call.customers.revoke_promotion(
        wanted.customer_id, wanted.feature_id, wanted.resource_id, wanted.if_epoch
    )
    return _shown(call, stored)


@in_thread
def archive(call: HttpCall, wanted: ArchiveCustomer) -> HttpAnswer:
    """Deny everything from here on."""
    customers = call.customers
    return _shown(call, customers.archive(wanted.customer_id, wanted.if_epoch))


@in_thread
def erase(call: HttpCall, wanted: EraseCustomer) -> HttpAnswer:
    """Erase a customer for good."""
    erased_by = wanted.erased_by or call.actor
    erasure = call.context.parts.erasing.erase(wanted.customer_id, erased_by, wanted.if_epoch)
    return HttpAnswer(
        ErasedAnswer(
            erasure=erasure_answer(erasure),
            nonce=erasure.nonce,
            had_record=erasure.had_record,
            counters=erasure.counters,
            idempotency_keys=erasure.idempotency_keys,
        )
    )


@in_thread
def get(call: HttpCall, wanted: GetCustomer) -> HttpAnswer:
    """Return a provisioned customer."""
    return _shown(call, call.context.parts.customers.get(wanted.customer_id))


@in_thread
def find(call: HttpCall, wanted: ListCustomers) -> HttpAnswer:
    """Return a page of customers, or of those that are looked for."""
    archived = None if wanted.status is None else wanted.status == "ARCHIVED"
    search = Wanted(
        wanted.id_prefix, wanted.name, wanted.plan_id, archived, wanted.email, wanted.external_id
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


@in_thread
def erasures(call: HttpCall, wanted: ListErasures) -> HttpAnswer:
    """Return the newest erasures."""
    newest = call.context.parts.erasing.newest(wanted.page_size)
    return HttpAnswer(ErasuresFound(erasures=tuple(map(erasure_answer, newest))))


@in_thread
def import_rows(call: HttpCall, wanted: ImportCustomers) -> HttpAnswer:
    """Write many customers, each as in its row."""
    rows = [bytes(row) for row in wanted.rows]
    done = call.context.parts.transfer.import_rows(rows, wanted.dry_run, call.actor)
    return HttpAnswer(
        ImportedAnswer(
            problems=tuple(
                ProblemOfRow(row=row, message=message) for row, message in done.problems.items()
            ),
            written=done.written,
            unchanged=done.unchanged,
        )
    )


@in_thread
def export_rows(call: HttpCall, wanted: ExportCustomers) -> HttpAnswer:
    """Return a page of customers as rows."""
    page = call.context.parts.transfer.export_rows(wanted.page_token, wanted.page_size)
    return HttpAnswer(
        ExportedAnswer(rows=tuple(map(msgspec.Raw, page.rows)), next_page_token=page.next_token)
    )


def _shown(call: HttpCall, stored: StoredCustomer) -> HttpAnswer:
    return HttpAnswer(customer_answer(call.context.parts.customers.show(stored)))


def _profile(wanted: UpdateCustomer) -> Profile:
    return Profile(wanted.name, wanted.email, wanted.timezone, wanted.metadata, wanted.external_ids)


def _trial(given: TrialFields) -> Trial:
    end_ms = moment_ms(given.end, "trial.end")
    if end_ms is None:
        raise InvalidRequest("trial.end: missing; say when the trial is over")
    return Trial(end_ms, given.then == "END", given.plan_id)


_CUSTOMER = "/v1/customers/{customer_id}"


def _write(
    name: str, method: str, path: str, wanted: type[RequestFields], act: Any, about: str
) -> Operation:
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
    _write(
        "ProvisionCustomer",
        "PUT",
        _CUSTOMER,
        ProvisionRequest,
        provision,
        "Creates the customer or changes its plan; brings an archived customer back.",
    ),
    _write(
        "UpdateCustomer",
        "PATCH",
        _CUSTOMER,
        UpdateCustomer,
        update,
        "Changes what a customer is known by; one without a record gets it.",
    ),
    _write(
        "ChangeSubscription",
        "POST",
        f"{_CUSTOMER}/change-subscription",
        ChangeSubscription,
        change,
        "Changes plan, add-ons, units or revision, now or when the billing period ends.",
    ),
    _write(
        "CancelSubscription",
        "POST",
        f"{_CUSTOMER}/cancel-subscription",
        CancelRequest,
        cancel,
        "Ends a subscription, now or when its billing period ends; takes back what still waits.",
    ),
    _write(
        "SetOverride",
        "PUT",
        f"{_CUSTOMER}/overrides/{{feature_id}}",
        SetOverride,
        set_override,
        "Gives the customer this of a feature instead of everything else.",
    ),
    _write(
        "RemoveOverride",
        "DELETE",
        f"{_CUSTOMER}/overrides/{{feature_id}}",
        OfFeature,
        remove_override,
        "Lets the customer have again what it has without the override.",
    ),
    _write(
        "GrantPromotion",
        "PUT",
        f"{_CUSTOMER}/promotions/{{feature_id}}",
        GrantPromotion,
        grant_promotion,
        "Gives the customer this of a feature for a time, where it is more than the rest.",
    ),
    _write(
        "RevokePromotion",
        "DELETE",
        f"{_CUSTOMER}/promotions/{{feature_id}}",
        OfFeature,
        revoke_promotion,
        "Ends a promotion now.",
    ),
    _write(
        "ArchiveCustomer",
        "POST",
        f"{_CUSTOMER}/archive",
        ArchiveCustomer,
        archive,
        "Denies everything until the customer is provisioned again. Usage is kept.",
    ),
    Operation(
        name="EraseCustomer",
        method="POST",
        path=f"{_CUSTOMER}/erase",
        right=Right.ADMIN,
        wanted=EraseCustomer,
        given=ErasedAnswer,
        act=erase,
        about="Erases record, usage and idempotency keys of a customer for good.",
    ),
    Operation(
        name="GetCustomer",
        method="GET",
        path=_CUSTOMER,
        right=Right.READ,
        wanted=GetCustomer,
        given=CustomerAnswer,
        act=get,
        about="Returns a provisioned customer.",
    ),
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
    Operation(
        name="ListErasures",
        method="GET",
        path="/v1/erasures",
        right=Right.READ,
        wanted=ListErasures,
        given=ErasuresFound,
        act=erasures,
        about="Returns the history of erasures, the latest first.",
    ),
    Operation(
        name="ImportCustomers",
        method="POST",
        path="/v1/import",
        right=Right.MANAGE,
        wanted=ImportCustomers,
        given=ImportedAnswer,
        act=import_rows,
        about="Writes up to 1,000 customers. Bad rows are reported and left out.",
    ),
    Operation(
        name="ExportCustomers",
        method="GET",
        path="/v1/export",
        right=Right.READ,
        wanted=ExportCustomers,
        given=ExportedAnswer,
        act=export_rows,
        about="Returns customers in the form that import reads, page by page.",
    ),
)
