"""How an error leaves the server: status, reason word, when to try again, and message."""

from typing import Any

import grpc

from quotad.errors import QuotadError

REASON_KEY = "quotad-reason"
"""Trailing metadata with the error's stable reason word."""
RETRY_AFTER_KEY = "quotad-retry-after-ms"
"""Trailing metadata with how long to wait before the call is repeated."""
PUSHBACK_KEY = "grpc-retry-pushback-ms"
"""The same for clients of gRPC with a retry policy of their own (gRFC A6)."""

_CODES = {code.value[0]: code for code in grpc.StatusCode}


def trailers(error: QuotadError) -> list[tuple[str, str]]:
    """Return the trailing metadata that an error leaves with, without names that gRPC reserves."""
    leaving = [(REASON_KEY, error.reason), *error.metadata]
    if error.retry_after_ms:
        leaving.append((RETRY_AFTER_KEY, str(error.retry_after_ms)))
    return leaving


def trailers_with_pushback(error: QuotadError) -> list[tuple[str, str]]:
    """Return `trailers`, and the wait by the name that gRPC has for it."""
    leaving = trailers(error)
    if error.retry_after_ms:
        leaving.append((PUSHBACK_KEY, str(error.retry_after_ms)))
    return leaving


def abort(context: Any, error: QuotadError) -> Any:
    """End a call of grpcio with an error; to be awaited where the context is asyncio's."""
    context.set_trailing_metadata(tuple(trailers_with_pushback(error)))
    return context.abort(_CODES[error.status], error.for_caller)
