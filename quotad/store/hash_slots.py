"""The hash slots of a cluster: which one a key is in, and which server has it."""

from binascii import crc_hqx
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

SLOTS = 16_384

Where = tuple[str, int]
"""Host and port."""

Range = tuple[int, int, Where]
"""First and last slot, and who has them."""


@lru_cache(maxsize=8_192)
def slot_of(key: str | bytes) -> int:
    """The slot of a key: of what is in its first braces, if there is something, else of all."""
    name = key.encode() if isinstance(key, str) else key
    start = name.find(b"{") + 1
    if start:
        end = name.find(b"}", start)
        if end > start:
            name = name[start:end]
    return crc_hqx(name, 0) % SLOTS


def read_ranges(answer: Any, asked: Where) -> list[Range]:
    """The primaries in an answer to CLUSTER SLOTS.

    Args:
        answer: as it came.
        asked: the server that it came from, which may leave its own host out.

    Raises:
        ValueError: it is something else.
    """
    return list(_ranges(answer, asked))


def _ranges(answer: Any, asked: Where) -> Iterator[Range]:
    try:
        for first, last, (host, port, *_), *_ in answer:
            if not 0 <= first <= last < SLOTS:
                raise ValueError(f"no slots: {first} to {last}")
            yield first, last, ((host or b"").decode() or asked[0], int(port))
    except (TypeError, UnicodeDecodeError) as error:
        raise ValueError(str(error)) from None


def read_where(text: str, asked: Where) -> tuple[int, Where]:
    """Slot and server of an answer that begins with MOVED or ASK.

    Raises:
        ValueError: it is something else.
    """
    _, slot, where = text.split(" ")[:3]
    host, _, port = where.rpartition(":")
    number = int(slot)
    if not 0 <= number < SLOTS:
        raise ValueError(f"no slot: {slot}")
    return number, (host.strip("[]") or asked[0], int(port))
