"""What the calls of the admin service share: how their errors leave."""

import functools
import logging
from collections.abc import Callable
from typing import Any, TypeVar

from quotad.errors import (
    CatalogError,
    Damaged,
    QuotadError,
    StoreError,
    StoreUnavailable,
    internal_error,
)
from quotad.fronts.status import abort
from quotad.history import LOCAL
from quotad.store.damage import report_once

MESSAGE_BYTES_MAX = 4000
"""Longest error message; gRPC sends it in a header, and clients refuse headers above 8 KiB."""

_HEADER_BYTES_MAX = 12
"""Most bytes of one character in a header: four, each as %XX."""

_log = logging.getLogger("quotad.service")
Q = TypeVar("Q")
R = TypeVar("R")


def mapped(method: Callable[[Any, Q], R]) -> Callable[[Any, Q, Any], R]:
    """Let errors leave with their status, and nothing of an unforeseen one."""

    @functools.wraps(method)
    def read(self: Any, request: Q, _: str) -> R:
        return method(self, request)

    return mapped_write(read)


def mapped_write(method: Callable[[Any, Q, str], R]) -> Callable[[Any, Q, Any], R]:
    """As `mapped`, of a method that takes the actor as well: whose doing its write is."""

    @functools.wraps(method)
    def call(self: Any, request: Q, context: Any) -> R:
        try:
            return method(self, request, admitted(self, method.__name__, request, context))
        except QuotadError as error:
            if isinstance(error, StoreError) and not isinstance(error, Damaged | StoreUnavailable):
                report_once(str(error))
            failed = shortened(error)
        except Exception:  # noqa: BLE001 (nothing of an unforeseen error may leave)
            _log.exception("an admin call failed")
            failed = internal_error()
        abort(context, failed)
        raise failed  # abort has raised already

    return call


def admitted(servicer: Any, name: str, request: Any, context: Any) -> str:
    """Return the actor of a call of the admin service, if it may be made.

    Raises:
        Unauthenticated, PermissionDenied, NotReady: as the table of tokens does.
    """
    guard = servicer._guard
    return LOCAL if guard is None else guard.check_admin(name, request, context)


def shortened(error: QuotadError) -> QuotadError:
    """An error with as much of its message as fits into a header of gRPC."""
    if not isinstance(error, CatalogError):
        text = str(error)
        if _header_bytes(text) <= MESSAGE_BYTES_MAX:
            return error
        return type(error)(text[: MESSAGE_BYTES_MAX // _HEADER_BYTES_MAX] + "...")
    size = 0
    for shown, problem in enumerate(error.problems):
        size += _header_bytes(problem + "\n")
        if size > MESSAGE_BYTES_MAX:
            rest = len(error.problems) - shown
            more = f"... and {rest} more; `quotad catalog check` lists all of them"
            return CatalogError([*error.problems[:shown], more])
    return error


def _header_bytes(text: str) -> int:
    """Size of a text in gRPC's header for messages, where all but printable ASCII takes three."""
    data = text.encode()
    return len(data) + 2 * sum(not 0x20 <= byte <= 0x7E or byte == 0x25 for byte in data)
