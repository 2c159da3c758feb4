"""The application: which page a request is for, who may open it, and how it leaves."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, TypeVar
from urllib.parse import quote

import msgspec
from starlette.types import Receive, Scope, Send

from quotad.dashboard.ask import (
    ArrivedFile,
    Ask,
    FormFields,
    PageAnswer,
    PageContext,
    SitePage,
    Visitor,
    read_form,
    see_other,
)
from quotad.dashboard.assets import serve_asset
from quotad.dashboard.doorkeeper import NOBODY, Doorkeeper, check_origin, has_key, security_headers
from quotad.dashboard.drafting import DraftChanged, changed_page
from quotad.dashboard.pages import PAGES
from quotad.dashboard.refused import no_such_page, refused_page
from quotad.dashboard.sign_in import ended_page, other_session_page
from quotad.dashboard.uploads import read_upload
from quotad.errors import QuotadError, internal_error
from quotad.http.bodies import Gone, read_body
from quotad.http.routing import Routes
from quotad.operations.trials import LOG_BYTES_MAX

_log = logging.getLogger("quotad.dashboard")

T = TypeVar("T")


class DashboardApp:
    """The ASGI application of one process.

    Args:
        context: what pages work with.
        keeper: finds out who a request comes from.
        pages: what there is.
    """

    def __init__(
        self, context: PageContext, keeper: Doorkeeper, pages: Sequence[SitePage] = PAGES
    ) -> None:
        self.ready = False
        """Whether there are a store and a catalog; read by `/readyz`."""
        self._context = context
        self._keeper = keeper
        self._routes: Routes[SitePage] = Routes()
        for page in pages:
            self._routes.add(page.method, page.path, page)

    def set_ready(self, ready: bool) -> None:
        """Publish whether there are a store and a catalog."""
        self.ready = ready

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """PageAnswer a request."""
        if scope["type"] != "http":
            return
        try:
            answer = await self._answer(self._asked(scope), scope, receive)
        except Gone:
            return
        await _send(send, answer)

    def _asked(self, scope: Scope) -> Ask:
        headers: dict[str, str] = {}
        repeated = set()
        for raw_name, value in scope["headers"]:
            name = raw_name.decode("latin-1")
            if name in headers:
                repeated.add(name)
            headers.setdefault(name, value.decode("latin-1"))
        client = scope.get("client")
        return Ask(
            context=self._context,
            visitor=NOBODY,
            method="GET" if scope["method"] == "HEAD" else scope["method"],
            path=scope["raw_path"].decode("latin-1"),
            segments={},
            query=FormFields(),
            form=FormFields(),
            cookies=_cookies(headers.get("cookie", "")),
            headers=headers,
            repeated=frozenset(repeated),
            peer=None if client is None else f"{client[0]}:{client[1]}",
        )

    async def _answer(self, ask: Ask, scope: Scope, receive: Receive) -> PageAnswer:
        if ask.path in ("/livez", "/readyz"):
            return self._health(ask.path)
        if ask.path.startswith("/static/") and (asset := serve_asset(ask)) is not None:
            return asset
        try:
            ask = msgspec.structs.replace(ask, query=read_form(scope["query_string"]))
            return await self._page(ask, receive)
        except QuotadError as error:
            return await self._in_thread(refused_page, ask, error)
        except Gone:
            raise
        except Exception:  # noqa: BLE001 (nothing of an unforeseen error may leave)
            _log.exception("a page failed")
            return await self._in_thread(refused_page, ask, internal_error())

    async def _page(self, ask: Ask, receive: Receive) -> PageAnswer:
        """Make a page; refusals of it are shown to the visitor it is for."""
        writes = ask.method != "GET"
        if writes:
            check_origin(ask.headers)
            ask = msgspec.structs.replace(ask, around=self._around(ask.path))
        visitor = await self._in_thread(self._keeper.visitor, ask)
        if visitor is not None:
            ask = msgspec.structs.replace(ask, visitor=visitor)
        try:
            found = self._routes.find(ask.method, ask.path.encode("latin-1"))
            if found is None:
                return no_such_page(ask) if visitor else _to_sign_in(ask)
            page, segments = found
            ask = msgspec.structs.replace(ask, segments=segments)
            if page.takes_file:
                return await self._with_file(ask, page, receive)
            if writes:
                body = await read_body(receive, page.bytes_max)
                ask = msgspec.structs.replace(ask, form=read_form(body))
            if visitor is None:
                if page.right is not None:
                    return ended_page(ask) if writes and not ask.partial else _to_sign_in(ask)
            else:
                _check_may(visitor, page, segments)
                if writes and not page.keyless and not has_key(visitor, ask.form, ask.headers):
                    return other_session_page(ask)
            return await self._in_thread(page.act, ask)
        except DraftChanged:
            return await self._in_thread(changed_page, ask)
        except QuotadError as error:
            return await self._in_thread(refused_page, ask, error)

    def _around(self, path: str) -> str:
        """The nearest path that has a page: a browser cannot come back to one that only writes."""
        while path:
            with suppress(QuotadError):
                if self._routes.find("GET", path.encode("latin-1")):
                    return path
            path = path.rpartition("/")[0]
        return "/"

    async def _with_file(self, ask: Ask, page: SitePage, receive: Receive) -> PageAnswer:
        """Take a form with a file, of whom may send it; others are answered before it arrives."""
        if ask.visitor is NOBODY:
            return see_other(f"/sign-in?next={quote(ask.path, safe='')}")
        _check_may(ask.visitor, page, ask.segments)
        trials = self._context.trials
        folder = await self._in_thread(trials.open)
        try:
            kind = ask.headers.get("content-type", "")
            found = await read_upload(receive, kind, LOG_BYTES_MAX, folder.log, self._in_thread)
        except BaseException:
            trials.close(folder)
            raise
        arrived = ArrivedFile(folder, found.file_name, found.size)
        ask = msgspec.structs.replace(ask, form=found.fields, upload=arrived)
        if not has_key(ask.visitor, ask.form, ask.headers):
            trials.close(folder)
            return see_other(ask.path, "The session is another one now: choose the log again.")
        return await self._in_thread(page.act, ask)

    def _health(self, path: str) -> PageAnswer:
        if self.ready or path == "/livez":
            return PageAnswer(b"ok\n", headers=[(b"content-type", b"text/plain")])
        return PageAnswer(b"not ready\n", 503, [(b"content-type", b"text/plain")])

    async def _in_thread(self, made: Callable[..., T], *values: Any) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._context.threads, made, *values)


def _check_may(visitor: Visitor, page: SitePage, segments: Mapping[str, str]) -> None:
    """Refuse a page that the visitor's token does not give.

    Raises:
        PermissionDenied: it does not.
    """
    if page.right is None:
        return
    visitor.access.check(page.right)
    customer_id = segments.get("customer_id")
    if customer_id is not None or page.many:
        visitor.access.check_covers(customer_id)


def _to_sign_in(ask: Ask) -> PageAnswer:
    if ask.partial:  # a part of a page cannot show it
        return PageAnswer(status=204, headers=[(b"hx-redirect", b"/sign-in")])
    return see_other(f"/sign-in?next={quote(ask.here, safe='')}")


def _cookies(header: str) -> dict[str, str]:
    pairs = (each.strip().partition("=") for each in header.split(";"))
    return {name: value for name, _, value in pairs}


async def _send(send: Send, answer: PageAnswer) -> None:
    headers = [*answer.headers, *security_headers(answer.nonce)]
    headers.append((b"content-length", b"%d" % len(answer.body)))
    if all(name != b"cache-control" for name, _ in headers):
        headers.append((b"cache-control", b"no-store"))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})
