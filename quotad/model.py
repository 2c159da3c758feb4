"""The nouns of quotad, shared by every room: what is defined, what is asked, what is answered.

Plain data without I/O. Instances that live long are acyclic and out of the garbage collector's
sight (`gc=False`).
"""

from enum import Enum, IntEnum
from zoneinfo import ZoneInfo

import msgspec

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


class Limit(msgspec.Struct, frozen=True, gc=False):
    """An allowance per window."""

    limit: int | None
    """None: unlimited, counted all the same."""
    window: Window | None = None
    """None: lifetime, never resets."""
    soft: bool = False
    """Allow past the limit and report the overage."""


class Feature(msgspec.Struct, frozen=True, gc=False):
    """What can be limited, as the catalog defines it."""

    feature_id: str
    type: FeatureType
    kind: MeterKind = MeterKind.COUNTER
    unit: str = ""
    values: tuple[str, ...] = ()
    """The values a config feature may have; empty: any."""


class Entitlement(msgspec.Struct, frozen=True, gc=False):
    """A right to one feature: of a plan when compiled, of a customer when in force."""

    feature: Feature
    value: str = ""
    """Of a config feature, as text."""
    limits: tuple[Limit, ...] = ()
    """Of a metered feature; all must have room."""

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


class Subscription(msgspec.Struct, frozen=True, omit_defaults=True):
    """A customer's contract for one plan."""

    plan_id: str
    start_ms: int
    """Unix time; also the anchor of its billing periods."""


class CustomerRecord(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is stored of a provisioned customer."""

    customer_id: str
    subscriptions: tuple[Subscription, ...] = ()
    archived: bool = False
    created_ms: int = 0
    updated_ms: int = 0


class StoredCustomer(msgspec.Struct, frozen=True):
    """A customer as read from the store; without a record it was never provisioned."""

    epoch: int
    """Grows with every write; 0: never provisioned."""
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
    CHECK_ONLY = 3


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
    """Tell the state of a single limit as that of several: in `Decision.limits`."""


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
    """Every limit, when there are several or the request wants them."""
    value: str = ""
    """Of a config feature."""
    replayed: bool = False
