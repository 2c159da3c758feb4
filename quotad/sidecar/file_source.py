"""Plan definitions in a file or a directory, watched by looking.

Looking means comparing what stat says a few times per second. inotify would notice sooner, but it
watches inodes: an editor that writes a new file and renames it over the old one, or Kubernetes
swapping the `..data` symlink of a mounted ConfigMap, leaves it watching what is no longer there,
and on network file systems it notices nothing at all. Stat sees all of them alike, and a few calls
per second cost nothing.
"""

import os
import time
from collections.abc import Callable
from pathlib import Path

from quotad.catalog import Source, read_sources
from quotad.catalog.sources import ENDINGS
from quotad.errors import CatalogError, QuotadError
from quotad.sidecar.interface import SourceUnavailable

SETTLE_S = 0.4
"""How long a file that is written in place must not have changed before it is read."""

_File = tuple[str, int, int, int, int, int] | str
"""Resolved path, device, inode, size, modification time and change time; or why there are none.

The change time is there for tools that set the modification time back (rsync, tar).
"""

_Look = tuple[_File, ...] | str
"""What one look found: the files, or why there are none."""


class FileSource:
    """A file, or a directory with plan files in it.

    A file that took the place of another by a rename is whole, and its content is taken once two
    looks in a row found the same. One that is written in place, or new, may still be being written:
    it is taken once it has not changed for a while. The very first content is taken at once.
    """

    def __init__(
        self,
        path: Path,
        *,
        settle_s: float = SETTLE_S,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """Prepare; nothing is looked at before the first poll.

        Args:
            path: of the file or directory.
            settle_s: how long what is written in place must not have changed.
            now: monotonic seconds.
        """
        self.name = str(path)
        self._path = path
        self._settle_s = settle_s
        self._now = now
        self._due_s = 0.0
        """When what was seen last is taken, if it is still the same then."""
        self._seen: _Look | None = None
        """What the last poll found."""
        self._taken: _Look | None = None
        """What was found when the content was last read."""
        self._sources: list[Source] | None = None
        self._problem: QuotadError | None = None

    def poll(self) -> list[Source] | None:
        """Return the files once they have changed and settled; see `PlanSource`."""
        before, self._seen = self._seen, _look(self._path)
        if self._seen == self._taken:
            self._problem = None
            return None
        if before is not None and self._seen != before:
            self._due_s = self._now() + (0.0 if _replaced(before, self._seen) else self._settle_s)
            self._raise_again()
            return None
        if self._now() < self._due_s:
            self._raise_again()
            return None
        try:
            return self._take(self._seen)
        except (SourceUnavailable, CatalogError) as error:
            self._problem = error
            raise

    def _raise_again(self) -> None:
        """Let a problem last while it is not clear yet what comes after it."""
        if self._problem is not None:
            raise self._problem.with_traceback(None) from None

    def _take(self, look: _Look) -> list[Source] | None:
        if isinstance(look, str):
            raise SourceUnavailable(f"{self.name}: {look}")
        failure: QuotadError | None = None
        sources: list[Source] = []
        try:
            sources = read_sources(self._path)
        except CatalogError as error:
            failure = error
        except OSError as error:
            failure = SourceUnavailable(f"{self.name}: {_cause(error)}")
        if _look(self._path) != look:
            self._raise_again()
            return None  # changed while it was read, so what was read means nothing
        if failure is not None:
            raise failure
        self._taken = look
        self._problem = None
        if sources == self._sources:
            return None
        self._sources = sources
        return sources


def _replaced(before: _Look, after: _Look) -> bool:
    """Whether every file that changed took the place of another one, complete at once."""
    if isinstance(before, str) or isinstance(after, str) or len(after) > len(before):
        return False
    known = {file[1:3] for file in before if not isinstance(file, str)}
    return all(
        not isinstance(file, str) and file[1:3] not in known for file in after if file not in before
    )


def _look(path: Path) -> _Look:
    try:
        resolved = os.path.realpath(path, strict=True)
        if not os.path.isdir(resolved):
            return (_file(resolved),)
        names = sorted(name for name in os.listdir(resolved) if _is_catalog_file(name))
    except OSError as error:
        return _cause(error)
    return tuple(_file(os.path.join(resolved, name)) for name in names)


def _is_catalog_file(name: str) -> bool:
    # As `read_sources` has it: the others may change as they like.
    return not name.startswith(".") and os.path.splitext(name)[1].lower() in ENDINGS


def _file(path: str) -> _File:
    try:
        resolved = os.path.realpath(path, strict=True)
        found = os.stat(resolved)
    except OSError as error:
        return f"{path}: {_cause(error)}"  # one of several: it is for `read_sources` to complain
    return (
        resolved,
        found.st_dev,
        found.st_ino,
        found.st_size,
        found.st_mtime_ns,
        found.st_ctime_ns,
    )


def _cause(error: OSError) -> str:
    return (error.strerror or type(error).__name__).lower()
