"""Overrides and promotions of customers: set, grant, take back."""

from datetime import datetime
from typing import Any

from quotad.customers.overrides import NewEntitlement
from quotad.http.customers import CUSTOMER, shown, write_operation
from quotad.http.fields import Epoch, moment_ms
from quotad.http.operation import HttpAnswer, HttpCall, RequestFields, in_thread


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
    comment: str = ""
    """Why, for the history: at most 1,024 bytes."""


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
    comment: str = ""
    """Why, for the history: at most 1,024 bytes."""


class OfFeature(RequestFields, frozen=True, kw_only=True):
    """Which override or promotion."""

    customer_id: str
    feature_id: str
    resource_id: str = ""
    if_epoch: Epoch | None = None
    comment: str = ""
    """Why, for the history: at most 1,024 bytes."""


@in_thread
def set_override(call: HttpCall, wanted: SetOverride) -> HttpAnswer:
    """Give the customer this of a feature instead of everything else."""
    new = NewEntitlement(
        wanted.feature_id,
        wanted.entitlement,
        wanted.resource_id,
        start_ms=moment_ms(wanted.start, "start"),
    )
    customers = call.commented(wanted.comment)
    return shown(call, customers.set_override(wanted.customer_id, new, wanted.if_epoch))


@in_thread
def remove_override(call: HttpCall, wanted: OfFeature) -> HttpAnswer:
    """Let the customer have again what it has without the override."""
    stored = call.commented(wanted.comment).remove_override(
        wanted.customer_id, wanted.feature_id, wanted.resource_id, wanted.if_epoch
    )
    return shown(call, stored)


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
    customers = call.commented(wanted.comment)
    return shown(call, customers.grant_promotion(wanted.customer_id, new, wanted.if_epoch))


@in_thread
def revoke_promotion(call: HttpCall, wanted: OfFeature) -> HttpAnswer:
    """End a promotion now."""
    stored = call.commented(wanted.comment).revoke_promotion(
        wanted.customer_id, wanted.feature_id, wanted.resource_id, wanted.if_epoch
    )
    return shown(call, stored)


OPERATIONS = (
    write_operation(
        "SetOverride",
        "PUT",
        f"{CUSTOMER}/overrides/{{feature_id}}",
        SetOverride,
        set_override,
        "Gives the customer this of a feature instead of everything else.",
    ),
    write_operation(
        "RemoveOverride",
        "DELETE",
        f"{CUSTOMER}/overrides/{{feature_id}}",
        OfFeature,
        remove_override,
        "Lets the customer have again what it has without the override.",
    ),
    write_operation(
        "GrantPromotion",
        "PUT",
        f"{CUSTOMER}/promotions/{{feature_id}}",
        GrantPromotion,
        grant_promotion,
        "Gives the customer this of a feature for a time, where it is more than the rest.",
    ),
    write_operation(
        "RevokePromotion",
        "DELETE",
        f"{CUSTOMER}/promotions/{{feature_id}}",
        OfFeature,
        revoke_promotion,
        "Ends a promotion now.",
    ),
)
