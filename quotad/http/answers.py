"""Decisions as JSON: the structs, and how they are made of the model's."""

from datetime import UTC, datetime
from functools import lru_cache

import msgspec

from quotad.model import Decision, LimitStatus, Reason

_REASONS = {int(reason): reason.name for reason in Reason}


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
    catalog_version: int
    limits: tuple[LimitState, ...] = ()
    """Every limit, when there are several or the request asks for them."""
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


def decision_answer(answer: Decision) -> DecisionAnswer:
    """Return a decision as it leaves."""
    plain = DecisionAnswer(
        allowed=answer.allowed,
        reason=_REASONS[answer.reason],
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
        is_fallback=False,
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
    )


def limit_state(status: LimitStatus) -> LimitState:
    """Return the state of a limit as it leaves."""
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
    )
