"""What holds of effective values whatever a customer has."""

import random
from math import inf

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from quotad.entitlements.merge import decisive, merge
from quotad.model import Entitlement, Limit
from tests.unit.drawn_customers import amounts, customers, rate, several, specs
from tests.unit.effective import (
    DAY,
    FEATURES,
    NOW,
    Case,
    Source,
    case,
    entitlement_of,
    override,
    promotion,
    subscription,
    trial,
)

COUNTERS = ("calls", "images")


def most(limit: Limit) -> float:
    """What a limit lets through."""
    if limit.limit is None or limit.shadow:
        return inf
    if limit.soft:
        return inf if limit.overage_limit is None else limit.limit + limit.overage_limit
    return limit.limit


def is_less(after: Entitlement | None, before: Entitlement | None) -> bool:
    """Whether a customer lost something."""
    if before is None:
        return False
    if after is None:
        return True
    if set(before.values) - set(after.values):
        return True
    pairs = list(zip(before.limits, after.limits, strict=False))
    if [limit.window for limit in before.limits] == [limit.window for limit in after.limits]:
        return any(
            most(new) < most(old)
            or (new.limit is not None and (old.limit is None or new.limit < old.limit))
            for old, new in pairs
        )
    old, new = decisive(before.limits), decisive(after.limits)
    if new is None:
        return False
    return old is None or rate(new) < rate(old) or most(new) < inf == most(old)


@given(customers(), st.data())
def test_a_promotion_takes_nothing_away(customer: Case, data: st.DataObject) -> None:
    before = customer.resolve().entitlements.get(customer.feature_id)

    promotion(data.draw(specs[customer.feature_id]))(customer)

    assert not is_less(customer.resolve().entitlements.get(customer.feature_id), before)


@given(customers(), st.booleans(), st.data())
def test_one_more_subscription_takes_nothing_away(
    customer: Case, tries: bool, data: st.DataObject
) -> None:
    # Merged before promotions, it can bring a window that a promotion is then counted in.
    customer.promotions.clear()
    before = customer.resolve().entitlements.get(customer.feature_id)

    spec = data.draw(specs[customer.feature_id])
    (trial(spec) if tries else subscription(spec))(customer)

    assert not is_less(customer.resolve().entitlements.get(customer.feature_id), before)


@given(several(), st.lists(amounts("add") | amounts("set"), max_size=3), st.data())
def test_an_add_on_takes_nothing_away(plan: str, bought: list[Source], data: st.DataObject) -> None:
    customer = case("calls", plan, *bought)
    before = customer.resolve().entitlements["calls"]

    data.draw(amounts("add") | amounts("set"))(customer)

    assert not is_less(customer.resolve().entitlements["calls"], before)


@given(customers(), st.data())
def test_an_override_decides_alone(customer: Case, data: st.DataObject) -> None:
    # What is unlimited goes on counting in the windows that are there.
    specs_alone = specs[customer.feature_id].filter(lambda spec: spec != "unlimited")
    spec = data.draw(st.just(False) | specs_alone)
    alone = case(customer.feature_id, None, override(spec))

    override(spec)(customer)

    assert alone.told() == customer.told()


@given(customers(), st.integers(0, 4 * DAY))
def test_what_is_found_holds_until_its_end(customer: Case, later: int) -> None:
    now = customer.resolve()
    moment = min(NOW + later, now.until_ms - 1)

    assert now == customer.resolve(moment)


@given(customers())
def test_at_its_end_it_is_good_no_more(customer: Case) -> None:
    until_ms = customer.resolve().until_ms

    assert customer.resolve(min(until_ms, NOW + 9 * DAY)).until_ms > min(until_ms, NOW + 9 * DAY)


@given(customers(), st.randoms(use_true_random=False))
def test_the_order_in_which_a_record_lists_things_has_no_say(
    customer: Case, shuffle: random.Random
) -> None:
    before = customer.resolve()

    for listed in (customer.subscriptions, customer.promotions, customer.overrides):
        shuffle.shuffle(listed)

    # Two promotions of one feature and resource are never stored: the second replaces the first.
    assert (
        len({each.resource_id for each in customer.promotions}) < len(customer.promotions)
        or before == customer.resolve()
    )


@given(several(("/minute", "/day", "/month")), several(("/minute", "/day", "/month")))
def test_two_that_are_merged_come_to_the_same_numbers_either_way(mine: str, other: str) -> None:
    one, two = (entitlement_of(FEATURES["calls"], spec) for spec in (mine, other))
    first, second = merge(one, two), merge(two, one)

    shared = {limit.window for limit in one.limits} & {limit.window for limit in two.limits}
    if one.unlimited or two.unlimited:
        assert first.unlimited
        assert second.unlimited
    elif shared:
        assert {limit for limit in first.limits if limit.window in shared} == {
            limit for limit in second.limits if limit.window in shared
        }
    else:
        found = [decisive(merged.limits) for merged in (first, second)]
        assert [limit and rate(limit) for limit in found[:1]] == [
            limit and rate(limit) for limit in found[1:]
        ]


@given(customers())
def test_what_a_plan_grants_is_never_written_to(customer: Case) -> None:
    plans = {name: dict(plan.entitlements) for name, plan in customer.plans.items()}

    customer.resolve()

    assert plans == {name: plan.entitlements for name, plan in customer.plans.items()}


@given(st.data(), st.sampled_from(sorted(specs)))
def test_merging_with_itself_changes_nothing(data: st.DataObject, feature_id: str) -> None:
    mine = entitlement_of(FEATURES[feature_id], data.draw(specs[feature_id]))

    assert mine is merge(mine, msgspec.structs.replace(mine))
