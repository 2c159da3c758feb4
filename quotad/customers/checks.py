"""What a customer's record may name: plans, add-ons and features of the catalog in force.

Refusals start with the field of the request, and name what to do instead.
"""

from collections.abc import Collection, Mapping
from itertools import islice

from quotad.catalog import Snapshot
from quotad.entitlements.phases import subscription_of
from quotad.errors import InvalidRequest, NotFound
from quotad.model import QUANTITY_MAX, Feature, Plan
from quotad.nearest import nearest
from quotad.records import ADDON_QUANTITY_MAX, UNIT_QUANTITY_MAX, CustomerRecord, Subscription

SUBSCRIPTIONS_MAX = 100
"""Most subscriptions of one customer, those of its resources included."""

OVERRIDES_MAX = 100
PROMOTIONS_MAX = 100

ADDONS_MAX = 100
"""Most different add-ons of one subscription."""

ANCHOR_MAX_MS = 253_402_128_000_000
"""9999-12-30: two days before the last one, so that an anchor has a local time in every zone."""

_SHOWN_MAX = 10
"""Most names listed in a refusal."""


def plan_named(snapshot: Snapshot, plan_id: str, field: str) -> Plan:
    """The latest revision of a plan.

    Raises:
        InvalidRequest: the catalog has no such plan.
    """
    plan = snapshot.plans.get(plan_id)
    if plan is None:
        on_sale = [name for name, plan in snapshot.plans.items() if not plan.archived]
        raise InvalidRequest(f"{field}: unknown plan {plan_id!r}{_near(plan_id, on_sale)}")
    return plan


def plan_on_sale(snapshot: Snapshot, plan_id: str, field: str) -> Plan:
    """The latest revision of a plan that may be subscribed to.

    Raises:
        InvalidRequest: the catalog has no such plan, or has archived it.
    """
    plan = plan_named(snapshot, plan_id, field)
    if plan.archived:
        raise InvalidRequest(
            f"{field}: the plan {plan_id!r} is archived: its subscribers stay, and no one else can"
            " have it; choose another plan"
        )
    return plan


def feature_named(snapshot: Snapshot, feature_id: str) -> Feature:
    """A feature of the catalog.

    Raises:
        InvalidRequest: the catalog has no such feature.
    """
    feature = snapshot.features.get(feature_id)
    if feature is None:
        hint = _near(feature_id, snapshot.features)
        raise InvalidRequest(f"feature_id: unknown feature {feature_id!r}{hint}")
    return feature


def check_addons(
    snapshot: Snapshot, addons: Mapping[str, int], plan: Plan, held: Mapping[str, int] | None = None
) -> None:
    """Check what is bought on top of a plan.

    Args:
        snapshot: the catalog in force.
        addons: quantities.
        plan: that they are for.
        held: quantities that the customer has with this plan already: they stay allowed.

    Raises:
        InvalidRequest: an add-on that the catalog does not have, that is archived or not for the
            plan, or of which fewer are allowed.
    """
    if len(addons) > ADDONS_MAX:
        raise InvalidRequest(f"addons: {len(addons)} of them; at most {ADDONS_MAX}")
    for addon_id, quantity in addons.items():
        if 1 <= quantity <= (held or {}).get(addon_id, 0):
            continue
        addon = snapshot.addons.get(addon_id)
        if addon is None:
            hint = _near(addon_id, snapshot.addons)
            raise InvalidRequest(f"addons: unknown add-on {addon_id!r}{hint}")
        if addon.archived:
            raise InvalidRequest(
                f"addons: the add-on {addon_id!r} is archived: those who have it keep it, and no"
                " one else can buy it"
            )
        if addon.plans is not None and plan.plan_id not in addon.plans:
            raise InvalidRequest(
                f"addons: {addon_id!r} is not for the plan {plan.plan_id!r}, only for"
                f" {listed(addon.plans)}; leave it out or choose another plan"
            )
        if quantity < 1:
            raise InvalidRequest(
                f"addons: {quantity} x {addon_id!r}; give at least 1, or leave it out"
            )
        most = ADDON_QUANTITY_MAX if addon.max_quantity is None else addon.max_quantity
        if quantity > most:
            raise InvalidRequest(f"addons: {quantity} x {addon_id!r}; at most {most} are allowed")
        for feature_id, entry in addon.entries.items():
            if entry.add is not None and entry.add * quantity > QUANTITY_MAX:
                raise InvalidRequest(
                    f"addons: {quantity} x {addon_id!r} would add more of {feature_id!r} than"
                    f" {QUANTITY_MAX:,}, the most that is counted exactly"
                )


def check_unit_quantity(units: int, field: str = "unit_quantity") -> None:
    """Refuse a number of units that no subscription has.

    Raises:
        InvalidRequest: it is too large, or too small.
    """
    if not 1 <= units <= UNIT_QUANTITY_MAX:
        raise InvalidRequest(f"{field}: {units} is not a number from 1 to {UNIT_QUANTITY_MAX:,}")


def check_units(snapshot: Snapshot, phase: Subscription) -> None:
    """Refuse more units of a subscription than can be counted exactly.

    Raises:
        InvalidRequest: they are too many, or too few.
    """
    units = phase.unit_quantity
    check_unit_quantity(units)
    plan = snapshot.plan(phase.plan_id, phase.revision)
    if plan is None:
        return
    for feature_id in plan.per_unit:
        for limit in plan.entitlements[feature_id].limits:
            if limit.per_unit and (limit.limit or 0) * units > QUANTITY_MAX:
                raise InvalidRequest(
                    f"unit_quantity: {units:,} units would be more of {feature_id!r} than"
                    f" {QUANTITY_MAX:,}, the most that is counted exactly"
                )


def check_anchor(anchor_ms: int | None, field: str) -> None:
    """Refuse to align billing periods to what has no local time in some zone.

    Raises:
        InvalidRequest: it is too late.
    """
    if anchor_ms is not None and anchor_ms >= ANCHOR_MAX_MS:
        raise InvalidRequest(f"{field}: must be before 9999-12-30; leave it out for the start")


def check_subscriptions(record: CustomerRecord) -> None:
    """Refuse more subscriptions than a record may hold."""
    if len(set(map(subscription_of, record.subscriptions))) > SUBSCRIPTIONS_MAX:
        raise InvalidRequest(
            f"subscription_id: {record.customer_id!r} has {SUBSCRIPTIONS_MAX} subscriptions with"
            " those of its resources, the most a customer may have; cancel one first"
        )


def no_subscription(record: CustomerRecord, subscription_id: str, resource_id: str) -> NotFound:
    """Return the refusal of an unknown subscription; it lists those that there are."""
    of = f" of the resource {resource_id!r}" if resource_id else ""
    what = f"subscription {subscription_id!r}" if subscription_id else "subscription without an id"
    known = sorted(
        {
            (repr(phase.subscription_id) if phase.subscription_id else "one without an id")
            + (f" of the resource {phase.resource_id!r}" if phase.resource_id else "")
            for phase in record.subscriptions
        }
    )
    hint = f"it has {listed(known)}" if known else "it has none; provision one"
    return NotFound(f"subscription_id: {record.customer_id!r} has no {what}{of}; {hint}")


def _near(word: str, names: Collection[str]) -> str:
    near = nearest(word, names)
    if near:
        return f", did you mean {near!r}?"
    return f"; the catalog has {listed(names)}" if names else "; the catalog has none"


def listed(names: Collection[str]) -> str:
    """Some of the names, and how many more."""
    shown = list(islice(names, _SHOWN_MAX))
    more = len(names) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")
