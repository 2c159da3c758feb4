"""Words as they travel to the store, packed once where the same are sent again and again."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, overload

import msgspec
from hiredis import Reader, pack_command

_OPENINGS_MAX = 1_024
"""Of scripts, and numbers of words behind their names."""


def packed(*words: Any) -> bytes:
    """Words, str, bytes or int, as they are within a command."""
    command: bytes = pack_command(words)
    return command[command.index(b"\n") + 1 :]  # without their number


@lru_cache(_OPENINGS_MAX)
def _opening(count: int, start: tuple[str, ...]) -> bytes:
    return b"*%d\r\n%b" % (count, packed(*start))


class PackedCall(msgspec.Struct, frozen=True, gc=False):
    """Words of a script call, all of them packed."""

    key: str
    """Its first."""
    size: int
    """How many words there are."""
    data: bytes

    def behind(self, *start: str) -> bytes:
        """A whole command: some words, and these behind them."""
        return _opening(len(start) + self.size, start) + self.data


class Packed(Sequence[bytes]):
    """Words of a command that are packed already, all but the first.

    A sequence of all of them, for those who look at single words.

    Args:
        first: those that are not; str, bytes or int.
        count: how many others there are.
        pieces: the others in order, several to a piece.
    """

    __slots__ = ("_count", "_first", "_pieces")

    def __init__(self, first: tuple[Any, ...], count: int, pieces: Sequence[bytes]) -> None:
        self._first = first
        self._count = count
        self._pieces = pieces

    def behind(self, *start: str) -> bytes:
        """A whole command: some words, and these behind them."""
        first = (*start, *self._first)
        count = len(first) + self._count
        return b"".join((b"*%d\r\n" % count, packed(*first), *self._pieces))

    def __len__(self) -> int:
        return len(self._first) + self._count

    @overload
    def __getitem__(self, place: int) -> bytes: ...

    @overload
    def __getitem__(self, place: slice) -> list[bytes]: ...

    def __getitem__(self, place: int | slice) -> bytes | list[bytes]:
        reader = Reader()
        reader.feed(self.behind())
        words: list[bytes] = reader.gets()
        return words[place]
