"""The archive as a target: entries become blocks of the files of their days.

What is written is decided in the store, together with how far the ledger is read: the bytes of a
block, its file and its place in it. So whoever writes it, and however often, the file has it once.
"""

from collections.abc import Iterable, Sequence

import msgspec

from quotad.archive import ArchiveStore, ForeignBytes, write_block
from quotad.archive.blocks import line_of
from quotad.export.outcomes import Later
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
            self._archive.put(name, at, block)
        except (OSError, ForeignBytes) as error:
            why = problem_of(error) if isinstance(error, OSError) else error
            raise Later(f"ledger_archive: {why}", everything=True) from error

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


def _days_held(notes: Iterable[str]) -> list[str]:
    return sorted(name.removeprefix(_HELD) for name in notes if name.startswith(_HELD))
