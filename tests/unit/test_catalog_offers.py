"""What is sold: plans of groups, add-ons, and shares of a plan's customers."""

import pytest

from quotad.errors import CatalogError
from quotad.model import AddOn, AddOnEntry, Anchor, Entry, Limit, Rollout, Unit, Window
from tests.unit.catalogs import catalog, compiled, written

DAY, MINUTE = Window(Unit.DAY), Window(Unit.MINUTE)
MONTH = Window(Unit.MONTH, 1, Anchor.SUBSCRIPTION)


# Plans and groups


def test_a_group_lies_over_the_base_and_below_the_plan() -> None:
    plans = compiled(
        """
        groups:
          one: {entitlements: {calls: {limit: 1, per: day}, size: 1, export: true}}
          two: {name: Two, entitlements: {size: 2, export: false}}
        plans:
          free: {entitlements: {calls: {limit: 5, per: minute}, seats: {limit: 3}, size: 0}}
          pro: {extends: free, groups: [one, two], entitlements: {seats: {limit: 9}}}
          max: {extends: pro, groups: [one], entitlements: {calls: unlimited}}
        """
    ).plans

    pro, most = plans["pro"].entitlements, plans["max"].entitlements
    assert ["calls", "seats", "size"] == list(pro)
    assert (Limit(1, DAY),) == pro["calls"].limits
    assert (Limit(9),) == pro["seats"].limits
    assert "2" == pro["size"].value
    assert (Limit(None, DAY),) == most["calls"].limits
    assert ["calls", "seats", "export", "size"] == list(most)


def test_the_order_of_groups_is_part_of_the_document() -> None:
    groups = "groups: {a: {entitlements: {size: 1}}, b: {entitlements: {size: 2}}}"

    one = catalog(f"{groups}\nplans: {{p: {{groups: [a, b]}}}}")
    two = catalog(f"{groups}\nplans: {{p: {{groups: [b, a]}}}}")

    assert one.digest != two.digest


def test_a_plan_knows_what_it_is_made_of() -> None:
    plans = compiled(
        """
        plans:
          free: {}
          pro: {extends: free, billing: year, usage_on_change: reset}
          old: {extends: pro, archived: true, billing: month, apply_to: all, usage_on_change: keep}
        """
    ).plans

    assert [(), ("free",), ("pro", "free")] == [plan.bases for plan in plans.values()]
    assert [MONTH, Window(Unit.YEAR, 1, Anchor.SUBSCRIPTION), MONTH] == [
        plan.billing for plan in plans.values()
    ]
    assert [False, False, True] == [plan.archived for plan in plans.values()]
    assert [False, True, False] == [plan.resets_usage for plan in plans.values()]


def test_what_is_usual_is_not_written() -> None:
    short = "plans: {free: {}}"
    long = """
        plans:
          free: {archived: false, billing: 1 month, apply_to: all, usage_on_change: keep}
        groups: {}
        addons: {}
        """

    assert catalog(short).document == catalog(long).document


def test_whom_a_change_is_for_is_known_of_a_plan() -> None:
    plans = catalog("plans: {a: {apply_to: new}, b: {apply_to: all}, c: {}}").definitions.plans

    assert [True, False, False] == [plan.apply_to_new for plan in plans.values()]


# Add-ons


def test_an_add_on_adds_sets_or_grants() -> None:
    addons = compiled(
        """
        plans:
          pro:
            entitlements:
              calls: {limits: [{limit: 5, per: minute}, {limit: 50, per: day}]}
              seats: {limit: 3}
        addons:
          more:
            name: More
            max_quantity: 5
            archived: true
            plans: [pro]
            entitlements:
              calls: {add: 10, per: day}
              seats: {set: 9}
              export: true
              size: 7
              support: [phone, email]
              image: true
              video: unlimited
              credits: {add: 2, per: month, anchor: subscription}
          any: {}
        """
    ).addons

    assert AddOn("any", {}, None, None) == addons["any"]
    assert (5, ("pro",)) == (addons["more"].max_quantity, addons["more"].plans)
    assert (True, False) == (addons["more"].archived, addons["any"].archived)
    assert {
        "calls": AddOnEntry(add=10, window=DAY, names_window=True),
        "seats": AddOnEntry(set=9),
        "export": AddOnEntry(entry=Entry()),
        "size": AddOnEntry(entry=Entry(value="7")),
        "support": AddOnEntry(entry=Entry(value="phone", values=("email", "phone"))),
        "image": AddOnEntry(entry=Entry()),
        "video": AddOnEntry(entry=Entry(limits=None)),
        "credits": AddOnEntry(add=200, window=MONTH, names_window=True),
    } == addons["more"].entries


def test_the_order_of_the_plans_of_an_add_on_has_no_meaning() -> None:
    plans = "plans: {a: {}, b: {}, c: {}}\n"

    one = catalog(plans + "addons: {x: {plans: [c, a]}}")
    two = catalog(plans + "addons: {x: {plans: [a, c]}}")

    assert one.document == two.document


def test_an_add_on_names_a_limit_without_a_window_as_lifetime() -> None:
    text = """
        plans: {pro: {entitlements: {calls: {limits: [{limit: 5, per: minute}, {limit: 50}]}}}}
        addons: {more: {entitlements: {calls: {add: 10, per: lifetime}}}}
        """

    assert (
        AddOnEntry(add=10, window=None, names_window=True)
        == (compiled(text).addons["more"].entries["calls"])
    )
    assert {"add": 10, "per": "lifetime"} == (
        written(text, "addons", "more", "entitlements", "calls")
    )


@pytest.mark.parametrize(
    "rights",
    ["calls: unlimited", "calls: {limits: [{unlimited: true, per: day}, {unlimited: true}]}"],
)
def test_an_amount_needs_no_window_where_the_plan_has_no_limit(rights: str) -> None:
    compiled(f"""
        plans: {{pro: {{entitlements: {{{rights}, image: true}}}}}}
        addons: {{more: {{entitlements: {{calls: {{add: 1}}, image: {{add: 1}}}}}}}}
        """)


def test_an_amount_must_fit_what_either_side_of_a_rollout_has() -> None:
    with pytest.raises(CatalogError) as caught:
        catalog(
            """
            plans:
              free:
                entitlements: {calls: {limits: [{limit: 5, per: minute}, {limit: 9, per: day}]}}
              pro:
                extends: free
                entitlements: {calls: {limit: 9, per: day, rollout: {percent: 1}}}
            addons: {more: {plans: [pro], entitlements: {calls: {add: 1}}}}
            """
        )

    assert (
        "a.yaml: addons.more.entitlements.calls: plan 'pro' has limits of it that its rollout sets"
        " apart (per: day or per: minute; per: day); say 'per: day', which all of them have",
    ) == caught.value.problems


@pytest.mark.parametrize(
    ("inside", "amount", "advice"),
    [
        ("{limit: 9, per: month", "{add: 1, per: day}", "leave 'per' out"),
        (
            "{limits: [{limit: 1, per: minute}, {limit: 9, per: month}]",
            "{add: 1}",
            "give them a window in common, or name the 'plans' that may take the add-on",
        ),
    ],
)
def test_what_a_rollout_sets_apart_is_reported_with_a_way_out(
    inside: str, amount: str, advice: str
) -> None:
    text = """
        plans:
          free: {{entitlements: {{calls: {{limit: 5, per: day}}}}}}
          pro: {{extends: free, entitlements: {{calls: {0}, rollout: {{percent: 1}}}}}}}}
        addons: {{more: {{plans: [pro], entitlements: {{calls: {1}}}}}}}
        """
    with pytest.raises(CatalogError, match=advice):
        catalog(text.format(inside, amount))

    assert catalog(text.format("{limit: 9, per: month", "{add: 1}"))


# Rollouts


def test_a_rollout_is_compiled_with_what_the_others_have() -> None:
    plans = compiled(
        """
        groups: {basics: {entitlements: {size: 5}}}
        plans:
          free: {entitlements: {calls: {limit: 5, per: day}}}
          pro:
            extends: free
            groups: [basics]
            entitlements:
              export: {rollout: {percent: 10}}
              calls: {limit: 50, per: day, rollout: {percent: 12.5, salt: x, variant: large}}
              size: {value: 9, rollout: {percent: 100}}
              image: {rollout: {percent: "0.01"}}
              video: {unlimited: true, rollout: {percent: 0}}
        """
    ).plans

    pro = plans["pro"].entitlements
    assert ("calls", "image", "video", "export", "size") == plans["pro"].conditional
    assert () == plans["free"].conditional
    assert Rollout(1000, "export", "rollout") == pro["export"].rollout
    assert pro["export"].otherwise is None
    assert Rollout(1250, "x", "large") == pro["calls"].rollout
    assert plans["free"].entitlements["calls"] == pro["calls"].otherwise
    assert ("9", "5") == (pro["size"].value, getattr(pro["size"].otherwise, "value", None))
    assert (Rollout(1, "image", "rollout"), ()) == (pro["image"].rollout, pro["image"].limits)
    assert (Limit(None),) == pro["video"].limits


def test_a_rollout_is_written_in_one_way() -> None:
    text = """
        plans:
          pro:
            entitlements:
              export: {rollout: {percent: 10.0, salt: export, variant: rollout}}
              calls: {unlimited: true, rollout: {percent: 12.50, salt: x, variant: large}}
              support: {value: [phone, email], rollout: {percent: 5}}
        """

    assert {
        "calls": {
            "unlimited": True,
            "rollout": {"percent": 12.5, "salt": "x", "variant": "large"},
        },
        "export": {"rollout": {"percent": 10}},
        "support": {"value": ["email", "phone"], "rollout": {"percent": 5}},
    } == written(text, "plans", "pro", "entitlements")


def test_unlimited_over_a_rollout_counts_in_the_windows_of_both_sides() -> None:
    plans = compiled(
        """
        plans:
          free: {entitlements: {calls: {limit: 5, per: day}}}
          pro:
            extends: free
            entitlements: {calls: {limit: 9, per: minute, rollout: {percent: 1}}}
          max: {extends: pro, entitlements: {calls: unlimited}}
        """
    ).plans

    assert (Limit(None, MINUTE), Limit(None, DAY)) == plans["max"].entitlements["calls"].limits
    assert () == plans["max"].conditional
