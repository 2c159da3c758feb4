"""Prices of plans, add-ons and overage: kept as written, shown, never computed with."""

import json

import pytest

from quotad.catalog import (
    Catalog,
    Source,
    carry,
    compile_snapshot,
    diff,
    entry_value,
    parse,
    parse_entry_value,
)
from quotad.entitlements.explain import explain
from quotad.entitlements.resolve import resolve
from quotad.errors import CatalogError
from quotad.prices import OveragePrice, Price
from quotad.records import CustomerRecord, Override, Subscription
from quotad.store.records import decode_customer, encode_customer

PLANS = """
version: 1
features:
  seats: {type: metered, kind: gauge}
  calls: {type: metered}
plans:
  pro:
    apply_to: new
    prices:
      - {amount: "29.00", currency: USD}
      - {amount: "290", currency: EUR, billing: 1 year, stripe_price: price_1}
      - {amount: "5.00", currency: USD, billing: month, feature: seats}
    entitlements:
      seats: {limit: {per_unit: 1}}
      calls:
        limit: 1000
        per: month
        soft: true
        overage_price: {amount: "0.0050", currency: USD, each: 1000}
  free: {entitlements: {calls: {limit: 5, per: month}}}
addons:
  more:
    plans: [pro]
    prices: [{amount: "9.00", currency: USD, billing: once}]
    entitlements: {calls: {add: 500}}
"""
CATALOG = parse([Source("plans.yaml", PLANS)])
SNAPSHOT = compile_snapshot(Catalog.from_document(CATALOG.document), 1)


def test_prices_are_kept_as_they_were_written() -> None:
    assert (
        Price("29.00", "USD"),
        Price("290", "EUR", "year", stripe_price="price_1"),
        Price("5.00", "USD", feature_id="seats"),
    ) == SNAPSHOT.plans["pro"].prices
    assert (Price("9.00", "USD", "once"),) == SNAPSHOT.addons["more"].prices
    again = Catalog.from_document(CATALOG.document)
    assert CATALOG.document == Catalog(again.definitions).document


def test_the_price_of_overage_stays_with_the_entitlement() -> None:
    phase = Subscription("pro", 0, addons={"more": 2})
    record = CustomerRecord("acme", (phase,), created_ms=1)
    price = OveragePrice("0.0050", "USD", 1000)

    right = resolve(record, SNAPSHOT, 1, "acme").entitlements["calls"]
    sources = explain(record, SNAPSHOT, 1, "acme", "", "calls")

    assert ([2000], price) == ([limit.limit for limit in right.limits], right.overage_price)
    [plan] = [json.loads(each.grants) for each in sources if each.source_id == "pro"]
    assert {"amount": "0.0050", "currency": "USD", "each": 1000} == plan["overage_price"]


def test_an_override_may_have_a_price_of_its_own() -> None:
    value = {"limit": 9, "per": "day", "soft": True} | {
        "overage_price": {"amount": "1", "currency": "EUR", "each": 1.0}
    }
    entry = parse_entry_value(SNAPSHOT.features["calls"], value)
    record = CustomerRecord("acme", overrides=(Override("calls", entry),))

    assert OveragePrice("1", "EUR") == entry.overage_price
    assert record == decode_customer(encode_customer(record))
    assert {"amount": "1", "currency": "EUR"} == entry_value(  # type: ignore[index]
        entry, SNAPSHOT.features["calls"]
    )["overage_price"]


def test_other_prices_are_only_for_new_subscribers_where_the_plan_says_so() -> None:
    changed = PLANS.replace('amount: "29.00"', 'amount: "35.00"')

    carried = carry(CATALOG, parse([Source("plans.yaml", changed)]))
    snapshot = compile_snapshot(Catalog.from_document(carried.document), 2)

    kept, latest = snapshot.plan("pro", 1), snapshot.plan("pro", 2)
    assert kept is not None
    assert latest is not None
    assert ["29.00", "35.00"] == [kept.prices[0].amount, latest.prices[0].amount]
    assert ("plans.pro.prices[0].amount", '"29.00"', '"35.00"') in [
        (each.path, each.before, each.after) for each in diff(CATALOG, carried)
    ]


@pytest.mark.parametrize(
    ("price", "problems"),
    [
        ("{currency: USD}", ["has no amount; write 'amount: \"29.00\"'"]),
        ('{amount: "1"}', ["has no currency; write 'currency: USD'"]),
        (
            "{amount: 29.00, currency: usd}",
            [
                '.amount: must be a decimal number in quotes such as "29.00", not 29.00; write it'
                ' in quotes: "29.00"',
                ".currency: must be three letters of ISO 4217 such as USD, not the text 'usd';"
                " write USD",
            ],
        ),
        (
            '{amount: "-1", currency: Dollar}',
            [
                ".amount: must be a decimal number in quotes such as \"29.00\", not the text '-1'",
                ".currency: must be three letters of ISO 4217 such as USD, not the text 'Dollar'",
            ],
        ),
        (
            '{amount: "1", currency: USD, billing: mounth, feature: seat, amuont: 1}',
            [
                ": unknown key 'amuont', did you mean 'amount'?",
                ".billing: unknown unit 'mounth', did you mean 'month'?",
                ".feature: unknown feature 'seat', did you mean 'seats'?",
            ],
        ),
        ("5", ["must be a mapping such as {amount"]),
        (
            '{amount: "30.00", currency: USD}, {amount: "1", currency: USD, billing: month}',
            ["is a second price in this currency for the same thing"],
        ),
    ],
)
def test_a_wrong_price_is_refused_where_it_stands(price: str, problems: list[str]) -> None:
    text = PLANS.replace('{amount: "9.00", currency: USD, billing: once}', price)

    with pytest.raises(CatalogError) as caught:
        parse([Source("a.yaml", text)])

    assert len(problems) == len(caught.value.problems)
    for problem, told in zip(problems, caught.value.problems, strict=True):
        assert told.startswith("a.yaml: addons.more.prices[")
        assert problem in told


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        (
            '{limit: 5, overage_price: {amount: "1", currency: USD}}',
            "overage_price: is of what is past a soft limit; write 'soft: true' as well",
        ),
        (
            '{limit: 5, soft: true, overage_price: {amount: "1", currency: USD, each: 0}}',
            "overage_price.each: must be a whole number from 1 to",
        ),
        ("{limit: 5, soft: true, overage_price: 1}", "overage_price: must be a mapping such as"),
    ],
)
def test_a_wrong_price_of_overage_is_refused_where_it_stands(entry: str, problem: str) -> None:
    text = PLANS.replace("{limit: 5, per: month}", entry)

    with pytest.raises(CatalogError) as caught:
        parse([Source("a.yaml", text)])

    [told] = caught.value.problems
    assert told.startswith(f"a.yaml: plans.free.entitlements.calls.{problem}")
