"""Reading the archive of the ledger: what the store does not have any more, in the same order."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from heapq import merge
from itertools import groupby
from typing import NamedTuple

import msgspec

from quotad.archive import ArchiveStore, DamagedBlock, block_heads, read_lines
from quotad.errors import StoreUnavailable
from quotad.files import problem_of
from quotad.ledger import LedgerEntry
from quotad.moments import written_time
from quotad.store.events import EventId
from quotad.store.exports import ALL
from quotad.store.ledger import BESIDE

SURE_MS = 120_000
"""How long after an entry was read for the archive it is in a file, while that can be written."""

_STREAMS = {name: stream for stream, name in BESIDE.items()}
_EVER = EventId(2**62, 0)


class ArchivedRecord(NamedTuple):
    """What a record of the store has become in the archive."""

    shard: int
    position: EventId
    entries: list[LedgerEntry] | None
    """Those that may be wanted; None: a block that cannot be read is there."""
    size: int = 0
    """Bytes of them."""
    passed: int = 0
    until_ms: int = 0
    """Of a block that cannot be read, its latest entry."""

    @property
    def at_ms(self) -> int:
        """When it was written, by the store's clock (Unix ms)."""
        return self.position.ms


class ArchiveStretch(msgspec.Struct, frozen=True):
    """What of the archive is to be read."""

    behind: Mapping[int, EventId | None]
    """By shard, after which record, or with `newest_first` before which; None: any."""
    first: Mapping[int, EventId]
    """By shard, the oldest record that the store still has; without those that have none."""
    newest_first: bool
    wanted: Sequence[bytes] = ()
    """Texts that entries have, as they are written."""

    def has(self, shard: int, position: EventId) -> bool:
        """Whether a record is in it."""
        if shard not in self.behind or position >= self.first.get(shard, _EVER):
            return False
        behind = self.behind[shard]
        if behind is None:
            return True
        return position < behind if self.newest_first else position > behind

    @property
    def times(self) -> tuple[int, int]:
        """The earliest and the latest that a record of it can be of (Unix ms)."""
        bounds = [_EVER if each is None else each for each in self.behind.values()]
        until = max((self.first.get(shard, _EVER) for shard in self.behind), default=_EVER)
        if self.newest_first:
            return 0, min(max(bounds, default=_EVER), until).ms
        since = 0 if _EVER in bounds else min(bounds, default=EventId(0, 0)).ms
        return since, until.ms


class _Id(msgspec.Struct):
    id: str


_decode_id = msgspec.json.Decoder(_Id).decode
_decode_entry = msgspec.json.Decoder(LedgerEntry).decode


class ArchivedLedger:
    """The archive of one store, to be read; for all threads.

    Args:
        files: where it is.
        read_until_ms: up to when the ledger is read for it (Unix ms).
    """

    def __init__(self, files: ArchiveStore, read_until_ms: Callable[[], int]) -> None:
        self._files = files
        self._read_until_ms = read_until_ms

    def covers(self, ms: int) -> bool:
        """Whether all that was written before a time (Unix ms) is in files.

        Raises:
            StoreUnavailable: the store refused or timed out.
        """
        return self._read_until_ms() - SURE_MS >= ms

    def records(self, stretch: ArchiveStretch) -> Iterator[ArchivedRecord]:
        """Records of a stretch, by time; each has the entries that may be wanted.

        Raises:
            StoreUnavailable: a file cannot be read.
        """
        since_ms, until_ms = stretch.times
        days: dict[str, list[str]] = {}
        try:
            for name in self._files.names():
                day, _, part = name.partition(".")
                if _day(since_ms) <= day <= _day(until_ms) and _is_of(part, stretch):
                    days.setdefault(day, []).append(name)
            for day in sorted(days, reverse=stretch.newest_first):
                files = [self._of_file(name, stretch) for name in days[day]]
                yield from merge(*files, key=_turn, reverse=stretch.newest_first)
        except OSError as error:
            raise StoreUnavailable(f"ledger_archive: {problem_of(error)}") from error

    def _of_file(self, name: str, stretch: ArchiveStretch) -> Iterator[ArchivedRecord]:
        since_ms, until_ms = stretch.times
        shard = next(iter(stretch.behind))
        heads = [
            (at, head)
            for at, head in block_heads(self._files, name)  # the last one may be being written
            if head.last_ms >= since_ms and head.first_ms <= until_ms
        ]
        for at, head in heads[::-1] if stretch.newest_first else heads:
            raw = self._files.read(name, at, head.length)
            if len(raw) < head.length:
                continue  # it is being written
            try:
                lines = read_lines(raw)
                yield from _records(lines, stretch)
            except (DamagedBlock, msgspec.MsgspecError, ValueError):
                position = EventId(head.first_ms, 0)
                yield ArchivedRecord(shard, position, None, until_ms=head.last_ms)


def _records(lines: Sequence[bytes], stretch: ArchiveStretch) -> Iterator[ArchivedRecord]:
    placed = [(_place(_decode_id(line).id), line) for line in lines]
    found: list[ArchivedRecord] = []
    for (shard, position), group in groupby(placed, key=lambda each: each[0]):
        if stretch.has(shard, position):
            some = [line for _, line in group if all(text in line for text in stretch.wanted)]
            entries = [_decode_entry(line) for line in some]
            found.append(ArchivedRecord(shard, position, entries, sum(map(len, some))))
    found.sort(key=_turn, reverse=stretch.newest_first)
    yield from found


def _turn(record: ArchivedRecord) -> tuple[EventId, int]:
    return record.position, record.shard


def _place(entry_id: str) -> tuple[int, EventId]:
    """The stream and the record that an entry is of."""
    stream, ms, number, _ = entry_id.rsplit("-", 3)
    shard = _STREAMS[stream] if stream in _STREAMS else int(stream)
    return shard, EventId(int(ms), int(number))


def _is_of(part: str, stretch: ArchiveStretch) -> bool:
    """Whether a file has entries of the streams that are wanted."""
    if part in ("", ALL):
        return True
    if part in _STREAMS:
        return _STREAMS[part] in stretch.behind
    return part.isdigit() and int(part) in stretch.behind


def _day(ms: int) -> str:
    """The day of UTC of a moment; of one that no calendar has, a text behind all days."""
    try:
        return (written_time(ms) or "")[:10]
    except OverflowError:
        return "~"
