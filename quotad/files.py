"""Files that are there only once they are whole."""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

PARTIAL = ".partial"


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """A file to write to, that takes the place of an older one at the end and keeps its mode.

    A link is followed. What is no file, such as a pipe or a device, is written to as it is.

    Raises:
        OSError: it cannot be written, or is a directory.
    """
    target = path.resolve()
    if target.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if target.exists() and not target.is_file():
        with target.open("wb") as stream:
            yield stream
        return
    partial = target.with_name(target.name + PARTIAL)
    try:
        with partial.open("wb") as stream:
            if target.exists():
                os.fchmod(stream.fileno(), stat.S_IMODE(target.stat().st_mode))
            yield stream
        os.replace(partial, target)
    finally:
        partial.unlink(missing_ok=True)
