"""What a denial lacked, in numbers and in words, and when it frees."""

from decimal import Decimal

import msgspec

from quotad.decision import Decision, EntitlementSource, Explanation
from quotad.engine.meters import LimitTerms

MISSING_MAX = 2**63 - 1
"""Largest number that an answer can hold. What a pool would have to pay can be more: 10^15 units of
something that costs a million of the pool's smallest units each."""


def explain_denial(term: LimitTerms, used: int, amount: int) -> Explanation:
    """Return what was missing; the caller adds the sources.

    Args:
        term: the limit that denied.
        used: of it, before.
        amount: what was asked of it.
    """
    return Explanation(
        (),
        missing=min(used + amount - term.cap, MISSING_MAX),
        denied_by=limit_in_words(term),
        frees_at_ms=term.resets_at_ms if amount <= term.cap else None,
    )


def with_sources(decision: Decision, sources: tuple[EntitlementSource, ...]) -> Decision:
    """A decision with where it comes from; what a denial lacked may be there already."""
    told = decision.explanation or Explanation(())
    told = msgspec.structs.replace(told, sources=sources)
    return msgspec.structs.replace(decision, explanation=told, detailed=True)


def limit_in_words(term: LimitTerms) -> str:
    """A limit in words: `1,000 per month`, `12.50 ai-credits per day`."""
    details, decimals = term.details, 0
    unit = overage = ""
    if details is not None:
        decimals = details.decimals
        unit = f" {details.pool_id}" if details.pool_id else ""
        if details.overage_limit is not None:
            overage = f" and an overage of {_in_words(details.overage_limit, decimals)}"
    per = f" per {term.per}" if term.per else ""
    if details is not None and details.slots:
        per = " at once"
    if term.limit is None:
        return f"{_in_words(term.cap, decimals)}{unit}{per}, the most that is counted"
    return f"{_in_words(term.limit, decimals)}{unit}{per}{overage}"


def frees_order(term: LimitTerms, amount: int) -> float:
    """When a full limit has room for an amount, to sort by; one that never has is the last."""
    if term.resets_at_ms is None or amount > term.cap:
        return float("inf")
    return term.resets_at_ms


def _in_words(amount: int, decimals: int) -> str:
    return f"{Decimal(amount).scaleb(-decimals):,}"
