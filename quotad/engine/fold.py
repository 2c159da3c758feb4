"""From the script's answer to a decision with its reason.

Here for the limits of nearly every entitlement; `fold_detailed` is for all others.
"""

from collections.abc import Sequence

from quotad.decision import ConsumeRequest, Decision, LimitStatus, Mode, Reason
from quotad.engine.denials import explain_denial, frees_order
from quotad.engine.fold_detailed import as_taken, fold_detailed
from quotad.engine.meters import LimitTerms
from quotad.model import USED_MAX
from quotad.store import ChargeStatus, Settlement

# As plain integers: comparing with an enum's member costs more than the rest of the line.
ALLOWED = int(ChargeStatus.ALLOWED)
NORMAL, CHECK_ONLY = int(Mode.NORMAL), int(Mode.CHECK_ONLY)
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
    """Return the decision on a charge to counters.

    Args:
        terms: the limits, in the order of the charge.
        request: what was asked for; CHECK_ONLY has changed nothing.
        settlement: ALLOWED or DENIED, with usage before the charge.
        now_ms: Unix time, for `retry_after_ms`.
        catalog_version: for the answer.
    """
    term = terms[0]
    if term.details is not None:  # of the first, if of any
        return fold_detailed(terms, request, settlement, now_ms, catalog_version)
    if len(terms) != 1 or request.every_limit:
        return _fold_several(terms, request, settlement, now_ms, catalog_version)
    # One limit: nearly every call, so without the detour over LimitStatus.
    before, quantity = settlement.used[0], request.quantity
    if settlement.status != ALLOWED:
        return _deny_one(term, quantity, before, now_ms, catalog_version)
    after = before
    mode = request.mode
    if mode == NORMAL:
        after = before + quantity
        if after < 0:
            after = 0
    elif mode != CHECK_ONLY:
        request = as_taken(terms, request, settlement)
        return fold(terms, request, settlement, now_ms, catalog_version)
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
    if settlement.status != ALLOWED:
        return _deny_several(terms, request, settlement, now_ms, catalog_version)
    if request.mode not in (NORMAL, CHECK_ONLY):
        request = as_taken(terms, request, settlement)
    quantity, used = request.quantity, settlement.used
    taken = quantity if request.mode != CHECK_ONLY else 0
    statuses: list[LimitStatus] = []
    # Which limit it is about: the soft one that was passed furthest, else the one with least
    # remaining. In one walk, as several limits are what costs most in an answer.
    # It is the same for a check, which passes what the call would.
    passed, over_max = -1, 0
    least, remaining_min = -1, USED_MAX
    for term, before in zip(terms, used, strict=True):
        limit, soft, after = term.limit, term.soft, before + taken
        if after < 0:  # a gauge never goes below zero
            after = 0
        remaining = overage = 0
        if limit is not None:
            remaining = limit - after
            if remaining < 0:
                overage = -remaining if soft else 0
                remaining = 0
            if remaining < remaining_min:
                least, remaining_min = len(statuses), remaining
            over = before + quantity - limit
            if soft and over > over_max:
                passed, over_max = len(statuses), over
        statuses.append(
            LimitStatus(limit, soft, after, remaining, overage, term.per, term.resets_at_ms)
        )
    if passed >= 0:
        reason, at = OVER_SOFT_LIMIT, passed
    elif least >= 0:
        reason, at = WITHIN_LIMIT, least
    else:
        reason, at = UNLIMITED, 0
    status = statuses[at]
    return Decision(
        True,
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
        None,
        tuple(statuses),
    )


def _deny_several(
    terms: tuple[LimitTerms, ...],
    request: ConsumeRequest,
    settlement: Settlement,
    now_ms: int,
    catalog_version: int,
) -> Decision:
    quantity, used = request.quantity, settlement.used
    full = [i for i, before in enumerate(used) if before + quantity > terms[i].cap]
    at = max(full, key=lambda i: frees_order(terms[i], quantity))
    explanation = explain_denial(terms[at], used[at], quantity) if request.explain else None
    statuses = tuple(map(_limit_status, terms, used))
    status = statuses[at]
    return Decision(
        False,
        LIMIT_EXCEEDED,
        catalog_version,
        0,
        status.limit,
        status.limit is None,
        status.soft,
        status.used,
        status.remaining,
        status.overage,
        status.resets_at_ms,
        _retry_after_ms([terms[i] for i in full], quantity, now_ms),
        statuses,
        explanation=explanation,
        detailed=explanation is not None,
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


def _retry_after_ms(full: Sequence[LimitTerms], quantity: int, now_ms: int) -> int | None:
    """When every full limit has reset; None when waiting cannot help."""
    latest_ms = 0
    for term in full:
        if term.resets_at_ms is None or quantity > term.cap:
            return None
        latest_ms = max(latest_ms, term.resets_at_ms)
    return max(latest_ms - now_ms, 0)
