"""Pricing experiments: a share of a plan's customers has another plan."""

import json

import pytest

from quotad.catalog import Catalog, Source, compile_snapshot, diff, parse
from quotad.customers.drafts import carried_out
from quotad.customers.overrides import NewEntitlement, grant_promotion
from quotad.customers.profile import Profile, update
from quotad.customers.row_reader import RowReader
from quotad.customers.rows import write_row
from quotad.customers.subscriptions import Provision, provision
from quotad.entitlements.explain import explain
from quotad.entitlements.resolve import Effective, resolve
from quotad.errors import CatalogError
from quotad.records import CustomerRecord

NOW = 1_800_000_000_000
PLANS = """
version: 1
default_plan: free
features:
  calls: {type: metered}
  sso: {type: boolean}
  editor: {type: boolean}
plans:
  free: {entitlements: {calls: {limit: 1, per: day}}}
  free-b: {archived: true, entitlements: {calls: {limit: 2, per: day}}}
  pro:
    entitlements: {calls: {limit: 10, per: day}, editor: {rollout: {percent: 100}}}
  pro-b:
    archived: true
    entitlements: {calls: {limit: 20, per: day}, sso: true}
experiments:
  pricing: {of: pro, share: 10 %, to: pro-b, new_customers: true}
  trial-size: {of: free, share: 50, to: free-b, new_customers: false}
"""
CATALOG = parse([Source("plans.yaml", PLANS)])
SNAPSHOT = compile_snapshot(Catalog.from_document(CATALOG.document), 1)
WITHOUT = compile_snapshot(parse([Source("a.yaml", PLANS.partition("experiments:")[0])]), 1)
IDS = [f"c{number}" for number in range(2000)]
PRICING = SNAPSHOT.experiments["pro"]
INSIDE = next(name for name in IDS if PRICING.variant(name) == "pro-b")
OUTSIDE = next(name for name in IDS if PRICING.variant(name) == "control")


def new(customer_id: str, plan_id: str = "pro") -> CustomerRecord:
    return provision(CustomerRecord(customer_id), Provision(plan_id), SNAPSHOT, NOW)


def having(record: CustomerRecord | None, customer_id: str = "") -> Effective:
    return resolve(record, SNAPSHOT, NOW, record.customer_id if record else customer_id)


def calls(effective: Effective) -> int | None:
    return effective.entitlements["calls"].limits[0].limit


def test_a_share_of_new_customers_has_the_other_plan_and_keeps_it() -> None:
    plans = [having(new(name)).plan_id for name in IDS]

    assert 0.08 < plans.count("pro-b") / len(plans) < 0.12
    assert plans == [having(new(name)).plan_id for name in IDS]
    grown = compile_snapshot(parse([Source("a.yaml", PLANS.replace("10 %", "20"))]), 1)
    later = [grown.experiments["pro"].variant(name) for name in IDS]
    assert all(
        variant == "pro-b" for plan, variant in zip(plans, later, strict=True) if plan == "pro-b"
    )


def test_answers_tell_both_groups_apart() -> None:
    inside, outside = having(new(INSIDE)), having(new(OUTSIDE))

    assert (20, "pro-b") == (calls(inside), inside.entitlements["calls"].variant)
    assert (10, "control") == (calls(outside), outside.entitlements["calls"].variant)
    assert "pro-b" == inside.entitlements["sso"].variant
    assert "control" == outside.variants["sso"]
    # A rollout of the plan's own tells more about its feature.
    assert "rollout" == outside.entitlements["editor"].variant
    assert inside.group is not None
    assert ("pricing", "pro-b") == (inside.group.experiment.name, inside.group.variant)


def test_customers_of_one_group_share_a_table() -> None:
    groups = {having(new(name)).table for name in IDS[:200]}

    assert 2 == len(groups)


def test_customers_from_before_the_experiment_are_not_in_it() -> None:
    before = provision(CustomerRecord(INSIDE), Provision("pro"), WITHOUT, NOW)

    again = provision(before, Provision("pro"), SNAPSHOT, NOW + 1)

    assert (10, "") == (calls(having(again)), having(again).entitlements["calls"].variant)


def test_every_way_to_a_first_record_makes_a_new_customer() -> None:
    fresh = CustomerRecord("acme")
    promotion = NewEntitlement("sso", True)

    assert ("pricing",) == new("acme").experiments
    assert ("pricing",) == update(fresh, Profile("Acme"), SNAPSHOT, NOW).experiments
    assert ("pricing",) == grant_promotion(fresh, promotion, SNAPSHOT, NOW).experiments


def test_an_experiment_for_all_is_also_for_those_without_a_record() -> None:
    plans = {having(None, name).plan_id for name in IDS[:50]}

    assert {"free", "free-b"} == plans
    record = provision(CustomerRecord("c1"), Provision("free"), WITHOUT, NOW)
    assert having(None, "c1").plan_id == having(record).plan_id


def test_when_the_experiment_ends_everybody_has_the_plan_of_the_subscription() -> None:
    record = new(INSIDE)

    assert "pro" == resolve(record, WITHOUT, NOW, INSIDE).plan_id
    assert ["pro"] == [phase.plan_id for phase in record.subscriptions]


def test_an_explanation_tells_why_it_is_another_plan() -> None:
    [inside, *_] = explain(new(INSIDE), SNAPSHOT, NOW, INSIDE, "", "calls")
    [outside, *_] = explain(new(OUTSIDE), SNAPSHOT, NOW, OUTSIDE, "", "calls")

    assert ("pro-b", True) == (inside.source_id, inside.won)
    assert "instead of pro, inside the experiment pricing (10 % of new customers)" == inside.note
    assert "outside the experiment pricing (10 % of new customers)" == outside.note


def test_a_row_keeps_which_experiments_a_customer_is_in() -> None:
    record = new(INSIDE)
    row = write_row(record, SNAPSHOT, NOW)

    moved = carried_out(RowReader(SNAPSHOT, NOW).read(row), None, SNAPSHOT, NOW)
    plain = carried_out(
        RowReader(SNAPSHOT, NOW).read(b'{"customer_id": "acme", "plan": "pro"}'),
        None,
        SNAPSHOT,
        NOW,
    )

    assert ["pricing"] == json.loads(row)["experiments"]
    assert ("pricing",) == moved.experiments
    assert () == plain.experiments


def test_an_experiment_is_written_as_it_was_read_and_a_change_of_it_is_one() -> None:
    document = json.loads(CATALOG.document)["experiments"]
    again = Catalog.from_document(CATALOG.document)

    assert {"of": "pro", "share": 10, "to": "pro-b"} == document["pricing"]
    assert CATALOG.document == Catalog(again.definitions).document
    changed = parse([Source("a.yaml", PLANS.replace("10 %", "12.5 %"))])
    assert [("experiments.pricing.share", "10", "12.5")] == [
        (each.path, each.before, each.after) for each in diff(CATALOG, changed)
    ]


@pytest.mark.parametrize(
    ("experiment", "problem"),
    [
        ("5", ": must be a mapping such as {of: pro, share: 10 %, to: pro-b}, not 5"),
        ("{of: pro, to: pro-b}", ": has no share; write {of: pro, share: 10 %, to: pro-b}"),
        ("{of: pro, shar: 5, to: pro-b}", ": unknown key 'shar', did you mean 'share'?"),
        ("{of: pro, share: 101, to: pro-b}", ".share: must be from 0 to 100 %"),
        ("{of: pro, share: few, to: pro-b}", ".share: must be a number such as 2 or 0.5"),
        ("{of: pro, share: 5, to: pro-c}", ".to: unknown plan 'pro-c', did you mean 'pro-b'?"),
        ("{of: pro, share: 5, to: pro}", ".to: 'pro' is itself in experiment 'pricing'"),
        ("{of: free, share: 5, to: pro-b}", ".of: 'free' is in experiment"),
        (
            "{of: pro, share: 5, to: pro-b, new_customers: maybe}",
            ".new_customers: must be true or false, not the text 'maybe'",
        ),
    ],
)
def test_a_wrong_experiment_is_refused_where_it_stands(experiment: str, problem: str) -> None:
    text = PLANS.replace("{of: pro, share: 10 %, to: pro-b, new_customers: true}", experiment)

    with pytest.raises(CatalogError) as caught:
        parse([Source("a.yaml", text)])

    [told] = caught.value.problems
    assert told.startswith("a.yaml: experiments.")
    assert problem in told
