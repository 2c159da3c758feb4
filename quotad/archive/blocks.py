"""The format of a file of the archive: members of gzip, each a block of entries as lines of JSON.

`gunzip` reads a file as one text. The header of each member has a field of its own (RFC 1952,
2.3.1.1, `qd`) with the length of the member and the times of its first and last entry, so that
readers leap over what they do not want.
"""

import struct
import zlib
from collections.abc import Sequence

import msgspec

from quotad.ledger import LedgerEntry

_FIXED = struct.Struct("<4BI2BH2sHIQQI")
"""Magic and flags, time, more flags, then the field: its length twice, and what it has."""

_START = (0x1F, 0x8B, 8, 4, 0, 0, 255)
_FIELD = struct.calcsize("<IQQI")
_END = struct.Struct("<II")

HEAD_BYTES = _FIXED.size

LEVEL = 6


class DamagedBlock(Exception):
    """Bytes that are no block, or not all of one."""


class BlockHead(msgspec.Struct, frozen=True):
    """What the header of a block has."""

    length: int
    """Of the whole block, in bytes."""
    first_ms: int
    """The earliest of its entries (Unix ms)."""
    last_ms: int
    """The latest."""
    entries: int

    @classmethod
    def read(cls, raw: bytes) -> "BlockHead":
        """Read a header.

        Raises:
            DamagedBlock: it is none.
        """
        if len(raw) < HEAD_BYTES:
            raise DamagedBlock("a header is cut off")
        found = _FIXED.unpack(raw[:HEAD_BYTES])
        if found[:10] != (*_START, _FIELD + 4, b"qd", _FIELD):
            raise DamagedBlock("there is no block of the ledger")
        return cls(*found[10:])


class Block(msgspec.Struct, frozen=True):
    """A block that was read."""

    head: BlockHead
    entries: list[LedgerEntry]


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(LedgerEntry).decode


def line_of(entry: LedgerEntry) -> bytes:
    """An entry as it stands in a file."""
    return _encode(entry) + b"\n"


def write_block(lines: Sequence[bytes], first_ms: int, last_ms: int) -> bytes:
    """A block of lines, the same bytes for the same lines.

    Args:
        lines: as of `line_of`.
        first_ms: the earliest of their times (Unix ms).
        last_ms: the latest.
    """
    text = b"".join(lines)
    packing = zlib.compressobj(LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
    packed = packing.compress(text) + packing.flush()
    length = HEAD_BYTES + len(packed) + _END.size
    head = _FIXED.pack(*_START, _FIELD + 4, b"qd", _FIELD, length, first_ms, last_ms, len(lines))
    return head + packed + _END.pack(zlib.crc32(text), len(text) & 0xFFFFFFFF)


def is_cut_off(raw: bytes, size: int) -> bool:
    """Whether a file ends in the middle of a block.

    Args:
        raw: what the last one begins with.
        size: from there to the end of the file.
    """
    if size < HEAD_BYTES:
        magic = bytes(_START)
        return raw[: len(magic)] == magic[: len(raw)]
    try:
        return BlockHead.read(raw).length > size
    except DamagedBlock:
        return False


def read_block(raw: bytes) -> Block:
    """Read a block.

    Raises:
        DamagedBlock: it is none, or not all of one.
    """
    lines = read_lines(raw)
    try:
        return Block(BlockHead.read(raw), [_decode(line) for line in lines])
    except msgspec.MsgspecError as error:
        raise DamagedBlock(str(error)) from None


def read_lines(raw: bytes) -> list[bytes]:
    """The lines of a block.

    Raises:
        DamagedBlock: it is none, or not all of one.
    """
    head = BlockHead.read(raw)
    if len(raw) < head.length:
        raise DamagedBlock("a block is cut off")
    try:
        text = zlib.decompress(raw[HEAD_BYTES : head.length - _END.size], -zlib.MAX_WBITS)
    except zlib.error as error:
        raise DamagedBlock(str(error)) from None
    if _END.unpack(raw[head.length - _END.size : head.length])[0] != zlib.crc32(text):
        raise DamagedBlock("a block has another checksum than its entries")
    return text.split(b"\n")[:-1]
