"""Reading a log as a stream: a file, standard input, either of them gzipped; never all of it."""

import codecs
import errno
import gzip
import io
import os
import stat
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self, cast

LINE_BYTES_MAX = 64 * 1024
"""Longest line that is read; Apache's own limit of a request line and header is 8 KiB."""

_GZIP_MAGIC = b"\x1f\x8b"


class LogFile:
    """An open log."""

    def __init__(self, stream: BinaryIO) -> None:
        self._raw = stream if isinstance(stream, io.BufferedReader) else _buffered(stream)
        self.size = _size(stream)
        """In bytes, as stored; None: unknown."""
        self.damage = ""
        """Why reading ended before the end of the file."""

    @property
    def position(self) -> int:
        """How many of `size` bytes are read."""
        return self._raw.tell() if self.size is not None else 0

    def lines(self, bytes_max: int = LINE_BYTES_MAX) -> Iterator[bytes | None]:
        """Every line without its end; None for one that is longer than `bytes_max` with it."""
        try:
            compressed = self._raw.peek(2)[:2] == _GZIP_MAGIC
            stream: io.BufferedReader | gzip.GzipFile = (
                gzip.GzipFile(fileobj=self._raw) if compressed else self._raw
            )
            first = True
            while line := stream.readline(bytes_max):
                whole = len(line) < bytes_max or line.endswith(b"\n")
                if first:  # a mark that some editors leave
                    line, first = line.removeprefix(codecs.BOM_UTF8), False
                if not whole:
                    while line and not line.endswith(b"\n"):
                        line = stream.readline(bytes_max)
                    yield None
                else:
                    yield line.rstrip(b"\r\n")
        except (OSError, EOFError, zlib.error) as error:
            self.damage = str(error)

    def close(self) -> None:
        """Close the file."""
        self._raw.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def open_log(path: Path) -> LogFile:
    """Open a log; `-` is standard input.

    Raises:
        OSError: it cannot be opened.
    """
    if str(path) == "-":
        if sys.stdin is None:  # closed
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        return LogFile(cast(BinaryIO, sys.stdin.buffer))
    return LogFile(path.open("rb"))


def _buffered(stream: BinaryIO) -> io.BufferedReader:
    return io.BufferedReader(cast(io.RawIOBase, stream))


def _size(stream: BinaryIO) -> int | None:
    try:
        found = os.fstat(stream.fileno())
    except (OSError, io.UnsupportedOperation):
        return None
    return found.st_size if stat.S_ISREG(found.st_mode) else None
