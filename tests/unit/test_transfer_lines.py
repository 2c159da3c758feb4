"""Lines of JSON and of CSV, and the numbers they are known by."""

import json

import pytest

from quotad.transfer.lines import CellError, Form, HeaderError, Line, csv_line, numbered_rows

HEADER = b"customer_id,plan,start,end,addons,resource,archived"


def csv_rows(*lines: bytes | None) -> list[Line]:
    return list(numbered_rows(lines, Form.CSV))


def test_json_lines_are_left_as_they_are() -> None:
    lines = [b'{"customer_id": "a"}', b"hello", b'{"x": 1}']

    assert [
        Line(1, lines[0], lines[0]),
        Line(2, b"hello", b"hello"),
        Line(3, lines[2], lines[2]),
    ] == (list(numbered_rows(lines, Form.JSONL)))


def test_empty_lines_count_and_are_no_rows() -> None:
    assert [2, 4] == [line.number for line in numbered_rows([b"", b"a", b" ", b"b"], Form.JSONL)]


def test_a_line_that_is_too_long_is_reported_and_the_next_is_read() -> None:
    first, second = numbered_rows([None, b"{}"], Form.JSONL)

    assert (1, "is longer than 1,048,576 bytes") == (first.number, first.problem)
    assert (2, "") == (second.number, second.problem)


def test_cells_become_keys_and_empty_ones_are_left_out() -> None:
    full, short = csv_rows(
        HEADER,
        b'"a, b",pro,2026-01-31,2027-01-31,more-calls=2; x=y=1,ws-1,TRUE',
        b"c,free,,,,,",
    )

    assert {
        "customer_id": "a, b",
        "plan": "pro",
        "start": "2026-01-31",
        "end": "2027-01-31",
        "addons": {"more-calls": 2, "x=y": 1},
        "resource": "ws-1",
        "archived": True,
    } == json.loads(full.row)
    assert (3, {"customer_id": "c", "plan": "free"}) == (short.number, json.loads(short.row))


def test_units_are_a_whole_number() -> None:
    fits, wrong = csv_rows(b"customer_id,plan,unit_quantity", b"a,pro,50", b"b,pro,many")

    assert {"customer_id": "a", "plan": "pro", "unit_quantity": 50} == json.loads(fits.row)
    assert "unit_quantity: 'many' is not a whole number" == wrong.problem


def test_columns_come_in_any_order() -> None:
    (line,) = csv_rows(b"plan,archived,customer_id", b"pro,false,a")

    assert {"customer_id": "a", "plan": "pro", "archived": False} == json.loads(line.row)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b"a,pro", "has 2 cells; the header has 7"),
        (b'"a,pro,,,,,', "is not CSV: unexpected end of data"),
        (b"\xff,pro,,,,,", "is not UTF-8"),
        (b"a,pro,,,more-calls,,", "addons: 'more-calls' is not like more-calls=2; several go as a"),
        (b"a,pro,,,x=1.5,,", "addons: 'x=1.5' is not like"),
        (b"a,pro,,,x=-1,,", "addons: 'x=-1' is not like"),
        (b"a,pro,,,x=1;x=2,,", "addons: one of them is there twice"),
        (b"a,pro,,,,,yes", "archived: must be true or false, not 'yes'"),
    ],
)
def test_a_bad_line_spoils_no_other(line: bytes, problem: str) -> None:
    bad, good = csv_rows(HEADER, line, b"b,pro,,,,,")

    assert bad.problem.startswith(problem)
    assert (2, line, b"") == (bad.number, bad.data, bad.row)
    assert (3, "") == (good.number, good.problem)


@pytest.mark.parametrize(
    ("header", "problem"),
    [
        (b"customer_id,plann", "unknown column 'plann'; did you mean 'plan'?"),
        (b"customer_id;plan", "unknown column 'customer_id;plan'; did you mean 'customer_id'?"),
        (b"customer_id,plan,colour", "unknown column 'colour'; known: customer_id, plan, start"),
        (b"customer_id,plan,plan", "column 'plan' is there twice"),
        (b"customer_id", "no column 'plan'"),
        (b'"customer_id', "is not CSV"),
    ],
)
def test_a_bad_header_ends_the_import(header: bytes, problem: str) -> None:
    with pytest.raises(HeaderError) as caught:
        csv_rows(header, b"a,pro")

    assert str(caught.value).startswith(problem)


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ({"subscriptions": []}, "has subscriptions"),
        ({"plan": "pro", "overrides": [1], "promotions": [1]}, "has overrides and promotions"),
        ({"plan": "pro", "addons": {"a;b": 1}}, "has an add-on with a semicolon in its id"),
    ],
)
def test_what_csv_cannot_hold_is_not_cut_down_to_fit(row: dict[str, object], problem: str) -> None:
    with pytest.raises(CellError) as caught:
        csv_line(json.dumps({"customer_id": "a"} | row).encode())

    assert problem == str(caught.value)
