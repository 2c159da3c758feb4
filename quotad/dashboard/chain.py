"""Why a customer has what it has of a feature: its sources, as one chain for people."""

import json
import re
from collections.abc import Sequence

import msgspec

from quotad.dashboard.catalog_words import time_words
from quotad.dashboard.grant_words import grant_words
from quotad.dashboard.names import CatalogNames
from quotad.decision import EntitlementSource, SourceKind

_KINDS = {
    SourceKind.PLAN: "Plan",
    SourceKind.BASE_PLAN: "Base plan",
    SourceKind.ADDON: "Add-on",
    SourceKind.TRIAL: "Trial of",
    SourceKind.PROMOTION: "Promotion",
    SourceKind.OVERRIDE: "Override",
    SourceKind.DEFAULT_PLAN: "Default plan",
}

_DAY = re.compile(r"(\d{4}-\d\d-\d\d)(?: (\d\d:\d\d) UTC)?")

_OF_AMOUNTS = ("adds ", "decides the limit ")
"""How notes begin that say what an amount on top says already."""

IN_FORCE, ON_TOP, IN_PART = "in force", "on top", "in part"


class SourceLine(msgspec.Struct, frozen=True):
    """One source of an entitlement, for a person."""

    part: str
    """`IN_FORCE` of the one that decides, `ON_TOP` of what is added to it, `IN_PART` where several
    decide; empty: it changes nothing."""
    title: str
    grants: str
    note: str
    ends_ms: int | None


def source_lines(sources: Sequence[EntitlementSource], names: CatalogNames) -> list[SourceLine]:
    """Return the chain of sources: what decides, what is on top of it, what changes nothing."""
    deciding = [each for each in sources if each.won and not _adds(each)]
    lines = []
    for each in sources:
        part = ""
        if each.won:
            part = ON_TOP if _adds(each) else IN_PART if len(deciding) > 1 else IN_FORCE
        lines.append(_line(each, part, sources, names))
    order = (IN_FORCE, IN_PART, ON_TOP, "")
    return sorted(lines, key=lambda each: order.index(each.part))


def _adds(source: EntitlementSource) -> bool:
    """Whether a source is an amount on top of what others grant."""
    return source.kind == SourceKind.ADDON and "add" in _entry(source)


def _entry(source: EntitlementSource) -> dict[str, object]:
    entry = json.loads(source.grants) if source.grants else None
    return entry if isinstance(entry, dict) else {}


def _line(
    source: EntitlementSource,
    part: str,
    sources: Sequence[EntitlementSource],
    names: CatalogNames,
) -> SourceLine:
    kind, note = SourceKind(source.kind), source.note
    name = names.addon if kind is SourceKind.ADDON else names.plan
    words = [_KINDS[kind], name(source.source_id)]
    if source.revision > 1:
        words.append(f"(revision {source.revision})")
    if source.subscription_id:
        words.append(f"of {source.subscription_id}")
    grants = grant_words(json.loads(source.grants)) if source.grants else "nothing"
    amount = _entry(source).get("add")
    if source.quantity > 1:
        grants = f"{source.quantity:,} \u00d7 {grants}"
        if part == ON_TOP and isinstance(amount, int):
            grants += f", {amount * source.quantity:,} together"
    if part == ON_TOP:
        note = "; ".join(each for each in note.split("; ") if not each.startswith(_OF_AMOUNTS))
    title = " ".join(word for word in words if word)
    return SourceLine(part, title, grants, _named(note, sources, names), source.ends_at_ms)


def _named(note: str, sources: Sequence[EntitlementSource], names: CatalogNames) -> str:
    """A note with the names of the plans and add-ons in it, and its days as people write them."""
    note = _DAY.sub(lambda found: time_words(f"{found[1]}T{found[2] or '00:00'}Z"), note)
    for each in sources:
        what = "add-on" if each.kind == SourceKind.ADDON else "plan"
        name = names.addon(each.source_id) if what == "add-on" else names.plan(each.source_id)
        if each.source_id:
            named = re.compile(rf"\b{what} {re.escape(each.source_id)}(?![\w.-])")
            note = f"{what} {name}".join(named.split(note))
    return note
