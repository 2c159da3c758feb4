"""How an export is doing, in a line of the home page."""

import pytest

from quotad.dashboard.export_words import exported
from quotad.operations.exports import ExportReading


@pytest.mark.parametrize(
    ("reading", "words"),
    [
        (ExportReading(lag_ms=1_200), ("ok", "goes on", "1 s behind the ledger")),
        (
            ExportReading(lag_ms=0, unsent=1, oldest_ms=61_000),
            ("ok", "goes on", "0 s behind the ledger, 1 item to be sent for 1 min"),
        ),
        (
            ExportReading(lag_ms=900, parked=2),
            ("warn", "parked", "0 s behind the ledger, 2 items parked"),
        ),
        (
            ExportReading(lag_ms=7_200_000),
            ("bad", "held up", "2 h behind the ledger"),
        ),
        (
            ExportReading(unsent=3, oldest_ms=5_000, problem="Stripe cannot be reached"),
            ("bad", "held up", "0 s behind the ledger, 3 items to be sent for 5 s"),
        ),
    ],
)
def test_a_line_says_whether_it_goes_on_and_what_waits(
    reading: ExportReading, words: tuple[str, str, str]
) -> None:
    assert words == exported(reading)
