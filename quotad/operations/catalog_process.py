"""Working out catalogs without taking the interpreter from decisions.

Small ones take milliseconds and are worked out here. All others, and those that may grow, go to a
separate process, one at a time: it has less priority than the server, is stopped when it takes
too long, and is refused more memory than a setting allows.
"""

import signal
import subprocess
import sys
import threading
import time

import msgspec

from quotad.catalog.bounds import bytes_of
from quotad.catalog.prepare import Prepared, Request, prepare
from quotad.errors import Busy, CatalogError, QuotadError
from quotad.operations.catalog_child import EXIT_IDLE, EXIT_TOO_MUCH_MEMORY, IDLE_S, Worked

CHILD = [sys.executable, "-P", "-m", "quotad.operations.catalog_child"]
"""Command of such a process; its arguments follow. With -P, so that a module in the working
directory does not take the place of a library."""

SMALL_BYTES = 16 * 1024
"""Largest request that is worked out in the server itself; a catalog of some hundred lines."""

WAITING_MAX = 3
"""Most calls that wait for their turn; further ones are refused at once."""

WAIT_S = 10.0
"""Longest time that a call waits for its turn."""

_decode = msgspec.msgpack.Decoder(Worked).decode


class CatalogProcess:
    """Works out catalogs, one at a time; for all threads."""

    def __init__(self, timeout_ms: int, memory_mb: int, idle_s: float = IDLE_S) -> None:
        """Prepare; nothing is started before it is needed.

        Args:
            timeout_ms: after which a catalog is given up.
            memory_mb: most memory that working one out may take.
            idle_s: how long a process that was started ahead waits.
        """
        self._idle_s = idle_s
        self._spare: subprocess.Popen[bytes] | None = None
        """Started ahead, and waiting for a request."""
        self._spare_lock = threading.Lock()
        self._timeout_s = timeout_ms / 1000
        self._memory_mb = memory_mb
        self._turn = threading.Lock()
        self._places = threading.BoundedSemaphore(1 + WAITING_MAX)

    def warm(self, request: Request) -> None:
        """Start a process ahead where a request like this one would need it; it takes a while.

        Call where people begin to edit, so that their first check does not wait for it.
        """
        if _is_small(request):
            return
        with self._spare_lock:
            if self._spare is None or self._spare.poll() is not None:
                self._end_spare()
                self._spare = self._started()

    def close(self) -> None:
        """End what was started ahead."""
        with self._spare_lock:
            self._end_spare()

    def _end_spare(self) -> None:
        spare, self._spare = self._spare, None
        if spare is not None:
            spare.kill()
            spare.communicate()

    def prepare(self, request: Request) -> Prepared:
        """Return the catalog to publish, and what it changes.

        Raises:
            CatalogError: it is not valid, must not replace the one in force, or takes too much.
            Busy: others are being worked out.
        """
        if not self._places.acquire(blocking=False):
            raise Busy("other catalogs are being read already; try again in a moment")
        try:
            if not self._turn.acquire(timeout=WAIT_S):
                raise Busy(f"another catalog is still being read after {WAIT_S:g} s; try again")
            try:
                return prepare(request) if _is_small(request) else self._apart(request)
            finally:
                self._turn.release()
        finally:
            self._places.release()

    def _started(self) -> subprocess.Popen[bytes]:
        cpu_s = int(self._timeout_s) + 1
        limits = (str(self._memory_mb), str(cpu_s), str(self._idle_s))
        return subprocess.Popen([*CHILD, *limits], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def _taken(self) -> subprocess.Popen[bytes] | None:
        """The process that was started ahead; None: there is none."""
        with self._spare_lock:
            spare, self._spare = self._spare, None
        if spare is not None and spare.poll() is not None:
            spare.communicate()
            return None
        return spare

    def _apart(self, request: Request) -> Prepared:
        with self._taken() or self._started() as process:
            try:
                begun_s = time.monotonic()
                data, _ = process.communicate(msgspec.msgpack.encode(request), self._timeout_s)
            except subprocess.TimeoutExpired:
                raise self._too_long(request) from None
            finally:
                process.kill()  # whatever happened; it has ended already if all is well
        if process.returncode == EXIT_IDLE:  # it gave up waiting just then
            return self._apart(request)
        if process.returncode == 0:
            found = _decode(data)
            if found.prepared is None:
                raise CatalogError(found.refused.problems if found.refused else ())
            return found.prepared
        if process.returncode == -signal.SIGXCPU or time.monotonic() - begun_s >= self._timeout_s:
            raise self._too_long(request)
        if process.returncode in (EXIT_TOO_MUCH_MEMORY, -signal.SIGKILL, -signal.SIGSEGV):
            limit = f"{self._memory_mb} MB to read (catalog_memory_mb)"
            raise CatalogError([f"the catalog {_size(request)} takes more than {limit}"])
        raise QuotadError("the catalog could not be read; the server's log has the details")

    def _too_long(self, request: Request) -> CatalogError:
        limit = f"{self._timeout_s:g} s to read (catalog_timeout_ms)"
        return CatalogError([f"the catalog {_size(request)} takes longer than {limit}"])


def _size(request: Request) -> str:
    """How large a new catalog is, in words."""
    texts = sum(bytes_of(file.text) for file in request.files)
    return f"of {texts + len(request.restored or b''):,} bytes"


def _is_small(request: Request) -> bool:
    """Whether a request can be worked out in milliseconds; with aliases, a text may grow."""
    return request.size <= SMALL_BYTES and not any(
        "&" in file.text and "*" in file.text for file in request.files
    )
