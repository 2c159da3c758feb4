"""Answers of the admin service about customers and their usage, as values."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

import msgspec

from quotad.client.building import checked
from quotad.client.calls import Policy, Steps, retried
from quotad.client.messages import number, plain, read, word
from quotad.v1 import admin_pb2 as pb

When = Literal["now", "period-end"]
"""When a change happens: at once, or when the billing period under way ends."""


class Subscription(msgspec.Struct, frozen=True, kw_only=True):
    """One phase of a customer's contract for a plan.

    A scheduled change is a separate phase, and so is a trial: they have the ids of the
    subscription that they belong to.
    """

    plan_id: str
    start: datetime | None
    """UTC."""
    subscription_id: str = ""
    """Sets several of one customer apart."""
    resource_id: str = ""
    """What of the customer's it is for; empty: the customer itself."""
    revision: int = 1
    """Of the plan."""
    addons: dict[str, int] = {}
    """Quantity by add-on."""
    end: datetime | None = None
    """UTC; None: no end."""
    anchor: datetime | None = None
    """UTC; what its billing periods are aligned to. None: the calendar."""
    status: str = "ACTIVE"
    """`SCHEDULED`, `ACTIVE`, `IN_TRIAL` or `ENDED`, at the time of the answer."""
    unit_quantity: int = 1
    """What was bought of the plan, such as seats: its limits per unit are multiplied by it."""
    external_ids: dict[str, str] = {}
    """Of the subscription in other systems, by system."""


class Trial(msgspec.Struct, frozen=True):
    """How a new subscription starts: with a trial, and what follows it."""

    end: datetime
    """UTC without a time zone."""
    then: Literal["convert", "end"] = "convert"
    """Continues on `plan_id`; or ends."""
    plan_id: str = ""
    """What it converts to; empty: the plan of the trial."""


class Override(msgspec.Struct, frozen=True, kw_only=True):
    """What a customer has of a feature instead of everything else."""

    feature_id: str
    resource_id: str = ""
    """Empty: for the customer and its resources without one of their own."""
    entitlement: Any
    """As a catalog spells it: True, "email", {"limit": 5000, "per": "month"}; False: revoked."""
    start: datetime | None = None
    """UTC; to come. None: it has started."""


class Promotion(msgspec.Struct, frozen=True, kw_only=True):
    """What a customer has of a feature for a time, where it is more than the rest."""

    feature_id: str
    resource_id: str = ""
    """Empty: for the customer and all its resources."""
    entitlement: Any
    """As a catalog spells it."""
    end: datetime | None = None
    """UTC; None: no end."""
    start: datetime | None = None
    """UTC; to come. None: it has started."""


class Customer(msgspec.Struct, frozen=True, kw_only=True):
    """A provisioned customer."""

    customer_id: str
    status: str
    """`ACTIVE` or `ARCHIVED`."""
    subscriptions: tuple[Subscription, ...]
    overrides: tuple[Override, ...] = ()
    promotions: tuple[Promotion, ...] = ()
    """Those that have not ended."""
    epoch: int
    """Grows with every write."""
    created_at: datetime | None
    updated_at: datetime | None
    name: str = ""
    """For people; empty: none."""
    email: str = ""
    timezone: str = ""
    """Of the tz database."""
    metadata: dict[str, str] = {}
    """For callers; nothing depends on it."""
    external_ids: dict[str, str] = {}
    """Ids in other systems, by system (`stripe`)."""
    experiments: tuple[str, ...] = ()
    """Those for new customers that were running when it was created."""
    updated_by: str = ""
    """Whose doing the last write was: a token's name; without tokens `local`, or an address."""


class CustomerEdit(msgspec.Struct, frozen=True, kw_only=True):
    """A write of a customer."""

    changed_at: datetime | None
    """UTC."""
    actor: str
    """A token's name; without tokens `local`, or an address."""
    call: str
    """The operation: `ProvisionCustomer`, ..."""
    changes: tuple[str, ...]
    """In words."""
    epoch: int
    """That it made."""
    comment: str
    """Why, as whoever made it wrote it."""
    undoable: bool
    """Whether what the customer was before is kept, so that it can be brought back."""


class CustomerRollback(msgspec.Struct, frozen=True, kw_only=True):
    """A customer that was brought back to what it was before a write, or would be."""

    customer: Customer
    """After it; its epoch is still that of before where nothing was written."""
    changes: tuple[str, ...]
    """What is different, in words; empty: nothing."""
    undone: tuple[CustomerEdit, ...]
    """The writes that are undone, the newest first."""


class SeenCustomer(msgspec.Struct, frozen=True, kw_only=True):
    """A customer on the default plan that was never provisioned."""

    customer_id: str
    seen_at: datetime | None
    """UTC; when a server last had to look it up."""


class Erasure(msgspec.Struct, frozen=True, kw_only=True):
    """That a customer was erased."""

    erased_at: datetime | None
    """UTC."""
    erased_by: str
    proof: str
    """SHA-256, in hexadecimal, of nonce, customer id, time in Unix milliseconds and `erased_by`,
    separated by line feeds."""
    nonce: str = ""
    """Only in the answer to the erasing call: keep it to show which customer the proof is of."""
    had_record: bool = False
    """Only there, as the counts."""
    counters: int = 0
    idempotency_keys: int = 0


class CustomerPage(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch of a list of customers."""

    customers: tuple[Customer, ...]
    """May be fewer than asked for, also where there are more."""
    next_token: str
    """Of the next page; empty: no more."""


class CustomerUsage(msgspec.Struct, frozen=True, kw_only=True):
    """How much of one limit a customer has used and asked for."""

    customer_id: str
    resource_id: str
    plan_id: str
    limit: int
    used: int
    per: str
    """`minute`, `5 hours`; empty: lifetime."""
    percent: int
    """Used of the limit."""
    resets_at: datetime | None
    """UTC; None: never."""
    pool_id: str = ""
    """Of a limit of the credit pool that pays for the feature."""
    decimals: int = 0
    """Of a pool: amounts are whole numbers of 10^-decimals credits."""
    denied: int = 0
    """What the limit had no room for."""
    demand_percent: int = 0
    """Used and denied of the limit."""


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """What a customer, or a resource of it, has used of a feature in one period."""

    customer_id: str
    resource_id: str
    feature_id: str
    per: str
    """`day`, `3 months`; empty: lifetime."""
    start: datetime | None
    """UTC; None: of a lifetime, or of a window that opens at first use."""
    end: datetime | None
    """UTC; None: of a lifetime."""
    used: int
    """Whole numbers of 10^-decimals; also what a change of plan has reset in the period."""
    decimals: int = 0
    unit: str = ""
    """Of the feature, for display."""
    denied: int = 0
    """What there was no room for, as `used`."""


class Correction(msgspec.Struct, frozen=True, kw_only=True):
    """A correction of what a customer has used."""

    corrected_at: datetime | None
    """UTC."""
    verb: str
    """`set`, `refund` or `rebuild`."""
    feature_id: str
    """Empty: all features that were taken together."""
    resource_id: str
    change: int
    """What it changed; negative: so much came back. Of a pool whole numbers of 10^-decimals."""
    reason: str
    actor: str
    key: str
    """The idempotency key; of a refund by key, that of what was undone."""
    made_by: str = ""
    """Name of the token that it was made with; without tokens `local`, or the caller's address."""


class ExperimentGroup(msgspec.Struct, frozen=True, kw_only=True):
    """How many customers of one group of an experiment are above a limit, or near it."""

    experiment: str
    variant: str
    """The plan that the group has instead, or `control`."""
    above: int
    near: int


class UsagePage(msgspec.Struct, frozen=True, kw_only=True):
    """What the customers of one page have used."""

    usage: tuple[Usage, ...]
    """Of fewer customers than were asked for, or of none, also where there are more."""
    next_token: str
    """Of the next page; empty: no more."""


class FeatureInsights(msgspec.Struct, frozen=True, kw_only=True):
    """The customers that need more of a feature, or soon will."""

    feature_id: str
    above: tuple[CustomerUsage, ...]
    """Those that have used or asked for more than a limit, the most of it first."""
    near: tuple[CustomerUsage, ...]
    """Nearest to their limits first."""
    groups: tuple[ExperimentGroup, ...] = ()
    """Of experiments, by name and variant; counts all, also where the lists are cut off."""


def customer(message: pb.Customer) -> Customer:
    """Read one customer."""
    return read(
        Customer,
        message,
        status=word(pb.CustomerStatus, message.status, "CUSTOMER_STATUS_"),
        subscriptions=tuple(_subscription(each) for each in message.subscriptions),
        overrides=tuple(
            read(Override, each, entitlement=plain(each.entitlement)) for each in message.overrides
        ),
        promotions=tuple(
            read(Promotion, each, entitlement=plain(each.entitlement))
            for each in message.promotions
        ),
        experiments=tuple(message.experiments),
        metadata=texts(message.metadata),
        external_ids=texts(message.external_ids),
    )


def texts(message: Mapping[str, str]) -> dict[str, str]:
    """Read a map of texts, in the order of its keys."""
    return {key: message[key] for key in sorted(message)}


def seen(message: pb.SeenCustomer) -> SeenCustomer:
    """Read a customer without a record."""
    return read(SeenCustomer, message)


def changes(policy: Policy, customer_id: str, limit: int) -> Steps[tuple[CustomerEdit, ...]]:
    """Read the latest writes of a customer."""
    request = checked(pb.ListCustomerChangesRequest, customer_id=customer_id, page_size=limit)
    answer = yield from retried(policy, "ListCustomerChanges", request)
    return tuple(read(CustomerEdit, each) for each in answer.changes)


def roll_back(
    policy: Policy,
    customer_id: str,
    epoch: int,
    if_epoch: int | None,
    comment: str,
    dry_run: bool,
) -> Steps[CustomerRollback]:
    """Bring a customer back to what it was before a write."""
    request = checked(
        pb.RollbackCustomerRequest,
        customer_id=customer_id,
        epoch=epoch,
        if_epoch=if_epoch,
        comment=comment,
        dry_run=dry_run,
    )
    answer = yield from retried(policy, "RollbackCustomer", request)
    return CustomerRollback(
        customer=customer(answer.customer),
        changes=tuple(answer.changes),
        undone=tuple(read(CustomerEdit, each) for each in answer.undone),
    )


def erasure(message: pb.Erasure, answer: pb.EraseCustomerResponse | None = None) -> Erasure:
    """Read an erasure; with the answer to the call that made it."""
    answer = answer or pb.EraseCustomerResponse()
    return read(
        Erasure,
        message,
        nonce=answer.nonce,
        had_record=answer.had_record,
        counters=answer.counters,
        idempotency_keys=answer.idempotency_keys,
    )


def trial(noun: Trial) -> pb.Trial:
    """A trial for a request.

    Raises:
        QuotaInvalid: `then` is not one of its words.
    """
    then = number(pb.Trial.Then, "trial.then", noun.then, ("convert", "end"))
    return checked(pb.Trial, end=noun.end, then=then, plan_id=noun.plan_id)


def status(word: str) -> int:
    """A customer's status, for a request; empty: any.

    Raises:
        QuotaInvalid: there is no such word.
    """
    if not word:
        return int(pb.CUSTOMER_STATUS_UNSPECIFIED)
    return number(pb.CustomerStatus, "customer_status", word, ("active", "archived"))


def when(word: str) -> int:
    """When a change happens, for a request.

    Raises:
        QuotaInvalid: there is no such word.
    """
    return number(pb.When, "when", word, ("now", "period-end"))


def usage(message: pb.Usage) -> Usage:
    """Read what was used in one period."""
    return read(Usage, message)


def correction(message: pb.Correction) -> Correction:
    """Read a correction."""
    return read(Correction, message)


def insights(message: pb.FeatureInsights) -> FeatureInsights:
    """Read the insights into one feature."""
    return FeatureInsights(
        feature_id=message.feature_id,
        above=tuple(read(CustomerUsage, each) for each in message.above),
        near=tuple(read(CustomerUsage, each) for each in message.near),
        groups=tuple(read(ExperimentGroup, each) for each in message.groups),
    )


def _subscription(message: pb.Subscription) -> Subscription:
    return read(
        Subscription,
        message,
        addons={name: message.addons[name] for name in sorted(message.addons)},
        unit_quantity=message.unit_quantity or 1,  # 0: of a server that knows none
        external_ids=texts(message.external_ids),
        status=word(pb.SubscriptionStatus, message.status, "SUBSCRIPTION_STATUS_"),
    )
