"""The journals of one process: batches go to disk before they are answered."""

import logging
import os
import secrets
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress

import msgspec

from quotad.journal.directory import JournalDirectory, LockedFile
from quotad.journal.entries import (
    ABANDONED,
    JournalEntry,
    JournalHead,
    batch_bytes,
    head_bytes,
)

FILE_BYTES_MAX = 4 * 1024 * 1024
"""From this size on a file is not written to any more, and the next one begun."""

_log = logging.getLogger("quotad.journal")


class JournalError(Exception):
    """A batch could not be written down; what it was about is not let through."""


class JournalFull(JournalError):
    """The directory holds as much as it may."""


class Journal:
    """Writes what is let through; any thread may.

    Args:
        directory: where.
        bytes_max: most that the directory may hold.
        now_ms: Unix time, by which files are put in order.
    """

    def __init__(
        self, directory: JournalDirectory, bytes_max: int, now_ms: Callable[[], int]
    ) -> None:
        self.directory = directory
        self._bytes_max = bytes_max
        self._now_ms = now_ms
        self._lock = threading.Lock()
        self._file: LockedFile | None = None
        self._length = 0
        """Bytes of it that are on disk, and were answered."""
        self._sequence = 0
        self._sealed: dict[LockedFile, int] = {}
        """Files that are not written to any more, and how much of each was answered."""
        self._uncut: set[LockedFile] = set()
        """Those of them that hold more on disk, which a process that took them over would read."""
        self.store_id = ""
        """Of the store that is in use; empty: not known yet, and nothing is let through."""
        self.problem = ""
        """Why the latest batch could not be written; empty: it could."""
        self.refused = 0
        """Batches that could not be written."""
        self.appended = 0
        """Entries that were written since the last `files`."""

    @property
    def usable(self) -> bool:
        """Whether the store was there, so that it is known what entries are to be settled in."""
        return bool(self.store_id)

    @property
    def bytes(self) -> int:
        """Bytes of the files of this process."""
        with self._lock:
            files = [*self._sealed, *([] if self._file is None else [self._file])]
            return sum(file.size for file in files)

    def append(self, entries: Sequence[JournalEntry]) -> None:
        """Write entries to disk, all of them or none, with their sequence.

        Raises:
            JournalFull: there is no room for them.
            JournalError: the disk refuses them.
        """
        with self._lock:
            try:
                self._append(entries)
            except JournalError as error:
                self._note(str(error))
                raise
            except OSError as error:
                self._drop_unwritten()
                problem = f"the journal cannot be written: {error.strerror or error}"
                self._note(problem)
                raise JournalError(problem) from error
            if self.problem:
                _log.info("the journal is written to again")
                self.problem = ""

    def files(self) -> list[tuple[LockedFile, int]]:
        """The files of this process, oldest first, and how much of each was answered."""
        with self._lock:
            self._cut_again()
            self.appended = 0
            found = sorted(self._sealed.items(), key=lambda each: each[0].path.name)
            if self._file is not None:
                found.append((self._file, self._length))
            return found

    def adopt(self) -> list[LockedFile]:
        """Take over what processes have left behind that have ended; returns the new ones.

        Raises:
            OSError: the directory cannot be read.
        """
        taken = self.directory.take_over()
        if taken:
            with self._lock:
                self._sealed.update({file: file.size for file in taken})
        return taken

    def release(self, file: LockedFile, length: int) -> bool:
        """Take a file out of those of this process, before it is removed or kept aside.

        Args:
            file: which.
            length: how much of it was read; if there is more by now, it stays.

        Returns:
            Whether it is out.
        """
        with self._lock:
            if file is self._file:
                if self._length != length:
                    return False
                self._file = None
            elif file in self._sealed:
                del self._sealed[file]
            else:
                return False
            return True

    def close(self) -> None:
        """Unlock all files, for another process to settle."""
        with self._lock:
            self._cut_again()
            for file in self._sealed:
                file.close()
            if self._file is not None:
                self._file.close()
            self._sealed, self._file = {}, None

    def _append(self, entries: Sequence[JournalEntry]) -> None:
        if not self.store_id:
            raise JournalError("the store was not reached yet, so the journal has no owner")
        file = self._file
        if file is not None and self._length >= FILE_BYTES_MAX:
            self._seal()
            file = None
        first = self._sequence + 1 if file is not None else 1
        numbered = [
            msgspec.structs.replace(entry, sequence=first + i) for i, entry in enumerate(entries)
        ]
        data = batch_bytes(numbered)
        if self.directory.bytes_used() + len(data) > self._bytes_max:
            raise JournalFull("the journal is full")
        if file is None:
            file = self._begin()
        _write(file, data, self._length)
        os.fdatasync(file.descriptor)
        self._length += len(data)
        self._sequence = first + len(entries) - 1
        self.appended += len(entries)

    def _begin(self) -> LockedFile:
        now_ms = self._now_ms()
        # By time, so that files are settled in the order of their names.
        journal_id = f"{now_ms:015}-{secrets.token_hex(8)}"
        file = self.directory.create(journal_id)
        self._file, self._length, self._sequence = file, 0, 0
        head = head_bytes(JournalHead(journal_id, self.store_id, now_ms))
        _write(file, head, 0)
        self._length = len(head)
        _log.warning("%s: what is let through without the store is written down here", file.path)
        return file

    def _seal(self) -> None:
        if self._file is not None:
            self._sealed[self._file] = self._length
            self._file = None

    def _drop_unwritten(self) -> None:
        """Cut off what was written of a batch that failed, and write to that file no more: after
        a failed sync it is not known what of it is on disk."""
        file = self._file
        if file is None:
            return
        if not self._sequence:
            try:
                self.directory.remove(file)
                self._file = None
                return
            except OSError:
                _log.exception("%s: begun for nothing, and cannot be removed", file.path)
        if not _cut(file, self._length):
            self._uncut.add(file)
            _log.error(
                "%s: what was not answered of it cannot be cut off; it may be counted if this"
                " process ends before it is",
                file.path,
            )
        self._seal()

    def _cut_again(self) -> None:
        """Cut off what could not be cut off before."""
        for file in list(self._uncut):
            if file not in self._sealed or _cut(file, self._sealed[file]):
                self._uncut.remove(file)

    def _note(self, problem: str) -> None:
        self.refused += 1
        if problem != self.problem:
            _log.error("%s; calls are answered UNAVAILABLE", problem)
        self.problem = problem


def _cut(file: LockedFile, length: int) -> bool:
    """Have no one read what stands behind a place; returns whether that is so."""
    try:
        os.ftruncate(file.descriptor, length)
    except OSError:
        try:
            _write(file, ABANDONED, length)
        except OSError:
            return False
    with suppress(OSError):  # as it was not answered, it matters after a power cut only
        os.fdatasync(file.descriptor)
    return True


def _write(file: LockedFile, data: bytes, at: int) -> None:
    done = 0
    while done < len(data):
        done += os.pwrite(file.descriptor, data[done:], at + done)
