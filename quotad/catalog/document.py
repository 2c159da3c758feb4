"""Definitions -> the canonical document: JSON in the format of catalog files, one spelling each.

Defaults are left out, short forms written out, plans and entitlements sorted by id. Features,
values and limits keep their order: the first two are displayed in it.
"""

from typing import Any

import msgspec

from quotad.catalog.definitions import Definitions, FeatureDefinition, PlanDefinition
from quotad.catalog.windows import WEEKDAYS
from quotad.model import Anchor, Entry, FeatureType, Limit, MeterKind

FORMAT_VERSION = 1
"""Of the catalog format, not of the catalog."""


def write_document(definitions: Definitions) -> bytes:
    """Return the canonical JSON of a catalog."""
    return msgspec.json.encode(plain(definitions))


def plain(definitions: Definitions) -> dict[str, Any]:
    """Return a catalog as plain values, in canonical order."""
    written: dict[str, Any] = {"version": FORMAT_VERSION}
    if definitions.default_plan is not None:
        written["default_plan"] = definitions.default_plan
    written["features"] = {
        feature_id: _feature(definition) for feature_id, definition in definitions.features.items()
    }
    written["plans"] = {
        plan_id: _plan(plan, definitions) for plan_id, plan in sorted(definitions.plans.items())
    }
    return written


def _feature(definition: FeatureDefinition) -> dict[str, Any]:
    feature = definition.feature
    written: dict[str, Any] = {"type": feature.type.value}
    if feature.kind is not MeterKind.COUNTER:
        written["kind"] = feature.kind.value
    if feature.unit:
        written["unit"] = feature.unit
    if feature.values:
        # A tuple, so that a diff shows the values as one.
        written["values"] = feature.values
    return _texts(definition) | written


def _plan(plan: PlanDefinition, definitions: Definitions) -> dict[str, Any]:
    written: dict[str, Any] = _texts(plan)
    if plan.extends is not None:
        written["extends"] = plan.extends
    written["entitlements"] = {
        feature_id: _entry(entry, definitions.features[feature_id].feature.type)
        for feature_id, entry in sorted(plan.entries.items())
    }
    return written


def _texts(named: FeatureDefinition | PlanDefinition) -> dict[str, Any]:
    written = {"name": named.name, "description": named.description}
    return {key: text for key, text in written.items() if text}


def _entry(entry: Entry, feature_type: FeatureType) -> object:
    if not entry.granted:
        return False
    if feature_type is FeatureType.BOOLEAN:
        return True
    if feature_type is FeatureType.CONFIG:
        return entry.value
    if entry.limits is None:
        return "unlimited"
    return {"limits": [_limit(limit) for limit in entry.limits]}


def _limit(limit: Limit) -> dict[str, Any]:
    written: dict[str, Any] = {"unlimited": True} if limit.limit is None else {"limit": limit.limit}
    window = limit.window
    if window is not None:
        written["per"] = window.per
        if window.anchor is not Anchor.CALENDAR:
            written["anchor"] = window.anchor.value
        if window.zone.key != "UTC":
            written["timezone"] = window.zone.key
        if window.week_starts:
            written["week_starts"] = WEEKDAYS[window.week_starts]
    if limit.soft:
        written["soft"] = True
    return written
