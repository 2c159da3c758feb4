"""Decisions as JSON: the structs, and how they are made of the model's."""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache

import msgspec

from quotad.decision import (
    ConsumeAllDecision,
    ConsumeRequest,
    Decision,
    Explanation,
    LimitStatus,
    Reason,
    SourceKind,
)
from quotad.held import HeldItem, SettledDecision
from quotad.http.problems import Problem
from quotad.marks import mark

REASONS = {int(reason): reason.name for reason in Reason}
"""Names of reasons, by their numbers."""


@lru_cache(maxsize=4096)
def moment(ms: int | None) -> datetime | None:
    """Return a time (Unix ms) as answers have it."""
    return None if ms is None else datetime.fromtimestamp(ms / 1000, UTC)


class LimitState(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One of an entitlement's limits, after the call."""

    limit: int | None
    """null: unlimited."""
    soft_limit: bool
    used: int
    remaining: int
    overage: int
    per: str
    """`minute`, `5 hours`; empty: lifetime."""
    resets_at: datetime | None
    shadow: bool = False
    """Reported, never denies."""
    overage_limit: int | None = None
    """Of a soft limit: the hard stop, in units past it."""
    pool_id: str = ""
    """Of a credit pool that pays for the feature."""
    decimals: int = 0
    """Of a pool: amounts are in units of 10^-decimals."""
    reserved: int = 0
    """What open reservations hold of it, in entitlements and explanations; `used` is without it."""
    leased: int = 0
    """The same of leases."""
    mark: int = 0
    """Only in entitlements: 100 when all of the limit is taken, 80 from 80 % on."""


class EntitlementSourceAnswer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One source of what a customer may do with a feature."""

    kind: str
    """`PLAN`, `BASE_PLAN`, `ADDON`, `TRIAL`, `PROMOTION`, `OVERRIDE`, `DEFAULT_PLAN`."""
    source_id: str
    """Of the plan or add-on; empty otherwise."""
    won: bool
    """Whether the entitlement in force is this one's, wholly or in part."""
    grants: msgspec.Raw | None
    """Its entry, as a catalog spells it; null: it has none for the feature."""
    revision: int = 0
    """Of a plan."""
    quantity: int = 0
    """Of an add-on."""
    subscription_id: str = ""
    feature_id: str = ""
    """The credit pool, of a source that is about the pool."""
    ends_at: datetime | None = None
    note: str = ""
    """Why it did not win, or how far."""


class ExplanationAnswer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where an entitlement comes from, and what a denial lacked."""

    sources: tuple[EntitlementSourceAnswer, ...]
    """The strongest first."""
    missing: int = 0
    """Of a denial by a limit: how much more room was needed."""
    denied_by: str = ""
    """That limit in words: `1,000 per month`."""
    frees_at: datetime | None = None
    """When it has room again; absent: not by itself."""


class DecisionAnswer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The answer to one consume or check; a denial is one, too."""

    allowed: bool
    reason: str
    """The one cause, as `WITHIN_LIMIT` or `LIMIT_EXCEEDED`."""
    granted: int
    """What this call took; negative when it gave back, 0 when denied or only checked."""
    limit: int | None
    """The limit that decided: of a denial the one that frees last, else the one with least
    remaining. null: without a limit."""
    unlimited: bool
    soft_limit: bool
    used: int
    """After this call."""
    remaining: int
    overage: int
    """Used above a soft limit."""
    resets_at: datetime | None
    """null: never, or the window is not open yet."""
    retry_after_ms: int | None
    """Of a denial, when waiting helps."""
    replayed: bool
    """What was taken under this idempotency key before, returned again."""
    is_fallback: bool
    """The store is gone, and the feature's `on_store_failure` decided: `used` and `remaining` are
    what this worker has let through and still would."""
    catalog_version: int
    limits: tuple[LimitState, ...]
    """Every limit of a metered feature."""
    value: str = ""
    """Of a config feature."""
    values: tuple[str, ...] = ()
    """Of a config feature that lists its values: those granted."""
    variant: str = ""
    """Of a rollout: its name inside, `control` outside."""
    would_deny: bool = False
    """A limit in shadow had no room, and would have denied this."""
    pool_id: str = ""
    """The credit pool whose limit decided; the amounts from `limit` on are then the pool's."""
    decimals: int = 0
    """Of a pool: those amounts are in units of 10^-decimals."""
    reserved: int = 0
    """With `/v1/explain`: what open reservations hold of the limit; `used` is without it then."""
    leased: int = 0
    """The same of leases."""
    explanation: ExplanationAnswer | None = None
    """With `explain`."""
    items: "tuple[ItemAnswer, ...]" = ()
    """Of what holds, or gives back, several features: each of them. What is above is then of all of
    it: `allowed`, `reason`, `retry_after_ms`, `replayed` and `catalog_version`."""
    stopped_by: int | None = None
    """Of a denial of several features: the place in items of the one that decided, from 0."""


class ItemAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The answer on one of several features."""

    feature_id: str
    resource_id: str
    decision: DecisionAnswer


class AllAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a request about several features."""

    allowed: bool
    """All of it; else nothing was taken."""
    reason: str
    """Of the item that decided."""
    stopped_by: int | None
    """Of a denial: the place of the item that decided, from 0."""
    items: tuple[DecisionAnswer, ...]
    """In the order of the request, each decided as if those before it had been taken."""
    retry_after_ms: int | None
    """Of a denial, when waiting helps every item without room."""
    replayed: bool
    is_fallback: bool
    """The store is gone, and `on_store_failure` of all features decided."""
    catalog_version: int


class BatchPlace(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of one request: an answer or an error."""

    response: DecisionAnswer | None = None
    error: Problem | None = None


class BatchAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The answers to a batch."""

    results: tuple[BatchPlace, ...]
    """In the order of the requests."""


def decision_answer(answer: Decision) -> DecisionAnswer:
    """Return a decision as it leaves."""
    plain = DecisionAnswer(
        allowed=answer.allowed,
        reason=REASONS[answer.reason],
        granted=answer.granted,
        limit=answer.limit,
        unlimited=answer.unlimited,
        soft_limit=answer.soft_limit,
        used=answer.used,
        remaining=answer.remaining,
        overage=answer.overage,
        resets_at=moment(answer.resets_at_ms),
        retry_after_ms=answer.retry_after_ms,
        replayed=answer.replayed,
        is_fallback=answer.is_fallback,
        catalog_version=answer.catalog_version,
        limits=tuple(map(limit_state, answer.limits)) if answer.limits else (),
    )
    if not answer.detailed:
        return plain
    return msgspec.structs.replace(
        plain,
        value=answer.value,
        values=answer.values,
        variant=answer.variant,
        would_deny=answer.would_deny,
        pool_id=answer.pool_id,
        decimals=answer.decimals,
        reserved=answer.reserved,
        leased=answer.leased,
        explanation=None if answer.explanation is None else _explanation(answer.explanation),
    )


def settled_answer(answer: Decision) -> DecisionAnswer:
    """Return the answer on one feature, or on several that belong together, as it leaves."""
    if isinstance(answer, SettledDecision):
        return items_answer(answer, answer.held)
    return decision_answer(answer)


def items_answer(answer: Decision, items: Sequence[HeldItem | ConsumeRequest]) -> DecisionAnswer:
    """Return the answer on several features; without items, on the only one."""
    if not items:
        return decision_answer(answer)
    parts = answer.items if isinstance(answer, ConsumeAllDecision) else (answer,)
    stopped_by = answer.stopped_by if isinstance(answer, ConsumeAllDecision) else None
    if stopped_by is None and not answer.allowed:
        stopped_by = 0
    whole = Decision(
        answer.allowed,
        answer.reason,
        answer.catalog_version,
        retry_after_ms=answer.retry_after_ms,
        replayed=answer.replayed,
    )
    return msgspec.structs.replace(
        decision_answer(whole),
        stopped_by=stopped_by,
        items=tuple(
            ItemAnswer(
                feature_id=item.feature_id,
                resource_id=item.resource_id,
                decision=decision_answer(part),
            )
            for item, part in zip(items, parts, strict=True)
        ),
    )


def all_answer(answer: ConsumeAllDecision) -> AllAnswer:
    """Return a decision on several features as it leaves."""
    return AllAnswer(
        allowed=answer.allowed,
        reason=REASONS[answer.reason],
        stopped_by=answer.stopped_by,
        items=tuple(map(decision_answer, answer.items)),
        retry_after_ms=answer.retry_after_ms,
        replayed=answer.replayed,
        is_fallback=answer.is_fallback,
        catalog_version=answer.catalog_version,
    )


def _explanation(told: Explanation) -> ExplanationAnswer:
    return ExplanationAnswer(
        sources=tuple(
            EntitlementSourceAnswer(
                kind=SourceKind(source.kind).name,
                source_id=source.source_id,
                won=source.won,
                grants=msgspec.Raw(source.grants.encode()) if source.grants else None,
                revision=source.revision,
                quantity=source.quantity,
                subscription_id=source.subscription_id,
                feature_id=source.feature_id,
                ends_at=moment(source.ends_at_ms),
                note=source.note,
            )
            for source in told.sources
        ),
        missing=told.missing,
        denied_by=told.denied_by,
        frees_at=moment(told.frees_at_ms),
    )


def limit_state(status: LimitStatus, *, marked: bool = False) -> LimitState:
    """Return the state of a limit as it leaves, with its mark where it is one of an entitlement."""
    taken = status.used + status.reserved + status.leased
    return LimitState(
        limit=status.limit,
        soft_limit=status.soft,
        used=status.used,
        remaining=status.remaining,
        overage=status.overage,
        per=status.per,
        resets_at=moment(status.resets_at_ms),
        shadow=status.shadow,
        overage_limit=status.overage_limit,
        pool_id=status.pool_id,
        decimals=status.decimals,
        reserved=status.reserved,
        leased=status.leased,
        mark=mark(status.limit, taken) if marked else 0,
    )
