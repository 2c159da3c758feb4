"""Certificates of a front: read from files, and read again when these have changed."""

import logging
import threading
from collections.abc import Callable
from pathlib import Path

from quotad.errors import ConfigError
from quotad.fronts.interface import TlsFiles

_log = logging.getLogger("quotad.fronts")

LOOK_S = 10.0
"""How often the files are looked at."""

Pems = tuple[bytes, bytes, bytes | None]
"""Certificate chain, key, and the CA of clients or None."""


class Certificates:
    """Hands certificates to a front, now and whenever they change.

    Args:
        files: where they are.
        use: takes them into use for new connections; raises ValueError when they are wrong.
        settings: what the names of the settings start with.

    Raises:
        ConfigError: a file cannot be read, or is wrong.
    """

    def __init__(
        self,
        files: TlsFiles,
        use: Callable[[bytes, bytes, bytes | None], None],
        settings: str = "tls_",
    ) -> None:
        self._files = files
        self._settings = settings
        self._use = use
        self._seen = self._read()
        try:
            use(*self._seen)
        except ValueError as error:
            raise ConfigError(str(error)) from error
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="quotad-tls", daemon=True)

    def start(self) -> None:
        """Watch the files from here on."""
        self._thread.start()

    def stop(self) -> None:
        """Watch them no longer."""
        self._stopped.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _watch(self) -> None:
        while not self._stopped.wait(LOOK_S):
            self.look()

    def look(self) -> None:
        """Take the files into use if they have changed; wrong ones are logged, and those before
        stay in use."""
        try:
            found = self._read()
            if found == self._seen:
                return
            self._seen = found
            self._use(*found)
        except (ConfigError, ValueError) as error:
            _log.warning("the certificates in use stay: %s", error)
        else:
            _log.info("new connections get the certificates of %s", self._files.cert)

    def _read(self) -> Pems:
        def text(name: str, path: str) -> bytes:
            try:
                return Path(path).read_bytes()
            except OSError as error:
                setting = f"{self._settings}{name}"
                raise ConfigError(f"{setting}: cannot read {path}: {error.strerror}") from error

        files = self._files
        ca = text("client_ca", files.client_ca) if files.client_ca else None
        cert, key = text("cert", files.cert), text("key", files.key)
        if b"ENCRYPTED" in key:
            raise ConfigError(
                f"{self._settings}key: the private key in {files.key} is encrypted; give one that"
                " is not"
            )
        return cert, key, ca
