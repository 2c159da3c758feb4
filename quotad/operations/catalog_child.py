"""One catalog worked out in a separate process: `python -P -m quotad.operations.catalog_child`.

Reads a `Request` from standard input and writes a `Prepared` or a `Refused` to standard output. It
is nicer than the server that started it, and may take only so much memory and CPU: what it reads
may have been written to take more.
"""

import gc
import os
import resource
import select
import signal
import sys

import msgspec

from quotad.catalog.prepare import Prepared, Request, prepare
from quotad.errors import CatalogError

NICENESS = 10

EXIT_TOO_MUCH_MEMORY = 3
EXIT_SERVER_GONE = 4
EXIT_IDLE = 5

IDLE_S = 60.0
"""How long one that was started ahead waits for its request."""


class Refused(msgspec.Struct, frozen=True):
    """Why a catalog must not be published."""

    problems: tuple[str, ...]


class Worked(msgspec.Struct, frozen=True):
    """What the process hands back; one of the two."""

    prepared: Prepared | None = None
    refused: Refused | None = None


def answer(request: Request) -> Worked:
    """Work out a request."""
    try:
        return Worked(prepared=prepare(request))
    except CatalogError as error:
        return Worked(refused=Refused(error.problems))


def main(memory_mb: int, cpu_s: int, idle_s: float = IDLE_S) -> int:
    """Answer one request; returns the exit code."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the server, which ends this one
    os.nice(NICENESS)
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s + 1))
    resource.setrlimit(resource.RLIMIT_AS, (memory_mb * 1024 * 1024,) * 2)
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (hard, hard))  # what is inherited is the worker's
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    gc.disable()  # it ends soon, and would look at millions of values again and again
    if not select.select([sys.stdin], [], [], idle_s)[0]:
        return EXIT_IDLE
    try:
        request = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=Request)
        found = msgspec.msgpack.encode(answer(request))
    except MemoryError:
        return EXIT_TOO_MUCH_MEMORY
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:  # the server ended while it wrote
        return EXIT_SERVER_GONE
    try:
        with open(sys.stdout.fileno(), "wb", closefd=False) as out:
            out.write(found)
    except BrokenPipeError:  # the server ended meanwhile
        return EXIT_SERVER_GONE
    return 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2]), *map(float, sys.argv[3:])))
