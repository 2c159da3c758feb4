"""The format of a journal's file: a head, and batches of entries, each whole or not there.

    QUOTADJ1                                      magic
    frame                                         the head, a `JournalHead`
    frame ...                                     a batch each, `JournalEntry`s
    ABANDONED                                     perhaps: what follows was never answered

    frame = mark (4 bytes), length and CRC-32 of the payload (4 bytes each), payload (msgpack)

A batch is answered once it is on disk as a whole. So what is cut off at the end was never answered,
nor was a batch whose mark was written over because it could not be cut off. Anything else that
cannot be read is damage: reading goes on at the next mark that begins a whole frame.
"""

import struct
from collections.abc import Sequence
from zlib import crc32

import msgspec

from quotad.ledger import NOBODY, Taker

MAGIC = b"QUOTADJ1"
_MARK = b"\xf5JB\xaf"
_FRAME = struct.Struct(">4sII")

ABANDONED = b"\xf5JX\xaf"
"""Stands in the place of the mark of a batch that failed, the last of its file."""

BATCH_BYTES_MAX = 16 * 1024 * 1024
"""Longest payload that is taken for one."""


class JournalHead(msgspec.Struct, frozen=True, array_like=True):
    """Whose entries they are."""

    journal_id: str
    store_id: str
    """Of the store that they are to be settled in."""
    made_ms: int
    """Unix time."""


class JournalCounter(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A counter that an entry adds to."""

    suffix: str
    """Ending of its key, after what those of the customer itself start with."""
    amount: int
    """Negative: gives back, down to 0."""
    expires_ms: int
    """As `store.charges` spells it: Unix time; 0: never; below 0: so long after the latest use."""


class JournalEntry(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What one call was let through with. New fields go to the end and have defaults."""

    sequence: int
    """From 1, without gaps within a journal."""
    at_ms: int
    """When (Unix time)."""
    customer_id: str
    epoch: int
    """Of the customer as it was known; 0: it was not."""
    counters: tuple[JournalCounter, ...]
    items: tuple[tuple[str, str, int], ...]
    """Feature, resource and quantity of each feature that was asked for."""
    key: str = ""
    """The idempotency key, and as of `store.Once` what is remembered under it; empty: none."""
    fingerprint: str = ""
    memo: bytes = b""
    ttl_ms: int = 0
    taker: Taker = NOBODY
    """Whose doing it was."""


class JournalContent(msgspec.Struct, frozen=True):
    """What stands in a journal's file."""

    head: JournalHead | None
    """None: the head is damaged."""
    entries: tuple[JournalEntry, ...]
    damaged: tuple[tuple[int, int], ...] = ()
    """Where bytes cannot be read that were answered, as far as can be known: from, to."""
    cut_off: int = 0
    """Bytes of a last batch that is not whole or was abandoned, and was never answered."""


_encode = msgspec.msgpack.Encoder().encode
_decode_head = msgspec.msgpack.Decoder(JournalHead).decode
_decode_batch = msgspec.msgpack.Decoder(tuple[JournalEntry, ...]).decode


def head_bytes(head: JournalHead) -> bytes:
    """Return what a file begins with."""
    return MAGIC + _frame(_encode(head))


def batch_bytes(entries: Sequence[JournalEntry]) -> bytes:
    """Return a batch as it is appended."""
    return _frame(_encode(entries))


def _frame(payload: bytes) -> bytes:
    return _FRAME.pack(_MARK, len(payload), crc32(payload)) + payload


def read_journal(data: bytes) -> JournalContent:
    """Read a file; whatever it holds, nothing is raised."""
    head: JournalHead | None = None
    entries: list[JournalEntry] = []
    damaged: list[tuple[int, int]] = []
    at = len(MAGIC)
    payload = _payload(data, at) if data.startswith(MAGIC) else None
    if payload is not None:
        try:
            head = _decode_head(payload)
            at += _FRAME.size + len(payload)
        except msgspec.DecodeError:
            head = None
    if head is None:
        at = 0
        if _is_cut_head(data) and _next_frame(data, 0) is None:
            return JournalContent(None, (), (), len(data))
    while at < len(data):
        payload = _payload(data, at)
        batch = None if payload is None else _batch(payload)
        if batch is not None and payload is not None:
            entries += batch
            at += _FRAME.size + len(payload)
            continue
        following = _next_frame(data, at + 1)
        if following is None and (data.startswith(ABANDONED, at) or _is_cut(data, at)):
            return JournalContent(head, tuple(entries), tuple(damaged), len(data) - at)
        end = len(data) if following is None else following
        damaged.append((at, end))
        at = end
    return JournalContent(head, tuple(entries), tuple(damaged))


def _payload(data: bytes, at: int) -> bytes | None:
    """The payload of the frame at a place; None: there is no whole one."""
    if len(data) - at < _FRAME.size:
        return None
    mark, length, check = _FRAME.unpack_from(data, at)
    if mark != _MARK or length > BATCH_BYTES_MAX:
        return None
    payload = data[at + _FRAME.size : at + _FRAME.size + length]
    return payload if len(payload) == length and crc32(payload) == check else None


def _batch(payload: bytes) -> tuple[JournalEntry, ...] | None:
    try:
        return _decode_batch(payload)
    except msgspec.DecodeError:
        return None


def _is_cut(data: bytes, at: int) -> bool:
    """Whether what stands at a place is the begin of a frame whose end is not there."""
    if len(data) - at < _FRAME.size:
        return _MARK.startswith(data[at : at + len(_MARK)])
    mark, length, _ = _FRAME.unpack_from(data, at)
    return bool(mark == _MARK) and len(data) - at - _FRAME.size < length <= BATCH_BYTES_MAX


def _is_cut_head(data: bytes) -> bool:
    return MAGIC.startswith(data[: len(MAGIC)]) and _is_cut(data, len(MAGIC))


def _next_frame(data: bytes, start: int) -> int | None:
    """Where the next whole batch begins."""
    at = data.find(_MARK, start)
    while at >= 0:
        payload = _payload(data, at)
        if payload is not None and _batch(payload) is not None:
            return at
        at = data.find(_MARK, at + 1)
    return None
