"""What a write of a customer has changed, in words for the history."""

from collections.abc import Iterator, Mapping
from typing import TypeVar

import msgspec

from quotad.catalog import Snapshot, entry_value
from quotad.history import bounded
from quotad.moments import written_time
from quotad.records import CustomerRecord, Override, Promotion, Subscription

Given = TypeVar("Given", Override, Promotion)

_TEXTS = (("name", "name"), ("email", "email"), ("time zone", "timezone"))
_MAPPINGS = (("metadata", "metadata"), ("external id", "external_ids"))


def described(
    before: CustomerRecord | None, after: CustomerRecord, snapshot: Snapshot | None
) -> tuple[str, ...]:
    """Return what is different, a line for each; nothing where nothing is.

    Args:
        before: the record until now; None: there was none.
        after: the record as written.
        snapshot: the catalog in force, whose features decide how entitlements are spelled.
    """
    known = before or CustomerRecord(after.customer_id)
    lines = [] if before else ["created"]
    if known.archived is not after.archived:
        lines.append("archived" if after.archived else "brought back")
    lines += _phases(known, after)
    lines += _given("override", known.overrides, after.overrides, snapshot)
    promotions = tuple(each for each in known.promotions if not _over(each.end_ms, after))
    lines += _given("promotion", promotions, after.promotions, snapshot)
    for word, field in _TEXTS:
        was, now = getattr(known, field), getattr(after, field)
        if was != now:
            lines.append(_changed(word, was, now))
    for word, field in _MAPPINGS:
        lines += _pairs(word, getattr(known, field), getattr(after, field))
    return bounded(lines)


def _phases(before: CustomerRecord, after: CustomerRecord) -> Iterator[str]:
    """Phases of subscriptions that are new or not any more; what has ended by itself is neither."""
    for each in after.subscriptions:
        if each not in before.subscriptions and not _over(each.end_ms, after):
            yield f"subscription: {_phase(each)}"
    still = {_identity(each) for each in after.subscriptions if not _over(each.end_ms, after)}
    for each in before.subscriptions:
        if not _over(each.end_ms, after) and _identity(each) not in still:
            yield f"no more: {_phase(each)}"


def _identity(phase: Subscription) -> tuple[object, ...]:
    return (phase.resource_id, phase.subscription_id, phase.plan_id, phase.start_ms)


def _over(end_ms: int | None, after: CustomerRecord) -> bool:
    return end_ms is not None and end_ms <= after.updated_ms


def _phase(phase: Subscription) -> str:
    words = [phase.plan_id]
    if phase.revision > 1:
        words.append(f"revision {phase.revision}")
    if phase.trial:
        words.append("trial")
    if phase.unit_quantity != 1:
        words.append(f"{phase.unit_quantity} units")
    words += [f"{name} x {count}" for name, count in phase.addons.items()]
    words.append(f"from {written_time(phase.start_ms)}")
    if phase.end_ms is not None:
        words.append(f"until {written_time(phase.end_ms)}")
    words += [f"{system} {each}" for system, each in phase.external_ids.items()]
    return ", ".join(words) + _whose(phase.resource_id, phase.subscription_id)


def _given(
    word: str, before: tuple[Given, ...], after: tuple[Given, ...], snapshot: Snapshot | None
) -> Iterator[str]:
    features = {} if snapshot is None else snapshot.features
    for each in after:
        if each in before:
            continue
        value = msgspec.json.encode(entry_value(each.entry, features.get(each.feature_id)))
        line = f"{word} of {each.feature_id}: {value.decode()}"
        if each.start_ms is not None:
            line += f" from {written_time(each.start_ms)}"
        end_ms = each.end_ms if isinstance(each, Promotion) else None
        if end_ms is not None:
            line += f" until {written_time(end_ms)}"
        yield line + _whose(each.resource_id)
    still = {(each.feature_id, each.resource_id) for each in after}
    for each in before:
        if (each.feature_id, each.resource_id) not in still:
            yield f"{word} of {each.feature_id} removed{_whose(each.resource_id)}"


def _whose(resource_id: str, subscription_id: str = "") -> str:
    words = [f"resource {resource_id}"] if resource_id else []
    words += [f"subscription {subscription_id}"] if subscription_id else []
    return f" ({', '.join(words)})" if words else ""


def _pairs(word: str, before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[str]:
    for key in sorted(before.keys() | after.keys()):
        was, now = before.get(key, ""), after.get(key, "")
        if was != now:
            yield _changed(f"{word} {key}", was, now)


def _changed(what: str, was: str, now: str) -> str:
    if not now:
        return f"{what} removed (was {was!r})"
    return f"{what}: {now!r}" + (f" (was {was!r})" if was else "")
