"""The nouns of the catalog, shared by every room: features, plans, what they grant.

Plain data without I/O. Instances that live long are acyclic and out of the garbage collector's
sight (`gc=False`).
"""

from enum import Enum
from zoneinfo import ZoneInfo

import msgspec

from quotad.fallback import FallbackPolicy
from quotad.ledger import Noting
from quotad.prices import OveragePrice, Price

QUANTITY_MAX = 10**15
"""Largest quantity of one call and largest limit of a catalog.

Lua numbers are doubles, exact up to 2^53 (about 9 * 10^15); see `USED_MAX`.
"""

USED_MAX = 9 * 10**15
"""Ceiling of every counter, unlimited ones too, so that no sum in a script leaves 2^53."""

LIMITS_MAX = 16
"""Most limits of one entitlement."""


class FeatureType(Enum):
    """What kind of right a feature is."""

    BOOLEAN = "boolean"
    CONFIG = "config"
    METERED = "metered"


class MeterKind(Enum):
    """How a metered feature's usage moves."""

    COUNTER = "counter"
    """Only grows, and starts again with each period."""
    GAUGE = "gauge"
    """Goes up and down (seats, bytes stored) and never resets."""
    CONCURRENCY = "concurrency"
    """How much is in flight: the slots that are held, each until it is released or ends."""

    @property
    def in_words(self) -> str:
        """What a feature of it is called."""
        return "concurrency limit" if self is MeterKind.CONCURRENCY else self.value

    @property
    def single(self) -> str:
        """Why it has one limit without a period; empty: it may have several, in periods."""
        if self is MeterKind.COUNTER:
            return ""
        return "a gauge, which never resets" if self is MeterKind.GAUGE else "slots in flight"


class Unit(Enum):
    """Calendar units of a reset period."""

    SECOND = "second"
    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    YEAR = "year"


class Anchor(Enum):
    """What a reset period is aligned to."""

    CALENDAR = "calendar"
    SUBSCRIPTION = "subscription"
    FIRST_USE = "first_use"
    """The window opens with the first consumption and closes its length later."""


_DAYS_AND_LONGER = (Unit.DAY, Unit.WEEK, Unit.MONTH, Unit.YEAR)


class Window(msgspec.Struct, frozen=True, gc=False):
    """A repeating reset period: every `count` units, aligned to its anchor."""

    unit: Unit
    count: int = 1
    anchor: Anchor = Anchor.CALENDAR
    zone: ZoneInfo = ZoneInfo("UTC")
    week_starts: int = 0
    """Monday is 0. Only of weeks with a calendar anchor."""

    @property
    def per(self) -> str:
        """The window as a catalog spells it: `month`, `5 hours`."""
        return self.unit.value if self.count == 1 else f"{self.count} {self.unit.value}s"

    @property
    def historic(self) -> bool:
        """Whether usage of its ended periods can be kept: of a day and longer, whose periods are
        known without the counter."""
        return self.unit in _DAYS_AND_LONGER and self.anchor is not Anchor.FIRST_USE


class Limit(msgspec.Struct, frozen=True, gc=False):
    """An allowance per window."""

    limit: int | None
    """None: unlimited, counted all the same."""
    window: Window | None = None
    """None: lifetime, never resets."""
    soft: bool = False
    """Allow past the limit and report the overage."""
    overage_limit: int | None = None
    """Of a soft limit: most units past it, a hard stop. None: as many as there may be."""
    shadow: bool = False
    """Evaluated, counted and reported, but never denies (`enforce: shadow`)."""
    per_unit: bool = False
    """As written, `limit` is for each unit of the subscription; resolving a customer multiplies."""


class Credit(msgspec.Struct, frozen=True, gc=False):
    """What pays for a metered feature: so much of a pool for each unit."""

    pool_id: str
    """Another metered feature, whose limits in force must have room as well."""
    cost: int
    """Per unit, in the pool's smallest units: 10^-decimals of the pool's feature."""


class Feature(msgspec.Struct, frozen=True, gc=False):
    """What can be limited, as the catalog defines it."""

    feature_id: str
    type: FeatureType
    kind: MeterKind = MeterKind.COUNTER
    unit: str = ""
    values: tuple[str, ...] = ()
    """The values a config feature may have, from the least generous to the most; empty: any."""
    credit: Credit | None = None
    """Of a metered feature that a pool pays for."""
    decimals: int = 0
    """Of a pool: its quantities are counted and answered in units of 10^-decimals."""
    usage_history: Window | None = None
    """How long usage of ended periods stays to be read; None: not at all. A length: how it is
    aligned means nothing."""
    name: str = ""
    """For people, as the next two; nothing depends on them."""
    description: str = ""
    metadata: dict[str, str] = {}
    """For callers."""
    on_store_failure: FallbackPolicy | None = None
    """What becomes of calls while the store is gone; None: as the catalog has it for all."""
    ledger: Noting | None = None
    """What of it goes into the ledger; None: as the server is set."""
    stripe_meter: str = ""
    """Event name of the meter in Stripe that it feeds; empty: none."""
    thresholds: tuple[int, ...] | None = None
    """Percent of a limit at which webhooks have an event; None: as the setting says."""


class Rollout(msgspec.Struct, frozen=True, gc=False):
    """Which share of a plan's customers an entitlement is for."""

    per_myriad: int
    """Customers of 10,000."""
    salt: str
    variant: str
    """What answers call those inside; those outside are in `control`."""


class Span(msgspec.Struct, frozen=True, gc=False):
    """From when on, and until when, something is in force; Unix time."""

    from_ms: int | None = None
    """None: since ever."""
    until_ms: int | None = None
    """None: it has no end."""

    def holds(self, now_ms: int) -> bool:
        """Whether it is in force at a moment."""
        if self.from_ms is not None and now_ms < self.from_ms:
            return False
        return self.until_ms is None or now_ms < self.until_ms


class Entry(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """The entry of a plan, an override or a promotion for one feature."""

    granted: bool = True
    """False: of a plan, switches off what it would inherit; of an override, revokes."""
    value: str = ""
    """Of a config feature; the most generous of `values`."""
    values: tuple[str, ...] = ()
    """Of a config feature that lists its values: those granted, in the feature's order. Of an
    override or a promotion also a text that is empty, or it would look like one of a boolean."""
    limits: tuple[Limit, ...] | None = ()
    """Of a metered feature. None: unlimited, in the windows of the entitlement that this one
    replaces, so that usage survives up- and downgrades. Empty: only its credit pool limits it."""
    rollout: Rollout | None = None
    """Only of plans: the rest keeps what the plan would have without this entry."""
    inherit: bool | None = None
    """Of a rollout: whether plans that extend this one have it too. None: not written."""
    span: Span | None = None
    """Only of plans: before and after it, the plan has what it would have without this entry."""
    overage_price: OveragePrice | None = None
    """Of a metered feature with a soft limit."""

    @property
    def conditional(self) -> bool:
        """Whether it is for a share of customers, or for a time."""
        return self.rollout is not None or self.span is not None


class Entitlement(msgspec.Struct, frozen=True, gc=False):
    """A right to one feature: of a plan when compiled, of a customer when in force."""

    feature: Feature
    value: str = ""
    """Of a config feature, as text."""
    limits: tuple[Limit, ...] = ()
    """Of a metered feature; all must have room."""
    values: tuple[str, ...] = ()
    """Of a config feature that lists its values: those granted, in the feature's order."""
    anchor_ms: int | None = None
    """What subscription-anchored periods are aligned to, where not to the customer's own."""
    revoked: bool = False
    """Taken away by an override: stands here so that the answer can show it."""
    variant: str = ""
    """Of an experiment: the rollout's, or `control`."""
    rollout: Rollout | None = None
    """Only when compiled: which customers it is for; resolving a customer decides."""
    otherwise: "Entitlement | None" = None
    """Only with a rollout or a span: what the others have, or all outside of the span. None:
    nothing."""
    span: Span | None = None
    """Only when compiled: when it is in force."""
    overage_price: OveragePrice | None = None
    """Of a metered feature with a soft limit."""

    @property
    def conditional(self) -> bool:
        """Whether it is for a share of customers, or for a time."""
        return self.rollout is not None or self.span is not None

    @property
    def unlimited(self) -> bool:
        """Whether a metered feature is counted without any limit."""
        return all(limit.limit is None for limit in self.limits)


class Plan(msgspec.Struct, frozen=True, gc=False):
    """A sold bundle of entitlements, inheritance flattened."""

    plan_id: str
    entitlements: dict[str, Entitlement]
    """By feature id, in the order of the catalog's features. A feature that is switched off
    (`csv-export: false`) is left out, as one that was never granted."""
    revision: int = 1
    """Grows when a change is only for new subscriptions (`apply_to: new`)."""
    bases: tuple[str, ...] = ()
    """What it extends, the nearest first."""
    conditional: tuple[str, ...] = ()
    """Features that only a share of its customers has, or has otherwise, or only for a time."""
    moments: tuple[int, ...] = ()
    """When something of it starts or ends by itself, in Unix time."""
    per_unit: tuple[str, ...] = ()
    """Features with a limit per unit."""
    billing: Window = Window(Unit.MONTH, 1, Anchor.SUBSCRIPTION)
    """The period that changes and cancellations can wait for the end of."""
    archived: bool = False
    """Kept for its subscribers; open to no new ones."""
    resets_usage: bool = False
    """A customer that changes to it starts with unused counters (`usage_on_change: reset`)."""
    handed_down: dict[str, Entitlement | None] = {}
    """What plans that extend it have of a feature, where that is not what its own customers have:
    without the rollouts that are for those alone. None: nothing."""
    name: str = ""
    """For people, as the next two; nothing depends on them."""
    description: str = ""
    metadata: dict[str, str] = {}
    """For callers."""
    prices: tuple[Price, ...] = ()


class AddOnEntry(msgspec.Struct, frozen=True, gc=False):
    """The entry of one add-on for one feature: exactly one of `add`, `set` and `entry`."""

    add: int | None = None
    """x quantity, on top of the plan's limit."""
    set: int | None = None
    """Instead of the plan's limit."""
    window: Window | None = None
    """Which of the plan's limits; or the window of a separate limit."""
    names_window: bool = False
    """Whether `window` was written. If not, the plan has one limit, and it is that one; a plan
    without it gets a separate limit in `window`, which compiling finds out."""
    entry: Entry | None = None
    """Of boolean and config features, and `unlimited`."""
    per_unit: bool = False
    """The amount is for each unit of the subscription."""


class AddOn(msgspec.Struct, frozen=True, gc=False):
    """What can be bought on top of a plan."""

    addon_id: str
    entries: dict[str, AddOnEntry]
    """By feature id."""
    max_quantity: int | None = None
    plans: tuple[str, ...] | None = None
    """The plans that may take it; None: all."""
    name: str = ""
    """For people, as the next two; nothing depends on them."""
    description: str = ""
    metadata: dict[str, str] = {}
    """For callers."""
    prices: tuple[Price, ...] = ()
    archived: bool = False
    """Kept for those who have it; not sold any more."""
