"""The content of a catalog, checked but not yet flattened: parse makes it, compile reads it."""

import msgspec

from quotad.event_meters import EventMeter
from quotad.experiments import Experiment
from quotad.fallback import FallbackPolicy
from quotad.model import AddOn, Entry, Feature, Plan, Window
from quotad.prices import Price


class PlanDefinition(msgspec.Struct, frozen=True):
    """A plan as written: only what it adds to the plan that it extends."""

    plan_id: str
    extends: str | None
    entries: dict[str, Entry]
    """By feature id."""
    name: str = ""
    description: str = ""
    metadata: dict[str, str] = {}
    groups: tuple[str, ...] = ()
    """Feature groups that it includes; its own entries come first."""
    archived: bool = False
    apply_to_new: bool = False
    """Whether changes are only for new subscriptions (`apply_to: new`)."""
    billing: Window | None = None
    """None: a month."""
    resets_usage: bool = False
    prices: tuple[Price, ...] = ()
    revision: int = 1
    earlier: dict[int, Plan] = {}
    """By revision: what earlier subscribers still have, inheritance flattened. Not written by
    people: the publisher carries it over from version to version."""


class GroupDefinition(msgspec.Struct, frozen=True):
    """Entitlements under a name, for plans to include."""

    group_id: str
    entries: dict[str, Entry]
    name: str = ""
    description: str = ""
    metadata: dict[str, str] = {}


class Definitions(msgspec.Struct, frozen=True):
    """All of a catalog."""

    features: dict[str, Feature]
    """By feature id, in display order."""
    plans: dict[str, PlanDefinition]
    default_plan: str | None = None
    """What customers never seen before are on; None: they are denied."""
    addons: dict[str, AddOn] = {}
    groups: dict[str, GroupDefinition] = {}
    meters: dict[str, EventMeter] = {}
    """By the name of the events."""
    experiments: dict[str, Experiment] = {}
    """By name."""
    product: str = ""
    """What the plans are of, for people."""
    on_store_failure: FallbackPolicy | None = None
    """What becomes of calls on features that write nothing else while the store is gone; None: as
    the servers are set."""
    gone: dict[str, int] = {}
    """Of plans that were taken out, the revision they were at, where it was not the first: one
    that comes back continues there, so that earlier subscribers keep it. Not written by people:
    the publisher carries it over."""
