"""Where an entitlement comes from, and what a denial lacked, for a person."""

import json
from datetime import UTC, datetime
from itertools import groupby
from typing import TYPE_CHECKING

from quotad.cli import output
from quotad.decision import SourceKind

if TYPE_CHECKING:
    from quotad.client import Decision, EntitlementSource, Explanation

KINDS = {
    SourceKind.PLAN: "plan",
    SourceKind.BASE_PLAN: "base plan",
    SourceKind.ADDON: "add-on",
    SourceKind.TRIAL: "trial",
    SourceKind.PROMOTION: "promotion",
    SourceKind.OVERRIDE: "override",
    SourceKind.DEFAULT_PLAN: "default plan",
}


def lacking(decision: "Decision") -> list[tuple[str, str]]:
    """Which limit denied, how much was missing and when it has room again."""
    told = decision.explanation
    if told is None or not told.denied_by:
        return []
    return [
        ("denied by", told.denied_by),
        ("missing", output.amount(told.missing, decision.decimals)),
        ("frees", output.moment(told.frees_at, "not by itself")),
    ]


def print_sources(told: "Explanation", is_fallback: bool = False) -> None:
    """Print all sources of an entitlement, the strongest first; those of a credit pool apart."""
    if told.left_out:
        why_left_out = (
            "the store is gone" if is_fallback else "the answer would have been too large"
        )
        output.print_line(f"\nsources are left out: {why_left_out}")
    for pool, sources in groupby(told.sources, key=lambda source: source.feature_id):
        output.print_line("")
        title = f"sources of {pool}" if pool else "sources"
        rows = [_row(source) for source in sources]
        output.print_table([title, "grants", "won"], rows, indent=2)


def _row(source: "EntitlementSource") -> list[output.Cell]:
    grants = output.entitlement(json.loads(source.grants)) if source.grants else "nothing"
    won = "yes" if source.won else "no"
    if source.note:
        won += f": {source.note}"
    # The note of a source that has ended has the time.
    if source.ends_at is not None and source.ends_at > datetime.now(UTC):
        won += f", ends {output.moment(source.ends_at)}"
    return [_name(source), grants, (won, "green" if source.won else "")]


def _name(source: "EntitlementSource") -> str:
    words = [KINDS.get(source.kind, source.kind.name), source.source_id]
    if source.quantity > 1:
        words.append(f"x {source.quantity}")
    if source.revision > 1:
        words.append(f"(revision {source.revision})")
    if source.subscription_id:
        words.append(f"of {source.subscription_id}")
    return " ".join(word for word in words if word)
