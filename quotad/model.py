"""The nouns of quotad, shared by every room: what is defined, what is asked, what is answered.

Plain data without I/O. Instances that live long are acyclic and out of the garbage collector's
sight (`gc=False`).
"""

from enum import Enum, IntEnum
from zoneinfo import ZoneInfo

import msgspec

from quotad.prices import OveragePrice, Price

QUANTITY_MAX = 10**15
"""Largest quantity of one call and largest limit of a catalog.

Lua numbers are doubles, exact up to 2^53 (about 9 * 10^15); see `USED_MAX`.
"""

USED_MAX = 9 * 10**15
"""Ceiling of every counter, unlimited ones too, so that no sum in a script leaves 2^53."""

ID_BYTES_MAX = 256
"""Longest customer id, feature id or idempotency key, in bytes of UTF-8."""

BATCH_MAX = 1000
"""Most requests in one BatchCheckAndConsume."""

ITEMS_MAX = 16
"""Most features in one CheckAndConsumeAll."""

LIMITS_MAX = 16
"""Most limits of one entitlement."""

ADDON_QUANTITY_MAX = 1_000_000
"""Most of one add-on, and largest `max_quantity`."""

UNIT_QUANTITY_MAX = 1_000_000_000
"""Most units of one subscription, what its limits per unit are multiplied by."""

CALENDAR = -(1 << 62)
"""In place of an anchor: billing periods are those of the calendar, as of a customer without a
subscription. Before every time that can be written."""


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


class Subscription(msgspec.Struct, frozen=True, omit_defaults=True):
    """One phase of a customer's contract for a plan.

    A subscription is the phases with the same `resource_id` and `subscription_id`; the last that
    has started is the one in force, until its end or the start of the next. A change that waits
    is a phase that starts later; a trial is a phase with an end, and what follows it another.
    """

    plan_id: str
    start_ms: int
    """Unix time."""
    subscription_id: str = ""
    """Sets several of one customer apart."""
    resource_id: str = ""
    """What of the customer's it is for, a workspace or a project; empty: the customer."""
    end_ms: int | None = None
    """None: no end."""
    anchor_ms: int | None = None
    """What its billing periods are aligned to, also `CALENDAR`; None: `start_ms`."""
    revision: int = 1
    """Of the plan; where the plan has no such revision any more, its latest."""
    addons: dict[str, int] = {}
    """Quantity by add-on id."""
    trial: bool = False
    resets_usage: bool = False
    """Of a phase that had not started when it was written: usage starts at 0 with it."""
    resets_until_ms: int = 0
    """Of one that resets usage: when the billing period ends in which it does, or its trial; until
    then nothing else does."""
    unit_quantity: int = 1
    """What was bought of the plan, such as seats: limits per unit are multiplied by it."""
    external_ids: dict[str, str] = {}
    """Ids of the subscription in other systems, by system (`stripe`)."""

    @property
    def anchor(self) -> int:
        """Unix time that the billing periods are aligned to, or `CALENDAR`."""
        return self.start_ms if self.anchor_ms is None else self.anchor_ms


class Override(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a customer has of a feature instead of everything else."""

    feature_id: str
    entry: Entry
    resource_id: str = ""
    """Only for this resource; empty: for the customer and all its resources without their own."""
    start_ms: int | None = None
    """In Unix time; before, it counts as not written. None: it has started."""


class Promotion(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a customer has of a feature for a time, where it is more than the rest."""

    feature_id: str
    entry: Entry
    end_ms: int | None = None
    """None: no end."""
    resource_id: str = ""
    """Only for this resource; empty: for the customer and all its resources."""
    start_ms: int | None = None
    """In Unix time; None: it has started."""


class CustomerRecord(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is stored of a provisioned customer."""

    customer_id: str
    subscriptions: tuple[Subscription, ...] = ()
    archived: bool = False
    created_ms: int = 0
    updated_ms: int = 0
    overrides: tuple[Override, ...] = ()
    promotions: tuple[Promotion, ...] = ()
    resets: dict[str, int] = {}
    """By resource id: how often a plan change has reset usage, without the phases that did not
    start yet when this was written; see `phases.generation`."""
    reset_until: dict[str, int] = {}
    """By resource id: when the billing period ends in which a plan change has reset usage."""
    name: str = ""
    """For people to find the customer by; nothing else depends on it."""
    email: str = ""
    timezone: str = ""
    """Of the tz database; empty: unknown."""
    metadata: dict[str, str] = {}
    """For callers; nothing depends on it."""
    external_ids: dict[str, str] = {}
    """Ids of the customer in other systems, by system (`stripe`)."""
    experiments: tuple[str, ...] = ()
    """Those for new customers that were running when the record was made."""


class StoredCustomer(msgspec.Struct, frozen=True):
    """A customer as read from the store; without a record it was never provisioned."""

    epoch: int
    """Time of the last write (Unix ms), or more; grows with each. 0: never provisioned."""
    record: CustomerRecord | None


class CatalogRecord(msgspec.Struct, frozen=True, omit_defaults=True):
    """One published version of the catalog, as stored."""

    version: int
    digest: str
    document: bytes
    """Canonical JSON."""
    published_ms: int
    published_by: str = ""


class Mode(IntEnum):
    """What a call may do; the numbers are those of the proto."""

    NORMAL = 1
    BEST_EFFORT = 2
    """Take what there is room for, if that is less."""
    CHECK_ONLY = 3
    ADJUST_ONLY = 4
    """Record what has happened, past every limit."""
    REFUND = 100
    """Take back what was counted; the quantity is negative. A separate call in the proto."""
    SETTLE = 101
    """Count the difference between what was reserved and used, in the periods of then."""
    SETTLE_WITHIN = 102
    """The same, where there is room."""


class Reason(IntEnum):
    """Why a decision was taken, in order of precedence; the numbers are those of the proto."""

    CUSTOMER_NOT_FOUND = 1
    CUSTOMER_ARCHIVED = 2
    NO_ACTIVE_SUBSCRIPTION = 3
    FEATURE_NOT_FOUND = 4
    NOT_ENTITLED = 5
    REVOKED = 6
    VALUE_NOT_ALLOWED = 7
    LIMIT_EXCEEDED = 8
    INSUFFICIENT_CREDITS = 9
    OVER_SOFT_LIMIT = 10
    UNLIMITED = 11
    FEATURE_ENABLED = 12
    WITHIN_LIMIT = 13
    OVER_LIMIT = 14


class ConsumeRequest(msgspec.Struct, frozen=True, gc=False):
    """May this customer use so much of this feature now?"""

    customer_id: str
    feature_id: str
    quantity: int = 1
    """Units; negative: gives back, of gauges only."""
    mode: int = Mode.NORMAL
    """A `Mode`."""
    idempotency_key: str = ""
    idempotency_ttl_ms: int = 0
    """How long the key is remembered; 0: as the server is set."""
    every_limit: bool = False
    """Return the state of a single limit as that of several: in `Decision.limits`."""
    resource_id: str = ""
    """What of the customer's it is for; empty: the customer."""
    requested_values: tuple[str, ...] = ()
    """Of a config feature that lists its values: all must be granted."""
    explain: bool = False
    """Return where the entitlement comes from."""
    occurred_ms: int = 0
    """With ADJUST_ONLY, when it happened (Unix ms); 0: now."""


class ConsumeAllRequest(ConsumeRequest, frozen=True, gc=False):
    """May this customer use so much of several features now, all of it or nothing?

    The key, the mode and the rest are of the whole; `feature_id` and `resource_id` are empty.
    """

    items: tuple[ConsumeRequest, ...] = ()
    """What is asked of each feature, of the same customer and mode; none twice."""
    amounts: tuple[int, ...] = ()
    """The quantities, where all items are of the customer itself, ask for no values and give
    nothing back; empty: of other requests, and where they were not looked at."""


class LimitStatus(msgspec.Struct, frozen=True, gc=False):
    """One limit of an entitlement, after a decision."""

    limit: int | None
    soft: bool
    used: int
    remaining: int
    overage: int
    per: str
    """As the catalog spells it; empty: lifetime."""
    resets_at_ms: int | None
    shadow: bool = False
    """Would have denied where it is full, and did not."""
    overage_limit: int | None = None
    pool_id: str = ""
    """Of a credit pool that pays for the feature, and then its amounts are of the pool."""
    decimals: int = 0
    """Of a pool: amounts are in units of 10^-decimals."""
    reserved: int = 0
    """What open reservations hold of it, where that is told apart; `used` is without it then."""
    leased: int = 0
    """The same of leases."""


class SourceKind(IntEnum):
    """Where an entitlement can come from; the numbers are those of the proto."""

    PLAN = 1
    BASE_PLAN = 2
    ADDON = 3
    TRIAL = 4
    PROMOTION = 5
    OVERRIDE = 6
    DEFAULT_PLAN = 7


class EntitlementSource(msgspec.Struct, frozen=True, gc=False):
    """One source of what a customer may do with a feature."""

    kind: int
    """A `SourceKind`."""
    source_id: str
    """Of the plan or add-on; empty otherwise."""
    won: bool
    """Whether the entitlement in force is this one's, wholly or in part."""
    grants: str
    """Its entry for the feature, as a catalog spells it in JSON."""
    revision: int = 0
    """Of a plan."""
    quantity: int = 0
    """Of an add-on."""
    subscription_id: str = ""
    feature_id: str = ""
    """Of a source of the credit pool: the pool."""
    ends_at_ms: int | None = None
    note: str = ""
    """Why it did not win, or how far."""


class Explanation(msgspec.Struct, frozen=True, gc=False):
    """Where an entitlement comes from, and what a denial lacked."""

    sources: tuple[EntitlementSource, ...]
    """In order of precedence, the strongest first."""
    missing: int = 0
    """Of a denial by a limit: how much more room was needed, in the limit's units."""
    denied_by: str = ""
    """The limit that denied, in words: `1,000 per month`."""
    frees_at_ms: int | None = None
    """When the limit that denied has room again; None: never without a change."""
    left_out: bool = False
    """The sources are left out, as the answer would have been too large to be sent."""


class Decision(msgspec.Struct, frozen=True, gc=False):
    """The answer to a `ConsumeRequest`, with its one cause."""

    allowed: bool
    reason: int
    """A `Reason`."""
    catalog_version: int = 0
    granted: int = 0
    """What this call took; negative when it gave back."""
    limit: int | None = None
    """The limit that decided, and below it its state after the call."""
    unlimited: bool = False
    soft_limit: bool = False
    used: int = 0
    remaining: int = 0
    overage: int = 0
    resets_at_ms: int | None = None
    retry_after_ms: int | None = None
    """Of a denial, when waiting helps."""
    limits: tuple[LimitStatus, ...] = ()
    """Every limit, when there are several or the request asks for them."""
    value: str = ""
    """Of a config feature."""
    replayed: bool = False
    values: tuple[str, ...] = ()
    """Of a config feature that lists its values: those granted."""
    variant: str = ""
    """Of an experiment: the rollout's, or `control`."""
    would_deny: bool = False
    """A limit in shadow was full, and would have denied this if it were enforced."""
    pool_id: str = ""
    """The credit pool whose limit decided; the amounts above are then of the pool."""
    decimals: int = 0
    """Of a pool: those amounts are in units of 10^-decimals."""
    explanation: Explanation | None = None
    reserved: int = 0
    """Of the limit that decided, as of `LimitStatus`."""
    leased: int = 0
    detailed: bool = False
    """Whether `value`, a field from `values` on, or one from `shadow` on of a limit is set: where
    it is not, answers are written without a look at each of them."""


class ConsumeAllDecision(Decision, frozen=True, gc=False):
    """The answer to a `ConsumeAllRequest`: that on the item that decided, and those on all."""

    items: tuple[Decision, ...] = ()
    """In the order of the request, each as if those before it had been taken."""
    stopped_by: int | None = None
    """Place of the item that decided a denial."""
