"""Files that are there only once they are whole."""

import errno
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

PARTIAL = ".partial"
_NAME_MAX = 100
"""Characters of the name that stand in that of the file it is first written to."""


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """A file to write to, that takes the place of an older one at the end and keeps its mode.

    A link is followed. What is no file, such as a pipe or a device, is written to as it is. Of
    several writers at a time, the last to end leaves its file.

    Raises:
        OSError: it cannot be written, or is a directory.
    """
    mode = _mode_of(path)
    if mode is not None and stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if mode is not None and not stat.S_ISREG(mode):
        with path.open("wb") as stream:  # not resolved: links below /proc lead to no name
            yield stream
        return
    target = path.resolve()
    partial = target.with_name(f"{target.name[:_NAME_MAX]}.{secrets.token_hex(4)}{PARTIAL}")
    with partial.open("xb") as stream:
        try:
            if mode is not None:
                os.fchmod(stream.fileno(), stat.S_IMODE(mode))
            yield stream
            stream.flush()
            os.replace(partial, target)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise


def problem_of(error: OSError) -> str:
    """What went wrong with a file, for people: its path, where it is known, and why."""
    why = error.strerror or str(error)
    return why if error.filename is None else f"{error.filename}: {why}"


def _mode_of(path: Path) -> int | None:
    try:
        return path.stat().st_mode
    except FileNotFoundError:
        return None
