"""How answers leave: as JSON, errors as problems."""

from collections.abc import AsyncIterator

import msgspec
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from quotad.errors import QuotadError
from quotad.http.operation import Headers
from quotad.http.problems import CONTENT_TYPE, headers_of, problem, status_of

JSON = (b"content-type", b"application/json")
NO_STORE = (b"cache-control", b"no-store")
EVENT_STREAM = (b"content-type", b"text/event-stream; charset=utf-8")

encode = msgspec.json.Encoder().encode


async def respond(send: Send, status: int, headers: Headers, body: bytes) -> None:
    """Send an answer as JSON, or with a content type among its headers."""
    start = [(b"content-length", b"%d" % len(body)), NO_STORE]
    if all(name != b"content-type" for name, _ in headers):
        start.append(JSON)
    await send({"type": "http.response.start", "status": status, "headers": start + headers})
    await send({"type": "http.response.body", "body": body})


async def respond_on_and_on(
    scope: Scope, receive: Receive, send: Send, parts: AsyncIterator[bytes]
) -> None:
    """Send server-sent events until they end or the client goes."""
    headers = {"cache-control": "no-store", "x-accel-buffering": "no"}  # nginx would hold them back
    response = StreamingResponse(parts, headers=headers, media_type="text/event-stream")
    await response(scope, receive, send)


def refusal(error: QuotadError) -> tuple[int, Headers, bytes]:
    """Return status, headers and body of an error."""
    headers = [(b"content-type", CONTENT_TYPE), *headers_of(error)]
    return status_of(error), headers, encode(problem(error))
