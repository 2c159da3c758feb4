"""Usage over time, for a chart and for the table below it."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec

from quotad.catalog import Snapshot
from quotad.dashboard.ask import Ask
from quotad.dashboard.shown import amount, day
from quotad.model import MeterKind
from quotad.operations.usage import PeriodUsage

MONTHS = 6
"""How many months are looked at, as far as they are kept."""

BARS_MAX = 120


class UsageChart(msgspec.Struct, frozen=True):
    """What one feature was used in each period."""

    feature_id: str
    name: str
    unit: str
    per: str
    rows: list[tuple[str, str, str]]
    """Period, used, denied; the oldest first."""
    kept: bool
    """Whether usage of ended periods is kept."""
    data: str
    """JSON: times (s), used, denied, limit."""


def charted(snapshot: Snapshot, feature_ids: Sequence[str]) -> list[str]:
    """Return the features whose usage has periods, those with a history first."""
    features = snapshot.features
    shown = [each for each in feature_ids if features[each].kind is not MeterKind.CONCURRENCY]
    return sorted(shown, key=lambda each: features[each].usage_history is None)


def chart_of(ask: Ask, customer_id: str, feature_id: str) -> UsageChart | None:
    """Return the chart of a feature; None: there is no such feature."""
    parts = ask.context.parts
    feature = parts.worker.snapshots.newest().features.get(feature_id)
    if feature is None or feature.kind is MeterKind.CONCURRENCY:
        return None
    usage = parts.usage
    found = usage.of_customer(customer_id, feature_id).usage
    if feature.usage_history is not None:
        for month in _months(usage.clock.now_ms()):
            found = usage.of_customer(customer_id, feature_id, month).usage + found
    own = {(each.per, each.start_ms): each for each in found if not each.resource_id}
    per = _best(list(own.values()))
    periods = sorted(
        (each for each in own.values() if each.per == per), key=lambda each: each.start_ms or 0
    )[-BARS_MAX:]
    scale = 10**feature.decimals
    data = {
        "times": [(each.start_ms or each.end_ms or 0) // 1000 for each in periods],
        "used": [each.used / scale for each in periods],
        "denied": [each.denied / scale for each in periods],
        "limit": _limit(ask, customer_id, feature_id, per, scale),
    }
    return UsageChart(
        feature_id,
        feature.name or feature_id,
        feature.unit,
        per,
        [
            (
                _period(each),
                amount(each.used, feature.decimals),
                amount(each.denied, feature.decimals),
            )
            for each in periods
        ],
        feature.usage_history is not None,
        json.dumps(data),
    )


def _best(found: list[PeriodUsage]) -> str:
    """The window with the most periods to show."""
    counts: dict[str, int] = {}
    for each in found:
        counts[each.per] = counts.get(each.per, 0) + 1
    return max(counts, key=counts.__getitem__, default="")


def _period(usage: PeriodUsage) -> str:
    if usage.start_ms is None:
        return "since the first use" if usage.end_ms is None else f"until {day(usage.end_ms)}"
    if usage.end_ms is None:
        return f"since {day(usage.start_ms)}"
    if usage.end_ms - usage.start_ms < 86_400_000:
        at = datetime.fromtimestamp(usage.start_ms / 1000, UTC)
        return f"{day(usage.start_ms)}, {at:%H:%M}"
    if usage.end_ms - usage.start_ms == 86_400_000:
        return day(usage.start_ms)
    return f"{day(usage.start_ms)} to {day(usage.end_ms)}"


def _limit(ask: Ask, customer_id: str, feature_id: str, per: str, scale: int) -> float | None:
    with ask.deciding() as decisions:
        _, answer = decisions.entitlement(customer_id, feature_id)
    for status in answer.limits:
        if status.per == per and not status.pool_id:
            return None if status.limit is None else status.limit / scale
    if answer.limits or answer.limit is None or answer.pool_id:
        return None
    return answer.limit / scale


def _months(now_ms: int) -> list[str]:
    """The months before this one, the latest first."""
    at = datetime.fromtimestamp(now_ms / 1000, UTC)
    count = at.year * 12 + at.month - 1
    return [f"{(count - n) // 12}-{(count - n) % 12 + 1:02}" for n in range(MONTHS)]
