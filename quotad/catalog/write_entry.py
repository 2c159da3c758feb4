"""Entries and entitlements -> plain values as a catalog spells them, one spelling each."""

from typing import Any

import msgspec

from quotad.catalog.numbers import unscaled
from quotad.catalog.parse_addon import LIFETIME
from quotad.catalog.parse_rollout import VARIANT
from quotad.catalog.windows import write_window
from quotad.model import AddOnEntry, Entitlement, Entry, Feature, FeatureType, Limit, Rollout, Span
from quotad.moments import written_time


def entry_value(entry: Entry, feature: Feature | None) -> object:
    """Return the entry of an override or a promotion, as JSON values.

    The way back from `parse_entry_value`, with one spelling of each.

    Args:
        entry: to be written.
        feature: as it is now; None: not there any more. An entry for another kind of feature is
            returned as it was written.
    """
    written = write_entry(entry, _written_of(entry, feature))
    return list(written) if isinstance(written, tuple) else written


def _written_of(entry: Entry, feature: Feature | None) -> Feature:
    kind = FeatureType.BOOLEAN  # or metered where only a pool limits: both are written true
    if entry.limits != ():
        kind = FeatureType.METERED
    elif entry.value or entry.values:
        kind = FeatureType.CONFIG
    return feature if feature is not None and feature.type is kind else Feature("", kind)


def write_entry(entry: Entry, feature: Feature, extended: bool = False) -> object:
    """Return an entry as JSON values; several config values as a tuple, for diffs.

    Args:
        entry: to be written.
        feature: of which.
        extended: whether it stands in a plan that others extend, or in a group of one: only there
            does it matter whether a rollout is inherited, so that other documents stay as they
            are, and can be read by servers of an earlier release.
    """
    if not entry.granted:
        return False
    if not entry.conditional:
        return _right(entry, feature)
    written = _right(entry, feature)
    if written is True:
        fields: dict[str, Any] = {}
    elif feature.type is FeatureType.CONFIG:
        fields = {"value": written}
    elif isinstance(written, dict):
        fields = written
    else:
        fields = {"unlimited": True}
    if entry.span is not None:
        fields = fields | _span(entry.span)
    if entry.rollout is None:
        return fields
    rollout = _rollout(entry.rollout, feature.feature_id)
    if extended and not entry.inherit:
        rollout["inherit"] = False
    return fields | {"rollout": rollout}


def write_entitlement(right: Entitlement) -> object:
    """Return a compiled entitlement; `otherwise` is what there is outside of rollout and span."""
    entry = Entry(
        value=right.value,
        values=right.values,
        limits=right.limits,
        rollout=right.rollout,
        span=right.span,
        overage_price=right.overage_price,
    )
    written = write_entry(entry, right.feature)
    if right.otherwise is not None and isinstance(written, dict):
        written["otherwise"] = write_entitlement(right.otherwise)
    return written


def write_addon_entry(entry: AddOnEntry, feature: Feature) -> object:
    """Return an add-on's entry for a feature."""
    if entry.entry is not None:
        return write_entry(entry.entry, feature)
    key, amount = ("add", entry.add) if entry.add is not None else ("set", entry.set)
    written: dict[str, Any] = {key: _amount(amount or 0, feature.decimals, entry.per_unit)}
    if entry.names_window:
        written |= {"per": LIFETIME} if entry.window is None else write_window(entry.window)
    return written


def _right(entry: Entry, feature: Feature) -> Any:
    if feature.type is FeatureType.BOOLEAN:
        return True
    if feature.type is FeatureType.CONFIG:
        # A tuple, so that a diff shows the values as one.
        return entry.values if len(entry.values) > 1 else entry.value
    if entry.limits is None:
        return "unlimited"
    if not entry.limits:
        return True  # only its pool counts
    written: dict[str, Any] = {"limits": [_limit(x, feature.decimals) for x in entry.limits]}
    if entry.overage_price is not None:
        written["overage_price"] = msgspec.to_builtins(entry.overage_price)
    return written


def _span(span: Span) -> dict[str, Any]:
    moments = {"from": written_time(span.from_ms), "until": written_time(span.until_ms)}
    return {key: text for key, text in moments.items() if text is not None}


def _rollout(rollout: Rollout, feature_id: str) -> dict[str, Any]:
    written: dict[str, Any] = {"percent": unscaled(rollout.per_myriad, 2)}
    if rollout.salt != feature_id:
        written["salt"] = rollout.salt
    if rollout.variant != VARIANT:
        written["variant"] = rollout.variant
    return written


def _amount(amount: int, decimals: int, per_unit: bool) -> object:
    number = unscaled(amount, decimals)
    return {"per_unit": number} if per_unit else number


def _limit(limit: Limit, decimals: int) -> dict[str, Any]:
    if limit.limit is None:
        written: dict[str, Any] = {"unlimited": True}
    else:
        written = {"limit": _amount(limit.limit, decimals, limit.per_unit)}
    if limit.window is not None:
        written |= write_window(limit.window)
    if limit.soft:
        written["soft"] = True
    if limit.overage_limit is not None:
        written["overage_limit"] = unscaled(limit.overage_limit, decimals)
    if limit.shadow:
        written["enforce"] = "shadow"
    return written
