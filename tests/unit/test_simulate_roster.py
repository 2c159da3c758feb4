"""Who is on which plan."""

import pytest

from quotad.decision import ConsumeRequest
from quotad.entitlements.periods import period_at
from quotad.model import Anchor, Unit, Window
from quotad.records import CALENDAR, CustomerRecord, Subscription
from quotad.simulate import roster
from quotad.simulate.lines import LoggedCall
from quotad.simulate.roster import Roster
from tests.deciding import at


def call(customer_id: str, plan_id: str, at_ms: int = 0) -> LoggedCall:
    return LoggedCall(at_ms, 1, ConsumeRequest(customer_id, "f"), plan_id)


def told(
    made: Roster, customer_id: str, plan_id: str, resets_until: int | None = None, at_ms: int = 0
) -> bool:
    """Go by a line; tells whether it was news."""
    line = call(customer_id, plan_id, at_ms)
    news = made.is_news(line)
    if news:
        made.learn(line, resets_until)
    return news


def test_without_a_word_everybody_is_on_the_default_plan() -> None:
    assert Roster().record("a") is None
    assert Roster().plan_id("a", 0) is None


def test_a_plan_for_all_is_everybodys_but_the_listed_ones() -> None:
    listed = {"a": CustomerRecord("a", (Subscription("pro", 100),))}
    made = Roster(listed, "free")

    assert ("free", "pro", "") == (
        made.plan_id("b", 0),
        made.plan_id("a", 100),
        made.plan_id("a", 99),
    )


def test_lines_put_their_customer_on_a_plan_and_move_it() -> None:
    made = Roster()

    assert [True, False, False, True, True] == [
        told(made, "a", "free"),
        told(made, "a", "free"),
        told(made, "a", ""),
        told(made, "a", "pro"),
        told(made, "b", "free"),
    ]
    assert ("pro", "free") == (made.plan_id("a", 0), made.plan_id("b", 0))


def test_lines_do_not_move_a_listed_customer() -> None:
    made = Roster({"a": CustomerRecord("a", (Subscription("pro", 0),))})

    assert not told(made, "a", "free")


def test_a_plan_that_resets_usage_starts_new_counters_at_a_change_only() -> None:
    made = Roster()
    told(made, "a", "pro", resets_until=1000)
    first = made.record("a")
    told(made, "a", "free")
    told(made, "a", "pro", resets_until=1000)
    second = made.record("a")

    assert first is not None
    assert second is not None
    assert ({}, {"": 1}) == (first.resets, second.resets)


def test_going_to_and_fro_resets_usage_once_per_billing_period() -> None:
    made = Roster()
    resets = []
    for at_ms in (0, 10, 999, 1000, 1001):
        told(made, "a", "free", at_ms=at_ms)
        told(made, "a", "pro", resets_until=1000 if at_ms < 1000 else 2000, at_ms=at_ms)
        record = made.record("a")
        assert record is not None
        resets.append(record.resets[""])

    assert [1, 1, 1, 2, 2] == resets


def test_customers_that_are_remembered_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roster, "REMEMBERED_MAX", 10)
    made = Roster()
    for number in range(100):
        told(made, f"c{number}", "free")
        told(made, "often", "pro")

    assert made.record("c0") is None
    assert "pro" == made.plan_id("often", 0)
    assert 10 >= sum(made.record(f"c{number}") is not None for number in range(100))


@pytest.mark.parametrize("unit", [Unit.DAY, Unit.WEEK, Unit.MONTH, Unit.YEAR])
def test_periods_of_a_subscription_without_a_start_are_those_of_the_calendar(unit: Unit) -> None:
    now_ms = at("2026-05-17 10:05")
    own = period_at(Window(unit, 1, Anchor.SUBSCRIPTION), now_ms, CALENDAR)
    calendar = period_at(Window(unit), now_ms)

    assert (calendar.start_ms, calendar.end_ms) == (own.start_ms, own.end_ms)
