"""Usage that is set to what was really used, and the corrections of a customer."""

from datetime import datetime

import msgspec

from quotad.held import Correction, Setting
from quotad.http.answers import DecisionAnswer, decision_answer, moment
from quotad.http.fields import (
    AnyQuantity,
    KeyMilliseconds,
    PageSize,
    because,
    check_ids,
    idempotency_key,
)
from quotad.http.operation import (
    HttpAnswer,
    HttpCall,
    Operation,
    RequestFields,
    in_thread,
    on_decider,
)
from quotad.operations.decisions import DecisionOperations
from quotad.tokens.roles import Right


class SetUsage(RequestFields, frozen=True, kw_only=True):
    """What was really used of one limit in its current period."""

    customer_id: str
    feature_id: str
    used: AnyQuantity
    """Without what is reserved or leased."""
    resource_id: str = ""
    per: str = ""
    """Which of several limits, by its window: `month`, `5 hours`, `lifetime`."""
    idempotency_key: str = ""
    idempotency_ttl_ms: KeyMilliseconds | None = None
    reason: str = ""
    """Why; kept among the customer's corrections."""
    actor: str = ""
    """Whose doing it is."""


class ListCorrections(RequestFields, frozen=True, kw_only=True):
    """Whose corrections."""

    customer_id: str
    page_size: PageSize = 0
    """At most 100 are kept."""


class CorrectionAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A correction of what a customer has used."""

    corrected_at: datetime | None
    verb: str
    """`set`, `refund` or `rebuild`."""
    feature_id: str
    """Empty: all features that were taken together."""
    resource_id: str
    change: int
    """Negative: so much came back."""
    reason: str
    actor: str
    key: str
    """The idempotency key; of a refund by key, that of what was undone."""
    made_by: str
    """Name of the token that it was made with; without tokens `local`, or the caller's address."""


class CorrectionsFound(msgspec.Struct, frozen=True, kw_only=True):
    """Corrections, the latest first."""

    corrections: tuple[CorrectionAnswer, ...]


@on_decider
def set_usage(decisions: DecisionOperations, call: HttpCall, wanted: SetUsage) -> HttpAnswer:
    """Set what was used."""
    check_ids(wanted, ("customer_id", "feature_id"), ("resource_id", "per"))
    key = idempotency_key(call.scope, wanted.idempotency_key)
    setting = Setting(
        wanted.customer_id,
        wanted.feature_id,
        wanted.used,
        wanted.resource_id,
        wanted.per,
        key,
        (wanted.idempotency_ttl_ms or 0) if key else 0,
    )
    return HttpAnswer(decision_answer(decisions.set_usage(setting, because(wanted, call.actor))))


@in_thread
def corrections(call: HttpCall, wanted: ListCorrections) -> HttpAnswer:
    """Return the latest corrections of a customer."""
    found = call.context.parts.usage.corrections_of(wanted.customer_id, wanted.page_size)
    return HttpAnswer(CorrectionsFound(corrections=tuple(map(_correction, found))))


def _correction(correction: Correction) -> CorrectionAnswer:
    return CorrectionAnswer(
        corrected_at=moment(correction.corrected_ms),
        verb=correction.verb,
        feature_id=correction.feature_id,
        resource_id=correction.resource_id,
        change=correction.change,
        reason=correction.reason,
        actor=correction.actor,
        key=correction.key,
        made_by=correction.made_by,
    )


OPERATIONS = (
    Operation(
        name="SetUsage",
        method="POST",
        path="/v1/usage/set",
        right=Right.CONSUME,
        wanted=SetUsage,
        given=DecisionAnswer,
        act=set_usage,
        about="Sets what was used of one limit in its current period; granted is the difference.",
    ),
    Operation(
        name="ListCorrections",
        method="GET",
        path="/v1/customers/{customer_id}/corrections",
        right=Right.READ,
        wanted=ListCorrections,
        given=CorrectionsFound,
        act=corrections,
        about="Returns the latest corrections of what a customer has used, and why.",
    ),
)
