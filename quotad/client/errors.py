"""What a call can fail with; a denied decision is not among them.

    QuotaError
    ├── QuotaInvalid        the request can never work: INVALID_ARGUMENT; fix the caller
    ├── QuotaUnavailable    no server, or its store is away, after every retry: UNAVAILABLE
    ├── QuotaDeadline       the timeout ran out; the quantity may have been taken all the same
    └── QuotaServerError    everything else, a bug of the server among it

`QuotaDenied` is none of them. No exception of grpc leaves this package.
"""

from datetime import timedelta
from typing import TYPE_CHECKING

import grpc

from quotad.v1 import quota_pb2 as pb

if TYPE_CHECKING:
    from quotad.client.slots import AcquiredSlot


class QuotaError(Exception):
    """Base of every error of a call; `str()` of it is the message alone."""

    def __init__(
        self, message: str, *, code: str = "UNKNOWN", reason: str = "", retry_after_ms: int = 0
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        """Name of the gRPC status code: `INVALID_ARGUMENT`."""
        self.reason = reason
        """The server's stable word for the cause (`IDEMPOTENCY_MISMATCH`); empty when no server
        answered."""
        self.retry_after = timedelta(milliseconds=retry_after_ms) if retry_after_ms > 0 else None
        """How long the server asks its callers to wait before they repeat the call; None: it does
        not."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.message!r}, code={self.code}, reason={self.reason})"


class QuotaInvalid(QuotaError):
    """The request can never work; the message starts with the name of the field."""


class QuotaUnavailable(QuotaError):
    """No server answered, or it has no store or catalog now; trying later is right."""

    @property
    def may_run_later(self) -> bool:
        """Whether a server may still process the call: the connection broke under way. Where a
        server has answered or none was reached, nothing is taken any more."""
        return not self.reason and not self.message.startswith(_NEVER_SENT)


class QuotaDeadline(QuotaError):
    """The timeout ran out. Whether the quantity was taken is unknown: repeat with the same key."""


class QuotaDenied(Exception):
    """A block that holds a slot was not entered, as there was none. No failure of a call, so that
    `except QuotaError` does not catch it."""

    def __init__(self, message: str, answer: "AcquiredSlot") -> None:
        super().__init__(message)
        self.answer = answer
        """With the decision: its `reason`, and `retry_after` when waiting helps."""


class QuotaServerError(QuotaError):
    """The server failed in another way; `code` and `reason` name it."""


_NEVER_SENT = "failed to connect to all addresses"
"""How grpc begins the details of a call that no server was reached for."""

_RESET = ("CANCELLED", "Received RST_STREAM with error code 8")
"""How grpc begins the details of a call that the other side gave up, as a server that ends may.
It has answered nothing, which is as with a connection that broke; a call that is given up on this
side has other details."""

_CLASSES: dict[str, type[QuotaError]] = {
    "INVALID_ARGUMENT": QuotaInvalid,
    "UNAVAILABLE": QuotaUnavailable,
    "DEADLINE_EXCEEDED": QuotaDeadline,
}
_NAMES: dict[int, str] = {code.value[0]: code.name for code in grpc.StatusCode}
_REASON_KEY = "quotad-reason"
_RETRY_AFTER_KEY = "quotad-retry-after-ms"
_RETRY_AFTER_DIGITS_MAX = 9
"""More would be no time that anything waits for."""

WAIT_MAX_S = 5.0
"""Longest wait that a server may ask for."""


def asked_wait_s(error: QuotaError | None) -> float:
    """How long the server asks to wait before another try (s), within bounds; 0: it does not."""
    if error is None or error.retry_after is None:
        return 0.0
    return min(error.retry_after.total_seconds(), WAIT_MAX_S)


def from_code(code: str, message: str, reason: str = "", retry_after_ms: int = 0) -> QuotaError:
    """The error for a status code by name."""
    kind = _CLASSES.get(code, QuotaServerError)
    return kind(message, code=code, reason=reason, retry_after_ms=retry_after_ms)


def from_result(error: pb.Error) -> QuotaError:
    """The error of one request of a batch."""
    code = _NAMES.get(error.code, "UNKNOWN")
    return from_code(code, error.message, error.reason, error.retry_after.ToMilliseconds())


def from_rpc(error: grpc.RpcError) -> QuotaError:
    """The error for a failed call, of grpc or grpc.aio alike."""
    found = {key: _text(value) for key, value in error.trailing_metadata() or ()}
    wait = found.get(_RETRY_AFTER_KEY, "")
    code, details = error.code().name, error.details() or ""
    if code == "CANCELLED" and _REASON_KEY not in found and details.startswith(_RESET):
        return QuotaUnavailable(details, code="UNAVAILABLE")
    return from_code(
        code,
        details,
        found.get(_REASON_KEY, ""),
        int(wait) if wait.isdecimal() and len(wait) <= _RETRY_AFTER_DIGITS_MAX else 0,
    )


def _text(value: str | bytes) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else value
