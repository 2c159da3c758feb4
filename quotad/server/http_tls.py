"""TLS of the HTTP listener: its certificates, read again when their files change."""

import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

from quotad.config import Config
from quotad.errors import ConfigError
from quotad.fronts.interface import TlsFiles
from quotad.fronts.tls import Certificates


class HttpTls:
    """What connections are greeted with, for as long as the server runs.

    Args:
        files: of certificate, key and the CA of clients.

    Raises:
        ConfigError: a file cannot be read, or is wrong.
    """

    def __init__(self, files: TlsFiles) -> None:
        self._current: ssl.SSLContext
        self._certificates = Certificates(files, self._use, "http_tls_")
        self.context = self._current
        """Of the listener; each connection goes on with the newest."""
        self.context.sni_callback = self._newest

    def start(self) -> None:
        """Watch the files from here on."""
        self._certificates.start()

    def stop(self) -> None:
        """Watch them no longer."""
        self._certificates.stop()

    def look(self) -> None:
        """Look at the files now."""
        self._certificates.look()

    def _use(self, cert: bytes, key: bytes, client_ca: bytes | None) -> None:
        self._current = _context(cert, key, client_ca)

    def _newest(self, connection: ssl.SSLObject, *_: object) -> None:
        connection.context = self._current


def http_tls(config: Config) -> HttpTls | None:
    """TLS as the settings have it; None: in the clear.

    Raises:
        ConfigError: a file cannot be read or is wrong, or one setting is missing.
    """
    cert, key = config.http_tls_cert, config.http_tls_key
    if bool(cert) != bool(key):
        raise ConfigError("http_tls_cert and http_tls_key: one without the other serves nothing")
    if config.http_tls_client_ca and not cert:
        raise ConfigError("http_tls_client_ca: without http_tls_cert there is no TLS")
    return HttpTls(TlsFiles(cert, key, config.http_tls_client_ca)) if cert else None


def _context(cert: bytes, key: bytes, client_ca: bytes | None) -> ssl.SSLContext:
    """Certificates ready to be used.

    Raises:
        ValueError: names the setting that is wrong.
    """
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.set_alpn_protocols(["http/1.1"])
    with _readable(cert) as cert_path, _readable(key) as key_path:
        try:
            # Without a password, so that none is asked for on a terminal.
            made.load_cert_chain(cert_path, key_path, password=b"")
        except (ssl.SSLError, OSError) as error:
            raise ValueError(f"http_tls_cert, http_tls_key: no pair in PEM: {error}") from error
    if client_ca is not None:
        made.verify_mode = ssl.CERT_REQUIRED
        try:
            made.load_verify_locations(cadata=client_ca.decode("ascii", "replace"))
        except (ssl.SSLError, ValueError) as error:
            raise ValueError(f"http_tls_client_ca: no certificate in PEM: {error}") from error
    return made


@contextmanager
def _readable(content: bytes) -> Iterator[str]:
    """A path at which OpenSSL reads what was read already, so that it all is of one moment."""
    descriptor = os.memfd_create("quotad-tls")
    try:
        os.write(descriptor, content)
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)
