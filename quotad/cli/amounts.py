"""How limits and what is used of them look, in decisions and entitlements alike."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from quotad.cli import output

if TYPE_CHECKING:
    from quotad.client import LimitStatus


def allowance(limit: "LimitStatus") -> str:
    """What a limit allows: `50.00 ai-credits per month (soft, stops at 60.00)`."""
    words = ["unlimited" if limit.limit is None else amount(limit, limit.limit)]
    if limit.pool_id:
        words.append(limit.pool_id)
    if limit.per:
        words.append(f"per {limit.per}")
    if limit.soft_limit and limit.limit is not None and limit.overage_limit is not None:
        words.append(f"(soft, stops at {amount(limit, limit.limit + limit.overage_limit)})")
    elif limit.soft_limit:
        words.append("(soft)")
    if limit.shadow:
        words.append("(in shadow)")
    return " ".join(words) + (f", {amount(limit, limit.overage)} over" if limit.overage else "")


def row(limit: "LimitStatus") -> list[str]:
    """Allowance, used, remaining and reset of a limit, for a table."""
    remaining = "" if limit.limit is None else amount(limit, limit.remaining)
    return [allowance(limit), amount(limit, limit.used), remaining, resets(limit)]


def held(limits: "Iterable[LimitStatus]") -> list[str]:
    """Columns for what is held of limits; only those that say something."""
    limits = list(limits)
    return [name for name in ("reserved", "leased") if any(getattr(one, name) for one in limits)]


def held_row(limit: "LimitStatus", columns: Sequence[str]) -> list[str]:
    """What is held of a limit, for these columns."""
    amounts = [getattr(limit, name) for name in columns]
    return [amount(limit, value) if value else "" for value in amounts]


def resets(limit: "LimitStatus") -> str:
    """When it resets; of a closed window that opens at first use: that the next use opens it."""
    if limit.limit is None:
        return ""
    return output.moment(limit.resets_at, "starts with the next use" if limit.per else "never")


def amount(limit: "LimitStatus", value: int) -> str:
    """An amount of a limit, a credit pool's with all its places."""
    return output.amount(value, limit.decimals)


def mark(limit: "LimitStatus") -> output.Cell:
    """How full a limit is, where that is worth a look: in yellow from 80 % on, in red at 100 %."""
    # Without overage too: a limit that was lowered below what is used.
    if limit.limit is not None and limit.used > limit.limit:
        return "over", "bold red"
    if not limit.mark:
        return ""
    return f"{limit.mark} %", "red" if limit.mark >= 100 else "yellow"
