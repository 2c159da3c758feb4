"""HTTP/2 frames and header blocks as bytes: as much of RFC 9113 and RFC 7541 as gRPC calls need."""

import struct

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8

END_STREAM = 0x1
ACK = 0x1
END_HEADERS = 0x4
PADDED = 0x8

SETTINGS_HEADER_TABLE_SIZE = 1
SETTINGS_ENABLE_PUSH = 2
SETTINGS_MAX_CONCURRENT_STREAMS = 3
SETTINGS_INITIAL_WINDOW_SIZE = 4

WINDOW_DEFAULT = 65_535
WINDOW_MAX = 2**31 - 1
FRAME_MAX = 16_384
"""Largest payload that every peer takes."""
TABLE_DEFAULT = 4096
"""Size of a peer's header table, unless it says otherwise."""

HEADER_BYTES = 9
head_struct = struct.Struct(">IBI")
"""Length (24 bits) and type as one number, flags, stream id."""

# Static header table of RFC 7541, appendix A.
_METHOD_POST, _SCHEME_HTTP = 3, 6
_AUTHORITY, _PATH, _AUTHORIZATION, _CONTENT_TYPE = 1, 4, 23, 31
_STATIC_ENTRIES = 61


def frame_start(length: int, kind: int, flags: int) -> bytes:
    """A frame's header up to the stream id."""
    return struct.pack(">IB", length << 8 | kind, flags)


def frame(kind: int, flags: int, stream_id: int, payload: bytes = b"") -> bytes:
    """A whole frame."""
    return frame_start(len(payload), kind, flags) + struct.pack(">I", stream_id) + payload


def settings(values: dict[int, int]) -> bytes:
    """A SETTINGS frame."""
    return frame(SETTINGS, 0, 0, b"".join(struct.pack(">HI", *item) for item in values.items()))


def read_settings(payload: bytes) -> dict[int, int]:
    """What a SETTINGS frame says."""
    return dict(struct.iter_unpack(">HI", payload))


def window_update(stream_id: int, increment: int) -> bytes:
    """A WINDOW_UPDATE frame; stream 0 is the connection."""
    return frame(WINDOW_UPDATE, 0, stream_id, struct.pack(">I", increment))


def integer(value: int, prefix_bits: int, pattern: int) -> bytes:
    """An integer of RFC 7541, section 5.1, below `pattern` in its first byte."""
    most = (1 << prefix_bits) - 1
    if value < most:
        return bytes([pattern | value])
    out = bytearray([pattern | most])
    value -= most
    while value >= 128:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def _text(text: str) -> bytes:
    raw = text.encode()
    return integer(len(raw), 7, 0) + raw


def header_blocks(
    path: str, authority: str, table: bool = True, token: str = ""
) -> tuple[bytes, bytes]:
    """The header block of a connection's first gRPC request, and of all later ones.

    Args:
        path: `/package.Service/Method`.
        authority: `HOST:PORT`.
        table: let the peer remember the first one's fields, as every gRPC client does; then the
            later block is a byte for each field. False: both spell everything out.
        token: sent with each call; empty: none.
    """
    named = [(_PATH, path), (_AUTHORITY, authority), (_CONTENT_TYPE, "application/grpc")]
    if token:
        named.append((_AUTHORIZATION, f"Bearer {token}"))
    bits, pattern = (6, 0x40) if table else (4, 0x00)
    start = integer(_METHOD_POST, 7, 0x80) + integer(_SCHEME_HTTP, 7, 0x80)
    spelled = b"".join(integer(name, bits, pattern) + _text(value) for name, value in named)
    spelled += integer(0, bits, pattern) + _text("te") + _text("trailers")
    first = start + spelled
    if not table:
        return first, first
    # The newest entry comes first in the table, so the oldest has the largest index.
    newest = _STATIC_ENTRIES + 1
    return first, start + bytes(0x80 | newest + i for i in reversed(range(len(named) + 1)))


def grpc_message(body: bytes) -> bytes:
    """A gRPC message: not compressed, length, body."""
    return struct.pack(">BI", 0, len(body)) + body


def request_segments(block: bytes, message: bytes) -> tuple[bytes, ...]:
    """The frames of one call, cut where the stream id stands: join the parts with it."""
    segments = [frame_start(len(block), HEADERS, END_HEADERS)]
    before = block
    chunks = [message[at : at + FRAME_MAX] for at in range(0, len(message), FRAME_MAX)]
    for chunk in chunks:
        flags = END_STREAM if chunk is chunks[-1] else 0
        segments.append(before + frame_start(len(chunk), DATA, flags))
        before = chunk
    return (*segments, before)
