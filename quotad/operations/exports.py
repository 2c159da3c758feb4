"""Exports as operators see them: how far they are, and what is parked."""

from collections.abc import Callable, Iterator, Sequence

import msgspec

from quotad.outbox import (
    ARCHIVE,
    TARGETS,
    ExportProgress,
    OutboxItem,
    ParkedItem,
    decode_item,
    decode_progress,
    encode_item,
)
from quotad.plural import plural
from quotad.store.exports import ITEM, PROGRESS, ExportPart, ExportRecords
from quotad.webhooks.endpoint import WEBHOOK

LATE_MS = 300_000
"""A lag from which on it is a warning: exporters look every second."""

GAP_SHOWN_MS = 86_400_000
"""How long a gap is a warning."""

READINGS = ("lag_ms", "unsent", "oldest_ms", "parked", "failures", "gaps")
"""What is read of an export, of all its parts together."""


class ExportReading(msgspec.Struct, frozen=True):
    """How an export is doing, all its parts together."""

    lag_ms: int = 0
    """How long ago was written what is read next; about a second while all is well."""
    unsent: int = 0
    oldest_ms: int = 0
    """Age of the oldest of them."""
    parked: int = 0
    failures: int = 0
    """Attempts to send something that have failed, in all."""
    gaps: int = 0
    problem: str = ""
    """Why an attempt has failed, while that item is to be sent."""
    gap_ms: int = 0
    """When a gap was last noticed (Unix ms)."""


def together(parts: Sequence[ExportProgress], now_ms: int) -> ExportReading:
    """Add up the parts of an export."""
    oldest = [part.oldest_ms for part in parts if part.oldest_ms]
    return ExportReading(
        lag_ms=max(
            (now_ms - part.read_until_ms for part in parts if part.read_until_ms), default=0
        ),
        unsent=sum(part.unsent for part in parts),
        oldest_ms=max(now_ms - min(oldest), 0) if oldest else 0,
        parked=sum(part.parked for part in parts),
        failures=sum(part.failures for part in parts),
        gaps=sum(part.gaps for part in parts),
        problem=next((part.problem for part in parts if part.problem), ""),
        gap_ms=max((part.gap_ms for part in parts), default=0),
    )


def read_until_ms(records: ExportRecords, target: str) -> int:
    """Up to when the ledger is read for a target (Unix ms); 0: it is not yet.

    Raises:
        StoreUnavailable: the store refused or timed out.
    """
    found = [
        decode_progress(raw).read_until_ms
        for part, raw in records.fields(PROGRESS).items()
        if part.target == target
    ]
    return min(found, default=0)


class ExportWatch:
    """How the exports of a store are doing, at the last look.

    Args:
        records: of the store.
        now_ms: Unix time, by the store's clock.
        kept_ms: how long the store keeps the ledger; 0: not known.
    """

    def __init__(self, records: ExportRecords, now_ms: Callable[[], int], kept_ms: int = 0) -> None:
        self._records = records
        self._now_ms = now_ms
        self._kept_ms = kept_ms
        self.readings: dict[str, ExportReading] = {}
        """By target."""
        self._of_kind: dict[str, ExportReading] = {}
        """By kind of target: receivers of webhooks together."""

    def look(self) -> None:
        """Read how they are doing.

        Raises:
            StoreUnavailable: the store refused or timed out.
        """
        parts: dict[str, list[ExportProgress]] = {}
        for part, raw in self._records.fields(PROGRESS).items():
            try:
                parts.setdefault(part.target, []).append(decode_progress(raw))
            except msgspec.MsgspecError:
                continue
        now_ms = self._now_ms()
        self.readings = {target: together(some, now_ms) for target, some in parts.items()}
        grouped: dict[str, list[ExportProgress]] = {}
        for target, some in parts.items():
            grouped.setdefault(_kind_of(target), []).extend(some)
        self._of_kind = {kind: together(some, now_ms) for kind, some in grouped.items()}

    def reading_of_each(self, name: str) -> list[int]:
        """One of `READINGS` of each of `TARGETS`; 0 of one that is not there."""
        found = [self._of_kind.get(target, ExportReading()) for target in TARGETS]
        return [max(getattr(reading, name), 0) for reading in found]

    @property
    def warnings(self) -> tuple[str, ...]:
        """What an operator should know."""
        now_ms = self._now_ms()
        return tuple(
            f"export to {target}: {words}"
            for target, reading in sorted(self.readings.items())
            for words in _warnings(target, reading, now_ms, self._kept_ms)
        )


def _kind_of(target: str) -> str:
    return "webhooks" if target.startswith(f"{WEBHOOK}-") else target


def _warnings(target: str, reading: ExportReading, now_ms: int, kept_ms: int) -> Iterator[str]:
    command = "quotad ledger archive" if target == ARCHIVE else "quotad export"
    if reading.lag_ms > LATE_MS:
        yield f"it is {reading.lag_ms // 60_000} min behind the ledger; is `{command}` running?"
    if target == ARCHIVE and 0 < kept_ms < 2 * reading.lag_ms:
        yield (
            f"the store drops records after {kept_ms // 60_000} min (ledger_kept_ms), and then"
            " they are in no archive"
        )
    if reading.problem:
        yield f"{plural(reading.unsent, 'item')} to be sent: {reading.problem}"
    if reading.parked:
        yield f"{plural(reading.parked, 'item')} parked; `quotad export parked` shows why"
    if reading.gap_ms and now_ms < reading.gap_ms + GAP_SHOWN_MS:
        changes = " or changes" if _kind_of(target) == "webhooks" else ""
        yield f"records of the ledger{changes} may have been dropped before they were read"


class ExportOperations:
    """What operators do about items that were set aside.

    Args:
        records: of the store.
    """

    def __init__(self, records: ExportRecords) -> None:
        self._records = records

    def parked(self, target: str = "") -> list[ParkedItem]:
        """Items that were set aside, the oldest first.

        Args:
            target: empty: of all of them.

        Raises:
            StoreUnavailable: the store refused or timed out.
        """
        found = [
            ParkedItem(
                target=part.target,
                id=item.id,
                about=item.about,
                why=item.parked,
                since_ms=item.made_ms,
                tries=item.tries,
                again_ms=item.again_ms,
            )
            for part, _, _, item in self._items(target)
        ]
        return sorted(found, key=lambda each: each.since_ms)

    def retry(self, target: str = "", item_id: str = "") -> int:
        """Have items sent again that were set aside; returns how many.

        Args:
            target: empty: of all of them.
            item_id: which, also where it is not known whether it has arrived long ago; empty: all.

        Raises:
            StoreUnavailable: the store refused or timed out; some may be sent again.
        """
        done = 0
        for part, field, raw, item in self._items(target):
            if item_id in ("", item.id):
                sent_ms = 0 if item_id else item.sent_ms
                after = msgspec.structs.replace(item, parked="", again_ms=0, sent_ms=sent_ms)
                done += self._records.change(part, field, raw, encode_item(after))
        return done

    def drop(self, target: str, item_id: str) -> int:
        """Remove an item that was set aside: it is never sent; returns how many there were.

        Args:
            target: empty: of any.
            item_id: which.

        Raises:
            StoreUnavailable: the store refused or timed out; it may be removed.
        """
        return sum(
            self._records.change(part, field, raw, b"")
            for part, field, raw, item in self._items(target)
            if item.id == item_id
        )

    def end(self, target: str) -> int | None:
        """Remove an export: what it has not sent is never sent, and a later one begins anew.

        Args:
            target: what no process exports to any more, else that begins anew at once.

        Returns:
            How many items were not sent; None: there is no such export.

        Raises:
            StoreUnavailable: the store refused or timed out; it may be removed.
        """
        if target not in self._records.targets():
            return None
        unsent = sum(
            decode_progress(raw).unsent
            for part, raw in self._records.fields(PROGRESS).items()
            if part.target == target
        )
        self._records.forget(target)
        return unsent

    def _items(self, target: str) -> Iterator[tuple[ExportPart, str, bytes, OutboxItem]]:
        for each in self._records.targets():
            if target not in ("", each):
                continue
            for name in self._records.every_part:
                part = ExportPart(each, name)
                for field, raw in sorted(self._records.read(part).items()):
                    if not field.startswith(ITEM) or not field[1:].isdigit():
                        continue
                    item = decode_item(raw)
                    if item.parked:
                        yield part, field, raw, item
