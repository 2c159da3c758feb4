"""The order of plans in pages: by what they cost, each after the one that it extends."""

import math

from quotad.catalog import Snapshot
from quotad.catalog.problems import Place, Problems
from quotad.catalog.windows import length_ms, parse_billing
from quotad.model import Entitlement, Plan
from quotad.prices import ONCE, Price

_UNLIMITED_DIGITS = 20.0
"""What no limit counts for, where a limit counts for its digits."""


def in_selling_order(snapshot: Snapshot) -> list[Plan]:
    """Return the plans, those that are not sold any more at the end.

    A plan without a price is free where it is the default one; any other is asked for, and stands
    after those with a price. Of two at one price the one that grants less comes first.
    """
    plans = snapshot.plans
    cost = {
        each: _cost(plan, is_default=each == snapshot.default_plan) for each, plan in plans.items()
    }
    for plan_id, plan in plans.items():
        for base in plan.bases:
            cost[base] = min(cost[base], cost[plan_id])
    return sorted(
        plans.values(),
        key=lambda each: (
            each.archived,
            cost[each.plan_id],
            len(each.bases),
            _granted(each),
            each.plan_id,
        ),
    )


def names_in_order(snapshot: Snapshot, *, archived: bool = True) -> dict[str, str]:
    """Return the names of plans by id, in that order.

    Args:
        snapshot: of the catalog.
        archived: whether those that are not sold any more are among them.
    """
    plans = in_selling_order(snapshot)
    return {
        each.plan_id: each.name or each.plan_id for each in plans if archived or not each.archived
    }


def _cost(plan: Plan, *, is_default: bool) -> float:
    """What a plan costs in a month, in whichever currency."""
    prices = sorted(plan.prices, key=lambda each: (each.billing == ONCE, each.feature_id != ""))
    if prices:
        return _monthly(prices[0])
    return 0.0 if is_default else math.inf


def _monthly(price: Price) -> float:
    month = parse_billing(Place(Problems(), ""), "month")
    window = parse_billing(Place(Problems(), ""), price.billing) if price.billing != ONCE else month
    return float(price.amount) * length_ms(month) / length_ms(window)


def _granted(plan: Plan) -> float:
    """How much a plan grants, roughly: its features, and the digits of their limits."""
    return sum(map(_digits, plan.entitlements.values()))


def _digits(right: Entitlement) -> float:
    limits = [each.limit for each in right.limits]
    if not limits:
        return 1.0
    return max(_UNLIMITED_DIGITS if each is None else math.log10(each + 1) for each in limits)
