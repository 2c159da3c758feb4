"""What is asked of the engine, and what it answers; shared by every room."""

from collections.abc import Sequence
from enum import IntEnum

import msgspec

ID_BYTES_MAX = 256
"""Longest customer id, feature id or idempotency key, in bytes of UTF-8."""

BATCH_MAX = 1000
"""Most requests in one BatchCheckAndConsume."""

ITEMS_MAX = 16
"""Most features in one CheckAndConsumeAll."""


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
    """The quantities, where every item asks for one and no more than that: of the customer itself,
    no values, nothing given back; empty: of other requests, and where they were not looked at."""
    features: tuple[str, ...] = ()
    """Of such a request, what it asks for. Where it is all taken, the answer may be `AllTaken`."""


def quantities_alone(
    items: Sequence[ConsumeRequest],
) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """Return what a request about these items has as `amounts` and `features`."""
    if any(
        item.quantity < 0
        or item.resource_id
        or item.requested_values
        or item.explain
        or item.every_limit
        for item in items
    ):
        return (), ()
    amounts = tuple([item.quantity for item in items])
    return (amounts, tuple([item.feature_id for item in items])) if any(amounts) else ((), ())


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
    is_fallback: bool = False
    """The store did not answer, and the feature's policy decided; `detailed` is set as well."""


class ConsumeAllDecision(Decision, frozen=True, gc=False):
    """The answer to a `ConsumeAllRequest`: that on the item that decided, and those on all."""

    items: tuple[Decision, ...] = ()
    """In the order of the request, each as if those before it had been taken."""
    stopped_by: int | None = None
    """Place of the item that decided a denial."""


class AllTaken(Decision, frozen=True, gc=False):
    """The answer to a `ConsumeAllRequest` for quantities that were all taken, each from one hard
    limit: in short, as nearly all of them are only written out."""

    hard: tuple[tuple[int, int | None], ...] = ()
    """By item, the limit and when it resets (Unix ms); one object for all with the same limits."""
    amounts: tuple[int, ...] = ()
    before: Sequence[int] = ()
    """By item, what was used before."""

    def in_full(self) -> ConsumeAllDecision:
        """The same, with the decision on each item."""
        reason, version = self.reason, self.catalog_version
        items = [
            Decision(
                True,
                reason,
                version,
                amount,
                limit,
                used=before + amount,
                remaining=limit - before - amount,
                resets_at_ms=resets_at_ms,
            )
            for (limit, resets_at_ms), amount, before in zip(
                self.hard, self.amounts, self.before, strict=True
            )
        ]
        return ConsumeAllDecision(True, reason, version, items=tuple(items))
