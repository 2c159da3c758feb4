"""TLS and token of the commands that call a server: flags before or behind the command, or
variables."""

from typing import Annotated, Any

import typer

from quotad.cli.root import TLS_FLAGS, CommandError
from quotad.config import client_token, quiet_grpc

_CA, _CERT, _KEY = TLS_FLAGS

TlsCa = Annotated[
    str,
    typer.Option(
        _CA,
        envvar="QUOTAD_TLS_CA",
        metavar="PATH",
        help="Call with TLS; the server's certificate is of this CA, in PEM.",
    ),
]
TlsCert = Annotated[
    str,
    typer.Option(
        _CERT,
        envvar="QUOTAD_TLS_CLIENT_CERT",
        metavar="PATH",
        help="Certificate to show to the server, in PEM.",
    ),
]
TlsKey = Annotated[
    str,
    typer.Option(
        _KEY,
        envvar="QUOTAD_TLS_CLIENT_KEY",
        metavar="PATH",
        help="Its key; not needed where it is in the same file.",
    ),
]

_chosen = ("", "", "")


def choose(ca: str, cert: str, key: str) -> None:
    """Call with TLS from here on, if there is a CA; commands that call read the files."""
    global _chosen
    _chosen = (ca, cert, key)


def choose_of(context: typer.Context) -> None:
    """As `choose`, for the shell's completion: no command has begun."""
    given = context.find_root().params
    choose(*(given.get(flag.strip("-").replace("-", "_")) or "" for flag in TLS_FLAGS))


def is_chosen() -> bool:
    """Whether calls have TLS."""
    return bool(_chosen[0])


def token() -> str:
    """The token that calls show: from the environment, as arguments are seen by other users."""
    return client_token()


def credentials() -> Any:
    """Those of a channel, of the files that were chosen; None: calls are in the clear.

    Raises:
        CommandError: a file is wrong.
    """
    ca, cert, key = _chosen
    if not ca:
        if cert or key:
            raise CommandError(f"{_CERT if cert else _KEY}: needs {_CA}")
        return None
    quiet_grpc()
    from quotad.client import tls_credentials

    try:
        return tls_credentials(ca, cert or None, key or None)
    except ValueError as error:
        which, _, why = str(error).partition(": ")
        raise CommandError(f"{dict(ca=_CA, cert=_CERT, key=_KEY)[which]}: {why}") from error
