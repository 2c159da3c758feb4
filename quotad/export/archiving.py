"""The archive as a target: entries become blocks of the files of their days.

What is written is decided in the store, together with how far the ledger is read: the bytes of a
block, its file and its place in it. So whoever writes it, and however often, the file has it once.
"""

import logging
from collections.abc import Iterable, Sequence
from contextlib import suppress

import msgspec

from quotad.archive import ArchiveStore, ForeignBytes, WalkedFile, read_lines, write_block
from quotad.archive.blocks import BlockHead, DamagedBlock, line_of
from quotad.export.outcomes import Later, Partly
from quotad.export.target import Folding
from quotad.files import problem_of
from quotad.ledger import LedgerEntry
from quotad.moments import written_time
from quotad.outbox import ARCHIVE, OutboxItem
from quotad.store.exports import ALL

BLOCK_BYTES = 256 * 1024
"""Of entries, not packed, from which on they are written."""

HELD_MS = 30_000
"""How long entries wait for more of their block in the store."""

_HELD, _END = "held:", "end:"
"""What the notes of a day start with: entries that wait, and where its file ends."""


class _Held(msgspec.Struct, array_like=True):
    """Entries of a day that wait for more."""

    since_ms: int
    first_ms: int
    last_ms: int
    size: int
    lines: list[bytes]


_log = logging.getLogger("quotad.export")


class _Id(msgspec.Struct):
    id: str


_decode_id = msgspec.json.Decoder(_Id).decode
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Held).decode
_decode_block = msgspec.msgpack.Decoder(tuple[str, int, bytes]).decode


class ArchiveTarget:
    """Writes entries into files of days of UTC, by the store's clock.

    Args:
        archive: where they are.
    """

    name = ARCHIVE
    senders = 1
    takes_all = True

    def __init__(self, archive: ArchiveStore) -> None:
        self._archive = archive
        self._walked: dict[str, WalkedFile] = {}
        """Files of a day that have something else than was written there."""

    def look(self) -> None:
        """See `ExportTarget`."""

    def fold(self, folding: Folding, entries: Sequence[LedgerEntry]) -> None:
        """See `ExportTarget`."""
        days: dict[str, _Held] = {}
        before = ""
        for entry in entries:
            day, record = (written_time(entry.at_ms) or "")[:10], entry.id.rpartition("-")[0]
            held = days.get(day)
            if held is not None and held.size >= BLOCK_BYTES and record != before:
                self._put(folding, day, held)  # those of a record stay together
                held = None
            if held is None:
                raw = folding.note(_HELD + day)
                held = days[day] = _new(folding.now_ms, entry) if raw is None else _decode(raw)
            line = line_of(entry)
            held.first_ms = min(held.first_ms, entry.at_ms)
            held.last_ms = max(held.last_ms, entry.at_ms)
            held.size += len(line)
            held.lines.append(line)
            before = record
        for day, held in days.items():
            if held.size >= BLOCK_BYTES:
                self._put(folding, day, held)
            else:
                folding.keep(_HELD + day, _encode(held))

    def close(self, folding: Folding, read_until_ms: int) -> None:
        """See `ExportTarget`."""
        today = (written_time(read_until_ms) or "")[:10]
        for day in _days_held(folding.notes()):
            held = _decode(folding.note(_HELD + day) or b"")
            if day < today or folding.now_ms >= held.since_ms + HELD_MS:
                self._put(folding, day, held)

    def send(self, item: OutboxItem) -> None:
        """See `ExportTarget`."""
        name, at, block = _decode_block(item.body)
        try:
            if item.state:
                at = int(item.state)
                block = self._without_known(name, at, block)
            if block:
                self._archive.put(name, at, block)
        except ForeignBytes as error:
            end = self._end_of(name, error)
            if end is None or item.state == str(end):
                raise _not_now(error) from error
            raise Partly(str(end)) from error
        except OSError as error:
            raise _not_now(error) from error

    def _end_of(self, name: str, error: ForeignBytes) -> int | None:
        """Where a block goes whose place has something else, as after the store was restored from
        an old copy; None: the file is not there, or is damaged."""
        known = self._walked.get(name)
        walked = known or WalkedFile(self._archive, name)
        try:
            end = walked.end()
        except OSError as failed:
            raise _not_now(failed) from failed
        if not end:
            self._walked.pop(name, None)
            return None
        if known is None:
            day = name[: len("2026-11-27")]
            self._walked = {n: each for n, each in self._walked.items() if n.startswith(day)}
            self._walked[name] = walked
            _log.warning(
                "archive: %s; the store may be of an older copy: going on at the end of the file,"
                " without what is there already",
                error,
            )
        return end

    def _without_known(self, name: str, end: int, block: bytes) -> bytes:
        """A block without the entries that the file has before a place; empty: it has all.

        Raises:
            OSError: it cannot be read.
        """
        head, lines = BlockHead.read(block), read_lines(block)
        walked = self._walked.get(name) or WalkedFile(self._archive, name)
        walked.end()
        known: set[str] = set()
        for at, other in walked.heads:
            if at < end and other.last_ms >= head.first_ms and other.first_ms <= head.last_ms:
                raw = self._archive.read(name, at, other.length)
                with suppress(DamagedBlock, msgspec.MsgspecError):  # its ids cannot be known
                    known.update([_decode_id(line).id for line in read_lines(raw)])
        if not known:
            return block
        left = [line + b"\n" for line in lines if _decode_id(line).id not in known]
        return write_block(left, head.first_ms, head.last_ms) if left else b""

    def _put(self, folding: Folding, day: str, held: _Held) -> None:
        """Have the entries of a day written behind those that are."""
        name = day if folding.part == ALL else f"{day}.{folding.part}"
        at = int(folding.note(_END + day) or b"0")
        block = write_block(held.lines, held.first_ms, held.last_ms)
        folding.put(
            OutboxItem(
                id=f"{name}:{at}",
                queue=day,
                kind="block",
                body=_encode((name, at, block)),
                made_ms=folding.now_ms,
                about=f"{len(held.lines)} entries of {day}",
            )
        )
        folding.keep(_END + day, str(at + len(block)).encode())
        folding.drop(_HELD + day)


def _new(now_ms: int, entry: LedgerEntry) -> _Held:
    return _Held(now_ms, entry.at_ms, entry.at_ms, 0, [])


def _not_now(error: Exception) -> Later:
    why = problem_of(error) if isinstance(error, OSError) else error
    return Later(f"ledger_archive: {why}", everything=True)


def _days_held(notes: Iterable[str]) -> list[str]:
    return sorted(name.removeprefix(_HELD) for name in notes if name.startswith(_HELD))
