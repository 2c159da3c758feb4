"""Counters compared with the ledger, over HTTP."""

from datetime import datetime

import msgspec

from quotad.http.answers import moment
from quotad.http.fields import because, moment_ms
from quotad.http.operation import HttpAnswer, HttpCall, Operation, RequestFields, in_thread
from quotad.operations.usage_audit import AuditedCounter, UsageAudit
from quotad.tokens.roles import Right


class AuditUsage(RequestFields, frozen=True, kw_only=True):
    """Which counters, of the periods under way."""

    customer_id: str = ""
    """Empty: of all that the ledger has."""
    feature_id: str = ""
    """Empty: of all that are ledgered."""
    page_token: str = ""
    since: datetime | None = None
    """From when on the archive is read; absent: of the last day."""


class RebuildUsage(RequestFields, frozen=True, kw_only=True):
    """Which counters are to be brought back to the ledger."""

    customer_id: str = ""
    """Empty: of all that the ledger has."""
    feature_id: str = ""
    """Empty: of all that are ledgered."""
    page_token: str = ""
    since: datetime | None = None
    """From when on the archive is read; absent: of the last day."""
    apply: bool = False
    """Else nothing is written."""
    reason: str = ""
    """Why; kept among the customers' corrections."""
    actor: str = ""
    """Whose doing it is."""


class AuditedCounterAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A counter that has not what the ledger says, or of which that is not known."""

    customer_id: str
    resource_id: str
    feature_id: str
    per: str
    """`day`, `3 months`; empty: lifetime."""
    start: datetime | None
    end: datetime | None
    counted: int
    """What it has, in units of 10^-decimals; so are the next two."""
    by_ledger: int
    """What it should have."""
    difference: int
    """Counted more than that; below 0: so much was lost."""
    since: datetime | None
    """From when on the ledger has it; null: it has nothing of it."""
    doubt: str
    """Empty: it differs. Else why that cannot be said: `not_ledgered`, `nothing_noted`,
    `beginning`, `records` or `damaged`."""
    decimals: int
    unit: str
    resets: int
    """How often changes of plan had reset usage when it was begun."""
    rebuilt: bool
    """Whether `RebuildUsage` has brought it back to the ledger."""


class UsageAuditFound(msgspec.Struct, frozen=True, kw_only=True):
    """A page of an audit."""

    counters: tuple[AuditedCounterAnswer, ...]
    """Those that differ, and those of which it cannot be said."""
    agreed: int
    """How many have what the ledger says."""
    next_page_token: str
    """Empty: no more."""


@in_thread
def audit(call: HttpCall, wanted: AuditUsage) -> HttpAnswer:
    """Return a page of counters that differ from the ledger."""
    return _answer(
        call.context.parts.rebuilds.audits.audit(
            wanted.customer_id,
            wanted.feature_id,
            wanted.page_token,
            moment_ms(wanted.since, "since"),
        )
    )


@in_thread
def rebuild(call: HttpCall, wanted: RebuildUsage) -> HttpAnswer:
    """Bring a page of counters back to the ledger."""
    apply = None
    if wanted.apply:
        apply = (because(wanted, call.actor), call.caller.taker)
    rebuilds = call.context.parts.rebuilds
    return _answer(
        rebuilds.rebuild(
            wanted.customer_id,
            wanted.feature_id,
            wanted.page_token,
            moment_ms(wanted.since, "since"),
            apply,
        )
    )


def _answer(audit: UsageAudit) -> HttpAnswer:
    return HttpAnswer(
        UsageAuditFound(
            counters=tuple(map(_counter, audit.counters)),
            agreed=audit.agreed,
            next_page_token=audit.next_token,
        )
    )


def _counter(counter: AuditedCounter) -> AuditedCounterAnswer:
    name, feature = counter.name, counter.feature
    return AuditedCounterAnswer(
        customer_id=name.customer_id,
        resource_id=name.resource_id,
        feature_id=name.feature_id,
        per=counter.per,
        start=moment(counter.start_ms),
        end=moment(counter.end_ms),
        counted=counter.counted,
        by_ledger=counter.by_ledger,
        difference=counter.difference,
        since=moment(counter.since_ms),
        doubt=counter.doubt or "",
        decimals=feature.decimals,
        unit=feature.unit,
        resets=name.generation,
        rebuilt=counter.rebuilt,
    )


OPERATIONS = (
    Operation(
        name="AuditUsage",
        method="GET",
        path="/v1/usage/audit",
        right=Right.READ,
        wanted=AuditUsage,
        given=UsageAuditFound,
        act=audit,
        about="Compares counters with the ledger, and returns those that differ.",
    ),
    Operation(
        name="RebuildUsage",
        method="POST",
        path="/v1/usage/rebuild",
        right=Right.MANAGE,
        wanted=RebuildUsage,
        given=UsageAuditFound,
        act=rebuild,
        about="Brings counters that differ back to the ledger, or only finds them.",
    ),
)
