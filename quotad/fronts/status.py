"""How an error leaves the server: status, reason word and message."""

from typing import Any

import grpc

from quotad.errors import QuotadError

REASON_KEY = "quotad-reason"
"""Trailing metadata with the error's stable reason word."""

_CODES = {code.value[0]: code for code in grpc.StatusCode}


def abort(context: Any, error: QuotadError) -> Any:
    """End a call of grpcio with an error; to be awaited where the context is asyncio's."""
    context.set_trailing_metadata(((REASON_KEY, error.reason), *error.metadata))
    return context.abort(_CODES[error.status], error.for_caller)
