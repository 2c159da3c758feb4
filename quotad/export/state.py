"""The record of a part of an export, in memory, and what of it is to be written."""

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from quotad.outbox import (
    ExportProgress,
    OutboxItem,
    decode_item,
    decode_progress,
    encode_item,
    encode_progress,
)
from quotad.store.events import EventId
from quotad.store.exports import ASKED, ITEM, NOTE, POSITIONS, PROGRESS

_encode_positions = msgspec.msgpack.Encoder().encode
_decode_positions = msgspec.msgpack.Decoder(dict[int, tuple[int, int]]).decode


class PartState:
    """What a record holds.

    Args:
        fields: of the record.
        first: where each stream is read from that it has no position of.
    """

    def __init__(self, fields: Mapping[str, bytes], first: EventId | None) -> None:
        self._first = first
        self._written: dict[str, bytes] = {}
        self._removed: set[str] = set()
        self.memo: dict[str, int] = {}
        """What the target knows of the notes; not stored."""
        raw = fields.get(POSITIONS)
        self._positions = {} if raw is None else _decode_positions(raw)
        progress = fields.get(PROGRESS)
        self.progress = ExportProgress(0) if progress is None else decode_progress(progress)
        self.asked = int(fields.get(ASKED, b"0"))
        """How often others had changed the record when it was read."""
        numbered = {
            int(name.removeprefix(ITEM)): decode_item(raw)
            for name, raw in fields.items()
            if name.startswith(ITEM) and name[1:].isdigit()
        }
        self.items = dict(sorted(numbered.items()))
        """By number, in the order in which they were made."""
        self._next = max(self.items, default=0) + 1
        self._parked = sum(bool(item.parked) for item in self.items.values())
        self._failing = sum(_is_failing(item) for item in self.items.values())
        self._notes = {
            name.removeprefix(NOTE + ":"): raw
            for name, raw in fields.items()
            if name.startswith(NOTE + ":")
        }

    def position(self, shard: int) -> EventId | None:
        """The record of a stream that was read last; None: none, and reading begins at its
        start."""
        found = self._positions.get(shard)
        return self._first if found is None else EventId(*found)

    def has_read(self, shard: int) -> bool:
        """Whether a record of a stream was read."""
        return shard in self._positions

    def move(self, shard: int, position: EventId) -> None:
        """Note that a stream is read up to a record."""
        self._positions[shard] = (position.ms, position.number)
        self._written[POSITIONS] = b""  # as it is when it is written

    def put(self, item: OutboxItem) -> None:
        """Add an item."""
        self.change(self._next, item)
        self._next += 1

    def change(self, number: int, item: OutboxItem | None) -> None:
        """Replace an item, or remove it."""
        name = f"{ITEM}{number:016d}"
        before = self.items.get(number)
        for sign, each in ((-1, before), (1, item)):
            if each is not None:
                self._parked += sign * bool(each.parked)
                self._failing += sign * _is_failing(each)
        if item is None:
            self.items.pop(number, None)
            self._written.pop(name, None)
            self._removed.add(name)
        else:
            self.items[number] = item
            self._written[name] = encode_item(item)

    def note(self, name: str) -> bytes | None:
        """A note of the target."""
        return self._notes.get(name)

    def notes(self) -> Iterable[str]:
        """The names of all of them."""
        return self._notes.keys()

    def keep(self, name: str, value: bytes | None) -> None:
        """Write a note, or remove it."""
        field = f"{NOTE}:{name}"
        if value is None:
            self._notes.pop(name, None)
            self._written.pop(field, None)
            self._removed.add(field)
        else:
            self._notes[name] = value
            self._written[field] = value
            self._removed.discard(field)

    @property
    def changed(self) -> bool:
        """Whether there is something to write."""
        return bool(self._written or self._removed)

    def take_changes(self) -> tuple[dict[str, bytes], list[str]]:
        """What is to be written and removed, which is taken to be done from then on."""
        written, removed = self._written, sorted(self._removed)
        self._written, self._removed = {}, set()
        if POSITIONS in written:
            written[POSITIONS] = _encode_positions(self._positions)
        oldest = next((item.made_ms for item in self.items.values() if not item.parked), 0)
        self.progress = msgspec.structs.replace(
            self.progress,
            unsent=len(self.items) - self._parked,
            oldest_ms=oldest,
            parked=self._parked,
            problem=self.progress.problem if self._failing else "",
        )
        written[PROGRESS] = encode_progress(self.progress)
        return written, removed


def _is_failing(item: OutboxItem) -> bool:
    """Whether it waits to be sent again."""
    return bool(item.tries and not item.parked)


class Overlay:
    """A `Folding`: what is folded, until it is known that all of it was."""

    def __init__(self, state: PartState, part: str, now_ms: int) -> None:
        self._state = state
        self._items: list[OutboxItem] = []
        self._kept: dict[str, bytes | None] = {}
        self.memo = state.memo
        self.part = part
        self.now_ms = now_ms

    def note(self, name: str) -> bytes | None:
        """See `Folding`."""
        return self._kept[name] if name in self._kept else self._state.note(name)

    def keep(self, name: str, value: bytes) -> None:
        """See `Folding`."""
        self._kept[name] = value

    def drop(self, name: str) -> None:
        """See `Folding`."""
        self._kept[name] = None

    def notes(self) -> Iterator[str]:
        """See `Folding`."""
        for name in self._state.notes():
            if name not in self._kept:
                yield name
        yield from [name for name, value in self._kept.items() if value is not None]

    def put(self, item: OutboxItem) -> None:
        """See `Folding`."""
        self._items.append(item)

    def apply(self) -> None:
        """Take all of it over."""
        for name, value in self._kept.items():
            self._state.keep(name, value)
        for item in self._items:
            self._state.put(item)
