"""Numbers, money, days and periods as people type them into a form of the dashboard."""

from collections.abc import Callable
from typing import Any

import pytest

from quotad.catalog.editing.typed import (
    typed_currency,
    typed_day,
    typed_money,
    typed_number,
    typed_period,
    typed_whole,
)
from quotad.errors import InvalidRequest


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", 0),
        ("50000", 50_000),
        ("50,000", 50_000),
        ("1 000 000", 1_000_000),
        ("9" * 18, 10**18 - 1),
    ],
)
def test_a_whole_number_may_have_commas_between_thousands(text: str, number: int) -> None:
    assert number == typed_whole("units", text) == typed_number("limit", text)


@pytest.mark.parametrize(
    "text",
    [
        "1,5",
        "5,5000",
        ",5",
        "1,000,00",
        "--5",
        "-",
        "-5",
        "1e9",
        "NaN",
        "9" * 19,
        "1" * 5000,
        "\uff11",
        "",
    ],
)
def test_what_may_mean_another_number_is_refused(text: str) -> None:
    for read in (typed_whole, typed_number):
        with pytest.raises(InvalidRequest, match="number such as "):
            read("units", text)


def test_a_quantity_may_be_below_zero_where_it_is_given_back() -> None:
    assert -1_000 == typed_whole("quantity", "-1,000", below_zero=True)
    with pytest.raises(InvalidRequest):
        typed_whole("quantity", "--1", below_zero=True)


def test_a_number_with_decimals_stays_as_it_was_typed() -> None:
    assert 1_000.5 == typed_number("limit", "1,000.5")


@pytest.mark.parametrize(
    ("read", "text", "advice"),
    [
        (typed_whole, "1.000", "'1.000' may mean 1,000 or 1; write it as one of these"),
        (typed_whole, "12.500", "may mean 12,500 or 12.5;"),
        (typed_whole, "1.000.000", "such as 1,000,000"),
        (typed_whole, "1'000", "such as 1,000"),
        (typed_whole, "1.5", "is not a whole number"),
        (typed_whole, "500 calls", "such as 500"),
        (typed_number, "12.345", "may mean 12,345 or 12.3450;"),
        (typed_number, "12,5", "such as 12.5"),
        (typed_money, "1.200,50", "such as 1,200.50"),
        (typed_money, "29,00", "such as 29.00"),
        (typed_money, "1.200", "may mean 1,200 or 1.2;"),
        (typed_money, "\u20ac29", "such as 29"),
        (typed_money, "-5", "is not an amount"),
        (typed_money, "free", "such as 50,000"),
        (typed_currency, "dollars", "write three letters: USD"),
        (typed_day, "2027-02-31", "is not a day; write one as 2027-01-31"),
        (typed_day, "31.12.2027", "is not a day"),
        (typed_period, "dya", "did you mean 'day'?"),
        (typed_period, "quarter", "write '3 months'"),
    ],
)
def test_a_refusal_names_the_field_and_what_to_type(
    read: Callable[[str, str], Any], text: str, advice: str
) -> None:
    with pytest.raises(InvalidRequest) as refused:
        read("amount0", text)

    assert str(refused.value).startswith("amount0: ")
    assert advice in str(refused.value)


@pytest.mark.parametrize(
    ("read", "text", "meant"),
    [
        (typed_number, "0.125", 0.125),
        (typed_number, "99.5", 99.5),
        (typed_money, "1,200.50", "1200.50"),
        (typed_money, "0.005", "0.005"),
        (typed_money, "29", "29"),
        (typed_currency, "eur", "EUR"),
        (typed_day, "2027-01-31", 1_801_353_600_000),
        (typed_period, "5 hours", "5 hours"),
    ],
)
def test_what_means_one_thing_is_taken(
    read: Callable[[str, str], Any], text: str, meant: object
) -> None:
    assert meant == read("amount0", text)
