"""What a customer has of one feature, one row per rule, in order of precedence."""

import msgspec
import pytest

from quotad.decision import Reason
from quotad.entitlements.resolve import FOREVER_MS, resolve
from quotad.model import QUANTITY_MAX, Entry, Plan
from quotad.records import Override, Promotion, Subscription
from tests.unit.effective import (
    DAY,
    NOW,
    START,
    Case,
    Source,
    Spec,
    addon,
    case,
    entitlement_of,
    override,
    promotion,
    rolled_out,
    subscription,
    told,
    trial,
)

RULES = {
    # The plan.
    "the plan grants": (case("calls", "1000/month"), "1000/month"),
    "the plan does not name it": (case("calls", None), "-"),
    # Add-ons.
    "an add-on adds": (case("calls", "1000/month", addon(add=500)), "1500/month"),
    "an add-on adds, x quantity": (case("calls", "1000/month", addon(3, add=500)), "2500/month"),
    "two add-ons add": (case("calls", "9/day", addon(2, add=5), addon(add=1)), "20/day"),
    "an add-on sets": (case("calls", "1000/month", addon(set=5000)), "5000/month"),
    "a set amount is not multiplied": (case("calls", "10/month", addon(3, set=50)), "50/month"),
    "of two that set, the larger": (case("calls", "1/day", addon(set=9), addon(set=7)), "9/day"),
    "set and add: the sum": (case("calls", "10/day", addon(set=12), addon(9, add=5)), "55/day"),
    "set and add: set": (case("calls", "10/day", addon(set=56), addon(9, add=5)), "56/day"),
    "a small set beside add": (case("calls", "10/day", addon(set=6), addon(2, add=5)), "20/day"),
    "set never lowers": (case("calls", "1000/month", addon(set=10)), "1000/month"),
    "soft stays soft": (case("calls", "10/day soft+3", addon(add=5)), "15/day soft+3"),
    "shadow stays shadow": (case("calls", "10/day shadow", addon(set=15)), "15/day shadow"),
    "no more than can be counted": (
        case("calls", f"{QUANTITY_MAX - 1}/day", addon(add=QUANTITY_MAX)),
        f"{QUANTITY_MAX}/day",
    ),
    "no more than can be counted, in one of two windows": (
        case("calls", f"9/day, {QUANTITY_MAX - 1}/month", addon(add=9, per="month")),
        f"9/day, {QUANTITY_MAX}/month",
    ),
    "of two that set one of two windows": (
        case("calls", "1/day, 9/month", addon(set=9, per="day"), addon(set=7, per="day")),
        "9/day, 9/month",
    ),
    "adding to unlimited": (case("calls", "unlimited/day", addon(add=5)), "unlimited/day"),
    "an add-on makes unlimited": (
        case("calls", "5/day, 9/month", addon(gives="unlimited"), addon(add=1, per="day")),
        "unlimited/day, unlimited/month",
    ),
    "an add-on names a window": (
        case("calls", "10/minute, 1000/month.s", addon(2, add=500, per="month.s")),
        "10/minute, 2000/month.s",
    ),
    "a month is a month": (
        case("calls", "10/minute, 1000/month.s", addon(set=5000, per="month")),
        "10/minute, 5000/month.s",
    ),
    "an add-on of several windows": (
        case("calls", "10/minute, 9/day", addon(add=1, per="minute"), addon(add=2, per="day")),
        "11/minute, 11/day",
    ),
    "an add-on alone": (case("calls", None, addon(2, add=500, per="month")), "1000/month"),
    "an add-on alone, without a window": (case("calls", None, addon(add=500)), "500"),
    "two add-ons alone, in windows of their own": (
        case("calls", None, addon(add=100, per="month"), addon(2, add=2, per="day")),
        "4/day",
    ),
    "an add-on's own window never takes away": (
        case("calls", "1000/month", addon(add=10, per="day")),
        "1000/month",
    ),
    "an add-on's own window where it is more": (
        case("calls", "1000/month", addon(add=100, per="day")),
        "100/day",
    ),
    "several windows, none named: the longest": (
        case("calls", "10/minute, 1000/month", addon(add=500)),
        "10/minute, 1500/month",
    ),
    "seats": (case("seats", "3", addon(2, add=5)), "13"),
    "seats of an add-on alone": (case("seats", None, addon(2, add=5)), "10"),
    "an add-on grants": (case("export", None, addon(gives=True)), "granted"),
    "an add-on's number": (case("size", "10", addon(gives="50")), "50"),
    "an add-on's smaller number": (case("size", "10", addon(gives="9.5")), "10"),
    "an add-on's text": (case("size", "red", addon(gives="blue")), "blue"),
    "an add-on's value": (case("support", "community", addon(gives="phone")), "community phone"),
    "an add-on that is gone": (
        case(
            "calls",
            "10/day",
            lambda made: made.subscriptions.__setitem__(
                0, Subscription("pro", START, addons={"gone": 2})
            ),
        ),
        "10/day",
    ),
    # Generosity: other subscriptions.
    "the larger of two": (case("calls", "10/day", subscription("12/day")), "12/day"),
    "the frame's if larger": (case("calls", "12/day", subscription("10/day")), "12/day"),
    "granted by the other": (case("calls", None, subscription("10/day")), "10/day"),
    "with the other's add-on": (
        case("calls", "12/day", subscription("10/day"), addon(on=1, add=5)),
        "15/day",
    ),
    "granted by either": (case("export", None, subscription(True)), "granted"),
    "windows shared": (
        case("calls", "1/minute, 9/day", subscription("2/minute, 8/day")),
        "2/minute, 9/day",
    ),
    "windows that only the frame has stay": (
        case("calls", "1/minute, 9/day", subscription("12/day")),
        "1/minute, 12/day",
    ),
    "windows that only the other has are dropped": (
        case("calls", "9/day", subscription("1/minute, 12/day")),
        "12/day",
    ),
    "no common window: more per time": (
        case("calls", "1/minute, 300/month", subscription("10/day")),
        "10/day",
    ),
    "no common window: the frame's if more": (
        case("calls", "310/month", subscription("10/day")),
        "310/month",
    ),
    "no common window, as much": (case("calls", "70/week", subscription("10/day")), "70/week"),
    "a lifetime is a hundred years": (case("calls", "36525", subscription("2/day")), "2/day"),
    "a longer lifetime": (case("calls", "74000", subscription("2/day")), "74000"),
    "the same anchor first": (
        case("calls", "5/month, 7/month.s", subscription("6/month.s, 9/month")),
        "9/month, 7/month.s",
    ),
    "then any": (
        case("calls", "5/month, 7/month.s", subscription("6/month.f")),
        "6/month, 7/month.s",
    ),
    "a window is raised by its like": (
        case("calls", "5/month, 7/month.s", subscription("9/month")),
        "9/month, 7/month.s",
    ),
    "unlimited beats all": (
        case("calls", "1/minute, 9/day", subscription("unlimited/day")),
        "unlimited/minute, unlimited/day",
    ),
    "unlimited in one window": (
        case("calls", "1/minute, 9/day", subscription("5/minute, unlimited/day")),
        "5/minute, unlimited/day",
    ),
    "unlimited stays": (case("calls", "unlimited/day", subscription("9/day")), "unlimited/day"),
    "soft if either is": (case("calls", "9/day soft", subscription("12/day")), "12/day soft"),
    "soft if the other is": (case("calls", "12/day", subscription("9/day soft")), "12/day soft"),
    "the later hard stop": (
        case("calls", "12/day", subscription("9/day soft+10")),
        "12/day soft+7",
    ),
    "no overage within the other's limit": (
        case("calls", "9/day soft+3", subscription("12/day")),
        "12/day",
    ),
    "endless beats a stop": (
        case("calls", "9/day soft+3", subscription("8/day soft")),
        "9/day soft",
    ),
    "shadow denies nothing": (
        case("calls", "9/day shadow", subscription("12/day")),
        "12/day shadow",
    ),
    "soft, no common window": (
        case("calls", "9/month soft", subscription("1/minute, 9/day")),
        "1/minute, 9/day soft",
    ),
    "soft, no common window, less": (
        case("calls", "9/day", subscription("9/month soft")),
        "9/day soft",
    ),
    "nothing but shadow, no common window": (
        case("calls", "1/month shadow", subscription("9/day")),
        "1/month shadow",
    ),
    "the other is nothing but shadow": (
        case("calls", "9/day", subscription("1/month shadow")),
        "1/month shadow",
    ),
    "paid by the pool alone": (case("images", "9/day", subscription(True)), "unlimited/day"),
    "paid by the pool alone, limits elsewhere": (
        case("images", True, subscription("9/day"), addon(add=5)),
        "granted",
    ),
    "seats of two": (case("seats", "3", subscription("5")), "5"),
    "values of both": (
        case("support", "phone", subscription("community")),
        "community phone",
    ),
    "numbers of two": (case("size", "1e3", subscription("1000.5")), "1000.5"),
    "text of two: the main one's": (case("size", "red", subscription("blue")), "red"),
    "text against a number": (case("size", "10", subscription("blue")), "10"),
    "text of the other's add-on": (
        case("size", "red", subscription("blue"), addon(on=1, gives="green")),
        "green",
    ),
    "text of the other's add-on, which its plan gives too": (
        case("size", "red", subscription("green"), addon(on=1, gives="green")),
        "green",
    ),
    "text of the main one's add-on, which its plan gives too": (
        case("size", "red", addon(gives="red"), subscription("blue"), addon(on=1, gives="green")),
        "red",
    ),
    "not that of an add-on that gives a smaller number": (
        case("size", "red", subscription("10"), addon(on=1, gives="9")),
        "red",
    ),
    # Trials.
    "a trial raises": (case("calls", "10/day", trial("50/day")), "50/day"),
    "a trial never lowers": (case("calls", "10/day", trial("5/day")), "10/day"),
    "a trial that is over": (case("calls", "10/day", trial("50/day", NOW)), "10/day"),
    "a trial's text beats the plan's": (case("size", "red", trial("blue")), "blue"),
    "a trial's text beats that of an add-on that comes later": (
        case("size", "red", trial("blue"), subscription("pink"), addon(on=2, gives="green")),
        "blue",
    ),
    "a trial's text beats an add-on's": (
        case("size", "red", addon(gives="green"), trial("blue")),
        "blue",
    ),
    # Promotions.
    "a promotion raises": (case("calls", "10/day", promotion("50/day")), "50/day"),
    "a promotion never lowers": (case("calls", "10/day", promotion("5/day")), "10/day"),
    "a promotion alone": (case("calls", None, promotion("5/day")), "5/day"),
    "a promotion for a time": (case("calls", "1/day", promotion("5/day", NOW + 1)), "5/day"),
    "a promotion that is over": (case("calls", "1/day", promotion("5/day", NOW)), "1/day"),
    "a promotion of unlimited": (
        case("calls", "1/minute, 9/day", promotion("unlimited")),
        "unlimited/minute, unlimited/day",
    ),
    "a promotion of unlimited alone": (case("calls", None, promotion("unlimited")), "unlimited"),
    "a promotion's text beats a trial's": (
        case("size", "red", promotion("green"), trial("blue")),
        "green",
    ),
    "a promotion's value": (case("support", "email", promotion("community")), "community email"),
    "a promotion grants": (case("export", None, promotion(True)), "granted"),
    # Overrides.
    "an override decides": (case("calls", "10/day", override("5/month")), "5/month"),
    "also against a promotion": (
        case("calls", "10/day", promotion("unlimited"), override("5/month")),
        "5/month",
    ),
    "an override of unlimited keeps the windows": (
        case("calls", "1/minute, 9/day", promotion("12/day"), override("unlimited")),
        "unlimited/minute, unlimited/day",
    ),
    "an override grants": (case("export", None, override(True)), "granted"),
    "an override's value": (case("support", "community phone", override("email")), "email"),
    "revoked": (case("export", True, override(False)), "revoked"),
    "revoked, never granted": (case("calls", None, override(False)), "revoked"),
    "another resource's override": (case("calls", "9/day", override("5/day", "w1")), "9/day"),
    # Rollouts.
    "inside the rollout": (case("export", None, rolled_out(True, [100])), "granted"),
    "outside": (case("export", None, rolled_out(True, [0])), "-"),
    "outside: what would be": (
        case("calls", None, rolled_out("9/day", [0], "5/day"), addon(add=1)),
        "6/day",
    ),
    "inside one below the other": (
        case("calls", None, rolled_out("9/day", [0, 100], "5/day")),
        "9/day",
    ),
    "outside, with a promotion": (
        case("export", None, rolled_out(True, [0]), promotion(True)),
        "granted",
    ),
}


@pytest.mark.parametrize(("customer", "expected"), RULES.values(), ids=RULES)
def test_a_rule_of_effective_values(customer: Case, expected: str) -> None:
    assert expected == customer.told()


def on_workspace(*sources: Source, feature_id: str = "calls") -> Case:
    """A customer with 10 a day of its own and 20 a day for the workspace w1, asked about w1."""
    made = case(feature_id, "10/day", subscription("20/day", resource_id="w1"), *sources)
    made.resource_id = "w1"
    return made


RESOURCES = {
    "only its own subscriptions": (on_workspace(), "20/day"),
    "a promotion for everything": (on_workspace(promotion("30/day")), "30/day"),
    "its own promotion": (on_workspace(promotion("30/day", resource_id="w1")), "30/day"),
    "both promotions": (
        on_workspace(promotion("40/day", resource_id="w1"), promotion("30/day")),
        "40/day",
    ),
    "another's promotion": (on_workspace(promotion("30/day", resource_id="w2")), "20/day"),
    "the text of its own promotion": (
        on_workspace(promotion("red", resource_id="w1"), promotion("blue"), feature_id="size"),
        "red",
    ),
    "an override for everything": (on_workspace(override("1/day")), "1/day"),
    "its own override first": (on_workspace(override("2/day", "w1"), override("1/day")), "2/day"),
    "in any order": (on_workspace(override("1/day"), override("2/day", "w1")), "2/day"),
    "another's override": (on_workspace(override("1/day", "w2")), "20/day"),
}


@pytest.mark.parametrize(("customer", "expected"), RESOURCES.values(), ids=RESOURCES)
def test_a_rule_of_resources(customer: Case, expected: str) -> None:
    assert expected == customer.told()


def test_a_resource_of_a_customer_never_seen_has_nothing() -> None:
    customer = case("calls", "10/day")
    snapshot = msgspec.structs.replace(customer.snapshot, default_plan="pro")
    found = [resolve(None, snapshot, NOW, "acme", resource_id) for resource_id in ("", "w1")]

    assert [None, Reason.NO_ACTIVE_SUBSCRIPTION] == [effective.denied for effective in found]


def test_a_resource_without_a_subscription_has_nothing() -> None:
    customer = case("calls", "10/day", promotion("30/day"))
    customer.resource_id = "w1"

    assert Reason.NO_ACTIVE_SUBSCRIPTION == customer.resolve().denied


def test_the_frame_is_the_main_subscription_whatever_started_first() -> None:
    customer = case("calls", "10/day", subscription("20/day", start_ms=START - DAY))

    effective = customer.resolve()

    assert ("pro", START) == (effective.plan_id, effective.anchor_ms)


def test_without_the_main_subscription_the_frame_is_the_first_by_id() -> None:
    customer = case("calls", "10/day", subscription("1/minute, 9/day"), subscription("12/day"))
    customer.subscriptions[0] = Subscription("pro", START, end_ms=NOW)

    effective = customer.resolve()

    assert "plan-1" == effective.plan_id
    assert "1/minute, 12/day" == told(effective.entitlements["calls"])


@pytest.mark.parametrize(
    ("frame", "expected"), [("red", "red"), ("5", "green")], ids=["trial's", "plan's"]
)
def test_a_text_is_of_where_its_value_is_from(frame: str, expected: str) -> None:
    customer = case(
        "size", frame, subscription("10"), subscription("pink"), addon(on=2, gives="green")
    )
    customer.subscriptions[0] = Subscription("pro", START, end_ms=NOW + DAY, trial=True)

    assert expected == customer.told()


def test_a_subscription_whose_plan_is_gone_does_not_count() -> None:
    customer = case("calls", "10/day", subscription("20/day"))
    del customer.plans["pro"]

    assert ("plan-1", "20/day") == (customer.resolve().plan_id, customer.told())


def test_what_comes_from_another_subscription_keeps_its_anchor() -> None:
    other = {"start_ms": START + DAY}

    alone = case("calls", None, subscription("5/month.s", **other)).resolve()
    as_a_whole = case("calls", "5/month.s", subscription("5/day.s", **other)).resolve()
    merged = case("calls", "5/month.s", subscription("9/month.s", **other)).resolve()
    calendar = case("calls", None, subscription("5/month", **other)).resolve()

    effectives = (alone, as_a_whole, merged, calendar)
    assert [START] * 4 == [effective.anchor_ms for effective in effectives]
    assert [START + DAY, START + DAY, None, None] == [
        effective.entitlements["calls"].anchor_ms for effective in effectives
    ]


@pytest.mark.parametrize("spec", ["unlimited", "9/month.s", "9/day.s"])
def test_what_replaces_it_is_aligned_to_the_same_subscription(spec: str) -> None:
    elsewhere = subscription("5/month.s", start_ms=START + DAY)

    overridden = case("calls", None, elsewhere, override(spec)).resolve()
    promoted = case("calls", None, elsewhere, promotion(spec)).resolve()

    assert START + DAY == overridden.entitlements["calls"].anchor_ms
    assert START + DAY == promoted.entitlements["calls"].anchor_ms


def test_what_replaces_windows_that_nothing_is_aligned_to_is_the_main_subscriptions() -> None:
    elsewhere = subscription("5/month.s", start_ms=START + DAY)

    over_calendar = case("calls", None, subscription("5/month"), override("9/month.s")).resolve()
    over_promotion = case(
        "calls", None, elsewhere, promotion("9/day"), override("9/month.s")
    ).resolve()

    assert [None, None] == [
        effective.entitlements["calls"].anchor_ms for effective in (over_calendar, over_promotion)
    ]


def test_a_subscription_has_its_plan_as_it_was_when_it_started() -> None:
    customer = case("calls", "10/day")
    was = {"calls": entitlement_of(customer.feature, "20/day")}
    customer.earlier["pro", 1] = Plan("pro", was)
    now = msgspec.structs.replace(customer.plans["pro"], revision=2)
    customer.plans["pro"] = now

    before = customer.resolve()
    customer.subscriptions[0] = Subscription("pro", START, revision=2)
    after = customer.resolve()

    assert (was, ("pro", 1)) == (before.entitlements, before.table)
    assert (now.entitlements, ("pro", 2)) == (after.entitlements, after.table)


def test_it_is_good_until_the_first_thing_starts_or_ends() -> None:
    customer = case(
        "calls",
        "10/day",
        trial("20/day", NOW + 2 * DAY),
        promotion("30/day", NOW + DAY),
        promotion("99/day", NOW - DAY),
        subscription("25/day", start_ms=NOW + 3 * DAY, end_ms=NOW + 4 * DAY),
        subscription("99/day", start_ms=NOW + 1, resource_id="w1"),
        promotion("99/day", NOW + 1, "w1"),
    )

    moments = [NOW + days * DAY for days in range(5)]

    assert ["30/day", "20/day", "10/day", "25/day", "10/day"] == [*map(customer.told, moments)]
    assert [*moments[1:], FOREVER_MS] == [customer.resolve(now).until_ms for now in moments]


def test_what_does_not_fit_the_catalog_any_more_counts_for_nothing() -> None:
    written = {
        "calls": [Entry(), Entry(value="10"), Entry(limits=())],
        "seats": [Entry(limits=case("calls", "5/day").plans["pro"].entitlements["calls"].limits)],
        "support": [Entry(value="fax", values=("fax",)), Entry(limits=None)],
    }
    specs: dict[str, Spec] = {"calls": "9/day", "seats": "3", "export": True, "support": "email"}
    for feature_id, entries in written.items():
        for entry in entries:
            customer = case(feature_id, specs[feature_id])
            before = customer.told()
            customer.overrides.append(Override(feature_id, entry))
            customer.promotions.append(Promotion(feature_id, entry))

            assert before == customer.told(), (feature_id, entry)
    customer = case("export", None)
    customer.overrides.append(Override("export", Entry(limits=None)))
    assert "-" == customer.told()


def test_an_entry_for_a_feature_that_is_gone_counts_for_nothing() -> None:
    customer = case("calls", "9/day")
    customer.overrides.append(Override("gone", Entry()))
    customer.promotions.append(Promotion("gone", Entry()))

    assert ["calls"] == list(customer.resolve().entitlements)


@pytest.mark.parametrize("turned", [False, True])
def test_of_a_resource_what_does_not_fit_any_more_gives_way_to_the_customers(turned: bool) -> None:
    customer = case("support", "community")
    customer.subscriptions.append(Subscription("pro", START, resource_id="team"))
    customer.resource_id = "team"
    override("email")(customer)
    customer.overrides.append(Override("support", Entry(value="fax", values=("fax",)), "team"))
    if turned:
        customer.overrides.reverse()

    assert "email" == customer.told()


def test_a_customer_with_nothing_of_its_own_shares_the_table_of_its_plan() -> None:
    customer = case(
        "calls",
        "9/day",
        promotion("12/day", NOW),
        promotion("5/day"),
        override("1/day", "w1"),
    )

    effective = customer.resolve()

    assert customer.plans["pro"].entitlements is effective.entitlements
    assert ("pro", 1) == effective.table


def test_a_customer_with_something_of_its_own_has_a_table_of_its_own() -> None:
    customer = case("calls", "9/day", promotion("12/day"))

    assert customer.resolve().table is None
    assert "9/day" == told(customer.plans["pro"].entitlements["calls"])


def test_the_generation_is_that_of_the_resource() -> None:
    customer = case("calls", "9/day", subscription("9/day", resource_id="w1"))
    record = msgspec.structs.replace(customer.record, resets={"w1": 3})
    found = [resolve(record, customer.snapshot, NOW, "acme", resource) for resource in ("", "w1")]

    assert [0, 3] == [effective.generation for effective in found]


@pytest.mark.parametrize("trial_id", ["a", "c"])
def test_the_text_of_a_trial_comes_before_that_of_an_add_on_whatever_the_ids_are(
    trial_id: str,
) -> None:
    """Also where the trial says what the plan says as well."""
    made = case(
        "size",
        "red",
        subscription("green", subscription_id="b"),
        addon(1, "blue", on=1, gives="blue"),
        subscription("red", trial=True, end_ms=NOW + DAY, subscription_id=trial_id),
    )

    assert "red" == made.told()
