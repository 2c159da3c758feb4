"""Lines of a log to calls in the order of their times."""

import random

import pytest

from quotad.decision import ConsumeRequest
from quotad.replay.formats import format_of
from quotad.replay.line_templates import LineTemplates
from quotad.replay.template import Template
from quotad.simulate.lines import LoggedCall, Reader, in_order


def calls(*times: int) -> list[LoggedCall]:
    return [LoggedCall(at, line, ConsumeRequest("c", "f"), "") for line, at in enumerate(times, 1)]


def order(made: list[LoggedCall], window: int) -> list[tuple[int, int]]:
    return [(call.at_ms, call.line) for call in in_order(made, window)]


def test_lines_less_than_the_window_out_of_place_come_in_order() -> None:
    # Seeded: every line is at most 9 places from where it belongs.
    rng = random.Random(5)
    made = calls(*sorted(range(500), key=lambda place: place + rng.randrange(10)))

    assert list(range(500)) == [at for at, _ in order(made, 10)]


def test_lines_of_one_time_stay_in_the_order_of_the_log() -> None:
    made = calls(2, 1, 2, 1, 2, 1)

    assert [(1, 2), (1, 4), (1, 6), (2, 1), (2, 3), (2, 5)] == order(made, 2)


def test_a_wrong_time_in_the_future_waits_until_the_end() -> None:
    made = calls(1, 99, *range(2, 50))

    assert [*range(1, 50), 99] == [at for at, _ in order(made, 5)]


def test_what_is_further_out_of_place_comes_out_of_order_and_nothing_is_lost() -> None:
    made = calls(*range(10, 40), 1)

    found = [at for at, _ in order(made, 5)]

    assert [*range(10, 35), 1, *range(35, 40)] == found


def reader(time: str = "{t}", plan_id: str | None = None) -> Reader:
    plan = LineTemplates(format_of("jsonl"), "{c}", "f", "{n}")
    return Reader(plan, Template(time), None if plan_id is None else Template(plan_id))


def test_a_line_becomes_a_call_with_its_time_number_and_plan() -> None:
    lines = [b'{"t": 3, "c": "a", "n": 2, "p": "pro"}', b'{"t": 1.5, "c": "b", "n": 1, "p": ""}']

    assert [
        LoggedCall(3000, 1, ConsumeRequest("a", "f", 2), "pro"),
        LoggedCall(1500, 2, ConsumeRequest("b", "f", 1), ""),
    ] == list(reader(plan_id="{p}").calls(lines))


def test_unusable_lines_are_counted_and_the_first_few_named() -> None:
    made = reader()

    assert [] == list(made.calls([b"?", None, b'{"t": "x", "c": "a", "n": 1}', *[b"?"] * 7]))

    assert (10, 10, 5) == (made.lines, made.skipped, len(made.skipped_lines))
    assert [1, 2, 3, 4, 5] == [each.line for each in made.skipped_lines]
    assert "too long" == made.skipped_lines[1].why
    assert "time 'x' is not one of" in made.skipped_lines[2].why


@pytest.mark.parametrize(
    ("line", "timeless"), [(b'{"c": "a", "n": 1}', True), (b'{"t": 1, "n": 1}', False)]
)
def test_a_log_without_times_is_distinguished_from_one_without_customers(
    line: bytes, timeless: bool
) -> None:
    made = reader()

    list(made.calls([line]))

    assert timeless == made.timeless
