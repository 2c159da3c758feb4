"""Counters compared with the ledger, from Python, as steps of the calls."""

from datetime import datetime
from typing import Any

import msgspec

from quotad.client.building import checked
from quotad.client.calls import Policy, Steps, retried
from quotad.client.messages import read
from quotad.v1 import admin_pb2 as pb

AUDIT_TIMEOUT_S = 600.0
"""How long a page may take: all of the ledger is read for it."""


class CounterAudit(msgspec.Struct, frozen=True, kw_only=True):
    """A counter that has not what the ledger says, or of which that is not known."""

    customer_id: str
    resource_id: str
    feature_id: str
    per: str
    """`day`, `3 months`; empty: lifetime."""
    start: datetime | None
    """None: of a lifetime, or of a window that opens at first use."""
    end: datetime | None
    counted: int
    """What it has, in units of 10^-decimals; so are the next two."""
    by_ledger: int
    """What it should have."""
    difference: int
    """Counted more than that; below 0: so much was lost."""
    since: datetime | None
    """From when on the ledger has it; None: it has nothing of it."""
    doubt: str
    """Empty: it differs. Else why that cannot be said: `not_ledgered`, `nothing_noted`,
    `beginning`, `records` or `damaged`."""
    decimals: int
    unit: str
    resets: int
    """How often changes of plan had reset usage when it was begun."""
    rebuilt: bool
    """Whether `rebuild_usage` has brought it back to the ledger."""


class UsageAuditPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of an audit."""

    counters: tuple[CounterAudit, ...]
    """Those that differ, and those of which it cannot be said."""
    agreed: int
    """How many have what the ledger says."""
    next_token: str
    """Empty: no more."""


Audited = tuple[str, str, str, datetime | None]
"""Customer, feature, token, and from when on the archive is read."""


def audit(policy: Policy, wanted: Audited) -> Steps[UsageAuditPage]:
    """Compare a page of counters."""
    customer_id, feature_id, token, since = wanted
    request = checked(
        pb.AuditUsageRequest,
        customer_id=customer_id,
        feature_id=feature_id,
        page_token=token,
        since=since,
    )
    return (yield from _page(policy, "AuditUsage", request))


def rebuild(
    policy: Policy,
    wanted: Audited,
    apply: bool,
    because: tuple[str, str],
) -> Steps[UsageAuditPage]:
    """Bring a page of counters back to the ledger.

    Args:
        policy: of the call.
        wanted: which counters.
        apply: else nothing is written.
        because: reason and actor.
    """
    customer_id, feature_id, token, since = wanted
    request = checked(
        pb.RebuildUsageRequest,
        customer_id=customer_id,
        feature_id=feature_id,
        page_token=token,
        apply=apply,
        reason=because[0],
        actor=because[1],
        since=since,
    )
    return (yield from _page(policy, "RebuildUsage", request))


def _page(policy: Policy, method: str, request: Any) -> Steps[UsageAuditPage]:
    policy = msgspec.structs.replace(policy, timeout_s=max(policy.timeout_s, AUDIT_TIMEOUT_S))
    answer = yield from retried(policy, method, request)
    return UsageAuditPage(
        counters=tuple([read(CounterAudit, each) for each in answer.counters]),
        agreed=answer.agreed,
        next_token=answer.next_page_token,
    )
