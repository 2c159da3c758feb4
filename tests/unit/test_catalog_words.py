"""How the dashboard words prices and what a publish has changed."""

import pytest

from quotad.catalog import Source, compile_snapshot, parse
from quotad.dashboard.catalog_words import Compiled, price_words
from quotad.dashboard.change_words import value_text
from quotad.dashboard.shown import sentence, value_words
from quotad.prices import Price

CATALOG = parse(
    [
        Source(
            "p.yaml",
            """
version: 1
default_plan: free
features:
  seats: {type: metered, kind: gauge, unit: seat}
  calls: {type: metered}
plans: {free: {entitlements: {seats: {limit: 3}}}}
""",
        )
    ]
)
FOUND = Compiled(CATALOG, compile_snapshot(CATALOG, version=1))


@pytest.mark.parametrize(
    ("feature_id", "words"),
    [
        ("", "$15.00 / month"),
        ("seats", "$15.00 per seat / month"),
        ("calls", "$15.00 per calls / month"),
    ],
)
def test_a_price_is_per_unit_of_its_feature(feature_id: str, words: str) -> None:
    price = Price("15.00", "USD", "month", feature_id)

    assert words == price_words(price, FOUND.snapshot.features)


@pytest.mark.parametrize(
    ("unit", "value", "words"),
    [
        ("row", "5000000", "5,000,000"),
        ("", "20260101", "20260101"),
        ("row", "2.50", "2.50"),
        ("row", "-", "-"),
        ("row", "", ""),
    ],
)
def test_a_config_value_that_counts_a_unit_has_commas(unit: str, value: str, words: str) -> None:
    assert words == value_words(value, unit)


@pytest.mark.parametrize(
    ("json", "words"),
    [
        ("true", "yes"),
        ("5000000", "5,000,000"),
        ('["email", "phone"]', "email, phone"),
        (
            '{"limits": [{"limit": 600, "per": "minute"}, {"limit": 9}]}',
            "limit: 600, per: minute; limit: 9",
        ),
        (
            '{"name": "Pro", "prices": [{"amount": "49.00"}, {"amount": "490.00"}]}',
            "name: Pro, prices: (amount: 49.00; amount: 490.00)",
        ),
        (
            '{"limits": [{"limit": 2000, "soft": true}], "x": []}',
            "limits: (limit: 2,000, soft: yes), x: (nothing)",
        ),
        ('"2026-12-31T00:00:00Z"', "31 Dec 2026"),
        ('{"from": "2026-12-01T08:30:00+01:00"}', "from: 1 Dec 2026, 07:30 UTC"),
        ('"9999-99-99T00:00:00Z"', "9999-99-99T00:00:00Z"),
        ('{"description": "To try it.", "name": "Free"}', "description: To try it, name: Free"),
    ],
)
def test_values_that_have_changed_are_words_and_not_code(json: str, words: str) -> None:
    assert words == value_text(json)


@pytest.mark.parametrize("ends", [".", "?", "!"])
def test_a_message_that_another_sentence_follows_has_a_full_stop(ends: str) -> None:
    assert f"how much{ends}" == sentence(f"how much{ends}")
    assert "choose another plan." == sentence("choose another plan")
