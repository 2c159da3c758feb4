"""From what the script answered to a decision that says why.

Here for the limits of nearly every entitlement; `fold_extras` is for all others.
"""

from collections.abc import Sequence

from quotad.engine.denials import explain_denial, reset_order
from quotad.engine.fold_extras import fold_extras
from quotad.engine.meters import LimitTerms
from quotad.model import USED_MAX, ConsumeRequest, Decision, LimitStatus, Mode, Reason
from quotad.store import Settlement, Status

# As plain integers: comparing with an enum's member costs more than the rest of the line.
ALLOWED = int(Status.ALLOWED)
NORMAL = int(Mode.NORMAL)
WITHIN_LIMIT = int(Reason.WITHIN_LIMIT)
UNLIMITED = int(Reason.UNLIMITED)
OVER_SOFT_LIMIT = int(Reason.OVER_SOFT_LIMIT)
LIMIT_EXCEEDED = int(Reason.LIMIT_EXCEEDED)


def fold(
    terms: tuple[LimitTerms, ...],
    request: ConsumeRequest,
    settlement: Settlement,
    now_ms: int,
    catalog_version: int,
) -> Decision:
    """Tell the outcome of a charge on counters.

    Args:
        terms: the limits, in the order of the charge.
        request: what was asked for; CHECK_ONLY has changed nothing.
        settlement: ALLOWED or DENIED, with usage before the charge.
        now_ms: Unix time, for `retry_after_ms`.
        catalog_version: for the answer.
    """
    term = terms[0]
    if term.extras is not None:  # of the first, if of any
        return fold_extras(terms, request, settlement, now_ms, catalog_version)
    if len(terms) != 1 or request.every_limit:
        return _fold_several(terms, request, settlement, now_ms, catalog_version)
    # One limit: nearly every call, so without the detour over LimitStatus.
    before, quantity = settlement.used[0], request.quantity
    if settlement.status != ALLOWED:
        return _deny_one(term, quantity, before, now_ms, catalog_version)
    after = before
    if request.mode == NORMAL:
        after = before + quantity
        if after < 0:
            after = 0
    limit = term.limit
    if limit is None:
        return Decision(
            True, UNLIMITED, catalog_version, after - before, None, True, False, after, 0, 0,
            term.resets_at_ms,
        )  # fmt: skip
    remaining = limit - after
    soft = term.soft
    return Decision(
        True,
        OVER_SOFT_LIMIT if soft and before + quantity > limit else WITHIN_LIMIT,
        catalog_version,
        after - before,
        limit,
        False,
        soft,
        after,
        remaining if remaining > 0 else 0,
        -remaining if soft and remaining < 0 else 0,
        term.resets_at_ms,
    )


def _deny_one(
    term: LimitTerms, quantity: int, used: int, now_ms: int, catalog_version: int
) -> Decision:
    limit, resets_at_ms = term.limit, term.resets_at_ms
    if limit is None or term.soft:  # denied by the ceiling of counters, not by the limit
        status = _limit_status(term, used)
        remaining, overage, cap = status.remaining, status.overage, USED_MAX
    else:
        overage, cap = 0, limit
        remaining = limit - used
        if remaining < 0:
            remaining = 0
    retry_after_ms = None
    if resets_at_ms is not None and quantity <= cap:
        retry_after_ms = resets_at_ms - now_ms
        if retry_after_ms < 0:
            retry_after_ms = 0
    return Decision(
        False,
        LIMIT_EXCEEDED,
        catalog_version,
        0,
        limit,
        limit is None,
        term.soft,
        used,
        remaining,
        overage,
        resets_at_ms,
        retry_after_ms,
    )


def _fold_several(
    terms: tuple[LimitTerms, ...],
    request: ConsumeRequest,
    settlement: Settlement,
    now_ms: int,
    catalog_version: int,
) -> Decision:
    quantity, used = request.quantity, settlement.used
    allowed = settlement.status == ALLOWED
    taken = quantity if allowed and request.mode == NORMAL else 0
    statuses = [
        _limit_status(term, before + taken) for term, before in zip(terms, used, strict=True)
    ]
    retry_after_ms = explanation = None
    if allowed:
        reason, at = _why_allowed(quantity, used, statuses)
    else:
        full = [i for i, before in enumerate(used) if before + quantity > terms[i].cap]
        reason, at = LIMIT_EXCEEDED, max(full, key=lambda i: reset_order(terms[i]))
        retry_after_ms = _retry_after_ms([terms[i] for i in full], quantity, now_ms)
        if request.explain:
            explanation = explain_denial(terms[at], used[at], quantity)
    status = statuses[at]
    return Decision(
        allowed,
        reason,
        catalog_version,
        status.used - used[at],
        status.limit,
        status.limit is None,
        status.soft,
        status.used,
        status.remaining,
        status.overage,
        status.resets_at_ms,
        retry_after_ms,
        tuple(statuses) if len(statuses) > 1 or request.every_limit else (),
        explanation=explanation,
        more=explanation is not None,
    )


def _limit_status(term: LimitTerms, used: int) -> LimitStatus:
    limit, soft = term.limit, term.soft
    if used < 0:  # a gauge never goes below zero
        used = 0
    remaining = overage = 0
    if limit is not None:
        remaining = limit - used
        if remaining < 0:
            overage = -remaining if soft else 0
            remaining = 0
    return LimitStatus(limit, soft, used, remaining, overage, term.per, term.resets_at_ms)


def _why_allowed(
    quantity: int, used: Sequence[int], statuses: Sequence[LimitStatus]
) -> tuple[int, int]:
    """The reason, and which limit it is about: the soft one that was passed furthest, else the
    one with least remaining."""
    passed, overage_max = -1, -1
    least, remaining_min = -1, USED_MAX
    for i, status in enumerate(statuses):
        limit = status.limit
        if limit is None:
            continue
        if status.remaining < remaining_min:
            least, remaining_min = i, status.remaining
        if status.soft and used[i] + quantity > limit and status.overage > overage_max:
            passed, overage_max = i, status.overage
    if passed >= 0:
        return OVER_SOFT_LIMIT, passed
    return (WITHIN_LIMIT, least) if least >= 0 else (UNLIMITED, 0)


def _retry_after_ms(full: Sequence[LimitTerms], quantity: int, now_ms: int) -> int | None:
    """When every full limit has started anew; None when waiting cannot help."""
    latest_ms = 0
    for term in full:
        if term.resets_at_ms is None or quantity > term.cap:
            return None
        latest_ms = max(latest_ms, term.resets_at_ms)
    return max(latest_ms - now_ms, 0)
