"""How far lines may be apart and still be decided together.

The engine reads its clock once per batch. Lines of one batch are decided alike as long as no period
ends between them, and nothing else that depends on the time changes. So a batch stays within one
grain: a stretch of time at whose ends alone all those things happen.
"""

from collections.abc import Iterable
from math import gcd

from quotad.catalog import Snapshot
from quotad.entitlements.counted import limits_of, limits_of_record
from quotad.entitlements.phases import moments
from quotad.model import Anchor, Unit, Window
from quotad.records import CALENDAR, CustomerRecord

_SECOND_MS, _MINUTE_MS, _HOUR_MS = 1_000, 60_000, 3_600_000


def grain_ms(snapshots: Iterable[Snapshot], records: Iterable[CustomerRecord]) -> int:
    """The length of a grain; grains start at multiples of it in Unix time.

    Args:
        snapshots: the catalogs that will decide.
        records: of customers, as far as they are known before.
    """
    grain = _HOUR_MS
    for snapshot in snapshots:
        for _, window in limits_of(snapshot):
            if window is not None:
                grain = gcd(grain, _window_ms(window))
    for record in records:
        anchors = (phase.anchor for phase in record.subscriptions if phase.anchor != CALENDAR)
        grain = gcd(grain, *moments(record), *anchors)
        for _, window in limits_of_record(record):
            if window is not None:
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
