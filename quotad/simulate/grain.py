"""How far lines may be apart and still be decided together.

The engine reads its clock once per batch. Lines of one batch are decided alike as long as no period
ends between them, and nothing else that depends on the time changes. So a batch stays within one
grain: a stretch of time at whose ends alone all those things happen.
"""

from collections.abc import Iterable, Iterator
from math import gcd

from quotad.catalog import Snapshot
from quotad.entitlements.phases import moments
from quotad.model import CALENDAR, Anchor, CustomerRecord, Entitlement, Limit, Plan, Unit, Window

_SECOND_MS, _MINUTE_MS, _HOUR_MS = 1_000, 60_000, 3_600_000


def grain_ms(snapshots: Iterable[Snapshot], records: Iterable[CustomerRecord]) -> int:
    """The length of a grain; grains start at multiples of it in Unix time.

    Args:
        snapshots: the catalogs that will decide.
        records: of customers, as far as they are known before.
    """
    grain = _HOUR_MS
    for snapshot in snapshots:
        for window in windows_of(snapshot):
            grain = gcd(grain, _window_ms(window))
    for record in records:
        anchors = (phase.anchor for phase in record.subscriptions if phase.anchor != CALENDAR)
        grain = gcd(grain, *moments(record), *anchors)
        for window in _windows_of_record(record):
            grain = gcd(grain, _window_ms(window))
    return grain


def _window_ms(window: Window) -> int:
    """What all boundaries of a window are multiples of; anchors are looked at where they are."""
    if window.anchor is Anchor.FIRST_USE:
        return 1  # opens at the very moment of a consumption
    if window.unit is Unit.SECOND:
        return _SECOND_MS
    if window.unit is Unit.MINUTE or window.zone.key != "UTC":
        # Zones are ahead by whole minutes, and changed their clocks at odd ones.
        return _MINUTE_MS
    return _HOUR_MS


def windows_of(snapshot: Snapshot) -> Iterator[Window]:
    """Every window that a limit of the catalog counts in."""
    plans: list[Plan] = [*snapshot.plans.values(), *snapshot.earlier.values()]
    for plan in plans:
        for entitlement in plan.entitlements.values():
            yield from _windows_of_entitlement(entitlement)
    for addon in snapshot.addons.values():
        for entry in addon.entries.values():
            if entry.window is not None:
                yield entry.window


def _windows_of_entitlement(entitlement: Entitlement) -> Iterator[Window]:
    yield from _of_limits(entitlement.limits)
    if entitlement.otherwise is not None:
        yield from _windows_of_entitlement(entitlement.otherwise)


def _windows_of_record(record: CustomerRecord) -> Iterator[Window]:
    for override in record.overrides:
        yield from _of_limits(override.entry.limits or ())
    for promotion in record.promotions:
        yield from _of_limits(promotion.entry.limits or ())


def _of_limits(limits: Iterable[Limit]) -> Iterator[Window]:
    for limit in limits:
        if limit.window is not None:
            yield limit.window
