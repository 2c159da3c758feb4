"""`/authorize`: forward-auth. A gateway asks before it passes a request on, by headers alone.

Traefik (ForwardAuth) and Caddy (`forward_auth`) hand the answer to a denial on to their client, so
it is 429. nginx (`auth_request`) knows 2xx, 401 and 403 only: `status=403` in the URL that it asks.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec
from starlette.types import Scope

from quotad.decision import Decision, Reason
from quotad.errors import ConfigError, InvalidRequest, QuotadError
from quotad.http.bodies import query_fields, refused
from quotad.http.consume import Consume, consume_request
from quotad.http.fields import header_text
from quotad.http.operation import Caller, Context, Headers
from quotad.http.problems import HttpRefusal, Problem
from quotad.http.ratelimit import ratelimit_headers
from quotad.tokens.scopes import check_scope

AUTHORIZE = b"/authorize"

EDGE = "authorize"
"""As entries of the ledger name this edge."""

DENIED_BY_LIMIT = {Reason.LIMIT_EXCEEDED, Reason.INSUFFICIENT_CREDITS}
"""What is 429; other denials do not pass with time, and are 403."""

DEFAULT_HEADERS = ("customer_id=X-Customer-Id", "feature_id=X-Feature-Id", "quantity=X-Quantity")


class AuthorizeFields(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a gateway asks, each from its URL or else from a header."""

    customer_id: str = ""
    feature_id: str = ""
    quantity: int = 1
    resource_id: str = ""
    idempotency_key: str = ""
    status: Literal[403, 429] = 429
    """Of a denial by a limit; only in the URL."""


class Authorize:
    """Answers a gateway.

    Args:
        context: what decides.
        headers: by field of a request, the name of its header in lower case.
    """

    def __init__(self, context: Context, headers: Mapping[str, bytes]) -> None:
        self._context = context
        self._fields = {name: field for field, name in headers.items()}

    async def __call__(self, scope: Scope, caller: Caller) -> tuple[int, Headers, object]:
        """Decide, and count what is allowed.

        Returns:
            Status, headers and what is encoded as JSON.

        Raises:
            QuotadError: why there is no decision.
        """
        wanted = self._read(scope)
        if caller.access.scoped:
            check_scope(caller.access, "CheckAndConsume", wanted)
        request = consume_request(
            Consume(
                customer_id=wanted.customer_id,
                feature_id=wanted.feature_id,
                quantity=wanted.quantity,
                resource_id=wanted.resource_id,
                idempotency_key=wanted.idempotency_key,
            ),
            wanted.idempotency_key,
        )
        answer = await self._context.deciding.decide(request, (caller.access.name, EDGE))
        if isinstance(answer, QuotadError):
            raise answer
        reason = Reason(answer.reason)
        headers = [
            (b"x-quotad-reason", reason.name.encode()),
            *ratelimit_headers(request.feature_id, answer),
        ]
        if answer.allowed:
            return 200, headers, {"allowed": True, "reason": reason.name}
        status = wanted.status if reason in DENIED_BY_LIMIT else 403
        headers.append((b"content-type", b"application/problem+json"))
        return status, headers, _denial(answer, reason, status, request.feature_id)

    def _read(self, scope: Scope) -> AuthorizeFields:
        given: dict[str, str] = {}
        for name, value in scope["headers"]:
            field = self._fields.get(name)
            if field is None or not value:
                continue
            if field in given:  # whoever sent one of them, it is not known which
                raise InvalidRequest(f"{name.decode()}: is there twice")
            given[field] = header_text(value, name.decode())
        given |= query_fields(scope["query_string"])
        try:
            wanted = msgspec.convert(given, AuthorizeFields, strict=False)
        except msgspec.ValidationError as error:
            raise refused(error, AuthorizeFields) from None
        if not wanted.customer_id:
            raise HttpRefusal(401, "NO_CUSTOMER", "customer_id: missing; the gateway is to add it")
        return wanted


def header_names(mapping: Sequence[str]) -> dict[str, bytes]:
    """Return the header of each field, in lower case, of a mapping as the settings have it.

    Raises:
        ConfigError: a part is not `field=Header-Name`, or there is no such field.
    """
    known = [name for name in AuthorizeFields.__struct_fields__ if name != "status"]
    found: dict[str, bytes] = {}
    for part in mapping:
        field, _, header = part.partition("=")
        if field not in known or not header or not header.isascii() or not header.isprintable():
            raise ConfigError(
                f"authorize_headers: {part!r} is not FIELD=HEADER with one of {', '.join(known)}"
            )
        found[field] = header.lower().encode()
    return found


def _denial(answer: Decision, reason: Reason, status: int, feature_id: str) -> Problem:
    by_limit = reason in DENIED_BY_LIMIT
    what = "has no room left" if by_limit else "is not available"
    return Problem(
        type=f"/docs#{reason.name}",
        title="Limit reached" if by_limit else "Not allowed",
        status=status,
        detail=f"{feature_id} {what}",
        reason=reason.name,
    )
