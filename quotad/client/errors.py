"""What a call can fail with; a denied decision is not among them.

    QuotaError
    ├── QuotaInvalid        the request can never work: INVALID_ARGUMENT; fix the caller
    ├── QuotaUnavailable    no server, or its store is away, after every retry: UNAVAILABLE
    ├── QuotaDeadline       the timeout ran out; the quantity may have been taken all the same
    └── QuotaServerError    everything else, a bug of the server among it

`QuotaDenied` is none of them. No exception of grpc leaves this package.
"""

from typing import TYPE_CHECKING

import grpc

if TYPE_CHECKING:
    from quotad.client.slots import AcquiredSlot


class QuotaError(Exception):
    """Base of every error of a call; `str()` of it is the message alone."""

    def __init__(self, message: str, *, code: str = "UNKNOWN", reason: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        """Name of the gRPC status code: `INVALID_ARGUMENT`."""
        self.reason = reason
        """The server's stable word for the cause (`IDEMPOTENCY_MISMATCH`); empty when no server
        answered."""

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

_CLASSES: dict[str, type[QuotaError]] = {
    "INVALID_ARGUMENT": QuotaInvalid,
    "UNAVAILABLE": QuotaUnavailable,
    "DEADLINE_EXCEEDED": QuotaDeadline,
}
_NAMES: dict[int, str] = {code.value[0]: code.name for code in grpc.StatusCode}
_REASON_KEY = "quotad-reason"


def from_code(code: str, message: str, reason: str = "") -> QuotaError:
    """The error for a status code by name."""
    return _CLASSES.get(code, QuotaServerError)(message, code=code, reason=reason)


def from_number(number: int, message: str, reason: str) -> QuotaError:
    """The error for a `google.rpc.Code`, as the results of a batch carry it."""
    return from_code(_NAMES.get(number, "UNKNOWN"), message, reason)


def from_rpc(error: grpc.RpcError) -> QuotaError:
    """The error for a failed call, of grpc or grpc.aio alike."""
    metadata = error.trailing_metadata() or ()
    reason = next((value for key, value in metadata if key == _REASON_KEY), "")
    if isinstance(reason, bytes):
        reason = reason.decode(errors="replace")
    return from_code(error.code().name, error.details() or "", reason)
