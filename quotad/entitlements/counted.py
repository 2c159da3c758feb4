"""Where usage is counted: the windows of a catalog and of a record, and their periods of a month.

What a customer was entitled to in the past is not kept. Its counters are found again through every
window that the catalog and its record have of a feature today.
"""

import re
from collections.abc import Iterable, Iterator
from datetime import datetime

import msgspec

from quotad.catalog import Snapshot
from quotad.entitlements.periods import Period, period_at
from quotad.entitlements.phases import generation
from quotad.errors import InvalidRequest
from quotad.model import Entitlement, Feature, FeatureType, Limit, MeterKind, Plan, Window
from quotad.records import CustomerRecord, Override, Promotion

Counted = tuple[str, Window | None]
"""A feature id, and the window that it is counted in; None: a lifetime."""

_MONTH = re.compile(r"(\d{4})-(0[1-9]|1[0-2])")
YEARS = range(1970, 9999)


class CountedPeriod(msgspec.Struct, frozen=True, gc=False):
    """A period in which a customer may have used a feature."""

    resource_id: str
    """Empty: of the customer itself."""
    feature: Feature
    window: Window | None
    """None: a lifetime."""
    period: Period
    generations: int
    """How many counters it may have: one, and one more for each reset by a change of plan."""


class CountedPeriods:
    """Finds the periods in which customers may have used features.

    Args:
        snapshot: the catalog in force.
        feature_ids: the metered features that are asked for.
        now_ms: Unix time.
        month: `2026-10`: periods that start in it, on the clock of their own time zone, of windows
            that have a history; empty: the periods under way, of all windows.

    Raises:
        InvalidRequest: there is no such month.
    """

    def __init__(
        self, snapshot: Snapshot, feature_ids: Iterable[str], now_ms: int, month: str = ""
    ) -> None:
        self._features = {name: snapshot.features[name] for name in feature_ids}
        self._windows = self._of_features(limits_of(snapshot))
        self._now_ms = now_ms
        self._month = _parse_month(month) if month else None
        self._known: dict[tuple[Window | None, int | None], list[Period]] = {}

    def of(self, record: CustomerRecord | None) -> list[CountedPeriod]:
        """Return those of a customer, by resource and feature; None: one without a record."""
        anchors: dict[str, dict[int | None, None]] = {"": {}}
        windows = self._windows
        if record is not None:
            for phase in record.subscriptions:
                anchors.setdefault(phase.resource_id, {})[phase.anchor] = None
            windows = windows | self._of_features(limits_of_record(record))
        found: dict[tuple[str, str, str], CountedPeriod] = {}
        for resource_id, aligned in sorted(anchors.items()):
            resets = 0
            if record is not None:
                resets = generation(record, self._now_ms, resource_id)
            for feature_id, window in windows:
                feature = self._features[feature_id]
                counters = resets + 1 if feature.kind is MeterKind.COUNTER else 1
                for anchor_ms in aligned or (None,):
                    for period in self._periods(window, anchor_ms):
                        found.setdefault(
                            (resource_id, feature_id, period.period_id),
                            CountedPeriod(resource_id, feature, window, period, counters),
                        )
        return list(found.values())

    def _of_features(self, counted: Iterable[Counted]) -> dict[Counted, None]:
        """What is asked for, each once, in the catalog's order."""
        every = {each: None for each in counted if each[0] in self._features}
        every |= {(feature_id, None): None for feature_id in self._features}
        order = {feature_id: number for number, feature_id in enumerate(self._features)}
        return dict(sorted(every.items(), key=lambda each: order[each[0][0]]))

    def _periods(self, window: Window | None, anchor_ms: int | None) -> list[Period]:
        found = self._known.get((window, anchor_ms))
        if found is None:
            found = self._known[window, anchor_ms] = self._found(window, anchor_ms)
        return found

    def _found(self, window: Window | None, anchor_ms: int | None) -> list[Period]:
        if self._month is None:
            return [period_at(window, self._now_ms, anchor_ms)]
        if window is None or not window.historic:
            return []
        start_ms, end_ms = (
            int(each.replace(tzinfo=window.zone).timestamp()) * 1000 for each in self._month
        )
        found: list[Period] = []
        period = period_at(window, start_ms, anchor_ms)
        while period.start_ms is not None and period.end_ms is not None:
            if not period.start_ms < min(end_ms, self._now_ms + 1):
                break
            if period.start_ms >= start_ms:
                found.append(period)
            period = period_at(window, period.end_ms, anchor_ms)
        return found


def limits_of(snapshot: Snapshot) -> Iterator[Counted]:
    """What a limit of the catalog counts: earlier revisions of plans and add-ons included."""
    plans: list[Plan] = [*snapshot.plans.values(), *snapshot.earlier.values()]
    for plan in plans:
        for entitlement in plan.entitlements.values():
            yield from _of_entitlement(entitlement)
    for addon in snapshot.addons.values():
        for feature_id, entry in addon.entries.items():
            if entry.window is not None:
                yield feature_id, entry.window


def limits_of_record(record: CustomerRecord) -> Iterator[Counted]:
    """What a limit of a customer's own counts, of overrides and promotions."""
    own: list[Override | Promotion] = [*record.overrides, *record.promotions]
    for written in own:
        yield from _of_limits(written.feature_id, written.entry.limits or ())


def metered(snapshot: Snapshot) -> list[str]:
    """The metered features of a catalog, in its order."""
    return [name for name, f in snapshot.features.items() if f.type is FeatureType.METERED]


def _of_entitlement(entitlement: Entitlement) -> Iterator[Counted]:
    yield from _of_limits(entitlement.feature.feature_id, entitlement.limits)
    if entitlement.otherwise is not None:
        yield from _of_entitlement(entitlement.otherwise)


def _of_limits(feature_id: str, limits: Iterable[Limit]) -> Iterator[Counted]:
    for limit in limits:
        yield feature_id, limit.window


def _parse_month(text: str) -> tuple[datetime, datetime]:
    """First moment of a month and of the one after it, on any clock."""
    match = _MONTH.fullmatch(text)
    if match is None or int(match[1]) not in YEARS:
        raise InvalidRequest(f"month: {text[:40]!r} is not a month such as 2026-10")
    year, month = int(match[1]), int(match[2])
    return datetime(year, month, 1), datetime(year + month // 12, month % 12 + 1, 1)
