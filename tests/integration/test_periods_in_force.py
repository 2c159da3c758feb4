"""G6: usage starts anew exactly when calendars, billing dates and time zones say so.

The clock of these tests stands in the future, so that the store keeps what they count.
"""

from collections.abc import Iterator

import pytest

from quotad.store.charges import CLOCK_CHANGES_MS
from tests.deciding import Bench, at, bench
from tests.raw import raw

CATALOG = """
version: 1
default_plan: free
features:
  {feature}: {{type: metered, kind: {kind}}}
plans:
  free:
    entitlements:
      {feature}: {limits}
"""


@pytest.fixture
def engine(store_url: str, prefix: str) -> Iterator[Bench]:
    with bench(store_url, prefix) as made:
        yield made


def limited(engine: Bench, limits: str, kind: str = "counter") -> None:
    engine.publish(CATALOG.format(feature="calls", kind=kind, limits=limits))


def use_up(engine: Bench, customer: str, limit: int = 3) -> int | None:
    """Take all there is; returns when it resets."""
    assert engine.consume(customer, "calls", limit).allowed
    denied = engine.consume(customer, "calls")
    assert not denied.allowed
    assert denied.retry_after_ms == (
        None if denied.resets_at_ms is None else denied.resets_at_ms - engine.clock.now
    )
    return denied.resets_at_ms


# per and its extras, now, when it resets; all in the zone
CALENDAR = [
    ("second", "UTC", "2031-01-15 12:00:00", "2031-01-15 12:00:01"),
    ("minute", "UTC", "2031-01-15 12:00:59", "2031-01-15 12:01:00"),
    ("5 hours", "UTC", "2031-01-15 12:30:00", "2031-01-15 14:00:00"),
    ("day", "UTC", "2031-01-15 23:59:59", "2031-01-16 00:00:00"),
    ("day", "Asia/Kolkata", "2031-01-15 12:00:00", "2031-01-16 00:00:00"),
    ("week", "UTC", "2031-01-15 12:00:00", "2031-01-20 00:00:00"),
    ("month", "UTC", "2031-01-31 12:00:00", "2031-02-01 00:00:00"),
    ("month", "UTC", "2032-02-29 12:00:00", "2032-03-01 00:00:00"),
    ("month", "Pacific/Auckland", "2031-01-31 23:59:59", "2031-02-01 00:00:00"),
    ("3 months", "UTC", "2031-02-10 00:00:00", "2031-04-01 00:00:00"),
    ("year", "America/New_York", "2031-12-31 23:59:59", "2032-01-01 00:00:00"),
    # The clocks of Berlin go forward on 30 March 2031 and back on 26 October.
    ("day", "Europe/Berlin", "2031-03-30 01:30:00", "2031-03-31 00:00:00"),
    ("day", "Europe/Berlin", "2031-10-26 01:30:00", "2031-10-27 00:00:00"),
    ("month", "Europe/Berlin", "2031-03-15 12:00:00", "2031-04-01 00:00:00"),
]


@pytest.mark.parametrize(("per", "zone", "now", "resets"), CALENDAR)
def test_a_calendar_period_ends_where_that_of_the_calendar_does(
    engine: Bench, per: str, zone: str, now: str, resets: str
) -> None:
    limited(engine, f"{{limit: 3, per: {per}, timezone: {zone}}}")
    engine.clock.now = at(now, zone)

    assert at(resets, zone) == use_up(engine, "acme")

    engine.clock.now = at(resets, zone) - 1
    assert not engine.consume("acme", "calls").allowed
    engine.clock.now += 1
    answer = engine.consume("acme", "calls")
    assert (True, 1) == (answer.allowed, answer.used)


def test_a_day_of_a_clock_change_has_23_or_25_hours(engine: Bench) -> None:
    limited(engine, "{limit: 3, per: day, timezone: Europe/Berlin}")
    lengths = []
    for day in ("2031-03-29", "2031-03-30", "2031-10-25", "2031-10-26"):
        engine.clock.now = at(f"{day} 00:00", "Europe/Berlin")
        answer = engine.check("acme", "calls")
        assert answer.resets_at_ms is not None
        lengths.append((answer.resets_at_ms - engine.clock.now) // 3_600_000)

    assert [24, 23, 24, 25] == lengths


def test_billing_months_end_on_the_day_of_the_start_or_the_last_day(engine: Bench) -> None:
    limited(engine, "{limit: 3, per: month, anchor: subscription}")
    engine.provision("acme", "free", start="2030-10-31 15:00")
    engine.clock.now = at("2030-12-31 15:00")
    resets = []
    for _ in range(5):
        resets_at_ms = use_up(engine, "acme")
        assert resets_at_ms is not None
        engine.clock.now = resets_at_ms - 1
        assert not engine.consume("acme", "calls").allowed
        engine.clock.now = resets_at_ms
        resets.append(resets_at_ms)

    assert [
        at("2031-01-31 15:00"),
        at("2031-02-28 15:00"),
        at("2031-03-31 15:00"),
        at("2031-04-30 15:00"),
        at("2031-05-31 15:00"),
    ] == resets


def test_a_yearly_period_from_a_leap_day_ends_on_the_last_of_february(engine: Bench) -> None:
    limited(engine, "{limit: 3, per: year, anchor: subscription}")
    engine.provision("acme", "free", start="2028-02-29 00:00")

    engine.clock.now = at("2031-01-15 12:00")
    assert at("2031-02-28 00:00") == use_up(engine, "acme")
    engine.clock.now = at("2031-03-01 00:00")
    assert at("2032-02-29 00:00") == use_up(engine, "acme")


def test_customers_of_one_plan_have_billing_dates_of_their_own(engine: Bench) -> None:
    limited(engine, "{limit: 3, per: month, anchor: subscription}")
    engine.provision("early", "free", start="2031-01-03 00:00")
    engine.provision("late", "free", start="2030-12-20 00:00")

    assert at("2031-02-03 00:00") == use_up(engine, "early")
    assert at("2031-01-20 00:00") == use_up(engine, "late")
    # A customer that was never provisioned has no date: the calendar's.
    assert at("2031-02-01 00:00") == use_up(engine, "nobody")
    engine.clock.now = at("2031-01-20 00:00")
    assert [False, True] == [engine.consume(who, "calls").allowed for who in ("early", "late")]


def test_a_change_of_plan_keeps_the_billing_date_and_what_was_used(engine: Bench) -> None:
    text = CATALOG.format(
        feature="calls", kind="counter", limits="{limit: 3, per: month, anchor: subscription}"
    )
    text += "  pro: {entitlements: {calls: {limit: 9, per: month, anchor: subscription}}}\n"
    engine.publish(text)
    engine.provision("acme", "free", start="2031-01-03 00:00")
    use_up(engine, "acme")

    engine.provision("acme", "pro")

    answer = engine.consume("acme", "calls")
    assert (True, 4, 5) == (answer.allowed, answer.used, answer.remaining)
    assert at("2031-02-03 00:00") == answer.resets_at_ms


@pytest.mark.parametrize(("limit", "allowed", "remaining"), [(5, True, 1), (2, False, 0)])
def test_usage_stays_when_the_limit_changes(
    engine: Bench, limit: int, allowed: bool, remaining: int
) -> None:
    limited(engine, "{limit: 3, per: month}")
    use_up(engine, "acme")

    limited(engine, f"{{limit: {limit}, per: month}}")

    answer = engine.consume("acme", "calls")
    assert (allowed, limit, remaining) == (answer.allowed, answer.limit, answer.remaining)
    assert (4 if allowed else 3) == answer.used


def test_usage_of_a_month_is_there_again_when_its_window_comes_back(engine: Bench) -> None:
    limited(engine, "{limit: 3, per: month}")
    use_up(engine, "acme")
    limited(engine, "{limit: 3, per: day}")
    assert engine.consume("acme", "calls", 2).allowed
    limited(engine, "{limit: 3, per: month}")

    assert 3 == engine.check("acme", "calls").used


def test_each_of_several_windows_resets_at_its_own_time(engine: Bench) -> None:
    limited(engine, "{limits: [{limit: 3, per: minute}, {limit: 5, per: hour}, {limit: 9}]}")
    engine.clock.now = at("2031-01-15 12:10:30")
    used = []
    for _ in range(6):
        while engine.consume("acme", "calls").allowed:
            pass
        used.append([status.used for status in engine.check("acme", "calls").limits])
        engine.clock.now += 60_000 if len(used) % 2 else 3_600_000

    assert [[3, 3, 3], [2, 5, 5], [3, 3, 8], [1, 4, 9], [0, 0, 9], [0, 0, 9]] == used


def test_both_anchors_of_one_length_count_once_without_a_subscription(engine: Bench) -> None:
    limited(
        engine,
        "{limits: [{limit: 90, per: month}, {limit: 70, per: month, anchor: subscription}]}",
    )

    answers = [engine.consume("acme", "calls", 2) for _ in range(3)]

    used = [tuple(each.used for each in answer.limits) for answer in answers]
    assert [(2, 2), (4, 4), (6, 6)] == used


def test_a_gauge_never_resets(engine: Bench) -> None:
    limited(engine, "{limit: 3}", kind="gauge")
    assert use_up(engine, "acme") is None
    engine.clock.now = at("2099-12-31 23:59")

    assert not engine.consume("acme", "calls").allowed
    assert engine.consume("acme", "calls", -1).allowed


def test_a_subscription_of_the_future_takes_over_to_the_millisecond(engine: Bench) -> None:
    text = CATALOG.format(feature="calls", kind="counter", limits="{limit: 3}")
    engine.publish(text + "  pro: {entitlements: {calls: {limit: 9}}}\n")
    engine.provision("acme", "free")
    engine.provision("acme", "pro", start="2031-02-01 00:00")
    engine.provision("new", "pro", start="2031-02-01 00:00")
    start = at("2031-02-01 00:00")

    for now, acme, new in ((start - 1, 3, 3), (start, 9, 9), (start + 1, 9, 9)):
        engine.clock.now = now
        # Twice: from the store, and from memory.
        for _ in range(2):
            assert acme == engine.check("acme", "calls").limit
            assert new == engine.check("new", "calls").limit


def test_a_counter_outlives_its_month_also_when_an_anchor_moves_the_end(engine: Bench) -> None:
    """From 28 February, a month of the 28th ends on 28 March and one of the 31st on the 31st."""
    text = CATALOG.format(
        feature="calls", kind="counter", limits="{limit: 90, per: month, anchor: subscription}"
    )
    engine.publish(text)
    engine.clock.now = at("2031-03-05 12:00")
    engine.provision("acme", "free", start="2031-02-28 09:00")
    engine.consume("acme", "calls", 9)
    (name,) = raw(engine.store).scan_iter(f"{engine.keys.prefix}:*:u:*", count=1000)

    assert raw(engine.store).pexpiretime(name) > at("2031-03-31 09:00")


def test_ended_periods_leave_the_store(engine: Bench) -> None:
    limited(engine, "{limits: [{limit: 3, per: day}, {limit: 9, per: month}, {limit: 20}]}")
    engine.consume("acme", "calls", 2)
    usage = engine.keys.customer("acme").usage
    expiry = {
        name.decode().removeprefix(usage): raw(engine.store).pexpiretime(name)
        for name in raw(engine.store).scan_iter(f"{engine.keys.prefix}:*:u:*", count=1000)
    }

    more = 60_000 + CLOCK_CHANGES_MS
    assert {
        ":calls:day.c.1926201600": at("2031-01-16 00:00") + more,
        ":calls:month.c.1924992000": at("2031-02-01 00:00") + more,
        ":calls:life": -1,
    } == expiry


def test_a_counter_goes_on_in_another_time_zone_though_its_day_is_longer_there(
    engine: Bench,
) -> None:
    engine.clock.now = at("2031-03-30 12:00")  # of 23 hours in London, from the same midnight on
    limited(engine, "{limit: 10, per: day, timezone: Europe/London}")
    engine.consume("acme", "calls", 10)
    (name,) = raw(engine.store).scan_iter(f"{engine.keys.prefix}:*:u:*", count=1000)
    limited(engine, "{limit: 10, per: day, timezone: UTC}")

    assert 10 == engine.check("acme", "calls").used

    assert raw(engine.store).pexpiretime(name) > at("2031-03-31 00:00")
