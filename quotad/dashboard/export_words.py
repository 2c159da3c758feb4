"""How an export is doing, in words of the home page."""

from quotad.operations.exports import LATE_MS, ExportReading
from quotad.plural import plural

STAND_IN = "Stand-in for Stripe"
"""Among the facts of the environment: where it shows what it bills."""

SECOND_MS, MINUTE_MS, HOUR_MS = 1_000, 60_000, 3_600_000


def exported(reading: ExportReading) -> tuple[str, str, str]:
    """The style of its chip, a word, and the details."""
    details = [f"{_span(reading.lag_ms)} behind the ledger"]
    if reading.unsent:
        details.append(
            f"{plural(reading.unsent, 'item')} to be sent for {_span(reading.oldest_ms)}"
        )
    if reading.parked:
        details.append(f"{plural(reading.parked, 'item')} parked")
    if reading.problem or reading.lag_ms > LATE_MS:
        return "bad", "held up", ", ".join(details)
    style, word = ("warn", "parked") if reading.parked else ("ok", "goes on")
    return style, word, ", ".join(details)


def _span(ms: int) -> str:
    for unit_ms, unit in ((HOUR_MS, "h"), (MINUTE_MS, "min")):
        if ms >= unit_ms:
            return f"{ms // unit_ms:,} {unit}"
    return f"{max(ms, 0) // SECOND_MS} s"
