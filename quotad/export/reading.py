"""From the streams of the ledger into the record of a part: entries are folded, none left out."""

import logging
from collections.abc import Sequence

import msgspec

from quotad.engine.noted import Unreadable, read_record
from quotad.errors import StoreError
from quotad.export.state import Overlay, PartState
from quotad.export.target import MORE, ExportTarget, lost_beside, takes_all
from quotad.ledger import CHANGE, LedgerEntry
from quotad.operations.ledger import masked
from quotad.outbox import RECORD, OutboxItem
from quotad.store.events import EventId
from quotad.store.ledger import LedgerRecord, LedgerStreams, Masks

_log = logging.getLogger("quotad.export")

READ_MAX = 640
"""Records that are read at once, of all streams of a part."""

AWAY_MS = 60_000
"""A part that has read everything so long ago may have missed records; one that reads all the time
has not, as streams keep more than comes in a minute."""

RECORD_AGAIN_S = 600
"""How long a record that cannot be read is left alone, before it is looked at again: by then a
newer release may run."""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(tuple[int, int, int, bytes, bytes]).decode


class PartReader:
    """Folds what streams have.

    Args:
        streams: of the ledger.
        target: what folds.
        part: name of the part.
        shards: whose streams it has.
    """

    def __init__(
        self, streams: LedgerStreams, target: ExportTarget, part: str, shards: Sequence[int]
    ) -> None:
        self._streams = streams
        self._target = target
        self._part = part
        self._shards = shards

    def read(self, state: PartState, now_ms: int, sure_ms: int) -> bool:
        """Fold what has come since; returns whether there is more already.

        Args:
            state: what it is folded into.
            now_ms: Unix time of the store, before it is read.
            sure_ms: what is written from now on is written after that.

        Raises:
            StoreUnavailable: the store refused or timed out; nothing is changed.
        """
        most = max(READ_MAX // len(self._shards), 20)
        masks = self._streams.masks(self._shards)
        places = {shard: state.position(shard) for shard in self._shards}
        found = self._streams.read(places, most)
        before_ms = state.progress.read_until_ms
        was_away = now_ms - before_ms > AWAY_MS
        if was_away:
            self._look_for_gaps(state, now_ms)
        records = sorted((one for some in found.values() for one in some), key=_when)
        self._fold(state, records, masks, now_ms)
        for shard, some in found.items():
            if some:
                state.move(shard, some[-1].position)
        cut = [some[-1].at_ms for some in found.values() if len(some) == most]
        until_ms = max(min([sure_ms, *cut]), state.progress.read_until_ms)
        overlay = Overlay(state, self._part, now_ms)
        lost = lost_beside(self._target, overlay, before_ms) if was_away else ""
        if lost:
            self._note_gap(state, now_ms)
            _log.error("%s: %s", self._target.name, lost)
        self._target.close(overlay, until_ms)
        overlay.apply()
        state.progress = msgspec.structs.replace(state.progress, read_until_ms=until_ms)
        return bool(cut or state.memo.get(MORE))

    def fold_again(self, state: PartState, item: OutboxItem, now_ms: int) -> str:
        """Fold a record that was set aside; returns why it still cannot be, empty: it is.

        Raises:
            StoreUnavailable: the store refused or timed out; nothing is changed.
        """
        shard, ms, number, charges, became = _decode(item.body)
        record = LedgerRecord(shard, EventId(ms, number), charges, became)
        masks = self._streams.masks(self._shards)
        overlay = Overlay(state, self._part, now_ms)
        try:
            self._target.fold(overlay, self._entries(record, masks))
        except Exception as error:  # noqa: BLE001 (whatever it is, the record is kept)
            return _why(error)
        overlay.apply()
        return ""

    def _fold(
        self, state: PartState, records: Sequence[LedgerRecord], masks: Masks, now_ms: int
    ) -> None:
        """Fold records, those together that nothing is wrong with."""
        entries: list[LedgerEntry] = []
        for record in records:
            try:
                entries += self._entries(record, masks)
            except Unreadable as error:
                self._set_aside(state, record, _why(error), now_ms)
        overlay = Overlay(state, self._part, now_ms)
        try:
            self._target.fold(overlay, entries)
        except StoreError:
            raise  # all of it is read again
        except Exception:  # noqa: BLE001 (it is one of them)
            self._fold_apart(state, records, masks, now_ms)
        else:
            overlay.apply()

    def _fold_apart(
        self, state: PartState, records: Sequence[LedgerRecord], masks: Masks, now_ms: int
    ) -> None:
        for record in records:
            overlay = Overlay(state, self._part, now_ms)
            try:
                self._target.fold(overlay, self._entries(record, masks))
            except Unreadable:
                continue  # set aside already
            except StoreError:
                raise
            except Exception as error:  # noqa: BLE001 (the others are folded all the same)
                _log.exception("a record of the ledger cannot be exported to %s", self._target.name)
                self._set_aside(state, record, _why(error), now_ms)
            else:
                overlay.apply()

    def _entries(self, record: LedgerRecord, masks: Masks) -> list[LedgerEntry]:
        """Those of a record that the target gets.

        Raises:
            Unreadable: it is of a format that this release does not know, or damaged.
        """
        entries = masked(read_record(record), masks)
        if takes_all(self._target):
            return entries
        return [entry for entry in entries if entry.verb != CHANGE]

    def _set_aside(self, state: PartState, record: LedgerRecord, why: str, now_ms: int) -> None:
        position = record.position
        body = (record.shard, position.ms, position.number, record.charges, record.became)
        state.put(
            OutboxItem(
                id=record.id,
                queue="",
                kind=RECORD,
                body=_encode(body),
                made_ms=now_ms,
                parked=why,
                again_ms=now_ms + RECORD_AGAIN_S * 1000,
                about=f"record {record.id}",
            )
        )
        _log.error("%s: record %s of the ledger is parked: %s", self._target.name, record.id, why)

    def _look_for_gaps(self, state: PartState, now_ms: int) -> None:
        """Note it where what was read last is gone, and with it perhaps what came after it."""
        known = [shard for shard in self._shards if state.has_read(shard)]
        first = self._streams.ends(known)
        gone = [shard for shard in known if shard in first and first[shard] > _at(state, shard)]
        if gone:
            before = state.progress
            self._note_gap(state, now_ms)
            _log.error(
                "%s: records of the ledger may have been dropped before they were read, as nothing"
                " was read since %d s; see ledger_records_max and ledger_kept_ms",
                self._target.name,
                (now_ms - before.read_until_ms) // 1000,
            )

    def _note_gap(self, state: PartState, now_ms: int) -> None:
        gaps = state.progress.gaps + 1
        state.progress = msgspec.structs.replace(state.progress, gaps=gaps, gap_ms=now_ms)


def _at(state: PartState, shard: int) -> EventId:
    return state.position(shard) or EventId(0, 0)


def _when(record: LedgerRecord) -> tuple[EventId, int]:
    return record.position, record.shard


def _why(error: Exception) -> str:
    return str(error) if isinstance(error, Unreadable) else f"{type(error).__name__}: {error}"
