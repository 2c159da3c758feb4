"""The fields of the form of an override or a promotion, filled in with one that there is."""

from collections.abc import Iterator
from datetime import UTC, datetime

from quotad.operations.shown_customers import ShownEntitlement

_DAY_MS = 86_400_000


def given_fields(given: ShownEntitlement) -> Iterator[tuple[str, str]]:
    """Return fields and what they have; what the form has no field for is left out."""
    yield "feature_id", given.feature_id
    yield from _value(given.value)
    for name, at_ms in (("from", given.start_ms), ("until", given.end_ms)):
        if at_ms is not None:
            yield name, _day(at_ms)


def _value(value: object) -> Iterator[tuple[str, str]]:
    if isinstance(value, bool):
        yield "kind", "on" if value else "off"
    elif value == "unlimited":
        yield "kind", "unlimited"
    elif isinstance(value, str | int | float):
        yield "kind", "value"
        yield "value", str(value)
    elif isinstance(value, dict) and len(limits := value.get("limits", ())) == 1:
        yield "kind", "limit"
        for name, key in (("amount", "limit"), ("per", "per")):
            if isinstance(text := limits[0].get(key), str | int | float):
                yield name, str(text)


def _day(at_ms: int) -> str:
    at = datetime.fromtimestamp(at_ms / 1000, UTC)
    return f"{at:%Y-%m-%d}" if not at_ms % _DAY_MS else f"{at:%Y-%m-%dT%H:%M}Z"
