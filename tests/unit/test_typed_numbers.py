"""Numbers as people type them into a form of the dashboard."""

import pytest

from quotad.catalog.editing.typed_numbers import typed_number, typed_whole
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
        with pytest.raises(InvalidRequest, match="number such as 50,000"):
            read("units", text)


def test_a_quantity_may_be_below_zero_where_it_is_given_back() -> None:
    assert -1_000 == typed_whole("quantity", "-1,000", below_zero=True)
    with pytest.raises(InvalidRequest):
        typed_whole("quantity", "--1", below_zero=True)


def test_a_number_with_decimals_stays_as_it_was_typed() -> None:
    assert 1_000.5 == typed_number("limit", "1,000.5")
