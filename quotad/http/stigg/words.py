"""Stigg's words for what quotad knows, shared by GraphQL, the edge reads and REST.

From Stigg's public documentation and what its published clients read; `docs/stigg.md` has the
whole comparison.
"""

import uuid
from datetime import UTC, datetime

from quotad.entitlements.phases import PhaseStatus
from quotad.model import Feature, FeatureType, MeterKind

Shape = dict[str, object]
"""An answer's fields by name; a function stands for a field that is worked out when asked for."""

STATUSES = {
    PhaseStatus.SCHEDULED: "NOT_STARTED",
    PhaseStatus.ACTIVE: "ACTIVE",
    PhaseStatus.IN_TRIAL: "IN_TRIAL",
    PhaseStatus.ENDED: "EXPIRED",
}

_IDS = uuid.UUID("5f0c53a8-6d2a-4a8e-9c51-0b6f1d2c7e94")
"""Name space of ids that have to look like a UUID: the same thing always has the same."""


def uuid_of(*names: str) -> str:
    """A UUID that stands for what has these names."""
    return str(uuid.uuid5(_IDS, "\0".join(names)))


def settled(shape: object) -> object:
    """A shape as a whole, with the fields that are worked out when asked for."""
    if callable(shape):
        shape = shape()
    if isinstance(shape, dict):
        return {name: settled(each) for name, each in shape.items()}
    return [settled(each) for each in shape] if isinstance(shape, list) else shape


def iso(at_ms: int | None) -> str | None:
    """A time as ISO 8601 in UTC; None: none."""
    if at_ms is None:
        return None
    at = datetime.fromtimestamp(at_ms / 1000, UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def feature_type(feature: Feature) -> str:
    """`featureType`: what decides is a switch, a number, or words."""
    if feature.type is FeatureType.BOOLEAN:
        return "BOOLEAN"
    if feature.type is FeatureType.CONFIG and feature.values:
        return "ENUM"
    return "NUMBER"


def meter_type(feature: Feature) -> str:
    """`meterType`, in GraphQL's spelling; clients deny in silence at another one."""
    if feature.type is not FeatureType.METERED:
        return "None"
    return "Incremental" if feature.kind is MeterKind.COUNTER else "Fluctuating"


def feature_shape(feature: Feature) -> Shape:
    """An `EntitlementFeature`."""
    unit = feature.unit
    return {
        "id": feature.feature_id,
        "refId": feature.feature_id,
        "displayName": feature.name or feature.feature_id,
        "description": feature.description or None,
        "additionalMetaData": feature.metadata,
        "featureType": feature_type(feature),
        "meterType": meter_type(feature),
        "featureUnits": unit or None,
        "featureUnitsPlural": f"{unit}s" if unit else None,
    }
