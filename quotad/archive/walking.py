"""Walking over the blocks of a file of the archive by their heads, without reading entries."""

from collections.abc import Iterator

from quotad.archive.blocks import HEAD_BYTES, BlockHead, DamagedBlock, is_cut_off
from quotad.archive.directory import ArchiveStore


def block_heads(files: ArchiveStore, name: str, at: int = 0) -> Iterator[tuple[int, BlockHead]]:
    """The heads of a file from a place on, each with its place, up to what is no block.

    Args:
        files: where the file is.
        name: of the file.
        at: where a block begins.

    Raises:
        OSError: it cannot be read.
    """
    while raw := files.read(name, at, HEAD_BYTES):
        try:
            head = BlockHead.read(raw)
        except DamagedBlock:
            return
        yield at, head
        at += head.length


class WalkedFile:
    """The blocks of a file that grows, walked over again from where the last walk has ended.

    Args:
        files: where it is.
        name: of the file.
    """

    def __init__(self, files: ArchiveStore, name: str) -> None:
        self._files = files
        self._name = name
        self._end = 0
        self.heads: list[tuple[int, BlockHead]] = []
        """Of whole blocks, with their places."""

    def end(self) -> int | None:
        """Where the next block goes: behind the last whole one; None: what is there is no block
        that was cut off, or the file is not there.

        Raises:
            OSError: it cannot be read.
        """
        try:
            for at, head in block_heads(self._files, self._name, self._end):
                if not self._files.read(self._name, at + head.length - 1, 1):
                    break
                self.heads.append((at, head))
                self._end = at + head.length
            rest = self._files.read(self._name, self._end, HEAD_BYTES)
            is_there = self._end == 0 or self._files.read(self._name, self._end - 1, 1)
        except FileNotFoundError:
            return None
        return self._end if is_there and (not rest or is_cut_off(rest, len(rest))) else None
