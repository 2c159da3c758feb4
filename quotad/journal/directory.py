"""The directory of journals: files of this process, and those that others have left behind.

A file is locked by the process that writes or settles it, until that ends, however it ends: so one
that is not locked was left behind, and is taken over. Servers on one machine may share a directory.
"""

import fcntl
import logging
import os
from pathlib import Path

from quotad.errors import ConfigError

ENDING = ".journal"
KEPT_ASIDE = ".damaged"
"""Ends the name of a file that could not be read in full; nothing touches it any more."""

_MODE = 0o600
"""What is in there names customers."""

_log = logging.getLogger("quotad.journal")


class LockedFile:
    """A journal's file that this process has locked, for as long as it is open."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self.descriptor = descriptor

    @property
    def size(self) -> int:
        """Its bytes on disk."""
        return os.fstat(self.descriptor).st_size

    def read(self) -> bytes:
        """Return all that stands in it."""
        return os.pread(self.descriptor, self.size, 0)

    def close(self) -> None:
        """Close and unlock it."""
        os.close(self.descriptor)


class JournalDirectory:
    """Where journals are.

    Args:
        path: of the directory, which is made if it is not there.

    Raises:
        ConfigError: it cannot be made, or not be written to.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_TMPFILE | os.O_WRONLY, _MODE)
            os.close(descriptor)
        except OSError as error:
            raise ConfigError(f"journal: {path}: {error.strerror}") from error

    def create(self, journal_id: str) -> LockedFile:
        """Make a file and lock it; it is there after a power cut, too.

        Raises:
            OSError: it cannot be made.
        """
        path = self.path / f"{journal_id}{ENDING}"
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _MODE)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        made = LockedFile(path, descriptor)
        try:
            self.sync()
        except OSError:
            made.close()
            raise
        return made

    def take_over(self) -> list[LockedFile]:
        """Lock the files that no process has, oldest first.

        Raises:
            OSError: the directory cannot be read.
        """
        taken: list[LockedFile] = []
        for path in sorted(self.path.glob(f"*{ENDING}")):
            try:
                descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
            except FileNotFoundError:
                continue
            except OSError as error:
                _log.error("%s cannot be read: %s", path, error.strerror)
                continue
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:  # another process has it
                os.close(descriptor)
                continue
            found = LockedFile(path, descriptor)
            if not os.fstat(descriptor).st_nlink:  # removed between the two steps
                found.close()
                continue
            taken.append(found)
        return taken

    def remove(self, file: LockedFile) -> None:
        """Remove a file of which all is settled.

        Raises:
            OSError: it cannot be removed.
        """
        file.path.unlink(missing_ok=True)
        file.close()

    def keep_aside(self, file: LockedFile) -> Path:
        """Give a file a name that nothing reads; returns its path.

        Raises:
            OSError: it cannot be renamed.
        """
        aside = file.path.with_name(file.path.name + KEPT_ASIDE)
        file.path.rename(aside)
        file.close()
        self.sync()
        return aside

    def bytes_used(self) -> int:
        """Bytes of all files, also of those of other processes and those kept aside.

        Raises:
            OSError: the directory cannot be read.
        """
        total = 0
        with os.scandir(self.path) as found:
            for each in found:
                try:
                    total += each.stat().st_size
                except FileNotFoundError:
                    continue
        return total

    def kept_aside(self) -> list[Path]:
        """Files that could not be read in full.

        Raises:
            OSError: the directory cannot be read.
        """
        return sorted(self.path.glob(f"*{KEPT_ASIDE}"))

    def sync(self) -> None:
        """Write names to disk.

        Raises:
            OSError: it cannot be.
        """
        descriptor = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
