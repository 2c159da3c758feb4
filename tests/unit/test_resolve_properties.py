"""What holds of effective values whatever a customer has."""

import random
from fractions import Fraction
from math import inf
from typing import Any

import msgspec
from hypothesis import assume, given
from hypothesis import strategies as st

from quotad.catalog.windows import length_ms
from quotad.entitlements.merge import decisive, merge
from quotad.model import Entitlement, FeatureType, Limit
from tests.unit.effective import (
    DAY,
    FEATURES,
    NOW,
    Case,
    Source,
    Spec,
    addon,
    case,
    entitlement_of,
    limits_of,
    override,
    promotion,
    subscription,
    trial,
)

COUNTERS = ("calls", "images")
PERS = ("/minute", "/day", "/month", "/month.s", "/month.f", "/2 days", "")

numbers = st.integers(0, 50).map(str)
limits = st.one_of(
    numbers,
    numbers,
    numbers.map(lambda number: number + "{} soft"),
    st.builds("{}{{}} soft+{}".format, numbers, st.integers(1, 20)),
    numbers.map(lambda number: number + "{} shadow"),
    st.just("unlimited"),
)


def rate(limit: Limit) -> Fraction:
    assert limit.limit is not None
    return Fraction(limit.limit, length_ms(limit.window))


def sane(spec: str) -> bool:
    """Whether no limit stands in the way of a longer one, which could then never be reached."""
    own = limits_of(spec)
    longest = decisive(own)
    return longest is None or all(
        rate(longest) <= rate(limit)
        for limit in own
        if limit.limit is not None and not limit.shadow
    )


@st.composite
def several(draw: st.DrawFn, pers: tuple[str, ...] = PERS) -> str:
    chosen = draw(st.lists(st.sampled_from(pers), min_size=1, max_size=3, unique=True))
    spec = ", ".join(_with_per(draw(limits), per) for per in chosen)
    assume(sane(spec))
    return spec


def _with_per(limit: str, per: str) -> str:
    return limit.format(per) if "{" in limit else limit + per


specs: dict[str, st.SearchStrategy[Spec]] = {
    "calls": several(),
    "images": st.one_of(st.just(True), several()),
    "seats": limits.map(lambda limit: _with_per(limit, "")),
    "export": st.just(True),
    "size": st.sampled_from(["10", "9.5", "1e1", "-3", "red", "blue"]),
    "support": st.sampled_from(["community", "email", "phone", "email phone", "community phone"]),
}


@st.composite
def amounts(draw: st.DrawFn, key: str, pers: tuple[str, ...] = ("minute", "month")) -> Source:
    """An add-on with an amount."""
    per = draw(st.sampled_from([None, *pers]))
    amount: dict[str, Any] = {key: draw(st.integers(1, 60)), "per": per}
    return addon(draw(st.integers(1, 3)), **amount)


@st.composite
def sources(draw: st.DrawFn, feature_id: str) -> Source:
    """Any source besides the plan, but an override."""
    spec = specs[feature_id]
    metered = FEATURES[feature_id].type is FeatureType.METERED
    kinds = ["subscription", "trial", "promotion", "addon"]
    kind = draw(st.sampled_from([*kinds, "amount"] if metered else kinds))
    if kind == "subscription":
        starts = draw(st.sampled_from([NOW - DAY, NOW, NOW + DAY]))
        ends = draw(st.sampled_from([None, NOW, NOW + 2 * DAY]))
        return subscription(draw(st.none() | spec), start_ms=starts, end_ms=ends)
    if kind == "trial":
        return trial(draw(spec), NOW + draw(st.integers(0, 3)) * DAY)
    if kind == "promotion":
        ends = draw(st.sampled_from([None, NOW - 1, NOW + DAY]))
        return promotion(draw(spec), ends, draw(st.sampled_from(["", "w1"])))
    if kind == "addon":
        return addon(gives="unlimited" if metered else draw(spec))
    pers = () if feature_id == "seats" else ("minute", "month", "month.s")
    return draw(amounts(draw(st.sampled_from(["add", "set"])), pers))


@st.composite
def customers(draw: st.DrawFn) -> Case:
    feature_id = draw(st.sampled_from(sorted(specs)))
    plan = draw(st.none() | specs[feature_id])
    return case(feature_id, plan, *draw(st.lists(sources(feature_id), max_size=4)))


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
def test_what_is_found_is_good_until_it_says(customer: Case, later: int) -> None:
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
