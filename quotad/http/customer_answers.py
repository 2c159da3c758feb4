"""Customers as JSON: the structs, and how they are made of what operations show."""

from datetime import datetime
from typing import Any

import msgspec

from quotad.entitlements.phases import PhaseStatus
from quotad.http.answers import moment
from quotad.operations.shown_customers import ShownCustomer
from quotad.records import CALENDAR, Subscription
from quotad.store.erasures import Erasure


class SubscriptionAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """One phase of a subscription: a change that waits is a phase of its own, and so is a trial."""

    plan_id: str
    status: str
    """`SCHEDULED`, `ACTIVE`, `IN_TRIAL`, `ENDED`."""
    start: datetime | None
    end: datetime | None
    """null: goes on."""
    anchor: datetime | None
    """What its billing periods are aligned to; null: the calendar."""
    subscription_id: str
    """Sets several of one customer apart; empty: the only one."""
    resource_id: str
    """What of the customer's it is for; empty: the customer."""
    revision: int
    addons: dict[str, int]
    """Quantity by add-on."""
    unit_quantity: int
    """What was bought of the plan, such as seats."""
    external_ids: dict[str, str]
    """Of the subscription in other systems, by system."""


class GrantedAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """An override or a promotion."""

    feature_id: str
    resource_id: str
    entitlement: Any
    """As a catalog spells it; false: revoked."""
    start: datetime | None
    """To come; null: it has started."""
    end: datetime | None
    """Of a promotion; null: no end."""


class CustomerAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A customer with a record."""

    customer_id: str
    status: str
    """`ACTIVE`, `ARCHIVED`."""
    name: str
    email: str
    timezone: str
    metadata: dict[str, str]
    external_ids: dict[str, str]
    """Ids in other systems, by system."""
    subscriptions: tuple[SubscriptionAnswer, ...]
    overrides: tuple[GrantedAnswer, ...]
    promotions: tuple[GrantedAnswer, ...]
    """Those that have ended are left out."""
    experiments: tuple[str, ...]
    """For new customers, that were running when it was created."""
    epoch: int
    """Grows with every write."""
    created_at: datetime | None
    updated_at: datetime | None
    updated_by: str
    """Whose doing the last write was: a token's name; without tokens `local`, or an address."""


class CustomersFound(msgspec.Struct, frozen=True, kw_only=True):
    """A page of customers."""

    customers: tuple[CustomerAnswer, ...]
    next_page_token: str
    """Empty: no more. A page of a search may be short, or empty, and have a next one."""


class SeenAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A customer without a record."""

    customer_id: str
    seen_at: datetime | None
    """When a server last had to look it up."""


class SeenFound(msgspec.Struct, frozen=True, kw_only=True):
    """A page of customers without a record."""

    customers: tuple[SeenAnswer, ...]
    next_page_token: str


class ErasureAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """An erasure, without the customer's id."""

    erased_at: datetime | None
    erased_by: str
    proof: str


class ErasedAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What was erased."""

    erasure: ErasureAnswer
    nonce: str
    """With it and the customer's id one can show which customer the proof is of."""
    had_record: bool
    counters: int
    idempotency_keys: int


class ErasuresFound(msgspec.Struct, frozen=True, kw_only=True):
    """The history of erasures."""

    erasures: tuple[ErasureAnswer, ...]
    """Newest first."""


class ProblemOfRow(msgspec.Struct, frozen=True, kw_only=True):
    """A row that was left out."""

    row: int
    """Its place in the request, from 0."""
    message: str


class ImportedAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What an import did."""

    problems: tuple[ProblemOfRow, ...]
    written: int
    unchanged: int
    """Were as in the row already."""


class ExportedAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A page of customers as rows."""

    rows: tuple[msgspec.Raw, ...]
    next_page_token: str


def customer_answer(customer: ShownCustomer) -> CustomerAnswer:
    """Return a customer as it leaves."""
    record = customer.record
    return CustomerAnswer(
        customer_id=record.customer_id,
        status="ARCHIVED" if record.archived else "ACTIVE",
        name=record.name,
        email=record.email,
        timezone=record.timezone,
        metadata=record.metadata,
        external_ids=record.external_ids,
        subscriptions=tuple(map(_subscription, record.subscriptions, customer.statuses)),
        overrides=tuple(
            GrantedAnswer(
                feature_id=each.feature_id,
                resource_id=each.resource_id,
                entitlement=each.value,
                start=moment(each.start_ms),
                end=None,
            )
            for each in customer.overrides
        ),
        promotions=tuple(
            GrantedAnswer(
                feature_id=each.feature_id,
                resource_id=each.resource_id,
                entitlement=each.value,
                start=moment(each.start_ms),
                end=moment(each.end_ms),
            )
            for each in customer.promotions
        ),
        experiments=tuple(record.experiments),
        epoch=customer.epoch,
        created_at=moment(record.created_ms),
        updated_at=moment(record.updated_ms),
        updated_by=record.updated_by,
    )


def erasure_answer(erasure: Erasure) -> ErasureAnswer:
    """Return an erasure as it leaves."""
    return ErasureAnswer(
        erased_at=moment(erasure.erased_ms), erased_by=erasure.erased_by, proof=erasure.proof
    )


def _subscription(phase: Subscription, status: PhaseStatus) -> SubscriptionAnswer:
    return SubscriptionAnswer(
        plan_id=phase.plan_id,
        status=status.name,
        start=moment(phase.start_ms),
        end=moment(phase.end_ms),
        anchor=None if phase.anchor == CALENDAR else moment(phase.anchor),
        subscription_id=phase.subscription_id,
        resource_id=phase.resource_id,
        revision=phase.revision,
        addons=phase.addons,
        unit_quantity=phase.unit_quantity,
        external_ids=phase.external_ids,
    )
