"""How far an import got: a small file beside the input, there until the import is done.

It names the input by its content and the server by its address, so that no import resumes with
another file, or leaves out of one server what another one was given.
"""

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from quotad.transfer.lines import Form

SUFFIX = ".quotad-import"
_READ = 1024 * 1024


class Position(msgspec.Struct, frozen=True):
    """How far, and what came of it until there."""

    lines: int = 0
    """Every line up to this one is done; the first is 1."""
    written: int = 0
    unchanged: int = 0
    rejected: int = 0


class State(msgspec.Struct, frozen=True):
    """The content of the file."""

    digest: str
    """Of the input, as stored."""
    server: str
    position: Position = Position()
    form: Form = Form.JSONL


class StateError(Exception):
    """The import cannot be resumed; the message has what to do."""


class StateFile:
    """The state of the import of one file.

    Args:
        source: the file that is imported.
        server: where to.
        form: how it is written, where that was given.
    """

    def __init__(self, source: Path, server: str, form: Form | None = None) -> None:
        self.path = source.with_name(source.name + SUFFIX)
        self.form = form or form_of(source)
        """How the file is read: of an import that is gone on with, as it was begun."""
        self._said = form
        self._source = source
        self._server = server
        self._digest = ""
        self._empty = False

    def begin(self, resume: bool) -> Position:
        """Where to start: after the last line of an import that was stopped, or at the first line.

        Raises:
            StateError: an import was stopped and this is not to be its continuation, or cannot be.
            OSError: the input cannot be read, or the state not be written.
        """
        found = self._read()
        if found is not None and found.position.lines == 0:
            found = None
        if found is not None and not resume:
            raise StateError(
                f"an import of {self._source} stopped after line {found.position.lines:,};"
                f" go on with --resume, or remove {self.path} to start over"
            )
        self._digest = _digest(self._source)
        if found is None:
            self.write(Position())
            return Position()
        if found.digest != self._digest:
            raise StateError(
                f"{self._source} has changed since its import stopped after line"
                f" {found.position.lines:,}; remove {self.path} to start over"
            )
        if found.server != self._server:
            raise StateError(
                f"the import that stopped was to {found.server}; give --server {found.server},"
                f" or remove {self.path} to start over"
            )
        if self._said not in (None, found.form):
            raise StateError(
                f"the import that stopped read it as {found.form.value}; leave --format out,"
                f" or remove {self.path} to start over"
            )
        self.form = found.form
        return found.position

    def write(self, position: Position) -> None:
        """Remember how far it got; a crash leaves this state or the one before."""
        fresh = self.path.with_name(self.path.name + ".new")
        state = State(self._digest, self._server, position, self.form)
        fresh.write_bytes(msgspec.json.encode(state))
        os.replace(fresh, self.path)
        self._empty = position.lines == 0

    def remove(self) -> None:
        """Delete it: the import is done."""
        self.path.unlink(missing_ok=True)

    def tidy(self) -> None:
        """Leave nothing of an import that has done no line."""
        if self._empty:
            self.remove()

    def _read(self) -> State | None:
        try:
            return msgspec.json.decode(self.path.read_bytes(), type=State)
        except FileNotFoundError:
            return None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise StateError(f"{self.path} cannot be read ({error}); remove it") from error


@contextmanager
def alone(source: Path) -> Iterator[None]:
    """Keep others from importing the same file meanwhile; the lock ends with the process.

    Raises:
        StateError: another process imports it.
        OSError: it cannot be read.
    """
    with source.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StateError("another import of it is running; wait for its end") from None
        except OSError:
            pass  # a file system without locks
        yield


def form_of(file: Path) -> Form:
    """How a file is written, by its name."""
    return Form.CSV if file.name.removesuffix(".gz").endswith(".csv") else Form.JSONL


def _digest(path: Path) -> str:
    digest = hashlib.blake2b(digest_size=16)
    with path.open("rb") as file:
        while piece := file.read(_READ):
            digest.update(piece)
    return digest.hexdigest()
