"""Events about usage, made of an entry of the ledger: what it has reached of its limits."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from quotad.ledger import CounterLimit, LedgerEntry
from quotad.moments import written_time
from quotad.webhooks.event_types import LIMIT_REACHED, THRESHOLD_REACHED
from quotad.webhooks.events import WebhookEvent, event_id

_SHORT = ("second", "minute")
"""Units of windows that are too short to be told about."""


class Reached(NamedTuple):
    """Something that an entry has reached."""

    event: WebhookEvent
    until_ms: int
    """It has been reached until then, and is not again; 0: it is by this entry alone."""


def reached(entry: LedgerEntry, thresholds: Callable[[str], Sequence[int]]) -> Iterator[Reached]:
    """What an entry has reached, also where an earlier one has.

    Of a limit with a period the event is the same for all entries that are past it in that period.
    One without a period is reached whenever it is passed from below.

    Args:
        entry: of the ledger.
        thresholds: percent of a limit, of a feature or a credit pool.
    """
    for suffix, limit in entry.limits.items():
        unit = limit.per.rpartition(" ")[2]
        if limit.limit <= 0 or unit.startswith(_SHORT):
            continue
        if limit.resets_at_ms is not None and limit.resets_at_ms <= entry.at_ms:
            continue  # of a period that has ended, and is reported late
        before = limit.used - entry.counters.get(suffix, 0)
        if entry.allowed:
            for percent in thresholds(limit.pool_id or entry.feature_id):
                if _is_past(limit, limit.used, percent, before):
                    yield _reached(entry, suffix, limit, THRESHOLD_REACHED, percent)
            if _is_past(limit, limit.used, 100, before):
                yield _reached(entry, suffix, limit, LIMIT_REACHED, 100)
        elif limit.resets_at_ms is not None and _decided(entry, limit):
            yield _reached(entry, suffix, limit, LIMIT_REACHED, 100)


def _is_past(limit: CounterLimit, used: int, percent: int, before: int) -> bool:
    wanted = percent * limit.limit
    is_past = used * 100 >= wanted
    return is_past and (limit.resets_at_ms is not None or before * 100 < wanted)


def _decided(entry: LedgerEntry, limit: CounterLimit) -> bool:
    """Whether it is the limit that a denial had no room in."""
    return (
        entry.reason == "LIMIT_EXCEEDED"
        and (entry.limit, entry.used) == (limit.limit, limit.used)
        and (entry.pool_id, entry.resets_at_ms) == (limit.pool_id, limit.resets_at_ms)
    )


def _reached(
    entry: LedgerEntry, suffix: str, limit: CounterLimit, event_type: str, percent: int
) -> Reached:
    until_ms = limit.resets_at_ms or 0
    which = (entry.customer_id, suffix, event_type, percent)
    once = until_ms if until_ms else entry.id
    data: dict[str, object] = {
        "customer_id": entry.customer_id,
        "resource_id": entry.resource_id or None,
        "feature_id": limit.pool_id or entry.feature_id,
        "threshold": percent if event_type == THRESHOLD_REACHED else None,
        "limit": limit.limit,
        "used": limit.used,
        "remaining": max(limit.limit - limit.used, 0),
        "decimals": limit.decimals or None,
        "per": limit.per or None,
        "resets_at": written_time(until_ms or None),
        "catalog_version": entry.catalog_version,
    }
    return Reached(WebhookEvent(event_id(*which, once), event_type, entry.at_ms, data), until_ms)
