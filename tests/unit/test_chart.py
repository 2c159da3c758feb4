"""The chart in text."""

from quotad.cli.chart import ALLOWED, BAR_MIN, DENIED, WIDTH, Point, chart

COLUMNS = ("time", "allowed", "denied")


def points(*counts: tuple[int, int]) -> list[Point]:
    return [
        Point(f"day {day}", (f"{allowed:,}", f"{denied:,}"), allowed, denied)
        for day, (allowed, denied) in enumerate(counts)
    ]


def bars(*counts: tuple[int, int], width: int = WIDTH) -> list[str]:
    return [line.allowed + line.denied for line in chart(COLUMNS, points(*counts), width)[1:]]


def test_the_longest_line_fills_the_width_and_no_line_is_wider() -> None:
    lines = chart(COLUMNS, points((1_000_000, 500), (10, 0), (0, 999_999), (3, 3)), WIDTH)

    widths = [len(line.text + line.allowed + line.denied) for line in lines]
    assert WIDTH == max(widths)


def test_bars_are_in_proportion() -> None:
    long, short, none = bars((300, 100), (150, 50), (0, 0))

    assert 2 * len(short) == len(long)
    assert 3 * long.count(DENIED) == long.count(ALLOWED)
    assert "" == none


def test_the_first_denial_and_the_last_allowed_call_are_seen() -> None:
    few, most, tiny = bars((1_000_000, 1), (1, 1_000_000), (1, 1))

    assert 1 == few.count(DENIED)
    assert 1 == most.count(ALLOWED)
    assert ALLOWED + DENIED == tiny


def test_a_narrow_terminal_leaves_a_short_bar() -> None:
    assert [BAR_MIN] == [len(bar) for bar in bars((1, 1), width=5)]


def test_columns_stand_below_their_names() -> None:
    head, line = chart(COLUMNS, points((7, 1234)))

    assert "time   allowed  denied" == head.text
    assert "day 0        7   1,234  " == line.text


def test_nothing_at_all_makes_a_heading_only() -> None:
    assert ["time  allowed  denied"] == [line.text for line in chart(COLUMNS, [])]
