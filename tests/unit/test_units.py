"""Limits per unit: written in a catalog, multiplied by the units of the subscription."""

import json

import pytest
from msgspec.structs import replace

from quotad.catalog import Catalog, Source, carry, compile_snapshot, parse, parse_entry_value
from quotad.customers.drafts import carried_out
from quotad.customers.row_reader import RowReader
from quotad.customers.rows import write_row
from quotad.customers.subscriptions import (
    Change,
    Provision,
    Trial,
    change_subscription,
    provision,
)
from quotad.entitlements.explain import explain
from quotad.entitlements.resolve import Effective, resolve
from quotad.errors import CatalogError, InvalidRequest
from quotad.model import QUANTITY_MAX, Entry
from quotad.records import CustomerRecord, Override, Promotion, Subscription
from quotad.store.records import decode_customer, encode_customer

NOW = 1_800_000_000_000
DAY = 86_400_000
NEW = CustomerRecord("acme")

PLANS = """
version: 1
default_plan: team
features:
  seats: {type: metered, kind: gauge}
  calls: {type: metered}
  mails: {type: metered}
  credits: {type: metered, decimals: 2}
plans:
  team:
    entitlements:
      seats: {limit: {per_unit: 1}}
      calls: {limits: [{limit: {per_unit: 10}, per: month}, {limit: 7, per: minute}]}
      mails: {limit: 100, per: day}
      credits: {limit: {per_unit: 3}, per: month, soft: true, overage_limit: 5}
  flat:
    entitlements:
      seats: {limit: 5}
      mails: {limit: 100, per: day}
  split:
    entitlements:
      seats: {limit: 2}
      calls: {limit: {per_unit: 10}, per: month, rollout: {percent: 0}}
addons:
  more:
    entitlements:
      seats: {add: {per_unit: 2}}
      mails: {add: 50, per: day}
  most:
    entitlements: {seats: {set: {per_unit: 9}}}
"""
CATALOG = parse([Source("plans.yaml", PLANS)])
SNAPSHOT = compile_snapshot(Catalog.from_document(CATALOG.document), 1)


def on(plan_id: str, units: int, **more: object) -> CustomerRecord:
    phase = Subscription(plan_id, NOW - DAY, unit_quantity=units)
    record = CustomerRecord("acme", (phase,), created_ms=1, updated_ms=1)
    return replace(record, **more)


def having(record: CustomerRecord | None, at_ms: int = NOW) -> Effective:
    return resolve(record, SNAPSHOT, at_ms, "acme")


def limit(record: CustomerRecord | None, feature_id: str, at_ms: int = NOW) -> list[int | None]:
    return [each.limit for each in having(record, at_ms).entitlements[feature_id].limits]


def entry(feature_id: str, value: object) -> Entry:
    return parse_entry_value(SNAPSHOT.features[feature_id], value)


# The catalog


def test_a_limit_per_unit_is_written_as_it_was_read() -> None:
    again = Catalog.from_document(CATALOG.document)
    document = json.loads(again.document)

    assert CATALOG.document == Catalog(again.definitions).document
    assert {"limits": [{"limit": {"per_unit": 1}}]} == document["plans"]["team"]["entitlements"][
        "seats"
    ]
    assert {"add": {"per_unit": 2}} == document["addons"]["more"]["entitlements"]["seats"]


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("{per_unt: 1}", "seats.limit: unknown key 'per_unt', did you mean 'per_unit'?"),
        ("{}", "seats.limit: is empty; write a number, or {per_unit: 1}"),
        ("{per_unit: 0}", "seats.limit.per_unit: must be at least 1"),
        ("{per_unit: 0.5}", "seats.limit.per_unit: must be a whole number, not 0.5"),
        (
            "{per_unit: {per_unit: 1}}",
            "seats.limit.per_unit: must be a whole number, not a mapping",
        ),
    ],
)
def test_a_wrong_amount_per_unit_is_refused_where_it_stands(value: str, problem: str) -> None:
    text = PLANS.replace("{limit: 5}", f"{{limit: {value}}}")

    with pytest.raises(CatalogError) as caught:
        parse([Source("a.yaml", text)])

    assert (f"a.yaml: plans.flat.entitlements.{problem}",) == caught.value.problems


def test_earlier_revisions_keep_their_limits_per_unit() -> None:
    changed = PLANS.replace(
        "  team:\n    entitlements:\n      seats: {limit: {per_unit: 1}}",
        "  team:\n    apply_to: new\n    entitlements:\n      seats: {limit: 3}",
    )
    carried = carry(CATALOG, parse([Source("plans.yaml", changed)]))
    snapshot = compile_snapshot(Catalog.from_document(carried.document), 2)

    effective = resolve(on("team", 50), snapshot, NOW, "acme")
    assert [50] == [each.limit for each in effective.entitlements["seats"].limits]
    latest = replace(on("team", 50).subscriptions[0], revision=2)
    effective = resolve(on("team", 50, subscriptions=(latest,)), snapshot, NOW, "acme")
    assert [3] == [each.limit for each in effective.entitlements["seats"].limits]


# What customers have


def test_limits_per_unit_are_multiplied_and_the_others_stay() -> None:
    record = on("team", 50)

    assert [50] == limit(record, "seats")
    assert [500, 7] == limit(record, "calls")
    assert [100] == limit(record, "mails")
    [credits] = having(record).entitlements["credits"].limits
    assert (15000, True, 500) == (credits.limit, credits.soft, credits.overage_limit)


def test_a_customer_without_a_record_has_one_unit() -> None:
    assert [1] == limit(None, "seats")


def test_nothing_in_force_is_per_unit_any_more() -> None:
    for record in (None, on("team", 1), on("team", 50), on("split", 3)):
        rights = having(record).entitlements.values()
        assert not [each for right in rights for each in right.limits if each.per_unit]


def test_customers_with_as_many_units_share_a_table_and_others_do_not() -> None:
    tables = [having(on("team", units)).table for units in (50, 50, 51)]

    assert tables[0] == tables[1] != tables[2]
    assert having(on("flat", 50)).table == having(on("flat", 51)).table


def test_a_product_beyond_what_is_counted_exactly_ends_there() -> None:
    text = PLANS.replace(
        "seats: {limit: {per_unit: 1}}", f"seats: {{limit: {{per_unit: {10**12}}}}}"
    )
    snapshot = compile_snapshot(parse([Source("a.yaml", text)]), 1)

    effective = resolve(on("team", 10**9), snapshot, NOW, "acme")

    assert [QUANTITY_MAX] == [each.limit for each in effective.entitlements["seats"].limits]


def test_an_add_on_per_unit_is_multiplied_by_units_and_by_how_many_there_are() -> None:
    phase = on("team", 50).subscriptions[0]

    both = on("team", 50, subscriptions=(replace(phase, addons={"more": 3}),))
    assert [50 + 50 * 2 * 3] == limit(both, "seats")
    assert [100 + 3 * 50] == limit(both, "mails")
    largest = on("team", 50, subscriptions=(replace(phase, addons={"most": 1}),))
    assert [450] == limit(largest, "seats")


def test_overrides_and_promotions_per_unit_are_of_the_main_subscription() -> None:
    override = Override("seats", entry("seats", {"limit": {"per_unit": 4}}))
    promotion = Promotion("mails", entry("mails", {"limit": {"per_unit": 3}, "per": "day"}))

    record = on("team", 50, overrides=(override,), promotions=(promotion,))

    assert [200] == limit(record, "seats")
    assert [150] == limit(record, "mails")


def test_an_override_without_units_decides_alone() -> None:
    override = Override("seats", entry("seats", {"limit": 20}))

    assert [20] == limit(on("team", 50, overrides=(override,)), "seats")


def test_of_several_subscriptions_each_has_its_own_units() -> None:
    first = Subscription("team", NOW - DAY, unit_quantity=2)
    second = Subscription("team", NOW - DAY, "second", unit_quantity=9)

    assert [9] == limit(on("team", 1, subscriptions=(first, second)), "seats")


def test_an_explanation_has_the_product_and_its_factors() -> None:
    [plan] = explain(on("team", 50), SNAPSHOT, NOW, "acme", "", "seats")
    phase = replace(on("team", 50).subscriptions[0], addons={"more": 3})
    record = on("team", 50, subscriptions=(phase,))
    addon, _ = explain(record, SNAPSHOT, NOW, "acme", "", "seats")

    assert '{"limits":[{"limit":50}]}' == plan.grants
    assert "1 per unit x 50" == plan.note
    assert ('{"add":{"per_unit":2}}', "adds 100 x 3") == (addon.grants, addon.note)


# Subscriptions


def test_units_are_bought_with_the_subscription_and_stay_when_it_is_set_again() -> None:
    record = provision(NEW, Provision("team", unit_quantity=50), SNAPSHOT, NOW)
    again = provision(record, Provision("flat"), SNAPSHOT, NOW + 1)
    fewer = provision(again, Provision("team", unit_quantity=3), SNAPSHOT, NOW + 2)

    assert [1, 50, 50, 3] == [
        each.subscriptions[0].unit_quantity
        for each in (provision(NEW, Provision("team"), SNAPSHOT, NOW), record, again, fewer)
    ]


def test_units_change_at_once_or_at_the_end_of_the_period() -> None:
    record = provision(NEW, Provision("team", unit_quantity=50), SNAPSHOT, NOW)

    now = change_subscription(record, Change(unit_quantity=60), SNAPSHOT, NOW + DAY)
    later = change_subscription(
        record, Change(unit_quantity=10, at_period_end=True), SNAPSHOT, NOW + DAY
    )

    assert [60] == limit(now, "seats", NOW + DAY)
    assert [50] == limit(later, "seats", NOW + 30 * DAY)
    assert [10] == limit(later, "seats", NOW + 31 * DAY)
    assert NOW + 31 * DAY == having(later, NOW + DAY).until_ms
    assert NOW == later.subscriptions[1].anchor


def test_what_follows_a_trial_has_its_units() -> None:
    wanted = Provision("team", trial=Trial(NOW + DAY, plan_id="flat"), unit_quantity=4)

    record = provision(NEW, wanted, SNAPSHOT, NOW)

    assert [4, 4] == [phase.unit_quantity for phase in record.subscriptions]


@pytest.mark.parametrize("units", [0, -1, 1_000_000_001])
def test_as_many_units_as_make_no_sense_are_refused(units: int) -> None:
    record = provision(NEW, Provision("team"), SNAPSHOT, NOW)
    problem = f"unit_quantity: {units} is not a number from 1 to 1,000,000,000"

    with pytest.raises(InvalidRequest) as provisioned:
        provision(NEW, Provision("team", unit_quantity=units), SNAPSHOT, NOW)
    with pytest.raises(InvalidRequest) as changed:
        change_subscription(record, Change(unit_quantity=units), SNAPSHOT, NOW)

    assert problem == str(provisioned.value) == str(changed.value)


def test_more_than_is_counted_exactly_cannot_be_bought() -> None:
    text = PLANS.replace(
        "seats: {limit: {per_unit: 1}}", f"seats: {{limit: {{per_unit: {10**12}}}}}"
    )
    snapshot = compile_snapshot(parse([Source("a.yaml", text)]), 1)

    with pytest.raises(InvalidRequest) as caught:
        provision(NEW, Provision("team", unit_quantity=1001), snapshot, NOW)

    assert (
        "unit_quantity: 1,001 units would be more of 'seats' than 1,000,000,000,000,000, the most"
        " that is counted exactly"
    ) == str(caught.value)


# Rows and records


def test_a_row_has_the_units_and_without_them_it_is_one() -> None:
    row = {"customer_id": "acme", "plan": "team", "start": "2026-01-31T00:00:00Z"}
    reader = RowReader(SNAPSHOT, NOW)
    draft = reader.read(json.dumps(row | {"unit_quantity": 50}).encode())

    record = carried_out(draft, None, SNAPSHOT, NOW)

    assert row | {"unit_quantity": 50} == json.loads(write_row(record, SNAPSHOT, NOW))
    one = carried_out(reader.read(json.dumps(row).encode()), record, SNAPSHOT, NOW)
    assert row == json.loads(write_row(one, SNAPSHOT, NOW))


def test_a_row_with_wrong_units_is_refused() -> None:
    row = b'{"customer_id": "acme", "subscriptions": [{"plan": "team", "unit_quantity": 0}]}'

    with pytest.raises(InvalidRequest) as caught:
        RowReader(SNAPSHOT, NOW).read(row)

    assert ("subscriptions[0].unit_quantity: 0 is not a number from 1 to 1,000,000,000") == str(
        caught.value
    )


def test_a_record_of_before_has_one_unit_and_writes_the_same_bytes() -> None:
    record = on("team", 1)

    assert b"unit_quantity" not in encode_customer(record)
    assert record == decode_customer(encode_customer(record))
    assert 50 == decode_customer(encode_customer(on("team", 50))).subscriptions[0].unit_quantity
