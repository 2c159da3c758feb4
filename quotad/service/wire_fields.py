"""Single fields of a message, with the bytes that protobuf would write.

The format: https://protobuf.dev/programming-guides/encoding/
"""

from functools import lru_cache

TABLE_SIZE = 1 << 14
"""Numbers of at most two groups of seven bits are looked up."""


def _groups(number: int) -> bytes:
    """Base 128, least significant group first; negative numbers as 64 bits."""
    number &= (1 << 64) - 1
    groups = bytearray()
    while number > 127:
        groups.append(number & 127 | 128)
        number >>= 7
    groups.append(number)
    return bytes(groups)


LAST = [_groups(number) for number in range(TABLE_SIZE)]
"""A number as the last one or two groups."""
MORE = [bytes((n & 127 | 128, n >> 7 | 128)) for n in range(TABLE_SIZE)]
"""A number as two groups that others follow."""


def varint(number: int) -> bytes:
    """A number as protobuf writes it, 14 bits at a time."""
    if not 0 <= number < 1 << 42:
        return _groups(number)
    if number < 1 << 14:
        return LAST[number]
    if number < 1 << 28:
        return MORE[number & 16383] + LAST[number >> 14]
    return MORE[number & 16383] + MORE[number >> 14 & 16383] + LAST[number >> 28]


def table(tag: bytes) -> list[bytes]:
    """A varint field by its value; 0 is the default and left out."""
    return [b"", *(tag + last for last in LAST[1:])]


def text_field(tag: bytes, text: str) -> bytes:
    """A string field."""
    raw = text.encode()
    return tag + varint(len(raw)) + raw


@lru_cache(maxsize=4096)
def time_field(tag: bytes, ms: int) -> bytes:
    """A Timestamp or a Duration: seconds = 1, nanos = 2.

    Kept, because calendar periods end for all customers at once, and denials of a batch all have
    the same time to wait.
    """
    seconds, rest = divmod(ms, 1000)
    inner = (b"\x08" + varint(seconds) if seconds else b"") + (
        b"\x10" + varint(rest * 1_000_000) if rest else b""
    )
    return tag + bytes((len(inner),)) + inner  # at most 17 bytes
