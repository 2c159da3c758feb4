"""Reading the ledger: the streams of all shards as one list, by time, page by page."""

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from heapq import heappop, heappush, merge

import msgspec

from quotad.decision import Reason
from quotad.engine.noted import Unreadable, naming, read_record
from quotad.errors import InvalidRequest
from quotad.ids import check_id
from quotad.ledger import (
    CHANGE,
    VERBS,
    EntryPage,
    LedgerEntry,
    LedgerGap,
    WantedEntries,
)
from quotad.nearest import did_you_mean
from quotad.operations.archived import ArchivedLedger, ArchivedRecord, ArchiveStretch
from quotad.operations.pages import page_size
from quotad.store.events import EventId
from quotad.store.ledger import BESIDE, LedgerRecord, LedgerStreams, Masks, digest_of

RECORDS_MAX = 20_000
"""Most records that are read for one page, about; one with few entries that are wanted ends there,
after a tenth of a second."""

UNPACKED_MAX = 256 * 1024
"""Bytes of them that are unpacked for one page: some 10,000 calls, and a tenth of a second."""

_READ_AT_ONCE = 640
"""Records of all shards together: some 2 ms of the store's time."""

_REFILLED = 160
"""Records of one shard, where most are passed over."""

DROPPED, UNREADABLE = "dropped", "unreadable"

_NEVER = 2**48
"""A number that no record of a moment has."""


class ReadSoFar(msgspec.Struct, frozen=True, array_like=True):
    """What a position is made of."""

    shards: int
    newest_first: bool
    edge_ms: int
    """Of shards that are not in `at`: where they began; -1: at their end."""
    at: dict[int, tuple[int, int]]
    """By shard, the record that was read last."""
    unread: dict[int, tuple[int, int]] = {}
    """Of shards that are not in `at`, the record that is to be read first."""


class LedgerOperations(msgspec.Struct, frozen=True):
    """Reads it; for all threads."""

    streams: LedgerStreams
    archive: ArchivedLedger | None = None
    """What the store does not have any more; None: there is none."""

    def read(self, wanted: WantedEntries) -> EntryPage:
        """Return a page of entries.

        A page ends with a whole record, so it may have a few entries more than were asked for; it
        may have fewer, and none, where many records were read for them.

        Raises:
            InvalidRequest: a field is of the wrong shape, or the position is of something else.
            StoreUnavailable: the store refused or timed out.
        """
        size = page_size(wanted.size)
        _check(wanted)
        shards: Sequence[int] = range(self.streams.shards)
        if wanted.customer_id:
            shards = self.streams.of_customer(wanted.customer_id)
        elif wanted.changes:
            shards = [*shards, *BESIDE]
        place = self._place(wanted, shards)
        if wanted.from_now and not wanted.position:
            return EntryPage([], [], _written(place), False)
        gaps = self._dropped(place, shards) if wanted.position and not wanted.newest_first else []
        read = dict(place.at)
        masks = self.streams.masks(shards)
        entries: list[LedgerEntry] = []
        may_name = _naming(wanted.customer_id, wanted.feature_id)
        count, unpacked, more = 0, 0, False
        for record in self._all(place, shards, wanted, may_name):
            if _is_beyond(record, wanted):
                break
            if len(entries) >= size or count >= RECORDS_MAX or unpacked >= UNPACKED_MAX:
                more = True
                break
            if isinstance(record, ArchivedRecord) and record.entries is None:
                span_ms = record.at_ms, record.until_ms
                gaps.append(LedgerGap(record.shard, *span_ms, UNREADABLE))
                continue
            count += 1 + record.passed
            read[record.shard] = (record.position.ms, record.position.number)
            try:
                found, size_of_it = _found(record, may_name)
            except Unreadable:
                gaps.append(LedgerGap(record.shard, record.at_ms, record.at_ms, UNREADABLE))
                continue
            unpacked += size_of_it
            chosen = [entry for entry in masked(found, masks) if _is_wanted(entry, wanted)]
            entries += chosen[::-1] if wanted.newest_first else chosen
        unread = self._unread(place, shards, read) if more and not wanted.newest_first else {}
        after = msgspec.structs.replace(place, at=read, unread=unread)
        return EntryPage(entries, gaps, _written(after), more)

    def _all(
        self,
        place: ReadSoFar,
        shards: Sequence[int],
        wanted: WantedEntries,
        may_name: Callable[[bytes], bool] | None,
    ) -> Iterator[LedgerRecord | ArchivedRecord]:
        """The records of some shards from a place on, by time, those of the archive among them."""
        stored = self._records(place, shards, may_name)
        if self.archive is None:
            return stored
        first = self.streams.ends(shards)
        texts = [each for each in (wanted.customer_id, wanted.feature_id) if each]
        stretch = ArchiveStretch(
            _behind(place, shards), first, place.newest_first, [*map(msgspec.json.encode, texts)]
        )
        archived = self.archive.records(stretch)
        return merge(stored, archived, key=_position, reverse=place.newest_first)

    def walk(
        self,
        at: Mapping[int, EventId],
        ends: Mapping[int, EventId],
        customer_id: str = "",
        archived_since_ms: int | None = None,
    ) -> Iterator[tuple[LedgerRecord | ArchivedRecord, list[LedgerEntry] | None]]:
        """Every record of some shards with its entries, by time; None: it is unreadable.

        What the archive has and the store does not is among them, also where a store that was
        restored has lost it out of the middle.

        Args:
            at: by shard, behind which record of the store; without one from its oldest on.
            ends: by shard, up to which; the shards that are read.
            customer_id: whose entries are wanted; records may have those of others as well. Empty:
                of all.
            archived_since_ms: from when on the archive is read (Unix ms); None: it is not.

        Raises:
            StoreUnavailable: the store refused or timed out, or a file cannot be read.
        """
        masks = self.streams.masks(list(ends))
        may_name = _naming(customer_id)
        records: Iterator[LedgerRecord | ArchivedRecord] = self._up_to(at, ends, may_name)
        if self.archive is not None and archived_since_ms is not None:
            since = EventId(archived_since_ms, 0)
            texts = [msgspec.json.encode(customer_id)] if customer_id else []
            stretch = ArchiveStretch(dict.fromkeys(ends, since), {}, False, texts)
            records = merge(records, self.archive.records(stretch), key=_position)
        before: tuple[EventId, int] | None = None
        for record in records:
            if _position(record) == before:
                continue  # it is in both
            before = _position(record)
            if isinstance(record, ArchivedRecord) and record.entries is None:
                yield record, None
                continue
            try:
                yield record, masked(_found(record, may_name)[0], masks)
            except Unreadable:
                yield record, None

    def _up_to(
        self,
        at: Mapping[int, EventId],
        ends: Mapping[int, EventId],
        may_name: Callable[[bytes], bool] | None,
    ) -> Iterator[LedgerRecord]:
        """The records of streams up to these."""
        left = {shard for shard, end in ends.items() if shard not in at or at[shard] < end}
        if not left:
            return
        place = ReadSoFar(self.streams.shards, False, -1, {**at})
        for record in self._records(place, sorted(left), may_name):
            if record.position >= ends[record.shard]:
                left.discard(record.shard)
            if record.position <= ends[record.shard]:
                yield record
            if not left:
                return

    def has_dropped(self, at: Mapping[int, EventId]) -> bool:
        """Whether a record is gone that was read, and so perhaps some after it.

        Raises:
            StoreUnavailable: the store refused or timed out.
        """
        place = ReadSoFar(self.streams.shards, False, -1, {**at})
        return bool(self._dropped(place, list(at)))

    def _place(self, wanted: WantedEntries, shards: Sequence[int]) -> ReadSoFar:
        """Where to read from."""
        if wanted.position:
            return _read_position(wanted, self.streams.were)
        edge_ms = wanted.until_ms if wanted.newest_first else wanted.since_ms
        at: dict[int, tuple[int, int]] = {}
        if wanted.from_now:
            ends = self.streams.ends(shards, newest=True)
            at = {shard: (end.ms, end.number) for shard, end in ends.items()}
            edge_ms = None
        edge = -1 if edge_ms is None else edge_ms
        return ReadSoFar(self.streams.shards, wanted.newest_first, edge, at)

    def _records(
        self,
        place: ReadSoFar,
        shards: Sequence[int],
        wanted: Callable[[bytes], bool] | None,
    ) -> Iterator[LedgerRecord]:
        """The records of some shards from a place on, by time; see `LedgerStreams.read`."""
        newest_first, at = place.newest_first, _behind(place, shards)
        most = max(_READ_AT_ONCE // len(shards), 20)
        waiting: dict[int, list[LedgerRecord]] = {}
        heap: list[tuple[int, int, int]] = []
        sign = -1 if newest_first else 1
        empty: dict[int, EventId | None] = at
        while True:
            for shard, found in self.streams.read(empty, most, newest_first, wanted).items():
                if found:
                    at[shard] = found[-1].position
                    waiting[shard] = found[::-1]  # taken from its end
                    _push(heap, found[0], sign)
            if wanted is not None:
                most = max(most, _REFILLED)
            empty = {}
            while not empty:
                if not heap:
                    return
                shard = sign * heappop(heap)[2]
                yield waiting[shard].pop()
                if waiting[shard]:
                    _push(heap, waiting[shard][-1], sign)
                else:
                    empty = {shard: at[shard]}

    def _dropped(self, place: ReadSoFar, shards: Sequence[int]) -> list[LedgerGap]:
        """Shards whose record at the position is gone, and with it perhaps others after it."""
        known = [shard for shard in shards if shard in place.at or shard in place.unread]
        first = self.streams.ends(known)
        gaps: list[LedgerGap] = []
        for shard in known:
            at = EventId(*(place.at.get(shard) or place.unread[shard]))
            # A stream that is gone has had its time; what was read of it is no gap.
            there = first.get(shard, at if shard in place.at else None)
            if (there is None or there > at) and not self._is_archived((there or at).ms):
                gaps.append(LedgerGap(shard, at.ms, (there or at).ms, DROPPED))
        return gaps

    def _is_archived(self, ms: int) -> bool:
        """Whether what was written before a time is in the archive."""
        return self.archive is not None and self.archive.covers(ms)

    def _unread(
        self, place: ReadSoFar, shards: Sequence[int], read: Mapping[int, tuple[int, int]]
    ) -> dict[int, tuple[int, int]]:
        """The first records of shards that a page has not come to, to know if they go."""
        left = {shard: at for shard, at in place.unread.items() if shard not in read}
        if place.at or left:
            return left
        edge = None if place.edge_ms <= 0 else EventId(place.edge_ms - 1, _NEVER)
        missed = {shard: edge for shard in shards if shard not in read}
        for shard, records in self.streams.read(missed, 1).items():
            if records:
                left[shard] = (records[0].position.ms, records[0].position.number)
        return left


def _behind(place: ReadSoFar, shards: Sequence[int]) -> dict[int, EventId | None]:
    """By shard, behind which record reading goes on; None: it begins with the first."""
    edge = None
    if place.newest_first and place.edge_ms >= 0:
        edge = max(EventId(place.edge_ms, 0), EventId(0, 1))  # nothing comes before 0-1
    elif place.edge_ms > 0:
        edge = EventId(place.edge_ms - 1, _NEVER)
    return {shard: EventId(*place.at[shard]) if shard in place.at else edge for shard in shards}


def _found(
    record: LedgerRecord | ArchivedRecord, may_name: Callable[[bytes], bool] | None
) -> tuple[list[LedgerEntry], int]:
    """The entries of a record that may be wanted, and how many bytes were unpacked for them.

    Raises:
        Unreadable: it cannot be read.
    """
    if isinstance(record, ArchivedRecord):
        return record.entries or [], record.size
    if may_name is not None and not may_name(record.charges):
        return [], 0
    return read_record(record), len(record.charges)


def _position(record: LedgerRecord | ArchivedRecord) -> tuple[EventId, int]:
    return record.position, record.shard


def masked(entries: list[LedgerEntry], masks: Masks) -> list[LedgerEntry]:
    """Entries with what stands for customers that were erased since, and without their ids."""
    if not masks:
        return entries
    found: list[LedgerEntry] = []
    for entry in entries:
        mask = masks.get(digest_of(entry.customer_id))
        if mask is not None and entry.at_ms <= mask.until_ms:
            entry = msgspec.structs.replace(
                entry,
                customer_id=mask.pseudonym,
                resource_id="",
                key="",
                counters={},
                changes=(),
                comment="",
                came_to={},
                closes={},
                limits={},
            )
        found.append(entry)
    return found


def _push(heap: list[tuple[int, int, int]], record: LedgerRecord, sign: int) -> None:
    """Have a record wait for its turn: the oldest is first, or with a sign below 0 the newest."""
    position = record.position
    heappush(heap, (sign * position.ms, sign * position.number, sign * record.shard))


def _naming(*texts: str) -> Callable[[bytes], bool] | None:
    """As `naming`, of those that are not empty; None: any record can."""
    given = [text for text in texts if text]
    return naming(given) if given else None


def _check(wanted: WantedEntries) -> None:
    if wanted.customer_id:
        check_id(wanted.customer_id, "customer_id")
    if wanted.feature_id:
        check_id(wanted.feature_id, "feature_id")
    names: Mapping[str, Reason] = Reason.__members__
    if wanted.reason and wanted.reason not in names:
        hint = did_you_mean(wanted.reason, names, otherwise=f"they are {', '.join(names)}")
        raise InvalidRequest(f"reason: there is no {wanted.reason!r}; {hint}")
    if wanted.verb and wanted.verb not in VERBS:
        hint = did_you_mean(wanted.verb, VERBS, otherwise=f"they are {', '.join(VERBS)}")
        raise InvalidRequest(f"verb: there is no {wanted.verb!r}; {hint}")
    if wanted.from_now and wanted.newest_first:
        raise InvalidRequest("from_now: what comes later is read oldest first")


def _is_beyond(record: LedgerRecord | ArchivedRecord, wanted: WantedEntries) -> bool:
    """Whether a record, and all that come after it, are out of the time that is wanted."""
    if wanted.newest_first:
        return wanted.since_ms is not None and record.at_ms < wanted.since_ms
    return wanted.until_ms is not None and record.at_ms >= wanted.until_ms


def _is_wanted(entry: LedgerEntry, wanted: WantedEntries) -> bool:
    return (
        wanted.customer_id in ("", entry.customer_id)
        and wanted.feature_id in ("", entry.feature_id)
        and wanted.reason in ("", entry.reason)
        and not (wanted.denied_only and entry.allowed)
        and (wanted.changes if entry.verb == CHANGE else wanted.verb in ("", entry.verb))
    )


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(ReadSoFar).decode


def _written(place: ReadSoFar) -> str:
    return urlsafe_b64encode(_encode(place)).decode().rstrip("=")


def _no_position() -> InvalidRequest:
    return InvalidRequest("position: is none that a page of the ledger has")


def _read_position(wanted: WantedEntries, were: Callable[[int], bool]) -> ReadSoFar:
    raw = wanted.position
    try:
        place = _decode(urlsafe_b64decode(raw + "=" * (-len(raw) % 4)))
    except (binascii.Error, ValueError, msgspec.MsgspecError):
        raise _no_position() from None
    numbers = [n for at in (*place.at.values(), *place.unread.values()) for n in at]
    if not all(0 <= number < _NEVER for number in (place.edge_ms + 1, *numbers)):
        raise _no_position()
    if not were(place.shards):
        raise InvalidRequest("position: is of a store with other shards; read from a time on")
    if place.newest_first != wanted.newest_first:
        raise InvalidRequest("position: is of a page in the other order")
    return place
