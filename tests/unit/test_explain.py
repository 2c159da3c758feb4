"""What is told of where an effective value comes from, and that it is what is in force."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quotad.catalog import Snapshot, Source, compile_snapshot, parse
from quotad.decision import EntitlementSource, SourceKind
from quotad.entitlements.explain import explain
from quotad.model import Entry, Limit, Plan
from quotad.records import CustomerRecord, Override, Promotion, Subscription
from tests.unit.drawn_customers import customers, specs
from tests.unit.effective import (
    DAY,
    NOW,
    START,
    Case,
    addon,
    case,
    entitlement_of,
    override,
    promotion,
    rolled_out,
    subscription,
    trial,
)

# 2027-01-15 08:00 UTC.
assert NOW == 1_800_000_000_000


def sources(made: Case) -> tuple[EntitlementSource, ...]:
    return explain(
        made.record, made.snapshot, NOW, made.customer_id, made.resource_id, made.feature_id
    )


def line(source: EntitlementSource) -> str:
    """`+ PLAN pro: "10/day" (note)`, + for those that won."""
    told = f"{'+' if source.won else '-'} {SourceKind(source.kind).name}"
    told += f" {source.source_id}" if source.source_id else ""
    told += f" x {source.quantity}" if source.quantity else ""
    told += f" of {source.subscription_id}" if source.subscription_id else ""
    told += f": {short(source.grants)}" if source.grants else ""
    return told + (f" ({source.note})" if source.note else "")


def short(grants: str) -> str:
    """JSON, with limits as the other tests write them."""
    value = json.loads(grants)
    if not isinstance(value, dict) or "limits" not in value:
        return grants.replace('"', "")
    return ", ".join(
        "/".join(str(part) for part in (limit.get("limit", "unlimited"), limit.get("per")) if part)
        for limit in value["limits"]
    )


EXPLAINED = {
    "the plan": (case("calls", "10/day"), ["+ PLAN pro: 10/day"]),
    "not in the plan": (case("calls", None), ["- PLAN pro (does not grant it)"]),
    "an add-on": (
        case("calls", "10/day", addon(2, "more", add=10_000), addon(1, "one", add=1)),
        [
            "+ ADDON more x 2: {add:10000} (adds 10,000 x 2)",
            "+ ADDON one x 1: {add:1} (adds 1)",
            "+ PLAN pro: 10/day",
        ],
    ),
    "an add-on that sets": (
        case("calls", "10/day", addon(2, "more", add=5), addon(1, "large", set=50)),
        [
            "+ ADDON large x 1: {set:50}",
            "- ADDON more x 2: {add:5} (not added, as another add-on sets the limit)",
            "- PLAN pro: 10/day (less than add-on large grants)",
        ],
    ),
    "add-ons that set": (
        case("calls", "10/day", addon(1, "a", set=50), addon(1, "b", set=50), addon(1, "c", set=9)),
        [
            "+ ADDON a x 1: {set:50}",
            "- ADDON b x 1: {set:50} (no more than add-on a grants)",
            "- ADDON c x 1: {set:9} (less than add-on a grants)",
            "- PLAN pro: 10/day (less than add-on a grants)",
        ],
    ),
    "a limit of its own": (
        case("calls", None, addon(1, "more", add=5)),
        [
            "+ ADDON more x 1: {add:5} (adds 5)",
            "- PLAN pro (does not grant it)",
        ],
    ),
    "limits of their own": (
        case("calls", None, addon(1, "a", add=9, per="day"), addon(1, "b", set=5, per="month")),
        [
            "+ ADDON a x 1: {add:9,per:day} (adds 9)",
            "- ADDON b x 1: {set:5,per:month} (less than add-on a grants)",
            "- PLAN pro (does not grant it)",
        ],
    ),
    "one limit of their own": (
        case("calls", None, addon(1, "a", add=9, per="day"), addon(1, "b", set=50, per="day")),
        [
            "- ADDON a x 1: {add:9,per:day} (not added, as another add-on sets the limit)",
            "+ ADDON b x 1: {set:50,per:day}",
            "- PLAN pro (does not grant it)",
        ],
    ),
    "an add-on that sets less than others add": (
        case("calls", "10/day", addon(2, "more", add=5), addon(1, "tiny", set=16)),
        [
            "+ ADDON more x 2: {add:5} (adds 5 x 2)",
            "- ADDON tiny x 1: {set:16} (less than plan pro and add-on more grant)",
            "+ PLAN pro: 10/day",
        ],
    ),
    "unlimited": (
        case("calls", "unlimited/day", addon(1, "more", add=5)),
        [
            "- ADDON more x 1: {add:5} (adds to nothing: the plan has it unlimited)",
            "+ PLAN pro: unlimited/day",
        ],
    ),
    "an add-on for one of two windows": (
        case("calls", "1/minute, 10/day", addon(1, "more", set=50, per="day")),
        [
            "+ ADDON more x 1: {set:50,per:day} (decides the limit per day)",
            "+ PLAN pro: 1/minute, 10/day (decides the limit per minute)",
        ],
    ),
    "another subscription": (
        case("calls", "1/minute, 10/day", subscription("50/day", end_ms=NOW + DAY)),
        [
            "+ PLAN pro: 1/minute, 10/day (decides the limit per minute)",
            "+ PLAN plan-1 of plan-1: 50/day (decides the limit per day)",
        ],
    ),
    "one that is less": (
        case("calls", "10/day", subscription("5/day"), addon(1, "more", on=1, add=3)),
        [
            "+ PLAN pro: 10/day",
            "- ADDON more x 1 of plan-1: {add:3} (adds 3; less than plan pro grants)",
            "- PLAN plan-1 of plan-1: 5/day (less than plan pro grants)",
        ],
    ),
    "a trial": (
        case("size", "10", trial("20")),
        [
            "+ TRIAL plan-1 of plan-1: 20",
            "- PLAN pro: 10 (replaced by what the trial of plan plan-1 grants)",
        ],
    ),
    "a promotion": (
        case("calls", "10/day", promotion("50/day"), promotion("99/day", NOW - 8 * 3_600_000)),
        [
            "+ PROMOTION: 50/day",
            "- PLAN pro: 10/day (less than the promotion grants)",
            "- PROMOTION: 99/day (has ended 2027-01-15)",
        ],
    ),
    "a promotion that is less": (
        case("calls", "10/day", promotion("10/day")),
        ["- PROMOTION: 10/day (no more than plan pro grants)", "+ PLAN pro: 10/day"],
    ),
    "one that is less than each part": (
        case("calls", "1/minute, 10/day", subscription("5/day"), promotion("50/day")),
        [
            "+ PROMOTION: 50/day (decides the limit per day)",
            "+ PLAN pro: 1/minute, 10/day (decides the limit per minute)",
            "- PLAN plan-1 of plan-1: 5/day (less than the promotion grants)",
        ],
    ),
    "one that is less than a sum": (
        case("calls", "10/day", addon(1, "more", add=5), promotion("12/day")),
        [
            "- PROMOTION: 12/day (less than plan pro and add-on more grant)",
            "+ ADDON more x 1: {add:5} (adds 5)",
            "+ PLAN pro: 10/day",
        ],
    ),
    "the windows of one and the softness of another": (
        case("calls", "150/month soft", promotion("200/day")),
        [
            "+ PROMOTION: 200/day (decides the limit per day)",
            "+ PLAN pro: 150/month (makes the limit per day soft)",
        ],
    ),
    "one add-on adds as much as another sets": (
        case("calls", "100/month", addon(1, "a", add=100), addon(1, "b", set=200)),
        [
            "+ ADDON a x 1: {add:100} (adds 100)",
            "- ADDON b x 1: {set:200} (no more than plan pro and add-on a grant)",
            "+ PLAN pro: 100/month",
        ],
    ),
    "less in another window": (
        case("calls", "10/day", promotion("12/month")),
        ["- PROMOTION: 12/month (less than plan pro grants)", "+ PLAN pro: 10/day"],
    ),
    "the number of one and the softness of another": (
        case("calls", "10/day soft", promotion("12/day")),
        [
            "+ PROMOTION: 12/day (decides the limit per day)",
            "+ PLAN pro: 10/day (makes the limit per day soft)",
        ],
    ),
    "of a soft limit only who says its number and who makes it soft": (
        case(
            "calls",
            "50/month soft",
            addon(2, "more", add=10),
            trial("80/month"),
            promotion("120/month"),
        ),
        [
            "+ PROMOTION: 120/month (decides the limit per month)",
            "- TRIAL plan-1 of plan-1: 80/month (less than the promotion grants)",
            "- ADDON more x 2: {add:10} (adds 10 x 2; less than the promotion grants)",
            "+ PLAN pro: 50/month (makes the limit per month soft)",
        ],
    ),
    "an add-on that sets a soft limit": (
        case("calls", "1000/month soft+5", addon(1, "large", set=1500)),
        [
            "+ ADDON large x 1: {set:1500} (decides the limit per month)",
            "+ PLAN pro: 1000/month (makes the limit per month soft)",
        ],
    ),
    "an add-on to a limit with a hard stop": (
        case("calls", "100/month soft+20, 60/day", addon(1, "more", add=10, per="month")),
        [
            "+ ADDON more x 1: {add:10,per:month} (adds 10; decides the limit per month)",
            "+ PLAN pro: 100/month, 60/day",
        ],
    ),
    "a promotion of what only a pool limits": (
        case("images", "15/day", promotion(True)),
        [
            "+ PROMOTION: true",
            "- PLAN pro: 15/day (less than the promotion grants)",
            "- PLAN pro (does not grant it)",  # the pool
        ],
    ),
    "a promotion in shadow": (
        case("calls", "10/day", promotion("5/day shadow")),
        [
            "+ PROMOTION: 5/day (puts the limit per day in shadow)",
            "+ PLAN pro: 10/day (decides the limit per day)",
        ],
    ),
    "as much per time in other windows": (
        case("calls", "24/day", subscription("1/hour"), promotion("5/minute, 24/day")),
        [
            "- PROMOTION: 5/minute, 24/day (no more than plan pro grants)",
            "+ PLAN pro: 24/day",
            "- PLAN plan-1 of plan-1: 1/hour (no more than plan pro grants)",
        ],
    ),
    "a month is a month": (
        case("calls", "10/month.s", promotion("50/month")),
        ["+ PROMOTION: 50/month", "- PLAN pro: 10/month (less than the promotion grants)"],
    ),
    "less than a month of another kind": (
        case("calls", "1/minute, 10/month.s", subscription("50/month"), promotion("20/month.f")),
        [
            "- PROMOTION: 20/month (less than plan plan-1 grants)",
            "+ PLAN pro: 1/minute, 10/month (decides the limit per minute)",
            "+ PLAN plan-1 of plan-1: 50/month (decides the limit per month)",
        ],
    ),
    "a window that is dropped": (
        case("calls", "10/month", promotion("9/day, 50/month")),
        [
            "+ PROMOTION: 9/day, 50/month (decides the limit per month)",
            "- PLAN pro: 10/month (less than the promotion grants)",
        ],
    ),
    "none of an add-on": (case("calls", "1/day", addon(0, add=5)), ["+ PLAN pro: 1/day"]),
    "values of both": (
        case("support", "phone", promotion("email")),
        ["+ PROMOTION: email (gives email)", "+ PLAN pro: phone (gives phone)"],
    ),
    "an override": (
        case("calls", "10/day", promotion("50/day"), override("5/day")),
        [
            "+ OVERRIDE: 5/day",
            "- PROMOTION: 50/day (replaced by the override)",
            "- PLAN pro: 10/day (replaced by the override)",
        ],
    ),
    "revoked": (
        case("export", True, override(False)),
        ["+ OVERRIDE: false", "- PLAN pro: true (replaced by the override)"],
    ),
    "started and ended": (
        case(
            "calls",
            "10/day",
            subscription("99/day", start_ms=NOW + 16 * 3_600_000),
            subscription("99/day", end_ms=NOW),
        ),
        [
            "+ PLAN pro: 10/day",
            "- PLAN plan-1 of plan-1: 99/day (starts 2027-01-16)",
            "- PLAN plan-2 of plan-2: 99/day (has ended 2027-01-15 08:00 UTC)",
        ],
    ),
    "the text of the other's add-on, which its plan gives too": (
        case("size", "red", subscription("green"), addon(on=1, gives="green")),
        [
            "- PLAN pro: red (replaced by what plan plan-1 grants)",
            "- ADDON addon-0 x 1 of plan-1: green (no more than plan plan-1 grants)",
            "+ PLAN plan-1 of plan-1: green",
        ],
    ),
    "inside a rollout": (
        case("export", None, rolled_out(True, [99.5])),
        ["+ PLAN pro: true (inside the rollout (99.5 % of customers))"],
    ),
    "outside a rollout": (
        case("export", None, rolled_out(True, [10])),
        ["- PLAN pro: {rollout:{percent:10}} (outside the rollout (10 % of customers))"],
    ),
    "outside, and something else": (
        case("calls", None, rolled_out("50/day", [0], "10/day")),
        ["+ PLAN pro: 10/day (outside the rollout (0 % of customers))"],
    ),
}


@pytest.mark.parametrize(("customer", "expected"), EXPLAINED.values(), ids=EXPLAINED)
def test_a_customer_is_shown_with_all_its_fields(customer: Case, expected: list[str]) -> None:
    assert expected == [line(source) for source in sources(customer)]


def test_dates_revisions_and_subscriptions_are_reported() -> None:
    customer = case("calls", "10/day", trial("5/day", NOW + DAY), promotion("9/day", NOW + 2 * DAY))
    customer.plans["pro"] = msgspec.structs.replace(customer.plans["pro"], revision=4)

    found = sources(customer)

    assert [NOW + 2 * DAY, NOW + DAY, None] == [source.ends_at_ms for source in found]
    assert [0, 1, 4] == [source.revision for source in found]
    assert ["", "plan-1", ""] == [source.subscription_id for source in found]


def test_the_override_of_a_resource_replaces_that_of_the_customer() -> None:
    customer = case("calls", "9/day", subscription("8/day", resource_id="w1"), override("1/day"))
    override("2/day", "w1")(customer)
    override("3/day", "w2")(customer)
    customer.resource_id = "w1"

    assert [
        "+ OVERRIDE: 2/day",
        "- OVERRIDE: 1/day (replaced by the override of the resource)",
        "- PLAN plan-1 of plan-1: 8/day (replaced by the override)",
    ] == [line(source) for source in sources(customer)]


def test_an_override_of_the_resource_that_does_not_fit_any_more_is_reported() -> None:
    customer = case("calls", None, subscription("9/day", resource_id="team"), override("1/day"))
    customer.resource_id = "team"
    customer.overrides.append(Override("calls", Entry(), "team"))

    assert [
        "+ OVERRIDE: 1/day",
        "- OVERRIDE: true (does not fit the feature any more)",
        "- PLAN plan-1 of plan-1: 9/day (replaced by the override)",
    ] == [line(source) for source in sources(customer)]


def test_the_override_that_decides_is_reported_before_one_that_does_not_fit() -> None:
    customer = case("calls", None, subscription("9/day", resource_id="team"))
    customer.resource_id = "team"
    customer.overrides.append(Override("calls", Entry(), "team"))
    override("1/day")(customer)

    assert ["+ OVERRIDE: 1/day", "- OVERRIDE: true (does not fit the feature any more)"] == [
        line(source) for source in sources(customer)[:2]
    ]


def test_what_is_gone_from_the_catalog_is_reported() -> None:
    customer = case("calls", "9/day", subscription("8/day"), addon(on=0, name="more", add=1))
    customer.addons.clear()
    del customer.plans["plan-1"]
    customer.overrides.append(Override("calls", Entry()))

    assert [
        "- OVERRIDE: true (does not fit the feature any more)",
        "- ADDON more x 1 (is not in the catalog any more)",
        "+ PLAN pro: 9/day",
        "- PLAN plan-1 of plan-1 (is not in the catalog any more)",
    ] == [line(source) for source in sources(customer)]


@pytest.fixture(scope="module")
def catalog() -> Snapshot:
    text = """
version: 1
default_plan: free
features:
  calls: {type: metered}
  seats: {type: metered, kind: gauge}
  export: {type: boolean}
  old: {type: boolean}
  credits: {type: metered, decimals: 2}
  image: {type: metered, credit: {pool: credits, cost: 0.25}}
plans:
  free: {entitlements: {calls: {limit: 5}, old: true, credits: {limit: 10}}}
  plus: {extends: free, entitlements: {calls: {limit: 50}, export: true}}
  pro: {extends: plus, entitlements: {seats: {limit: 3}, old: false, image: true}}
  team: {extends: pro, entitlements: {}}
addons:
  packs: {entitlements: {credits: {add: 2}}}
"""
    return compile_snapshot(parse([Source("plans.yaml", text)]), 1)


@pytest.mark.parametrize(
    ("feature_id", "expected"),
    [
        (
            "calls",
            [
                "+ PLAN team: 50 (inherited from plus)",
                "+ BASE_PLAN plus: 50",
                "- BASE_PLAN free: 5 (replaced by plan plus)",
            ],
        ),
        ("seats", ["+ PLAN team: 3 (inherited from pro)", "+ BASE_PLAN pro: 3"]),
        ("export", ["+ PLAN team: true (inherited from plus)", "+ BASE_PLAN plus: true"]),
        ("old", ["- PLAN team (does not grant it)"]),
        ("gone", []),
    ],
)
def test_where_a_plan_has_it_from_is_reported(
    catalog: Snapshot, feature_id: str, expected: list[str]
) -> None:
    record = CustomerRecord("acme", (Subscription("team", START),))

    found = explain(record, catalog, NOW, "acme", "", feature_id)

    assert expected == [line(source) for source in found]


def test_what_the_plan_itself_switches_off_is_reported(catalog: Snapshot) -> None:
    record = CustomerRecord("acme", (Subscription("pro", START),))

    assert [
        "- PLAN pro (does not grant it)",
        "- BASE_PLAN free: true (switched off by plan pro)",
    ] == [line(source) for source in explain(record, catalog, NOW, "acme", "", "old")]


def test_of_an_earlier_revision_the_bases_of_today_are_not_told() -> None:
    customer = case("calls", "10/day")
    customer.plans["pro"] = msgspec.structs.replace(
        customer.plans["pro"], revision=2, bases=("free",)
    )
    customer.plans["free"] = Plan("free", {"calls": entitlement_of(customer.feature, "1/day")})
    earlier = Plan("pro", {"calls": entitlement_of(customer.feature, "9/day")}, bases=("free",))
    customer.earlier["pro", 1] = earlier

    assert ["+ PLAN pro: 9/day"] == [line(source) for source in sources(customer)]


def test_a_customer_never_seen_has_the_default_plan(catalog: Snapshot) -> None:
    assert ["+ DEFAULT_PLAN free: 5"] == [
        line(source) for source in explain(None, catalog, NOW, "acme", "", "calls")
    ]
    assert () == explain(None, catalog, NOW, "acme", "w1", "calls")


def test_a_server_whose_clock_is_behind_explains_what_was_just_written(catalog: Snapshot) -> None:
    over = Promotion("seats", Entry(limits=(Limit(9),)), NOW - 1)
    record = CustomerRecord("acme", (Subscription("pro", NOW),), updated_ms=NOW, promotions=(over,))

    assert ["+ PLAN pro: 3", "- PROMOTION: 9 (has ended 2027-01-15 07:59 UTC)"] == [
        line(source) for source in explain(record, catalog, NOW - 3, "acme", "", "seats")
    ]


ROLLED_OUT = """
version: 1
features: {calls: {type: metered}, export: {type: boolean}}
plans:
  free: {entitlements: {calls: {limit: 10, per: day}}}
  pro:
    extends: free
    entitlements: {calls: {limit: 50, per: day, rollout: {percent: 0, inherit: true}}}
  team: {extends: pro}
  in:
    extends: free
    entitlements: {calls: {limit: 50, per: day, rollout: {percent: 100, inherit: true}}}
  inner: {extends: in, entitlements: {calls: {limit: 60, per: day, rollout: {percent: 0}}}}
  trying: {entitlements: {export: {rollout: {percent: 0, inherit: true}}}}
  tried: {extends: trying}
  own: {extends: free, entitlements: {calls: {limit: 50, per: day, rollout: {percent: 100}}}}
  heir: {extends: own}
"""


@pytest.mark.parametrize(
    ("plan_id", "feature_id", "told"),
    [
        ("pro", "calls", [("pro", True, "inherited from free"), ("free", True, "")]),
        (
            "team",
            "calls",
            [
                ("team", True, "inherited from free"),
                ("pro", False, "outside the rollout (0 % of customers)"),
                ("free", True, ""),
            ],
        ),
        (
            "in",
            "calls",
            [
                ("in", True, "inside the rollout (100 % of customers)"),
                ("free", False, "replaced by plan in"),
            ],
        ),
        (
            "inner",
            "calls",
            [
                ("inner", True, "inherited from in"),
                ("in", True, ""),
                ("free", False, "replaced by plan in"),
            ],
        ),
        (
            "heir",
            "calls",
            [("heir", True, "inherited from free"), ("free", True, "")],
        ),
        (
            "tried",
            "export",
            [
                ("tried", False, "outside the rollout (0 % of customers)"),
                ("trying", False, "outside the rollout (0 % of customers)"),
            ],
        ),
    ],
)
def test_below_a_rollout_the_base_plan_that_decides_is_reported(
    plan_id: str, feature_id: str, told: list[tuple[str, bool, str]]
) -> None:
    snapshot = compile_snapshot(parse([Source("plans.yaml", ROLLED_OUT)]), 1)
    record = CustomerRecord("acme", (Subscription(plan_id, START),))

    found = explain(record, snapshot, NOW, "acme", "", feature_id)

    # Of the plan itself, without the rollouts that it says, which other tests are about.
    assert told == [
        (each.source_id, each.won, each.note if index else each.note.split("; ")[-1])
        for index, each in enumerate(found)
    ]


def test_a_base_plan_goes_the_way_of_the_plan_that_inherits_it(catalog: Snapshot) -> None:
    more = Promotion("seats", Entry(limits=(Limit(9),)))
    record = CustomerRecord("acme", (Subscription("team", START),), promotions=(more,))

    assert [
        "+ PROMOTION: 9",
        "- PLAN team: 3 (inherited from pro; less than the promotion grants)",
        "- BASE_PLAN pro: 3 (lost with the plan that inherits it)",
    ] == [line(source) for source in explain(record, catalog, NOW, "acme", "", "seats")]


def test_what_another_phase_takes_the_place_of_ends_there(catalog: Snapshot) -> None:
    phases = (Subscription("team", START), Subscription("plus", NOW + DAY))

    found = explain(CustomerRecord("acme", phases), catalog, NOW, "acme", "", "calls")

    assert NOW + DAY == found[0].ends_at_ms


def test_an_archived_customer_has_nothing_to_explain(catalog: Snapshot) -> None:
    record = CustomerRecord("acme", (Subscription("pro", START),), archived=True)

    assert () == explain(record, catalog, NOW, "acme", "", "calls")


def test_the_pool_that_pays_is_explained_too(catalog: Snapshot) -> None:
    record = CustomerRecord("acme", (Subscription("pro", START, addons={"packs": 2}),))

    found = explain(record, catalog, NOW, "acme", "", "image")

    assert [
        ("", "+ PLAN pro: true"),
        ("credits", "+ ADDON packs x 2: {add:2} (adds 2 x 2)"),
        ("credits", "+ PLAN pro: 10 (inherited from free)"),
        ("credits", "+ BASE_PLAN free: 10"),
    ] == [(source.feature_id, line(source)) for source in found]


@given(customers())
def test_a_source_wins_when_something_is_in_force(customer: Case) -> None:
    effective = customer.resolve().entitlements.get(customer.feature_id)

    assert (effective is not None) == any(source.won for source in sources(customer))


@given(customers(), st.data())
def test_against_an_override_no_other_source_wins(customer: Case, data: st.DataObject) -> None:
    override(data.draw(st.just(False) | specs[customer.feature_id]))(customer)

    assert [SourceKind.OVERRIDE] == [source.kind for source in sources(customer) if source.won]


@given(customers())
def test_the_reason_why_a_source_did_not_win_is_shown(customer: Case) -> None:
    assert all(source.won or source.note for source in sources(customer))


@given(customers())
def test_the_only_winner_grants_what_is_in_force(customer: Case) -> None:
    effective = customer.resolve().entitlements.get(customer.feature_id)
    winners = [source for source in sources(customer) if source.won]

    if effective is not None and len(winners) == 1:
        grants = json.loads(winners[0].grants)
        if isinstance(grants, dict) and "limits" in grants:
            granted = [limit.get("limit") for limit in grants["limits"]]
            assert {limit.limit for limit in effective.limits} <= set(granted)
        elif isinstance(grants, dict):  # of an add-on
            (amount,) = (grants[key] for key in ("set", "add") if key in grants)
            unit = 10**customer.feature.decimals
            limits = [limit.limit for limit in effective.limits]
            assert [amount * unit * (winners[0].quantity if "add" in grants else 1)] == limits
        elif grants == "unlimited" or (grants is True and effective.limits):
            assert effective.unlimited
        elif grants is not True:
            values = grants if isinstance(grants, list) else [grants]
            assert values == list(effective.values or (effective.value,))


@given(customers(), st.data())
def test_without_a_promotion_that_lost_nothing_changes(customer: Case, data: st.DataObject) -> None:
    promotion(data.draw(specs[customer.feature_id]))(customer)
    (first, *_) = sources(customer)
    after = customer.resolve().entitlements

    customer.promotions.pop()

    assert first.won == (after != customer.resolve().entitlements)
