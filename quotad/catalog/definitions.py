"""What a catalog says, checked but not yet flattened: what parse makes and compile reads."""

import msgspec

from quotad.model import Feature, Limit


class FeatureDefinition(msgspec.Struct, frozen=True, gc=False):
    """A feature, and what people call it."""

    feature: Feature
    name: str = ""
    description: str = ""


class PlanEntry(msgspec.Struct, frozen=True, gc=False):
    """What one plan says of one feature."""

    granted: bool = True
    """False switches off what the plan would inherit."""
    value: str = ""
    """Of a config feature."""
    limits: tuple[Limit, ...] | None = ()
    """Of a metered feature. None: unlimited, in the windows of the entitlement that this one
    replaces, so that usage survives up- and downgrades."""


class PlanDefinition(msgspec.Struct, frozen=True):
    """A plan as written: only what it adds to the plan that it extends."""

    plan_id: str
    extends: str | None
    entries: dict[str, PlanEntry]
    """By feature id."""
    name: str = ""
    description: str = ""


class Definitions(msgspec.Struct, frozen=True):
    """All of a catalog."""

    features: dict[str, FeatureDefinition]
    """By feature id, in display order."""
    plans: dict[str, PlanDefinition]
    default_plan: str | None = None
    """What customers never seen before are on; None: they are denied."""
