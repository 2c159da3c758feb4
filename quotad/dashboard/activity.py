"""What became of a customer, in words: every change and correction, and whose doing it was."""

import re
from collections.abc import Iterator

import msgspec

from quotad.customers.change_lines import PROMOTION, GivenLine, PhaseLine, read_line
from quotad.dashboard.ask import Ask
from quotad.dashboard.grant_words import grant_words
from quotad.dashboard.names import CatalogNames
from quotad.dashboard.shown import day, moment
from quotad.held import Correction
from quotad.history import CustomerChange
from quotad.ledger import REBUILD
from quotad.plural import plural

ACTIVITY_MAX = 20
"""Most entries of the activity."""

_PLAIN = {
    "created": "created this customer",
    "archived": "archived this customer",
    "brought back": "brought this customer back",
}
_SET = re.compile(r"(.+?): (?:'(.*?)'|\"(.*?)\")(?: \(was .*\))?")
_UNSET = re.compile(r"(.+?) removed(?: \(was .*\))?")

ROLLBACK = "RollbackCustomer"

_OF_KNOWN = ("ChangeSubscription", ROLLBACK)
"""Calls about a customer that has a subscription already."""

_AT_ONCE_MS = 60_000
"""What starts so short before its write is noted was meant to start at once."""


class Deed(msgspec.Struct, frozen=True):
    """One entry of the activity."""

    at_ms: int
    actor: str
    lines: tuple[str, ...]
    comment: str = ""
    undoable: bool = False
    """Whether it can be rolled back, by its time."""


def activity(ask: Ask, customer_id: str, size: int = ACTIVITY_MAX) -> list[Deed]:
    """Return the latest changes and corrections of a customer, the newest first."""
    parts = ask.context.parts
    names = CatalogNames(parts.worker.snapshots.newest())
    changes = (deed(each, names) for each in parts.history.of_customer(customer_id, size))
    corrections = (corrected(each, names) for each in parts.usage.corrections_of(customer_id, size))
    return sorted([*changes, *corrections], key=lambda each: -each.at_ms)[:size]


def deed(change: CustomerChange, names: CatalogNames) -> Deed:
    """Return a write of a customer as a person says it."""
    lines = in_sentences(change, names)
    if change.call == "ImportCustomers":
        lines.append("by an import")
    if change.call == ROLLBACK:
        lines[:1] = [f"rolled back: {lines[0]}" if lines else "rolled back"]
    told = tuple(lines) or (change.call,)
    return Deed(change.epoch, change.actor, told, change.comment, change.undoable)


def in_sentences(change: CustomerChange, names: CatalogNames) -> list[str]:
    """Return what a write has changed, a sentence for each; empty: nothing."""
    read = [(line, read_line(line)) for line in change.changes]
    phases = [each for _, each in read if isinstance(each, PhaseLine)]
    created = "created" in change.changes
    lines = [words for line, words in _PLAIN.items() if line in change.changes]
    lines += _subscribed(phases, change, names)
    for line, each in read:
        if isinstance(each, GivenLine):
            lines.append(_given(each, names))
        elif each is None and line not in _PLAIN and not created:
            lines.append(_text(line))
    return lines


def _subscribed(
    phases: list[PhaseLine], change: CustomerChange, names: CatalogNames
) -> Iterator[str]:
    """What became of plans: a change of one for another is one sentence."""
    at_ms, gone = change.epoch, {each.named: each for each in phases if each.gone}
    for each in phases:
        if each.gone:
            continue
        old = gone.get(each.named)
        starts_later = each.start_ms > at_ms + _AT_ONCE_MS
        if old is not None and not starts_later and old.start_ms <= at_ms:
            del gone[each.named]
        else:
            old = None
        if each.trial:
            sentence = f"started a trial of {names.plan(each.plan_id)}"
        elif old is not None:
            plans = f"{names.plan(old.plan_id)} to {names.plan(each.plan_id)}"
            sentence = f"changed the plan from {plans}"
        elif starts_later:
            sentence = f"scheduled {names.plan(each.plan_id)} from {_at(each.start_ms)}"
        elif each.start_ms < at_ms - _AT_ONCE_MS or change.call in _OF_KNOWN:
            sentence = f"set the subscription to {names.plan(each.plan_id)}"
        else:
            sentence = f"put it on {names.plan(each.plan_id)}"
        yield sentence + _details(each, names)
    for each in gone.values():
        yield f"ended {names.plan(each.plan_id)}{_for(each.resource_id)}"


def _details(phase: PhaseLine, names: CatalogNames) -> str:
    words = [plural(phase.unit_quantity, "unit")] if phase.unit_quantity > 1 else []
    words += [
        f"{count:,} \u00d7 {names.addon(addon_id)}" for addon_id, count in phase.addons.items()
    ]
    said = f" with {' and '.join(words)}" if words else ""
    if phase.end_ms is not None:
        said += f" until {_at(phase.end_ms)}"
    return said + _for(phase.resource_id)


def _given(given: GivenLine, names: CatalogNames) -> str:
    name = names.feature(given.feature_id)
    if given.removed:
        done = "ended the promotion of" if given.kind == PROMOTION else "removed the override of"
        return f"{done} {name}{_for(given.resource_id)}"
    if given.value is False:
        said = f"took {name} away by an override"
    elif given.value is True:
        said = f"granted {name} by {'a promotion' if given.kind == PROMOTION else 'an override'}"
    elif given.kind == PROMOTION:
        said = f"promoted {name} to {grant_words(given.value)}"
    else:
        said = f"set the override of {name} to {grant_words(given.value)}"
    if given.start_ms is not None:
        said += f" from {_at(given.start_ms)}"
    if given.end_ms is not None:
        said += f" until {_at(given.end_ms)}"
    return said + _for(given.resource_id)


def _text(line: str) -> str:
    """What the customer is known by."""
    if found := _SET.fullmatch(line):
        return f"set the {found[1]} to \u201c{found[2] or found[3]}\u201d"
    if found := _UNSET.fullmatch(line):
        return f"removed the {found[1]}"
    return line


def corrected(correction: Correction, names: CatalogNames) -> Deed:
    """Return a correction of usage as a person says it."""
    what = names.feature(correction.feature_id) if correction.feature_id else "what it took"
    if correction.verb == REBUILD:
        line = f"brought usage of {what} back to the ledger: {correction.change:+,}"
    elif correction.verb == "refund":
        line = f"gave back {abs(correction.change):,} of {what}"
    else:
        less = correction.change < 0
        line = (
            f"corrected usage of {what} by {abs(correction.change):,} {'less' if less else 'more'}"
        )
    actor = correction.actor or correction.made_by
    return Deed(correction.corrected_ms, actor, (line,), correction.reason)


def _at(ms: int) -> str:
    """A day, and the time of day unless it is midnight."""
    return day(ms) if not ms % 86_400_000 else moment(ms)


def _for(resource_id: str) -> str:
    return f", for {resource_id}" if resource_id else ""
