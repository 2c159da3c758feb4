"""Credentials of a channel with TLS, of files in PEM."""

import os
import ssl
from pathlib import Path

import grpc


def tls_credentials(
    ca: str | os.PathLike[str],
    cert: str | os.PathLike[str] | None = None,
    key: str | os.PathLike[str] | None = None,
) -> grpc.ChannelCredentials:
    """Credentials for servers whose certificates are of a CA.

    Args:
        ca: file with the CA's certificate, or with those of several.
        cert: file with the client's own certificate, for servers that ask for one.
        key: file with its key; None: it is in the file of the certificate.

    Raises:
        ValueError: a file cannot be read, is not what it must be, or the key does not fit.
    """
    roots = _read("ca", ca)
    try:
        ssl.create_default_context(cadata=roots.decode("ascii"))
    except (ssl.SSLError, ValueError) as error:
        raise ValueError(f"ca: there is no certificate in PEM in {os.fspath(ca)}") from error
    if cert is None:
        if key is not None:
            raise ValueError("key: without a certificate it is of no use")
        return grpc.ssl_channel_credentials(roots)
    chain = _read("cert", cert)
    own = chain if key is None else _read("key", key)
    if b"ENCRYPTED" in own:
        where = os.fspath(cert if key is None else key)
        raise ValueError(f"key: the private key in {where} is encrypted; give one that is not")
    try:
        # Without a password, so that none is asked for on a terminal.
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(cert, key, password=b"")
    except ssl.SSLError as error:
        problem = f"there is no certificate in PEM in {os.fspath(cert)} that its key fits"
        raise ValueError(f"cert: {problem}") from error
    return grpc.ssl_channel_credentials(roots, own, chain)


def _read(what: str, path: str | os.PathLike[str]) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise ValueError(f"{what}: cannot read {os.fspath(path)}: {error.strerror}") from error
