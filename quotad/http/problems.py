"""Errors as RFC 9457 has them: `application/problem+json` with the stable reason word.

`type` is a relative reference to the page of the API, with the reason word as its fragment; nothing
but `reason` and the HTTP status is to be decided by.
"""

import msgspec

from quotad.errors import CatalogError, QuotadError, Status, TooManyWrong
from quotad.tokens.access import WRONG_S

CONTENT_TYPE = b"application/problem+json"

_HTTP_STATUS = {
    Status.INVALID_ARGUMENT: 400,
    Status.NOT_FOUND: 404,
    Status.PERMISSION_DENIED: 403,
    Status.RESOURCE_EXHAUSTED: 413,
    Status.FAILED_PRECONDITION: 412,
    Status.ABORTED: 409,
    Status.INTERNAL: 500,
    Status.UNAVAILABLE: 503,
    Status.UNAUTHENTICATED: 401,
}

OWN_REASONS: dict[str, tuple[int, str]] = {
    "NO_SUCH_PATH": (404, "There is nothing at the path."),
    "METHOD_NOT_ALLOWED": (405, "The path has other methods; Allow names them."),
    "TOO_LARGE": (413, "The body is larger than the operation takes."),
    "NO_CUSTOMER": (401, "A gateway asks /authorize without a customer."),
    "HOST_NOT_ALLOWED": (403, "There are no tokens, and the call is to a name of this machine."),
    "ORIGIN_NOT_ALLOWED": (403, "A page of an origin that is not in cors_origins wants to write."),
}
"""Reason words that only HTTP has, with their status and when they are."""

_TITLES = {
    400: "The request can never work",
    401: "Not known who asks",
    403: "Not allowed",
    404: "Not found",
    405: "Method not allowed",
    408: "The request did not arrive in time",
    409: "Another writer was first",
    412: "The state is another one than the request expects",
    413: "Too large",
    429: "Too many; try again later",
    415: "Unsupported media type",
    500: "Internal error",
    503: "Unavailable; try again",
}


class HttpRefusal(QuotadError):
    """A request that is refused for a reason of HTTP itself.

    Args:
        http_status: of the answer.
        reason: the stable word.
        message: for the caller.
        headers: of the answer.
    """

    def __init__(
        self,
        http_status: int,
        reason: str,
        message: str,
        headers: tuple[tuple[bytes, bytes], ...] = (),
    ) -> None:
        super().__init__(message)
        self.http_status = http_status
        self.word = reason
        self.headers = headers


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An error (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    """What is wrong; starts with the name of the field where there is one."""
    reason: str
    """The stable word."""
    problems: tuple[str, ...] = ()
    """Of a catalog: everything that is wrong with it."""
    epoch: int | None = None
    """Of a write that expected another one: the epoch that the customer is at."""


def status_of(error: QuotadError) -> int:
    """Return the HTTP status of an error."""
    return error.http_status if isinstance(error, HttpRefusal) else status_of_class(type(error))


def status_of_class(error: type[QuotadError]) -> int:
    """Return the HTTP status of a kind of error."""
    return 429 if issubclass(error, TooManyWrong) else _HTTP_STATUS[error.status]


def problem(error: QuotadError) -> Problem:
    """Return what a caller sees of an error."""
    status = status_of(error)
    reason = error.word if isinstance(error, HttpRefusal) else error.reason
    metadata = dict(error.metadata)
    return Problem(
        type=f"/docs#{reason}",
        title=_TITLES.get(status, "Refused"),
        status=status,
        detail=error.for_caller,
        reason=reason,
        problems=error.problems if isinstance(error, CatalogError) else (),
        epoch=int(metadata["quotad-epoch"]) if "quotad-epoch" in metadata else None,
    )


def headers_of(error: QuotadError) -> tuple[tuple[bytes, bytes], ...]:
    """Return the headers that an error leaves with, beside its content type."""
    if isinstance(error, HttpRefusal):
        return error.headers
    if error.status is Status.UNAUTHENTICATED:
        return ((b"www-authenticate", b"Bearer"),)
    if isinstance(error, TooManyWrong):
        return ((b"retry-after", b"%d" % WRONG_S),)
    if error.status is Status.UNAVAILABLE:
        # In whole seconds; those who are to go elsewhere at once have no way to be told so.
        return ((b"retry-after", b"%d" % max(1, -(-error.retry_after_ms // 1000))),)
    return ()
