"""What Stigg's clients send, as far as it is looked at; the rest of an input is ignored."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar, Literal, TypeVar

import msgspec

from quotad.errors import InvalidRequest
from quotad.http.bodies import refused
from quotad.http.fields import moment_ms
from quotad.model import QUANTITY_MAX

MONTHS_MAX = 24
"""Most months of usage that one answer looks at."""


class Input(msgspec.Struct, frozen=True, rename="camel"):
    """Base of inputs: names in camel case, unknown fields are not looked at."""

    refuses: ClassVar[tuple[str, ...]] = ()
    """Fields of Stigg's that would change what a customer may use and are not supported; those of
    an input within it as `outer.inner`."""


S = TypeVar("S", bound=Input)


class CustomerRef(Input, frozen=True):
    """A customer, by either of the names that clients have for its id."""

    customer_id: str = ""
    ref_id: str = ""

    @property
    def customer(self) -> str:
        """The id."""
        return self.customer_id or self.ref_id


class EntitlementOptions(Input, frozen=True):
    """What a check is about."""

    requested_usage: float | None = None
    requested_values: list[str] | None = None


class EntitlementsQuery(Input, frozen=True):
    """Which customer's entitlements."""

    customer_id: str
    resource_id: str | None = None
    feature_id: str | None = None
    options: EntitlementOptions | None = None


class Addon(Input, frozen=True):
    """So many of an add-on."""

    addon_id: str = ""
    id: str = ""
    quantity: int | None = None


class TrialOverride(Input, frozen=True):
    """Whether a subscription starts with a trial, and what becomes of it."""

    is_trial: bool
    trial_end_date: datetime | None = None
    trial_end_behavior: Literal["CONVERT_TO_PAID", "CANCEL_SUBSCRIPTION"] | None = None


class SubscriptionParams(Input, frozen=True):
    """What a customer is put on."""

    refuses = ("entitlements", "subscriptionEntitlements", "budget", "billingCycleAnchor")

    plan_id: str
    unit_quantity: float | None = None
    price_unit_amount: float | None = None
    addons: list[Addon] | None = None
    resource_id: str | None = None
    start_date: datetime | None = None
    cancellation_date: datetime | None = None
    trial_override_configuration: TrialOverride | None = None
    schedule_strategy: str | None = None
    ref_id: str | None = None
    subscription_id: str | None = None
    id: str | None = None


class CustomerDetails(CustomerRef, frozen=True):
    """What is known of a customer; None: it stays as it is."""

    name: str | None = None
    email: str | None = None
    billing_id: str | None = None
    additional_meta_data: dict[str, Any] | None = None
    metadata: dict[str, Any] | None = None


class ProvisionCustomer(CustomerDetails, frozen=True):
    """A customer, and what it is put on."""

    refuses = tuple(f"subscriptionParams.{name}" for name in SubscriptionParams.refuses)

    subscription_params: SubscriptionParams | None = None


class ProvisionSubscription(SubscriptionParams, frozen=True, kw_only=True):
    """What an existing customer is put on."""

    customer_id: str


class UsageReport(Input, frozen=True):
    """What has been used."""

    customer_id: str
    feature_id: str
    value: float
    resource_id: str | None = None
    update_behavior: Literal["DELTA", "SET"] | None = None
    created_at: datetime | None = None
    idempotency_key: str | None = None

    @property
    def is_set(self) -> bool:
        """Whether the value is all that was used, and not more of it."""
        return self.update_behavior == "SET"


class UsageReports(Input, frozen=True):
    """Several of them."""

    usages: list[UsageReport]


class UsageEvent(Input, frozen=True):
    """Something that happened; the catalog's meters decide what it counts."""

    customer_id: str
    event_name: str
    idempotency_key: str
    dimensions: dict[str, Any] | None = None
    resource_id: str | None = None
    timestamp: datetime | None = None


class UsageEvents(Input, frozen=True):
    """Several of them, under either of the names that clients have."""

    usage_events: list[UsageEvent] | None = None
    events: list[UsageEvent] | None = None


class CancelSubscription(Input, frozen=True):
    """The end of a subscription."""

    subscription_ref_id: str = ""
    subscription_id: str = ""
    subscription_cancellation_time: str | None = None
    cancellation_time: str | None = None
    end_date: datetime | None = None


class UpdateSubscription(Input, frozen=True):
    """Another quantity, other add-ons, or other dates."""

    refuses = SubscriptionParams.refuses

    ref_id: str = ""
    subscription_id: str = ""
    unit_quantity: float | None = None
    price_unit_amount: float | None = None
    addons: list[Addon] | None = None
    trial_end_date: datetime | None = None
    cancellation_date: datetime | None = None
    schedule_strategy: str | None = None


class ResetPeriod(Input, frozen=True):
    """What a period is aligned to."""

    according_to: str


class Promotional(Input, frozen=True):
    """One feature for a time."""

    feature_id: str
    period: str | None = None
    usage_limit: float | None = None
    has_unlimited_usage: bool | None = None
    enum_values: list[str] | None = None
    reset_period: str | None = None
    custom_end_date: datetime | None = None
    has_soft_limit: bool | None = None
    monthly_reset_period_configuration: ResetPeriod | None = None
    weekly_reset_period_configuration: ResetPeriod | None = None
    yearly_reset_period_configuration: ResetPeriod | None = None


class GrantPromotional(Input, frozen=True):
    """Several features for a time."""

    customer_id: str
    promotional_entitlements: list[Promotional]


class FeatureOfCustomer(Input, frozen=True):
    """A feature of a customer."""

    customer_id: str
    feature_id: str
    resource_id: str | None = None


class ActiveSubscriptions(Input, frozen=True):
    """Whose, and of which resources."""

    customer_id: str
    resource_id: str | None = None
    resource_ids: list[str] | None = None


class SubscriptionRef(Input, frozen=True):
    """One subscription."""

    subscription_id: str


class UsageHistory(Input, frozen=True):
    """Usage of a feature over time."""

    customer_id: str
    feature_id: str
    start_date: datetime
    end_date: datetime | None = None
    resource_id: str | None = None


def read(given: object, shape: type[S]) -> S:
    """Read an input.

    Raises:
        InvalidRequest: a field is missing, of the wrong type, or asks for what quotad cannot do;
            the message names it.
    """
    try:
        wanted = msgspec.convert(given, shape)
    except msgspec.ValidationError as error:
        raise refused(error, shape) from None
    for name in shape.refuses:
        sent: object = given
        for part in name.split("."):
            sent = sent.get(part) if isinstance(sent, Mapping) else None
        if sent not in (None, [], {}, "UNCHANGED"):
            raise InvalidRequest(f"{name}: not supported; leave it out")
    return wanted


def only(arguments: Mapping[str, Any]) -> object:
    """The input among the arguments of a root field: the only object, whatever its name is, or
    the arguments themselves."""
    values = list(arguments.values())
    if len(values) == 1 and isinstance(values[0], dict):
        return values[0]
    return dict(arguments)


def whole(value: float, field: str) -> int:
    """A quantity, which is counted in whole units.

    Raises:
        InvalidRequest: it has a fraction, or is out of range.
    """
    if value != value or abs(value) > QUANTITY_MAX:
        raise InvalidRequest(f"{field}: {value} is out of range; at most {QUANTITY_MAX:,}")
    if value != int(value):
        raise InvalidRequest(f"{field}: {value} has a fraction; count in smaller whole units")
    return int(value)


def moment(at: datetime | None, field: str) -> int | None:
    """A time that was sent as Unix time in milliseconds; None: none was.

    Raises:
        InvalidRequest: it has no time zone, so that it may be any of 24 hours, or is before 1970.
    """
    return moment_ms(at, field)


def months(start_ms: int, end_ms: int) -> list[str]:
    """The months of a span, as `2026-10`, at most those of two years; the last ones of a longer."""
    start, end = (datetime.fromtimestamp(at / 1000, UTC) for at in (start_ms, end_ms))
    first = max(start.year * 12 + start.month - 1, end.year * 12 + end.month - 1 - MONTHS_MAX)
    last = end.year * 12 + end.month - 1
    return [f"{month // 12}-{month % 12 + 1:02}" for month in range(first, last + 1)]
