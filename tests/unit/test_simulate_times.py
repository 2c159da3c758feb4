"""Times as logs write them."""

from datetime import UTC, datetime

import pytest

from quotad.replay.access_log import LineError
from quotad.simulate.times import parse_time

AT_MS = int(datetime(2026, 5, 17, 10, 5, 3, tzinfo=UTC).timestamp()) * 1000
NANOSECONDS = f"{AT_MS}250987"


@pytest.mark.parametrize(
    ("text", "at_ms"),
    [
        ("17/May/2026:10:05:03 +0000", AT_MS),
        ("17/May/2026:12:05:03 +0200", AT_MS),
        ("16/May/2026:23:35:03 -1030", AT_MS),
        ("17/May/2026:10:04:60 +0000", AT_MS - 3000),  # a leap second
        ("2026-05-17T10:05:03Z", AT_MS),
        ("2026-05-17T10:05:03.25Z", AT_MS + 250),
        ("2026-05-17T12:05:03.250999+02:00", AT_MS + 250),
        ("2026-05-17 10:05:03", AT_MS),  # without a zone: UTC
        (f"{AT_MS // 1000}", AT_MS),
        (f"{AT_MS // 1000}.25", AT_MS + 250),
        (f"{AT_MS // 1000}.2509", AT_MS + 250),
        (f"{AT_MS + 250}", AT_MS + 250),
        (f"{AT_MS}250", AT_MS),
        (NANOSECONDS, AT_MS),
        ("0", 0),
        ("1970-01-01T00:00:00Z", 0),
    ],
)
def test_a_time_is_read_in_whichever_way_a_log_writes_it(text: str, at_ms: int) -> None:
    assert at_ms == parse_time(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-",
        "yesterday",
        "17/Foo/2026:10:05:03 +0000",
        "31/Feb/2026:10:05:03 +0000",
        "17/May/2026:25:05:03 +0000",
        "17/May/2026:10:05:03",
        "1e9",
        "9" * 400,
    ],
)
def test_what_is_no_time_is_refused_with_what_would_be(text: str) -> None:
    with pytest.raises(LineError, match="is not one of 17/May/2026:10:05:03"):
        parse_time(text)


@pytest.mark.parametrize("text", ["1969-12-31T23:59:59Z", "3000-01-01", "99999999999"])
def test_a_time_far_from_any_log_is_taken_for_damage(text: str) -> None:
    with pytest.raises(LineError, match="is not between 1970 and 2999"):
        parse_time(text)
