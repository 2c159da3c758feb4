"""Stigg's mutations, each from its input."""

from collections.abc import Sequence

import msgspec

from quotad.catalog import Snapshot
from quotad.customers.overrides import NewEntitlement
from quotad.customers.profile import UNCHANGED, Profile
from quotad.customers.subscriptions import Cancellation, Change, Provision
from quotad.entitlements.periods import period_at
from quotad.errors import InvalidRequest, NotFound
from quotad.http.stigg import inputs
from quotad.http.stigg.api import StiggApi
from quotad.http.stigg.customers import BILLING, customer_shape, promotion_shapes
from quotad.http.stigg.dates import Dates, dated, trial_of
from quotad.http.stigg.inputs import moment, whole
from quotad.http.stigg.names import SubscriptionName, read_name
from quotad.http.stigg.queries import find_subscription
from quotad.http.stigg.words import Shape, uuid_of
from quotad.model import Anchor, FeatureType, Unit, Window
from quotad.records import StoredCustomer

_DAY_MS = 86_400_000
_PROMOTED_MONTHS = {"ONE_MONTH": 1, "SIX_MONTH": 6, "ONE_YEAR": 12}


def provision_customer(api: StiggApi, given: object) -> Shape:
    """Create a customer, or change it, and put it on a plan."""
    wanted = inputs.read(given, inputs.ProvisionCustomer)
    params, profile = wanted.subscription_params, _profile(wanted)
    if params is not None:
        provision = _provision(params, profile)
        stored = api.of(wanted.customer, resource_id=provision.resource_id).provision(
            wanted.customer, provision
        )
        return _provisioned(stored, api, _name(wanted.customer, provision), "REQUESTED_PLAN")
    before = api.customer(wanted.customer)
    stored = api.of(wanted.customer).update(wanted.customer, profile)
    name = SubscriptionName(wanted.customer)
    default = before is None and api.newest().default_plan is not None
    strategy = "PREDEFINED_FREE_PLAN" if default else "SKIPPED_SUBSCRIPTION_CREATION"
    return _provisioned(stored, api, name, strategy)


def provision_subscription(api: StiggApi, given: object) -> Shape:
    """Put a customer on a plan."""
    wanted = inputs.read(given, inputs.ProvisionSubscription)
    provision = _provision(wanted)
    api.of(wanted.customer_id, resource_id=provision.resource_id).provision(
        wanted.customer_id, provision
    )
    name = str(_name(wanted.customer_id, provision))
    every = api.entitlements(wanted.customer_id, provision.resource_id).every()
    return {
        "id": uuid_of("provision", name),
        "status": "SUCCESS",
        "subscription": find_subscription(api, name),
        "checkoutUrl": None,
        "entitlements": every,
        "entitlementsV2": every,
    }


def _provision(params: inputs.SubscriptionParams, profile: Profile = UNCHANGED) -> Provision:
    if params.schedule_strategy not in (None, "IMMEDIATE"):
        raise InvalidRequest(
            f"scheduleStrategy: {params.schedule_strategy} is not supported; give IMMEDIATE, or"
            " startDate for later"
        )
    return Provision(
        params.plan_id,
        moment(params.start_date, "startDate"),
        resource_id=params.resource_id or "",
        addons=_addons(params.addons or ()),
        end_ms=moment(params.cancellation_date, "cancellationDate"),
        trial=trial_of(params),
        unit_quantity=_units(params),
        profile=profile,
    )


def _units(wanted: inputs.SubscriptionParams | inputs.UpdateSubscription) -> int | None:
    """The units that are asked for, under either of the names that clients have; None: none."""
    units = wanted.price_unit_amount if wanted.unit_quantity is None else wanted.unit_quantity
    return None if units is None else whole(units, "unitQuantity")


def _profile(wanted: inputs.CustomerDetails) -> Profile:
    """What a customer is known by; values of metadata that are no text are kept as JSON."""
    metadata = wanted.additional_meta_data or wanted.metadata or {}
    return Profile(
        wanted.name,
        wanted.email,
        metadata={key: _text(value) for key, value in metadata.items()},
        external_ids={} if wanted.billing_id is None else {BILLING: wanted.billing_id},
    )


def _text(value: object) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _addons(addons: Sequence[inputs.Addon]) -> dict[str, int]:
    return {
        each.addon_id or each.id: 1 if each.quantity is None else each.quantity for each in addons
    }


def _name(customer_id: str, provision: Provision) -> SubscriptionName:
    return SubscriptionName(customer_id, provision.resource_id, provision.subscription_id)


def _provisioned(
    stored: StoredCustomer, api: StiggApi, name: SubscriptionName, strategy: str
) -> Shape:
    every = api.entitlements(name.customer_id, name.resource_id).every()
    return {
        "customer": customer_shape(stored, api),
        "subscription": find_subscription(api, str(name)),
        "subscriptionDecisionStrategy": strategy,
        "entitlements": every,
        "entitlementsV2": every,
    }


def update_customer(api: StiggApi, given: object) -> Shape:
    """Change what is known of a customer."""
    wanted = inputs.read(given, inputs.CustomerDetails)
    stored = api.of(wanted.customer).update(wanted.customer, _profile(wanted))
    return customer_shape(stored, api)


def archive_customer(api: StiggApi, given: object) -> Shape:
    """Deny everything from here on."""
    customer_id = inputs.read(given, inputs.CustomerRef).customer
    return customer_shape(api.of(customer_id).archive(customer_id), api)


def unarchive_customer(api: StiggApi, given: object) -> Shape:
    """Give a customer back what it has, as if it had not been archived."""
    customer_id = inputs.read(given, inputs.CustomerRef).customer
    customers = api.of(customer_id)
    stored = customers.get(customer_id)
    assert stored.record is not None
    if not stored.record.archived:
        return customer_shape(stored, api)
    return customer_shape(customers.unarchive(customer_id), api)


def cancel_subscription(api: StiggApi, given: object) -> Shape | None:
    """End a subscription, now or when its billing period does."""
    wanted = inputs.read(given, inputs.CancelSubscription)
    text = wanted.subscription_ref_id or wanted.subscription_id
    name = read_name(text)
    when = wanted.subscription_cancellation_time or wanted.cancellation_time or "IMMEDIATE"
    end_ms = moment(wanted.end_date, "endDate")
    if when == "SPECIFIC_DATE":
        if end_ms is None:
            raise InvalidRequest("endDate: missing; a SPECIFIC_DATE is given by it")
        _redate(api, name, Dates(end_ms=end_ms))
        return find_subscription(api, text)
    at_period_end = when == "END_OF_BILLING_PERIOD"
    if when != "IMMEDIATE" and not at_period_end:
        raise InvalidRequest(
            f"subscriptionCancellationTime: {when} is not supported; IMMEDIATE,"
            " END_OF_BILLING_PERIOD and SPECIFIC_DATE are"
        )
    if end_ms is not None:
        raise InvalidRequest(f"endDate: {when} gives the end already; leave one of them out")
    cancellation = Cancellation(name.subscription_id, name.resource_id, at_period_end)
    api.of(name.customer_id).cancel_subscription(name.customer_id, cancellation)
    return find_subscription(api, text)


def update_subscription(api: StiggApi, given: object) -> Shape | None:
    """Change units, add-ons or dates of a subscription."""
    wanted = inputs.read(given, inputs.UpdateSubscription)
    text = wanted.ref_id or wanted.subscription_id
    name, strategy = read_name(text), wanted.schedule_strategy or "IMMEDIATE"
    if strategy not in ("IMMEDIATE", "END_OF_BILLING_PERIOD"):
        raise InvalidRequest(
            f"scheduleStrategy: {strategy} is not supported; IMMEDIATE or END_OF_BILLING_PERIOD is"
        )
    dates = Dates(
        moment(wanted.trial_end_date, "trialEndDate"),
        moment(wanted.cancellation_date, "cancellationDate"),
        addons=None if wanted.addons is None else _addons(wanted.addons),
        unit_quantity=_units(wanted),
    )
    later = strategy == "END_OF_BILLING_PERIOD"
    if (dates.trial_end_ms, dates.end_ms) != (None, None):
        if later:
            raise InvalidRequest("scheduleStrategy: dates are set at once; give them alone")
        _redate(api, name, dates)
        return find_subscription(api, text)
    change = Change(
        name.subscription_id,
        name.resource_id,
        addons=dates.addons,
        at_period_end=later,
        unit_quantity=dates.unit_quantity,
    )
    api.of(name.customer_id).change_subscription(name.customer_id, change)
    return find_subscription(api, text)


def _redate(api: StiggApi, name: SubscriptionName, wanted: Dates) -> None:
    """Give a subscription other dates, as it was when it was read."""
    customers = api.of(name.customer_id)
    stored = customers.get(name.customer_id)
    assert stored.record is not None
    provision = dated(stored.record, name, wanted, api.clock.now_ms())
    customers.provision(name.customer_id, provision, stored.epoch)


def grant_promotional(api: StiggApi, given: object) -> list[Shape]:
    """Give a customer features for a time."""
    wanted = inputs.read(given, inputs.GrantPromotional)
    if not wanted.promotional_entitlements:
        raise InvalidRequest("promotionalEntitlements: empty; name at least one feature")
    now_ms, snapshot = api.clock.now_ms(), api.newest()
    new = [_promotion(each, snapshot, now_ms) for each in wanted.promotional_entitlements]
    covered = [api.of(wanted.customer_id, each.feature_id) for each in new]
    for customers, each in zip(covered, new, strict=True):
        stored = customers.grant_promotion(wanted.customer_id, each)
    assert stored.record is not None
    granted = {each.feature_id for each in new}
    shapes = promotion_shapes(stored.record, api)
    return [shape for shape in shapes if shape["featureId"] in granted]


def revoke_promotional(api: StiggApi, given: object) -> Shape:
    """End what was granted of a feature."""
    wanted = inputs.read(given, inputs.FeatureOfCustomer)
    resource_id = wanted.resource_id or ""
    customers = api.of(wanted.customer_id, wanted.feature_id, resource_id)
    customers.revoke_promotion(wanted.customer_id, wanted.feature_id, resource_id)
    names = ("promotion", wanted.customer_id, resource_id, wanted.feature_id)
    return {"id": uuid_of(*names), "featureId": wanted.feature_id}


def _promotion(wanted: inputs.Promotional, snapshot: Snapshot, now_ms: int) -> NewEntitlement:
    """A promotion as requested, in the catalog's spelling."""
    feature = snapshot.features.get(wanted.feature_id)
    if feature is None:
        raise NotFound(f"feature_id: unknown feature {wanted.feature_id!r}")
    value: object = True
    if feature.type is FeatureType.CONFIG:
        value = _configured(wanted)
    elif feature.type is FeatureType.METERED:
        value = "unlimited" if wanted.has_unlimited_usage else _limited(wanted)
    return NewEntitlement(wanted.feature_id, value, end_ms=_end(wanted, now_ms))


def _configured(wanted: inputs.Promotional) -> object:
    if wanted.enum_values:
        return wanted.enum_values if len(wanted.enum_values) > 1 else wanted.enum_values[0]
    if wanted.usage_limit is None:
        raise InvalidRequest(f"usageLimit: missing; {wanted.feature_id!r} has a value")
    return whole(wanted.usage_limit, "usageLimit")


def _limited(wanted: inputs.Promotional) -> object:
    if wanted.usage_limit is None:
        raise InvalidRequest("usageLimit: missing; give it, or hasUnlimitedUsage")
    value: dict[str, object] = {"limit": whole(wanted.usage_limit, "usageLimit")}
    if wanted.reset_period:
        value["per"] = wanted.reset_period.lower()
        value |= _alignment(wanted)
    if wanted.has_soft_limit:
        value["soft"] = True
    return value


def _alignment(wanted: inputs.Promotional) -> dict[str, str]:
    """What its periods are aligned to, in the catalog's spelling."""
    configured = {
        "MONTH": wanted.monthly_reset_period_configuration,
        "WEEK": wanted.weekly_reset_period_configuration,
        "YEAR": wanted.yearly_reset_period_configuration,
    }.get(str(wanted.reset_period).upper())
    if configured is None or configured.according_to == "StartOfTheMonth":
        return {}
    if configured.according_to == "SubscriptionStart":
        return {"anchor": "subscription"}
    return {"week_starts": configured.according_to.removeprefix("Every").lower()}


def _end(wanted: inputs.Promotional, now_ms: int) -> int | None:
    """When a promotion ends; None: never."""
    period = (wanted.period or "LIFETIME").upper()
    if period == "LIFETIME":
        return None
    if period == "CUSTOM":
        end_ms = moment(wanted.custom_end_date, "customEndDate")
        if end_ms is None:
            raise InvalidRequest("customEndDate: missing; a CUSTOM period ends then")
        return end_ms
    if period == "ONE_WEEK":
        return now_ms + 7 * _DAY_MS
    if period not in _PROMOTED_MONTHS:
        raise InvalidRequest(f"period: {period} is not a period this server knows")
    return period_at(_months(_PROMOTED_MONTHS[period]), now_ms, now_ms).end_ms


def _months(count: int) -> Window:
    return Window(Unit.MONTH, count, Anchor.SUBSCRIPTION)
