"""The application: operations under their paths, further routers beside them, readiness."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import BaseRoute, Router
from starlette.types import Receive, Scope, Send

from quotad.errors import InvalidRequest, QuotadError, internal_error
from quotad.http import (
    auditing,
    catalogs,
    consume,
    corrections,
    customers,
    erasing,
    events,
    finding,
    history,
    holds,
    ledger,
    overrides,
    reading,
    slots,
    tokens,
    transfer,
    webhooks,
)
from quotad.http.authorize import AUTHORIZE, DEFAULT_HEADERS, Authorize, header_names
from quotad.http.bodies import Gone, query_fields, read, read_body, refused
from quotad.http.identity import with_token_of_query
from quotad.http.operation import (
    Admit,
    Caller,
    Context,
    Headers,
    HttpCall,
    HttpStream,
    Operation,
)
from quotad.http.pages import DOCS, OPENAPI, PAGE_HEADERS, docs_page, openapi_json
from quotad.http.problems import HttpRefusal
from quotad.http.responses import EVENT_STREAM, encode, refusal, respond, respond_on_and_on
from quotad.http.routing import Routes
from quotad.tokens.roles import Right
from quotad.tokens.scopes import check_scope

OPERATIONS: tuple[Operation, ...] = (
    *consume.OPERATIONS,
    *holds.OPERATIONS,
    *slots.OPERATIONS,
    *corrections.OPERATIONS,
    *reading.OPERATIONS,
    *customers.OPERATIONS,
    *overrides.OPERATIONS,
    *finding.OPERATIONS,
    *erasing.OPERATIONS,
    *transfer.OPERATIONS,
    *history.OPERATIONS,
    *ledger.OPERATIONS,
    *auditing.OPERATIONS,
    *catalogs.OPERATIONS,
    *tokens.OPERATIONS,
    *webhooks.OPERATIONS,
    *events.OPERATIONS,
)
"""All operations of `/v1`."""

_READING = {"GET", "HEAD", "OPTIONS"}
_WITH_BODY = {"POST", "PUT", "PATCH"}

_log = logging.getLogger("quotad.http")


def anyone(scope: Scope, right: Right) -> Caller:
    """Admit every caller."""
    return Caller()


class AppSettings(msgspec.Struct, frozen=True):
    """What the application is made with beside its context."""

    admit: Admit = anyone
    routes: Sequence[BaseRoute] = ()
    """Further routers, which see what is no operation: mounted pages, GraphQL, events."""
    authorize: Mapping[str, bytes] = msgspec.field(
        default_factory=lambda: header_names(DEFAULT_HEADERS)
    )
    """By field of `/authorize`, the name of its header in lower case."""
    dashboard: str = ""
    """Address of the dashboard, where browsers that open `/` are sent; empty: there is none."""
    origins: tuple[str, ...] = ()
    """Of pages that browsers let read answers: `https://app.example`; `*`: any."""


class App:
    """The ASGI application of one process.

    Args:
        context: what operations work with.
        settings: see there.
    """

    def __init__(self, context: Context, settings: AppSettings | None = None) -> None:
        self.ready = False
        """Whether requests are answered with decisions; read by `/readyz`."""
        self._context = context
        self._settings = settings = settings or AppSettings()
        self._routes: Routes[_End] = Routes()
        for operation in OPERATIONS:
            self._routes.add(operation.method, operation.path, _End(operation))
        self._authorize = Authorize(context, settings.authorize)
        self._cross_origin = CORSMiddleware(
            self._plain,
            allow_origins=settings.origins,
            allow_methods=("DELETE", "GET", "PATCH", "POST", "PUT"),
            allow_headers=("*",),
            expose_headers=("RateLimit", "RateLimit-Policy", "Retry-After"),
        )
        self._others = Router(routes=list(settings.routes), default=_no_such_path)

    def set_ready(self, ready: bool) -> None:
        """Publish whether requests are answered with decisions."""
        self.ready = ready

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        origin = next((value for name, value in scope["headers"] if name == b"origin"), None)
        if origin is None or scope["type"] != "http" or scope["raw_path"] == AUTHORIZE:
            # Of a gateway: the origin is that of a page whose request it asks for.
            await self._plain(scope, receive, send)
        elif self._is_allowed(origin.decode("latin-1")):
            await self._cross_origin(scope, receive, send)
        elif scope["method"] in _READING or _is_same(origin, scope):
            await self._plain(scope, receive, send)
        else:  # what a foreign page sends without asking first is to change nothing
            error = HttpRefusal(403, "ORIGIN_NOT_ALLOWED", f"origin: {origin!r} is not allowed")
            await respond(send, *refusal(error))

    async def _plain(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._others(scope, receive, send)
            return
        try:
            status, headers, body = await self._answer(scope, receive, send)
        except QuotadError as error:
            status, headers, body = refusal(error)
        except Gone:
            return
        except Exception:  # noqa: BLE001 (nothing of an unforeseen error may leave)
            _log.exception("a request failed")
            status, headers, body = refusal(internal_error())
        if status:
            await respond(send, status, headers, body)

    def _is_allowed(self, origin: str) -> bool:
        return origin in self._settings.origins or "*" in self._settings.origins

    async def _answer(
        self, scope: Scope, receive: Receive, send: Send
    ) -> tuple[int, Headers, bytes]:
        """Return the answer; status 0: it was sent already."""
        method, path = scope["method"], scope["raw_path"]
        if method == "HEAD":  # the answer to a GET; uvicorn leaves its body out
            method = "GET"
        found = self._routes.find(method, path)
        if found is None:
            if path in (b"/livez", b"/readyz"):
                return self._health(path)
            if path == AUTHORIZE:
                caller = self._settings.admit(scope, Right.CONSUME)
                status, headers, told = await self._authorize(scope, caller)
                return status, headers, encode(told)
            if path == b"/" and self._settings.dashboard:
                plain = (b"content-type", b"text/plain")
                return 303, [plain, (b"location", self._dashboard(scope))], b""
            if path in (OPENAPI, DOCS):
                return await self._page(path)
            await self._others(scope, receive, send)
            return 0, [], b""
        end, segments = found
        operation = end.operation
        if operation.streams:
            scope = with_token_of_query(scope)
        caller = self._settings.admit(scope, Right.CHECK if operation.asks else operation.right)
        if operation.streams and scope["method"] == "HEAD":  # which would have no end
            return 200, [EVENT_STREAM], b""
        body = b""
        if method in _WITH_BODY:
            body = await read_body(receive, operation.bytes_max)
        wanted = end.read(body, segments, scope["query_string"])
        if not hasattr(wanted, "requests"):  # each of them once it is read
            if operation.asks and wanted.mode != consume.CHECK_ONLY:
                caller.access.check(operation.right)
            if caller.access.scoped:
                check_scope(caller.access, operation.name, wanted)
        answer = await operation.act(HttpCall(self._context, scope, caller), wanted)
        if isinstance(answer, QuotadError):
            return refusal(answer)
        if isinstance(answer, HttpStream):
            await respond_on_and_on(scope, receive, send, answer.parts)
            return 0, [], b""
        return 200, answer.headers, encode(answer.body)

    def _dashboard(self, scope: Scope) -> bytes:
        """Where the dashboard is for whoever has asked by this host."""
        host, _, port = self._settings.dashboard.rpartition(":")
        asked = next((value for name, value in scope["headers"] if name == b"host"), b"")
        name = asked.decode("latin-1")
        name = name.rpartition(":")[0] if name.rpartition(":")[2].isdecimal() else name
        return f"{scope['scheme']}://{name or host}:{port}/".encode("latin-1")

    async def _page(self, path: bytes) -> tuple[int, Headers, bytes]:
        loop, threads = asyncio.get_running_loop(), self._context.threads
        if path == OPENAPI:
            return 200, [], await loop.run_in_executor(threads, openapi_json, OPERATIONS)
        return 200, PAGE_HEADERS, await loop.run_in_executor(threads, docs_page, OPERATIONS)

    def _health(self, path: bytes) -> tuple[int, Headers, bytes]:
        reason = "" if path == b"/livez" else self._context.parts.worker.status().not_ready_reason
        if not reason and (self.ready or path == b"/livez"):
            return 200, [], b'{"status":"ok"}'
        raise HttpRefusal(503, "NOT_READY", reason or "the server is starting or stopping")


class _End:
    """An operation with what reads its requests."""

    def __init__(self, operation: Operation) -> None:
        self.operation = operation
        self._decoder = msgspec.json.Decoder(operation.wanted)
        self._in_body = operation.method in _WITH_BODY

    def read(self, body: bytes, segments: dict[str, str], query: bytes) -> Any:
        """Read a request from its body, or its query, and the segments of its path.

        Raises:
            InvalidRequest: names the field.
        """
        if self._in_body and not segments and not query:
            return read(self._decoder, body)
        if self._in_body:
            if query:
                raise InvalidRequest("query: put the fields into the body")
            given: Any = read(_ANY, body) if body else {}
            if not isinstance(given, dict):
                raise InvalidRequest("body: expected object")
        else:
            given = query_fields(query)
        for name in segments.keys() & given.keys():
            raise InvalidRequest(f"{name}: is in the path; leave it out")
        try:
            return msgspec.convert(given | segments, self.operation.wanted, strict=self._in_body)
        except msgspec.ValidationError as error:
            raise refused(error, self.operation.wanted) from None


_ANY: "msgspec.json.Decoder[Any]" = msgspec.json.Decoder()


def _is_same(origin: bytes, scope: Scope) -> bool:
    """Whether a page is of this server itself; a proxy before it may speak TLS."""
    host = next((value for name, value in scope["headers"] if name == b"host"), b"")
    return origin.partition(b"://")[2] == host != b""


async def _no_such_path(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "http":
        path = scope["path"][:200]
        error = HttpRefusal(404, "NO_SUCH_PATH", f"there is nothing at {path!r}; see /docs")
        await respond(send, *refusal(error))
