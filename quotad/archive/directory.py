"""Where the files of the archive are: a directory, behind an interface that others could have."""

import os
from pathlib import Path
from typing import Protocol

from quotad.archive.blocks import is_cut_off

ENDING = ".jsonl.gz"


class ForeignBytes(Exception):
    """A file holds something else than was written there."""


class ArchiveStore(Protocol):
    """Where blocks are kept by the name of their file and their place in it. All methods raise
    OSError."""

    def put(self, name: str, at: int, block: bytes) -> None:
        """Write a block, so that it is there after a loss of power; again, it changes nothing.

        Args:
            name: of the file.
            at: its place, behind the block before.
            block: its bytes.

        Raises:
            ForeignBytes: something else is there, or what was before it is not.
        """
        ...

    def names(self) -> list[str]:
        """The files that there are, sorted."""
        ...

    def read(self, name: str, at: int, size: int) -> bytes:
        """Read of a file from a place on; less than asked for at its end."""
        ...


class ArchiveDirectory:
    """Files of a directory; for all threads and processes.

    Args:
        path: made where it is first written to.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def put(self, name: str, at: int, block: bytes) -> None:
        """See `ArchiveStore`. Blocks are written to their place, so that writers that do not know
        of each other write the same bytes there."""
        self._path.mkdir(parents=True, exist_ok=True)
        path = self._path / f"{name}{ENDING}"
        is_new = not path.exists()
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o640)
        try:
            size = os.fstat(file).st_size
            if size < at:
                raise ForeignBytes(f"{path}: has {size} bytes, not the {at} that were written")
            there = os.pread(file, len(block), at)
            if not block.startswith(there):
                if not is_cut_off(there, size - at):
                    raise ForeignBytes(f"{path}: something else is written at {at}")
                os.ftruncate(file, at)  # of a block that is no more, as in a store of an older copy
            if there != block:
                written = 0
                while written < len(block):
                    written += os.pwrite(file, block[written:], at + written)
            os.fsync(file)
        finally:
            os.close(file)
        if is_new:
            directory = os.open(self._path, os.O_RDONLY)
            try:
                os.fsync(directory)
            finally:
                os.close(directory)

    def names(self) -> list[str]:
        """See `ArchiveStore`."""
        try:
            found = os.listdir(self._path)
        except FileNotFoundError:
            return []
        return sorted(name.removesuffix(ENDING) for name in found if name.endswith(ENDING))

    def read(self, name: str, at: int, size: int) -> bytes:
        """See `ArchiveStore`."""
        with (self._path / f"{name}{ENDING}").open("rb") as stream:
            stream.seek(at)
            return stream.read(size)
