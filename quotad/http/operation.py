"""What the API is made of: operations, each with a path, a right, a request type and an act."""

import asyncio
import functools
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import Executor
from typing import Any, TypeVar

import msgspec
from starlette.types import Scope

from quotad.engine.lending import Lent
from quotad.errors import QuotadError
from quotad.http.bodies import BODY_BYTES_MAX
from quotad.http.deciding import Deciding
from quotad.ledger import Taker
from quotad.operations.customers import CustomerOperations
from quotad.operations.decisions import DecisionOperations
from quotad.operations.parts import AdminParts
from quotad.tokens.access import EVERYTHING, Access
from quotad.tokens.actor import actor_of
from quotad.tokens.roles import Right

Headers = list[tuple[bytes, bytes]]

HTTP = "http"
"""As entries of the ledger name this edge."""


class RequestFields(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of every request type."""


class Caller(msgspec.Struct, frozen=True):
    """Who a request comes from."""

    access: Access = EVERYTHING
    """What it may do."""
    refusal: Callable[[Access], QuotadError | None] = lambda _: None
    """Why it may not any more; None: it may."""

    @property
    def taker(self) -> Taker:
        """Whose doing is what it takes over this edge."""
        return self.access.name, HTTP


Admit = Callable[[Scope, Right], Caller]
"""Checks, before its body is read, who a request comes from and whether they have the right.

Raises QuotadError otherwise. The scope has the peer in `client` and the headers."""


class Context(msgspec.Struct, frozen=True):
    """What operations work with; one for all requests of a process."""

    deciding: Deciding
    parts: AdminParts
    lent: Lent[DecisionOperations]
    """Decides for threads beside those that `deciding` has."""
    threads: Executor
    """For what waits for the store and is no decision."""


class HttpCall(msgspec.Struct, frozen=True):
    """One request, admitted and read."""

    context: Context
    scope: Scope
    caller: Caller

    @property
    def actor(self) -> str:
        """Whose doing its writes are."""
        return actor_of(self.caller.access, peer_of(self.scope))

    @property
    def customers(self) -> CustomerOperations:
        """Customers, whose writes are the caller's doing."""
        return self.context.parts.customers.by(self.actor)

    def commented(self, comment: str) -> CustomerOperations:
        """The same, for writes that are made for a reason.

        Raises:
            InvalidRequest: the comment is too long.
        """
        return self.context.parts.customers.by(self.actor, comment)


def peer_of(scope: Scope) -> str | None:
    """The address that a request comes from; None: a Unix socket."""
    client = scope.get("client")
    return None if client is None else f"{client[0]}:{client[1]}"


class HttpAnswer(msgspec.Struct, frozen=True):
    """What leaves for a request."""

    body: object
    """Encoded as JSON."""
    headers: Headers = []


class HttpStream(msgspec.Struct, frozen=True):
    """An answer without an end, as server-sent events."""

    parts: AsyncIterator[bytes]


W = TypeVar("W", bound=RequestFields)

ActOutcome = HttpAnswer | HttpStream | QuotadError
"""An error may be returned as well as raised: many requests of a batch may share one, and each time
that it is raised its traceback grows."""

Act = Callable[[HttpCall, Any], Awaitable[ActOutcome]]
"""Carries a request out."""


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """One operation of the API."""

    name: str
    """As the RPC with the same meaning."""
    method: str
    path: str
    """`/v1/customers/{customer_id}`: fields of the request in braces."""
    right: Right
    wanted: type[RequestFields]
    given: type[msgspec.Struct]
    """What the body of an answer is."""
    act: Act
    about: str
    """One sentence for the documentation."""
    bytes_max: int = BODY_BYTES_MAX
    """Largest body."""
    asks: bool = False
    """Whether it takes nothing in the mode `CHECK_ONLY`, for which `CHECK` is enough."""
    streams: bool = False
    """Whether it is answered by a stream, whose events have what is given as their data. Browsers
    send no headers of their own with such a request, so that a client token may be in the query."""


def on_decider(
    made: Callable[[DecisionOperations, HttpCall, W], HttpAnswer],
) -> Callable[[HttpCall, W], Awaitable[ActOutcome]]:
    """Carry out on a decision thread what uses its connection and is not decided in a batch."""

    @functools.wraps(made)
    async def act(call: HttpCall, wanted: W) -> ActOutcome:
        deciding = call.context.deciding
        customer_id = getattr(wanted, "customer_id", "")
        return await deciding.run(
            lambda decisions: made(decisions, call, wanted), call.caller.taker, customer_id
        )

    return act


def in_thread(
    made: Callable[[HttpCall, W], HttpAnswer],
) -> Callable[[HttpCall, W], Awaitable[ActOutcome]]:
    """Carry out in a thread what waits for the store and is no decision."""

    @functools.wraps(made)
    async def act(call: HttpCall, wanted: W) -> ActOutcome:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(call.context.threads, made, call, wanted)

    return act
