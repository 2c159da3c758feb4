"""What the calls return: frozen values; `answers` reads them.

Does not decide anything: `allowed` is the server's word.
"""

from datetime import datetime, timedelta
from decimal import Decimal

import msgspec

from quotad.decision import Reason, SourceKind
from quotad.model import FeatureType


class Credits(msgspec.Struct, frozen=True, kw_only=True):
    """Amounts of a credit pool in whole credits: 12.50 where the API has 1250."""

    limit: Decimal | None
    """None: unlimited."""
    used: Decimal
    remaining: Decimal
    overage: Decimal


class LimitStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One of an entitlement's limits, after the call."""

    limit: int | None
    """None: unlimited."""
    soft_limit: bool
    used: int
    remaining: int
    overage: int
    per: str
    """`minute`, `5 hours`; empty: lifetime."""
    resets_at: datetime | None
    """UTC; None: never, or the window opens at the next use."""
    shadow: bool = False
    """Reported, never denies."""
    overage_limit: int | None = None
    """Of a soft limit: the hard stop, in units past it. None: as many as there may be."""
    pool_id: str = ""
    """Of a credit pool that pays for the feature."""
    decimals: int = 0
    """Of a pool: amounts are whole numbers of 10^-decimals credits."""
    mark: int = 0
    """Only in entitlements: 100 when all of the limit is used, 80 from 80 % on, else 0."""
    reserved: int = 0
    """What open reservations hold; `used` is without it. In entitlements and explained checks."""
    leased: int = 0
    """The same of leases."""

    @property
    def credits(self) -> Credits:
        """The amounts in whole credits; without `decimals` they are the same."""
        return _credits(self)


class EntitlementSource(msgspec.Struct, frozen=True, kw_only=True):
    """One source of what a customer may do with a feature."""

    kind: SourceKind
    source_id: str
    """Of the plan or add-on; empty otherwise."""
    won: bool
    """Whether the entitlement in force is this one's, wholly or in part."""
    grants: str
    """JSON, as a catalog spells it; empty: has no entry for the feature."""
    revision: int
    """Of a plan; 0 otherwise."""
    quantity: int
    """Of an add-on; 0 otherwise."""
    subscription_id: str
    feature_id: str
    """The credit pool, of a source that is about the pool; empty otherwise."""
    ends_at: datetime | None
    note: str
    """Why it did not win, or how far."""


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """Where an entitlement comes from, and what a denial lacked."""

    sources: tuple[EntitlementSource, ...]
    """The strongest first."""
    missing: int
    """Of a denial by a limit: how much more room was needed, in the limit's units."""
    denied_by: str
    """That limit in words: `1,000 per month`."""
    frees_at: datetime | None
    """When it has room again; None: never without a change."""
    left_out: bool = False
    """The sources are left out, as the answer would have been too large: ask for fewer at once."""


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to one consume or check. Look at `.allowed`: the object itself is always true."""

    allowed: bool
    reason: Reason
    granted: int
    """What this call took; negative when it gave back, 0 when denied or only checked."""
    limit: int | None
    """The limit that decided: of a denial the one that frees last, else the one with least
    remaining. None without a limit."""
    unlimited: bool
    soft_limit: bool
    used: int
    """After this call."""
    remaining: int
    overage: int
    """Used above a soft limit."""
    resets_at: datetime | None
    """UTC; None when it never does."""
    retry_after: timedelta | None
    """Of a denial, when waiting helps."""
    limits: tuple[LimitStatus, ...]
    """Filled when the entitlement has several."""
    replayed: bool
    """What was taken under this idempotency key before, returned again."""
    is_fallback: bool
    """The store did not answer, and the feature's policy decided."""
    catalog_version: int
    value: str
    """Of a config feature; the most generous of `values`."""
    values: tuple[str, ...] = ()
    """Of a config feature that lists its values: those granted, the least generous first."""
    variant: str = ""
    """Of a rollout: its name inside, `control` outside."""
    would_deny: bool = False
    """A limit in shadow had no room, and would have denied this."""
    pool_id: str = ""
    """The credit pool whose limit decided. The amounts are the pool's then; `granted` stays that
    of the feature."""
    decimals: int = 0
    """Of a pool: amounts are whole numbers of 10^-decimals credits."""
    explanation: Explanation | None = None
    """When the call asked for it."""
    reserved: int = 0
    """Of an explained check: what open reservations hold of the limit; `used` is without it."""
    leased: int = 0
    """The same of leases."""

    @property
    def credits(self) -> Credits:
        """The amounts in whole credits; without `decimals` they are the same."""
        return _credits(self)


class LocalDecision(Decision, frozen=True, kw_only=True):
    """Decided in this process, from a lease. Amounts are as the server last knew them: `used` has
    all that is lent."""


class ConsumeAllDecision(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to one `consume_all` or `check_all`. Look at `.allowed`."""

    allowed: bool
    """All of it; else nothing was taken."""
    reason: Reason
    """Of the item that decided."""
    stopped_by: int | None
    """Of a denial: the place in `items` of the item that decided."""
    items: tuple[Decision, ...]
    """In the order of the request, each decided as if those before it had been taken."""
    retry_after: timedelta | None
    """Of a denial, when waiting helps."""
    replayed: bool
    """What was taken under this idempotency key before, returned again."""
    catalog_version: int
    is_fallback: bool = False
    """The store did not answer, and the policies of all features decided."""


class ItemsDecision(ConsumeAllDecision, frozen=True, kw_only=True):
    """The answer about several features of a reservation or a refund; a single one is one item."""

    features: tuple[str, ...]
    """Which feature each of the items is of; empty: of a single one."""
    resources: tuple[str, ...]
    """The same of resources; empty texts: the customer itself."""


class OverageTerms(msgspec.Struct, frozen=True, kw_only=True):
    """The price of usage past a soft limit, as the catalog writes it."""

    amount: str
    """A decimal number."""
    currency: str
    """Three letters of ISO 4217."""
    each: int
    """Units that it is for."""


class Entitlement(msgspec.Struct, frozen=True, kw_only=True):
    """What one customer may do with one feature now."""

    feature_id: str
    feature_type: FeatureType | None
    """None when nothing is known of the feature."""
    gauge: bool
    """Metered, goes down again, never resets."""
    unit: str
    allowed: bool
    """Whether one more unit would be allowed now."""
    reason: Reason
    value: str
    """Of a config feature."""
    limit: int | None
    unlimited: bool
    soft_limit: bool
    used: int
    remaining: int
    overage: int
    resets_at: datetime | None
    """UTC; None when it never does."""
    limits: tuple[LimitStatus, ...]
    """Every limit, also a single one."""
    values: tuple[str, ...] = ()
    """Of a config feature that lists its values: those granted, the least generous first."""
    variant: str = ""
    """Of a rollout: its name inside, `control` outside."""
    pool_id: str = ""
    """The credit pool whose limit is the one above."""
    decimals: int = 0
    """Of a pool: amounts are whole numbers of 10^-decimals credits."""
    mark: int = 0
    """The highest of its limits' marks: 100 when all of a limit is used, 80 from 80 % on."""
    reserved: int = 0
    """What open reservations hold of the limit; `used` is without it."""
    leased: int = 0
    """The same of leases."""
    name: str = ""
    """Of the feature, for display; empty: the catalog gives none."""

    concurrency: bool = False
    """Metered, limits what is in flight: `used` is what slots hold."""
    overage_price: OverageTerms | None = None
    """Of usage past a soft limit, as the plan has it."""

    @property
    def credits(self) -> Credits:
        """The amounts in whole credits; without `decimals` they are the same."""
        return _credits(self)


class Entitlements(msgspec.Struct, frozen=True, kw_only=True):
    """What one customer may do now, feature by feature, in the catalog's order."""

    customer_id: str
    plan_id: str
    """Empty without an active subscription."""
    denied_reason: Reason | None
    """Why there is no entitlement at all; None when the customer has a plan."""
    entitlements: tuple[Entitlement, ...]
    catalog_version: int
    resource_id: str = ""
    """What of the customer's they are for; empty: the customer itself."""
    plan_name: str = ""
    """For display; empty: the catalog gives none."""


def scaled(amount: int, decimals: int) -> Decimal:
    """An amount of a credit pool in whole credits, exact: 1250 with 2 decimals is 12.50."""
    return Decimal(amount).scaleb(-decimals)


def _credits(amounts: Decision | LimitStatus | Entitlement) -> Credits:
    decimals = amounts.decimals
    return Credits(
        limit=None if amounts.limit is None else scaled(amounts.limit, decimals),
        used=scaled(amounts.used, decimals),
        remaining=scaled(amounts.remaining, decimals),
        overage=scaled(amounts.overage, decimals),
    )
