"""Reset periods, against dateutil and against a clock that is read minute by minute."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from dateutil.relativedelta import relativedelta
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from quotad.entitlements.periods import Period, period_at
from quotad.model import Anchor, Unit, Window

ZONES = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Asia/Kolkata",
    "Australia/Lord_Howe",
    "America/Sao_Paulo",
    "America/Havana",
    "America/St_Johns",
    "Pacific/Apia",
    "Antarctica/Casey",
]
EPOCH = datetime(1970, 1, 1)


def ms(text: str, zone: str = "UTC") -> int:
    """Unix time of a local time; `+` in front: the second of two."""
    moment = datetime.fromisoformat(text.lstrip("+")).replace(
        tzinfo=ZoneInfo(zone), fold=int(text.startswith("+"))
    )
    return int(moment.timestamp()) * 1000 + moment.microsecond // 1000


def calendar(per: Unit, count: int = 1, zone: str = "UTC", week_starts: int = 0) -> Window:
    return Window(per, count, Anchor.CALENDAR, ZoneInfo(zone), week_starts)


def subscription(per: Unit, count: int = 1, zone: str = "UTC") -> Window:
    return Window(per, count, Anchor.SUBSCRIPTION, ZoneInfo(zone))


def local(at_ms: int, zone: ZoneInfo) -> datetime:
    moment = datetime.fromtimestamp(at_ms // 1000, zone).replace(tzinfo=None)
    return moment + timedelta(milliseconds=at_ms % 1000)


def spans(window: Window, first_ms: int, count: int, anchor_ms: int | None = None) -> list[int]:
    """Starts of `count` periods in a row."""
    starts: list[int] = []
    now_ms = first_ms
    for _ in range(count):
        period = period_at(window, now_ms, anchor_ms)
        assert period.start_ms is not None
        assert period.end_ms is not None
        starts.append(period.start_ms)
        now_ms = period.end_ms
    return starts


# Examples that a person can check


@pytest.mark.parametrize(
    ("window", "now", "start", "end", "period_id"),
    [
        (calendar(Unit.SECOND), "2025-11-23T12:34:56.789", "2025-11-23T12:34:56", 1, "second.c."),
        (calendar(Unit.SECOND, 10), "2025-11-23T12:34:56", "2025-11-23T12:34:50", 10, "10second."),
        (calendar(Unit.MINUTE), "2025-11-23T12:34:56", "2025-11-23T12:34:00", 60, "minute.c."),
        (calendar(Unit.HOUR), "2025-11-23T12:34:56", "2025-11-23T12:00:00", 3600, "hour.c."),
        (calendar(Unit.HOUR, 6), "2025-11-23T12:34:56", "2025-11-23T12:00:00", 21_600, "6hour.c."),
        (calendar(Unit.DAY), "2025-11-23T12:34:56", "2025-11-23", 86_400, "day.c."),
        (calendar(Unit.WEEK), "2025-11-23T12:34:56", "2025-11-17", 7 * 86_400, "week.c."),
        (
            calendar(Unit.WEEK, week_starts=6),
            "2025-11-23T12:34:56",
            "2025-11-23",
            7 * 86_400,
            "week.c.",
        ),
        (calendar(Unit.MONTH), "2025-11-23T12:34:56", "2025-11-01", 30 * 86_400, "month.c."),
        (calendar(Unit.MONTH), "2024-02-29", "2024-02-01", 29 * 86_400, "month.c."),
        (calendar(Unit.MONTH, 3), "2025-11-23", "2025-10-01", 92 * 86_400, "3month.c."),
        (calendar(Unit.YEAR), "2024-11-23", "2024-01-01", 366 * 86_400, "year.c."),
        (calendar(Unit.YEAR, 2), "2025-11-23", "2024-01-01", 731 * 86_400, "2year.c."),
    ],
)
def test_a_calendar_period_starts_where_that_of_the_calendar_does(
    window: Window, now: str, start: str, end: int, period_id: str
) -> None:
    start_ms = ms(start)

    period = period_at(window, ms(now))

    assert (start_ms, start_ms + end * 1000) == (period.start_ms, period.end_ms)
    assert period.period_id.startswith(period_id)
    assert period.period_id.endswith(f".{start_ms // 1000}")


def test_a_period_is_named_after_its_window_and_start() -> None:
    assert "month.c.1761955200" == period_at(calendar(Unit.MONTH), ms("2025-11-23")).period_id
    assert (
        "5hour.s.1763900000"
        == period_at(subscription(Unit.HOUR, 5), 1_763_900_000_000, 1_763_900_000_000).period_id
    )


def test_a_lifetime_has_no_start_and_no_end() -> None:
    assert Period(None, None, "life") == period_at(None, ms("2025-11-23"))
    assert Period(None, None, "life") == period_at(None, ms("2025-11-23"), ms("2025-01-01"))


def test_a_month_starts_at_local_midnight() -> None:
    period = period_at(calendar(Unit.MONTH, zone="Europe/Berlin"), ms("2025-10-31T23:30"))

    assert ms("2025-10-31T23:00") == period.start_ms
    assert ms("2025-11-30T23:00") == period.end_ms


def test_days_of_a_clock_change_have_23_and_25_hours() -> None:
    window = calendar(Unit.DAY, zone="Europe/Berlin")
    spring = period_at(window, ms("2025-03-30T12:00"))
    autumn = period_at(window, ms("2025-10-26T12:00"))
    assert spring.start_ms is not None
    assert spring.end_ms is not None
    assert autumn.start_ms is not None
    assert autumn.end_ms is not None

    assert 23 * 3_600_000 == spring.end_ms - spring.start_ms
    assert 25 * 3_600_000 == autumn.end_ms - autumn.start_ms


def test_an_hour_of_a_half_hour_zone_starts_on_the_local_hour() -> None:
    period = period_at(calendar(Unit.HOUR, zone="Asia/Kolkata"), ms("2025-11-23T12:40"))

    assert ms("2025-11-23T12:30") == period.start_ms


def test_both_hours_that_a_clock_repeats_are_periods() -> None:
    window = calendar(Unit.HOUR, zone="Europe/Berlin")

    assert [ms(f"2025-10-26T{hour:02}:00") for hour in range(4)] == spans(
        window, ms("2025-10-26T00:00"), 4
    )


def test_an_hour_ends_early_where_the_clock_moves_by_half_an_hour() -> None:
    # At 02:00 on 6 April 2025 the clocks of Lord Howe went back to 01:30.
    jump = ms("2025-04-05T15:00")
    window = calendar(Unit.HOUR, zone="Australia/Lord_Howe")

    assert [jump - 3_600_000, jump, jump + 1_800_000, jump + 5_400_000] == spans(
        window, jump - 1, 4
    )


def test_windows_of_several_hours_follow_the_local_clock() -> None:
    window = calendar(Unit.HOUR, 6, zone="America/New_York")

    assert [ms(f"2025-03-09T{hour:02}:00", "America/New_York") for hour in (0, 6, 12, 18)] == (
        spans(window, ms("2025-03-09T05:00"), 4)
    )


def test_windows_that_do_not_divide_a_day_are_exact_durations() -> None:
    window = calendar(Unit.HOUR, 5, zone="America/New_York")
    length = 5 * 3_600_000
    now_ms = ms("2025-03-09T05:00")
    first = now_ms // length * length

    assert [first + k * length for k in range(6)] == spans(window, now_ms, 6)


def test_a_midnight_that_the_clocks_skip_is_the_jump() -> None:
    # 4 November 2018 began at 01:00 in Sao Paulo, 10 March 2024 in Havana.
    for zone, day, hour in (
        ("America/Sao_Paulo", "2018-11-04", 3),
        ("America/Havana", "2024-03-10", 5),
    ):
        period = period_at(calendar(Unit.DAY, zone=zone), ms(f"{day}T12:00"))

        assert ms(f"{day}T{hour:02}:00") == period.start_ms


def test_a_day_that_a_zone_skipped_is_no_period() -> None:
    window = calendar(Unit.DAY, zone="Pacific/Apia")
    before = period_at(window, ms("2011-12-29T12:00", "Pacific/Apia"))
    after = period_at(window, ms("2011-12-31T12:00", "Pacific/Apia"))

    assert ms("2011-12-30T10:00") == before.end_ms == after.start_ms


def test_a_midnight_that_comes_twice_starts_one_day() -> None:
    # On 7 November 2010 the clocks of St. John's went from 00:01 back to 23:01 of the day before.
    window = calendar(Unit.DAY, zone="America/St_Johns")
    midnight = ms("2010-11-07T00:00", "America/St_Johns")

    assert ms("+2010-11-07T00:00", "America/St_Johns") == midnight + 3_600_000
    for minutes in (0, 1, 30, 59, 60, 61):
        assert midnight == period_at(window, midnight + minutes * 60_000).start_ms


def test_billing_months_are_clamped_to_the_end_of_shorter_months() -> None:
    anchor_ms = ms("2024-01-31T10:15:30.250")

    assert [
        ms(f"{day}T10:15:30.250")
        for day in ("2024-01-31", "2024-02-29", "2024-03-31", "2024-04-30", "2024-05-31")
    ] == spans(subscription(Unit.MONTH), anchor_ms, 5, anchor_ms)


def test_billing_years_of_a_leap_day_come_back_to_it() -> None:
    anchor_ms = ms("2024-02-29")

    assert [
        ms(day) for day in ("2024-02-29", "2025-02-28", "2026-02-28", "2027-02-28", "2028-02-29")
    ] == spans(subscription(Unit.YEAR), anchor_ms, 5, anchor_ms)


def test_billing_periods_keep_the_local_time_of_day_over_clock_changes() -> None:
    zone = "Europe/Berlin"
    anchor_ms = ms("2025-03-15T09:00", zone)

    assert [ms(f"2025-{month:02}-15T09:00", zone) for month in (3, 4, 5)] == spans(
        subscription(Unit.MONTH, zone=zone), anchor_ms, 3, anchor_ms
    )


def test_an_anchor_in_the_second_of_two_hours_starts_a_period_itself() -> None:
    zone = "Europe/Berlin"
    anchor_ms = ms("+2025-10-26T02:30", zone)

    assert [anchor_ms, ms("2025-10-27T02:30", zone)] == spans(
        subscription(Unit.DAY, zone=zone), anchor_ms, 2, anchor_ms
    )
    assert (
        anchor_ms == period_at(subscription(Unit.DAY, zone=zone), anchor_ms - 1, anchor_ms).end_ms
    )


@pytest.mark.parametrize("week_starts", range(7))
def test_weeks_are_counted_from_the_one_that_holds_the_first_day_of_1970(week_starts: int) -> None:
    window = calendar(Unit.WEEK, 3, week_starts=week_starts)

    period = period_at(window, 0)

    assert 0 <= -(period.start_ms or 0) < 7 * 86_400_000


def test_a_moment_before_the_anchor_is_in_the_period_that_ends_there() -> None:
    anchor_ms = ms("2025-03-31T08:00")

    period = period_at(subscription(Unit.MONTH), anchor_ms - 1, anchor_ms)

    assert (ms("2025-02-28T08:00"), anchor_ms) == (period.start_ms, period.end_ms)


def test_without_an_anchor_the_calendar_applies_to_a_counter_of_its_own() -> None:
    now_ms = ms("2025-11-23")

    fixed = period_at(calendar(Unit.MONTH), now_ms)
    anchored = period_at(subscription(Unit.MONTH), now_ms)

    assert (fixed.start_ms, fixed.end_ms) == (anchored.start_ms, anchored.end_ms)
    assert fixed.period_id != anchored.period_id


def test_a_calendar_window_does_not_ask_for_the_anchor() -> None:
    now_ms = ms("2025-11-23")

    assert period_at(calendar(Unit.MONTH), now_ms) == period_at(
        calendar(Unit.MONTH), now_ms, ms("2025-01-17")
    )


# Properties

# Around every clock change of the zones above there is something to find, so half of the
# moments are drawn near one.
JUMPS = [
    ms(text)
    for text in (
        "2025-03-30T01:00",  # Berlin
        "2025-10-26T01:00",
        "2025-03-09T07:00",  # New York
        "2025-11-02T06:00",
        "2025-04-05T15:00",  # Lord Howe
        "2025-10-04T15:30",
        "2018-11-04T03:00",  # Sao Paulo
        "2018-02-18T02:00",
        "2024-03-10T05:00",  # Havana
        "2024-11-03T05:00",
        "2010-11-07T02:31",  # St. John's
        "2010-03-14T03:31",
        "2011-12-30T10:00",  # Apia
        "2011-09-24T11:00",
        "2010-03-04T15:00",  # Casey, by three hours
        "2009-10-17T18:00",
        "2024-02-29T00:00",
    )
]
NEAR_JUMPS = st.builds(
    lambda jump, off: jump + off,
    st.sampled_from(JUMPS),
    st.one_of(
        st.integers(-2, 2),
        st.integers(-120, 120).map(lambda minutes: minutes * 60_000),
        st.integers(-3 * 86_400_000, 3 * 86_400_000),
    ),
)
MOMENTS = st.one_of(NEAR_JUMPS, st.integers(ms("1972-06-01"), ms("2120-01-01")))
WINDOWS = st.one_of(
    st.builds(
        calendar,
        st.sampled_from(Unit),
        st.one_of(st.sampled_from((1, 2, 3, 4, 6, 8, 12, 24, 30, 60, 120)), st.integers(1, 99)),
        st.sampled_from(ZONES),
        st.integers(0, 6),
    ),
    st.builds(
        subscription,
        st.sampled_from(Unit),
        st.one_of(st.just(1), st.integers(1, 99)),
        st.sampled_from(ZONES),
    ),
)


@settings(max_examples=1500, deadline=None)
@given(WINDOWS, MOMENTS, st.one_of(st.none(), MOMENTS), st.floats(0, 1))
def test_periods_tile(window: Window, now_ms: int, anchor_ms: int | None, where: float) -> None:
    period = period_at(window, now_ms, anchor_ms)
    assert period.start_ms is not None
    assert period.end_ms is not None

    assert period.start_ms <= now_ms < period.end_ms
    inside = period.start_ms + int((period.end_ms - 1 - period.start_ms) * where)
    for moment in (period.start_ms, inside, period.end_ms - 1):
        assert period == period_at(window, moment, anchor_ms)
    assert period.start_ms == period_at(window, period.start_ms - 1, anchor_ms).end_ms
    assert period.end_ms == period_at(window, period.end_ms, anchor_ms).start_ms


def steps(unit: Unit, count: int) -> relativedelta:
    if unit is Unit.HOUR:
        return relativedelta(hours=count)
    if unit is Unit.DAY:
        return relativedelta(days=count)
    if unit is Unit.WEEK:
        return relativedelta(weeks=count)
    return relativedelta(months=count) if unit is Unit.MONTH else relativedelta(years=count)


def first_moment(zone: ZoneInfo, wanted: datetime) -> int:
    """Read the clock of a zone minute by minute until it shows `wanted` or later."""
    wall = (wanted - EPOCH) // timedelta(seconds=1)
    for minute in range(wall // 60 * 60 - 26 * 3600, wall + 26 * 3600, 60):
        ahead = datetime.fromtimestamp(minute, zone).utcoffset()
        assert ahead is not None
        missing = wall - minute - ahead.days * 86_400 - ahead.seconds
        # Zones change their clocks on whole minutes, so within one nothing is skipped.
        if missing < 60:
            return (minute + max(missing, 0)) * 1000
    raise AssertionError(f"never {wanted} in {zone}")


def calendar_start(window: Window, clock: datetime) -> datetime:
    """Floor what a clock shows, with dateutil."""
    midnight = clock.replace(hour=0, minute=0, second=0, microsecond=0)
    count = window.count
    if window.unit is Unit.HOUR:
        return midnight + relativedelta(hours=clock.hour // count * count)
    if window.unit is Unit.DAY:
        return midnight - relativedelta(days=(midnight - EPOCH).days % count)
    if window.unit is Unit.WEEK:
        week = midnight - relativedelta(days=(midnight.weekday() - window.week_starts) % 7)
        first = EPOCH
        while first.weekday() != window.week_starts:
            first -= relativedelta(days=1)
        return week - relativedelta(weeks=(week - first).days // 7 % count)
    if window.unit is Unit.MONTH:
        first_of_month = midnight.replace(day=1)
        months = clock.year * 12 + clock.month - 1
        return first_of_month - relativedelta(months=months % count)
    return midnight.replace(month=1, day=1) - relativedelta(years=clock.year % count)


@settings(max_examples=250, deadline=None)
@given(
    st.sampled_from(
        [(Unit.HOUR, count) for count in (2, 3, 4, 6, 8, 12, 24)]
        + [(Unit.DAY, count) for count in (1, 2, 7, 30)]
        + [(Unit.WEEK, count) for count in (1, 2, 5)]
        + [(Unit.MONTH, count) for count in (1, 2, 3, 5, 6, 12)]
        + [(Unit.YEAR, count) for count in (1, 2, 10)]
    ),
    st.sampled_from(ZONES),
    st.integers(0, 6),
    MOMENTS,
)
@example((Unit.HOUR, 2), "Antarctica/Casey", 0, ms("2009-10-17T19:30"))
def test_calendar_periods_are_those_of_a_clock_read_minute_by_minute(
    per: tuple[Unit, int], zone: str, week_starts: int, now_ms: int
) -> None:
    window = calendar(*per, zone, week_starts)
    # The start that the clock shows, or the next one where the clock was set back over it.
    start = calendar_start(window, local(now_ms, window.zone))
    step = steps(window.unit, window.count)
    expected = first_moment(window.zone, start)
    while (following := first_moment(window.zone, start + step)) <= now_ms:
        expected, start = following, start + step

    assert expected == period_at(window, now_ms).start_ms


@settings(max_examples=250, deadline=None)
@given(
    st.sampled_from([Unit.DAY, Unit.WEEK, Unit.MONTH, Unit.YEAR]),
    st.integers(1, 12),
    st.sampled_from(ZONES),
    MOMENTS,
    st.integers(-20, 30),
)
@example(Unit.MONTH, 1, "UTC", ms("2024-01-31"), -2)
def test_billing_periods_are_those_of_dateutil(
    unit: Unit, count: int, zone_name: str, anchor_ms: int, k: int
) -> None:
    zone = ZoneInfo(zone_name)
    anchor_ms = anchor_ms // 1000 * 1000
    wanted = local(anchor_ms, zone) + steps(unit, count) * k
    assume(1972 < wanted.year < 2200)  # before, some zones were off by seconds
    expected = first_moment(zone, wanted) if k else anchor_ms

    period = period_at(subscription(unit, count, zone_name), expected, anchor_ms)

    assert expected == period.start_ms


@given(
    st.sampled_from([Unit.SECOND, Unit.MINUTE, Unit.HOUR]),
    st.integers(1, 100),
    st.sampled_from(ZONES),
    MOMENTS,
    MOMENTS,
)
def test_short_billing_periods_are_exact_durations(
    unit: Unit, count: int, zone: str, now_ms: int, anchor_ms: int
) -> None:
    length = int(timedelta(**{f"{unit.value}s": count}).total_seconds() * 1000)

    period = period_at(subscription(unit, count, zone), now_ms, anchor_ms)

    assert period.start_ms is not None
    assert 0 == (period.start_ms - anchor_ms) % length
    assert period.start_ms + length == period.end_ms


@given(st.integers(1, 3600), st.sampled_from(["Asia/Kolkata", "Asia/Kathmandu"]), MOMENTS)
def test_short_calendar_periods_are_aligned_to_the_local_clock(
    seconds: int, zone: str, now_ms: int
) -> None:
    period = period_at(calendar(Unit.SECOND, seconds, zone), now_ms)
    offset = datetime.fromtimestamp(now_ms // 1000, ZoneInfo(zone)).utcoffset()

    assert period.start_ms is not None
    assert offset is not None
    local_seconds = period.start_ms // 1000 + int(offset.total_seconds())
    changed = (
        offset != datetime.fromtimestamp(period.start_ms // 1000 - 1, ZoneInfo(zone)).utcoffset()
    )
    assert local_seconds % seconds == 0 or changed


def test_different_periods_of_a_window_never_share_an_id() -> None:
    anchor_ms = ms("2025-01-31T10:00:00.999")
    for window in (subscription(Unit.SECOND), calendar(Unit.SECOND), subscription(Unit.MONTH)):
        ids = set()
        now_ms = anchor_ms
        for _ in range(50):
            period = period_at(window, now_ms, anchor_ms)
            assert period.end_ms is not None
            ids.add(period.period_id)
            now_ms = period.end_ms

        assert 50 == len(ids)
