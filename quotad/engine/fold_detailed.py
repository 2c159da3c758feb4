"""Decisions on limits that have more to them: credit pools, limits in shadow, hard stops of soft
limits, windows that open at first use, experiments.

Apart from `fold`, so that calls on other limits do not pay for what they do not have.
"""

from collections.abc import Sequence

import msgspec

from quotad.decision import ConsumeRequest, Decision, LimitStatus, Mode, Reason
from quotad.engine.denials import explain_denial, frees_order
from quotad.engine.meters import LimitDetails, LimitTerms, room_for
from quotad.store import ChargeStatus, Settlement


class _Side(msgspec.Struct, frozen=True, gc=False):
    """One limit, and what a charge did to it."""

    term: LimitTerms
    details: LimitDetails
    amount: int
    """Asked of it, in its own units."""
    before: int
    status: LimitStatus
    """After the charge."""

    @property
    def full(self) -> bool:
        """Whether it had no room."""
        return self.before + self.amount > self.term.cap

    @property
    def over(self) -> int:
        """How far past the limit a call ends, or a check would, in units of the feature."""
        limit = self.term.limit
        return -1 if limit is None else (self.before + self.amount - limit) // self.details.weight

    @property
    def passed(self) -> bool:
        """Whether it would have had no room if it were enforced."""
        limit = self.term.limit
        return limit is not None and self.before + self.amount > limit


def fold_detailed(
    terms: tuple[LimitTerms, ...],
    request: ConsumeRequest,
    settlement: Settlement,
    now_ms: int,
    catalog_version: int,
) -> Decision:
    """As `fold`, for any limits."""
    allowed = settlement.status == ChargeStatus.ALLOWED
    if allowed and request.mode == Mode.BEST_EFFORT:
        request = as_taken(terms, request, settlement)
    sides = _sides(terms, request, settlement)
    retry_after_ms = explanation = None
    if allowed:
        reason, side = _why_allowed(sides)
    else:
        full = [side for side in sides if side.full]
        # The feature's own limits come before those of its pool.
        own = [side for side in full if not side.details.pool_id]
        reason = Reason.LIMIT_EXCEEDED if own else Reason.INSUFFICIENT_CREDITS
        side = max(own or full, key=lambda side: frees_order(side.term, side.amount))
        retry_after_ms = _retry_after_ms(full, now_ms)
        if request.explain:
            explanation = explain_denial(side.term, side.before, side.amount)
    status, details = side.status, side.details
    granted = status.used - side.before
    if request.mode >= Mode.REFUND and request.quantity < 0:  # counters that had less are empty now
        granted = -max((each.before - each.status.used) // each.details.weight for each in sides)
    elif details.pool_id and granted:
        granted = request.quantity
    # A limit in shadow is listed below, and decides nothing.
    limit, remaining = (None, 0) if details.shadow else (status.limit, status.remaining)
    # Nor can the fields above distinguish a window that is not open yet from one that never resets.
    closed = details.opens and status.resets_at_ms is None
    every = len(sides) > 1 or request.every_limit or details.shadow or closed
    return Decision(
        allowed,
        int(reason),
        catalog_version,
        granted,
        limit,
        limit is None,
        status.soft,
        status.used,
        remaining,
        status.overage,
        status.resets_at_ms,
        retry_after_ms,
        tuple([each.status for each in sides]) if every else (),
        variant=details.variant,
        would_deny=allowed
        and not details.recorded
        and request.quantity >= 0
        and any(each.details.shadow and each.passed for each in sides),
        pool_id=details.pool_id,
        decimals=details.decimals,
        explanation=explanation,
        detailed=True,
    )


def as_taken(
    terms: tuple[LimitTerms, ...], request: ConsumeRequest, settlement: Settlement
) -> ConsumeRequest:
    """The request for all of what was taken, which of a BEST_EFFORT may be less."""
    quantity = request.quantity
    if request.mode == Mode.BEST_EFFORT and quantity > 0:
        quantity = room_for(terms, settlement.used, quantity)
    return msgspec.structs.replace(request, quantity=quantity, mode=Mode.NORMAL)


def _sides(
    terms: tuple[LimitTerms, ...], request: ConsumeRequest, settlement: Settlement
) -> list[_Side]:
    counted = settlement.status == ChargeStatus.ALLOWED and request.mode != Mode.CHECK_ONLY
    sides = []
    for i, term in enumerate(terms):
        details = term.details or LimitDetails()
        if details.opens:  # when it ends is known to the counter alone
            term = msgspec.structs.replace(term, resets_at_ms=settlement.closes[i] or None)
        before, amount = settlement.used[i], request.quantity * details.weight
        after = max(before + amount, 0) if counted else before
        status = _status(term, details, after)
        if details.slots:  # frees then, and does not reset
            term = msgspec.structs.replace(term, resets_at_ms=settlement.closes[i] or None)
        sides.append(_Side(term, details, amount, before, status))
    return sides


def _status(term: LimitTerms, details: LimitDetails, used: int) -> LimitStatus:
    limit, soft = term.limit, term.soft
    left = 0 if limit is None else limit - used
    return LimitStatus(
        limit,
        soft,
        used,
        max(left, 0),
        -left if soft and left < 0 else 0,
        term.per,
        term.resets_at_ms,
        details.shadow,
        details.overage_limit,
        details.pool_id,
        details.decimals,
    )


def _why_allowed(sides: Sequence[_Side]) -> tuple[Reason, _Side]:
    """The reason, and which limit it is about: the one that was passed furthest, a hard one before
    a soft one; else the one with least remaining. Both in units of the feature."""
    limited = [side for side in sides if side.term.limit is not None and not side.details.shadow]
    passed = [s for s in limited if s.passed and (s.term.soft or s.details.recorded)]
    if passed:
        hard = [side for side in passed if not side.term.soft]
        reason = Reason.OVER_LIMIT if hard else Reason.OVER_SOFT_LIMIT
        return reason, max(hard or passed, key=lambda side: side.over)
    if limited:
        least = min(limited, key=lambda side: side.status.remaining // side.details.weight)
        return Reason.WITHIN_LIMIT, least
    return Reason.UNLIMITED, min(sides, key=lambda side: side.details.shadow)


def _retry_after_ms(full: Sequence[_Side], now_ms: int) -> int | None:
    """When every full limit has reset; None when waiting cannot help."""
    latest_ms = 0
    for side in full:
        resets_at_ms = side.term.resets_at_ms
        if resets_at_ms is None or side.amount > side.term.cap:
            return None
        latest_ms = max(latest_ms, resets_at_ms)
    return max(latest_ms - now_ms, 0)
