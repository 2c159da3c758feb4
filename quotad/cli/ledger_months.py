"""Usage by customer, feature and month, summed up from the ledger: for files that finance reads."""

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from quotad.client.admin import AdminClient
    from quotad.client.ledger import LedgerLine, LostLines

PAGE = 1_000

_EARLY = timedelta(hours=1)
"""What is noted may have happened so much later, by a caller whose clock is ahead; and more."""

_MONTH = re.compile(r"(\d{4})-(0[1-9]|1[0-2])").fullmatch


class LedgerUsage(msgspec.Struct, frozen=True, kw_only=True):
    """What a customer, or a resource of it, has consumed of a feature in one month."""

    customer_id: str
    resource_id: str
    feature_id: str
    month: str
    """`2026-10`, in UTC, of when it happened."""
    used: int
    """Whole numbers of 10^-decimals: consumed, less what was given back."""
    decimals: int
    unit: str
    entries: int
    """How many of the ledger these are."""
    first: datetime
    """When the first of them happened; UTC."""
    last: datetime


class _Sum(msgspec.Struct):
    used: int
    entries: int
    first: datetime
    last: datetime


class MonthRead(msgspec.Struct):
    """The ledger of one month, as it was read."""

    usage: list[LedgerUsage]
    """By customer, resource and feature."""
    gaps: list["LostLines"]
    """What could not be read."""
    oldest: datetime | None
    """Of the entries that were read; None: there was none."""


def month_of(text: str, now: datetime) -> tuple[datetime, datetime]:
    """First moment of a month and of the next, in UTC.

    Args:
        text: `2026-10`; empty: the month of `now`.
        now: in UTC.

    Raises:
        ValueError: it is no month.
    """
    match = _MONTH(text or f"{now:%Y-%m}")
    if match is None:
        raise ValueError(f"month: {text[:40]!r} is not a month such as 2026-10")
    year, month = int(match[1]), int(match[2])
    try:
        start = datetime(year, month, 1, tzinfo=UTC)
        return start, datetime(year + month // 12, month % 12 + 1, 1, tzinfo=UTC)
    except ValueError:
        raise ValueError(f"month: {text!r} is none that a calendar has") from None


def read_month(admin: "AdminClient", start: datetime, end: datetime, feature_id: str) -> MonthRead:
    """Sum up what happened in a month.

    What happened in it may have been counted later (`occurred_at`, settled reservations and
    journals), so the ledger is read from its start to where it ends now.

    Args:
        admin: whose server has the ledger.
        start: of the month.
        end: of it.
        feature_id: empty: every feature.

    Raises:
        QuotaError: as of `AdminClient.ledger_page`.
    """
    sums: dict[tuple[str, str, str], _Sum] = {}
    gaps: list[LostLines] = []
    oldest: datetime | None = None
    position, more = "", True
    while more:
        page = admin.ledger_page(
            feature_id=feature_id, since=_before(start), position=position, size=PAGE
        )
        position, more = page.position, page.more
        gaps += page.gaps
        for entry in page.entries:
            oldest = oldest or entry.at
            happened = entry.occurred_at or entry.at
            if entry.allowed and start <= happened < end:
                _add(sums, entry, happened)
    features = admin.catalog().document["features"] if sums else {}
    return MonthRead(list(_rows(sums, features, f"{start:%Y-%m}")), gaps, oldest)


def _before(start: datetime) -> datetime:
    return max(start, datetime(1970, 1, 2, tzinfo=UTC)) - _EARLY


def _add(sums: dict[tuple[str, str, str], _Sum], entry: "LedgerLine", at: datetime) -> None:
    name = (entry.customer_id, entry.resource_id, entry.feature_id)
    known = sums.get(name)
    if known is None:
        sums[name] = _Sum(entry.quantity, 1, at, at)
        return
    known.used += entry.quantity
    known.entries += 1
    known.first, known.last = min(known.first, at), max(known.last, at)


def _rows(
    sums: dict[tuple[str, str, str], _Sum], features: dict[str, dict[str, object]], month: str
) -> Iterator[LedgerUsage]:
    names: Iterable[tuple[str, str, str]] = sorted(sums)
    for customer_id, resource_id, feature_id in names:
        one = sums[customer_id, resource_id, feature_id]
        feature = features.get(feature_id, {})
        yield LedgerUsage(
            customer_id=customer_id,
            resource_id=resource_id,
            feature_id=feature_id,
            month=month,
            used=one.used,
            decimals=int(str(feature.get("decimals", 0))),
            unit=str(feature.get("unit", "")),
            entries=one.entries,
            first=one.first,
            last=one.last,
        )
