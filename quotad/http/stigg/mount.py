"""Stigg's calls over HTTP: which path is which, on threads beside those that decide batches."""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from starlette.routing import BaseRoute, Match
from starlette.types import Receive, Scope, Send

from quotad.errors import Busy, InvalidRequest, QuotadError, internal_error
from quotad.http.bodies import read, read_body
from quotad.http.operation import Admit, Context, peer_of
from quotad.http.problems import headers_of, status_of
from quotad.http.responses import respond
from quotad.http.routing import Routes
from quotad.http.stigg import rest
from quotad.http.stigg.api import StiggApi
from quotad.http.stigg.graphql import GraphqlRequest, StiggGraphql, code_of
from quotad.http.stigg.paths import NotSupported, StiggPage, StiggRoute, is_stiggs
from quotad.http.stigg.roots import MUTATIONS, QUERIES
from quotad.tokens.actor import actor_of
from quotad.tokens.roles import Right

WAITING_MAX = 256
"""Most calls that wait for a thread; further ones are refused."""

BATCH_MAX = 50
"""Most GraphQL requests in one body."""

GRAPHQL = "/graphql"

_Act = Callable[[], object]

_log = logging.getLogger("quotad.http")
_encode = msgspec.json.Encoder().encode
_requests: "msgspec.json.Decoder[GraphqlRequest | list[GraphqlRequest]]" = msgspec.json.Decoder(
    GraphqlRequest | list[GraphqlRequest]
)
_json: "msgspec.json.Decoder[Any]" = msgspec.json.Decoder()


class StiggRoutes(BaseRoute):
    """Answers the paths that Stigg's clients call.

    Args:
        context: what calls are answered from.
        admit: checks who a request comes from.
        threads: how many calls are carried out at once.
    """

    def __init__(self, context: Context, admit: Admit, threads: int) -> None:
        parts = context.parts
        self._api = StiggApi(
            parts.customers,
            parts.finding,
            parts.usage,
            context.lent.lend,
            parts.usage.snapshots.newest,
            parts.usage.clock,
        )
        self._graphql = StiggGraphql(self._api, QUERIES, MUTATIONS)
        self._admit = admit
        self._threads = ThreadPoolExecutor(threads, "quotad-http-calls")
        self._waiting = 0
        self._routes: Routes[StiggRoute] = Routes()
        for route in rest.ROUTES:
            self._routes.add(route.method, route.path, route)

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether a path is one of Stigg's."""
        if scope["type"] != "http":
            return Match.NONE, {}
        path = scope["path"]
        if path == GRAPHQL or is_stiggs(path):
            return Match.FULL, {}
        if self._routes.find(scope["method"], scope["raw_path"]):
            return Match.FULL, {}
        return Match.NONE, {}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["path"] == GRAPHQL:
            await self._graph(scope, receive, send)
        else:
            await self._rest(scope, receive, send)

    async def _graph(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one GraphQL request, or several; errors are part of the answer."""
        try:
            if any(name == b"upgrade" for name, _ in scope["headers"]):
                raise NotSupported("websocket")
            if scope["method"] != "POST":
                raise InvalidRequest(f"method: POST a query to {GRAPHQL}; {scope['method']} is not")
            caller = self._admit(scope, Right.CHECK)
            actor = actor_of(caller.access, peer_of(scope))
            wanted = read(_requests, await read_body(receive))
            several = isinstance(wanted, list)
            requests = wanted if isinstance(wanted, list) else [wanted]
            if len(requests) > BATCH_MAX:
                raise InvalidRequest(f"body: {len(requests)} requests; at most {BATCH_MAX}")
            for right in {right for each in requests for right in self._graphql.rights(each)}:
                self._admit(scope, right)
            answers = await self._carried_out(
                lambda: [self._graphql.answer(each, actor, caller.access) for each in requests]
            )
        except QuotadError as error:
            refused = isinstance(error, NotSupported) or status_of(error) == 401
            status = status_of(error) if refused else 200
            refusal = {"message": error.for_caller, "extensions": {"code": code_of(error)}}
            await respond(send, status, [], _encode({"errors": [refusal], "data": None}))
            return
        await respond(send, 200, [], _encode(answers if several else answers[0]))

    async def _rest(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a call of a path; errors have the status and a body with their code."""
        try:
            found = self._routes.find(scope["method"], scope["raw_path"])
            if found is None:
                self._admit(scope, Right.CHECK)
                raise NotSupported(f"{scope['method']} {scope['path']}")
            route, path = found
            caller = self._admit(scope, route.right)
            body = await read_body(receive)
            query = dict(parse_qsl(scope["query_string"].decode("latin-1")))
            given: Any = read(_json, body) if body else {}
            if not isinstance(given, dict):
                raise InvalidRequest("body: expected object")
            api = self._api.by(actor_of(caller.access, peer_of(scope)), caller.access)
            answer = await self._carried_out(lambda: route.call(api, path, query, given))
        except QuotadError as error:
            told = {"message": error.for_caller, "code": code_of(error)}
            await respond(send, status_of(error), list(headers_of(error)), _encode(told))
            return
        if isinstance(answer, StiggPage):
            pages = {"next": answer.next, "prev": None}
            await respond(send, 200, [], _encode({"data": answer.items, "pagination": pages}))
        else:
            await respond(send, 200, [], _encode({"data": answer}))

    async def _carried_out(self, act: _Act) -> Any:
        """Call a function on a thread.

        Raises:
            QuotadError: as the function does; of a bug, one that says no more than that.
            Busy: too many wait already.
        """
        if self._waiting >= WAITING_MAX:
            raise Busy("too many calls are under way; try again")
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, act)
        except QuotadError:
            raise
        except Exception as error:  # noqa: BLE001 (nothing of an unforeseen error may leave)
            _log.error("a call failed", exc_info=error)
            raise internal_error() from None
        finally:
            self._waiting -= 1
