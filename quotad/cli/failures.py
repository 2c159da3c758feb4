"""Errors as one clear line on stderr and exit code 2; never a traceback."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

import typer

from quotad.cli import tls
from quotad.cli.options import TIMEOUT_S
from quotad.plural import plural

if TYPE_CHECKING:
    from quotad.client import Client, QuotaError
    from quotad.client.admin import AdminClient

EXIT_DENIED = 1
EXIT_ERROR = 2


@contextmanager
def client(server: str, as_json: bool) -> "Iterator[Client]":
    """A client of that server whose errors end the command."""
    from quotad.client import Client, QuotaError

    with Client(
        server, timeout=TIMEOUT_S, credentials=tls.credentials(), token=tls.token()
    ) as connected:
        try:
            yield connected
        except QuotaError as error:
            fail_call(error, server, as_json)


@contextmanager
def admin(server: str, as_json: bool) -> "Iterator[AdminClient]":
    """A client of that server's admin service whose errors end the command."""
    from quotad.client import QuotaError
    from quotad.client.admin import AdminClient

    with AdminClient(
        server, timeout=TIMEOUT_S, credentials=tls.credentials(), token=tls.token()
    ) as connected:
        try:
            yield connected
        except QuotaError as error:
            fail_call(error, server, as_json)


def fail_call(error: "QuotaError", server: str, as_json: bool) -> NoReturn:
    """End the command because a call failed."""
    if error.reason == "BAD_CATALOG":
        fail_catalog(error.message.splitlines(), as_json)
    if as_json:
        _fail_json(error.code, error.reason, error.message)
    fail(in_words(error, server))


def fail(message: str, as_json: bool = False, code: str = "INVALID_ARGUMENT") -> NoReturn:
    """End the command with one line."""
    if as_json:
        _fail_json(code, "", message)
    typer.echo(f"quotad: {message}", err=True)
    raise typer.Exit(EXIT_ERROR)


def fail_catalog(problems: Sequence[str], as_json: bool) -> NoReturn:
    """End the command with everything that is wrong with a catalog, one problem per line."""
    if as_json:
        message = "\n".join(problems)
        _fail_json("INVALID_ARGUMENT", "BAD_CATALOG", message, problems=list(problems))
    for problem in problems:
        typer.echo(problem, err=True)
    fail(f"{plural(len(problems), 'problem')} in the catalog")


def in_words(error: "QuotaError", server: str) -> str:
    """Errors as a command line shows them."""
    if error.code == "UNAVAILABLE" and not error.reason:
        refused = "refused" in error.message
        hint = "; start one with 'quotad dev'" if refused else ""
        return f"no server at {server} ({_connection_problem(error.message)}){hint}"
    if error.code == "UNAVAILABLE":
        return f"the server at {server} cannot answer now: {error.message}"
    if error.code == "DEADLINE_EXCEEDED":
        return f"no answer from {server} within {TIMEOUT_S:g} s"
    if error.code == "UNIMPLEMENTED":
        return f"the server at {server} does not know this call; is it an older quotad?"
    if error.code in ("INVALID_ARGUMENT", "NOT_FOUND", "ABORTED", "FAILED_PRECONDITION"):
        return error.message
    if error.code == "UNAUTHENTICATED":
        return f"the server at {server} asks for a token, in QUOTAD_TOKEN: {error.message}"
    if error.code == "PERMISSION_DENIED":
        return error.message
    return f"the server at {server} failed: {error.message} ({error.code})"


def _connection_problem(message: str) -> str:
    """The part of grpc's connection errors that a person can use."""
    known = {
        "Connection refused": "connection refused",
        "Connection timed out": "connection timed out",
        "Network is unreachable": "network unreachable",
        "No route to host": "no route to host",
        "No such file or directory": "no such socket",
        "DNS resolution failed": "name not known",
        "Domain name not found": "name not known",
        "Socket closed": "connection lost",
        "Failed parsing HTTP/2": "what listens there does not speak gRPC",
        "WRONG_VERSION_NUMBER": "what listens there does not speak TLS",
        "Hostname Verification Check failed": "its certificate is for another name",
        "CERTIFICATE_VERIFY_FAILED": "its certificate is not of this CA",
        "TSI_DATA_CORRUPTED": "it wants another certificate of this client",
    }
    return next((words for part, words in known.items() if part in message), message)


def _fail_json(code: str, reason: str, message: str, **more: object) -> NoReturn:
    error = {"code": code, "reason": reason, "message": message, **more}
    typer.echo(json.dumps({"error": error}, ensure_ascii=False), err=True)
    raise typer.Exit(EXIT_ERROR)
