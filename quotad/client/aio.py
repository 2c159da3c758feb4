"""The client for asyncio: carries out the steps of `calls` on its event loop."""

import time
from collections.abc import Awaitable, Sequence
from datetime import datetime
from typing import Any, TypeVar

import grpc

from quotad.client import answers, calls
from quotad.client.aio_connection import AsyncConnected
from quotad.client.aio_slots import AsyncSlotCalls
from quotad.client.calls import Attempt, Consumption, Items, Policy, Step, Tried
from quotad.client.coalescing import DECIDES, BytesStub, shared
from quotad.client.coalescing_aio import AsyncCoalescer
from quotad.client.correcting import AsyncCorrecting
from quotad.client.errors import QuotaError
from quotad.client.leasing import AsyncLeasing
from quotad.client.reserving import AsyncReserving
from quotad.client.results import (
    ConsumeAllDecision,
    Decision,
    Entitlement,
    Entitlements,
)
from quotad.client.token import with_token
from quotad.client.watch_aio import AsyncWatch
from quotad.client.watching import OnLost, WatchState
from quotad.v1 import quota_pb2 as pb
from quotad.v1.quota_pb2_grpc import QuotaServiceStub

_Result = TypeVar("_Result")


class AsyncClient(AsyncConnected, AsyncCorrecting, AsyncReserving, AsyncLeasing, AsyncSlotCalls):
    """Asks a quotad server from one event loop.

    Args:
        address: HOST:PORT, `unix:PATH`, or several: `ipv4:IP:PORT,IP:PORT`.
        timeout: seconds that one call may take, all its tries together.
        retries: further tries after UNAVAILABLE, always under the same idempotency key.
        credentials: for TLS, whose port is 443 unless the address has another; without them the
            connection is in the clear.
        channel_options: gRPC channel arguments, on top of the client's own.
        coalesce: send calls of several tasks that wait at the same time as one message.
        token: as `quotad tokens create` has printed it, where the server asks for one.
    """

    def __init__(
        self,
        address: str = "127.0.0.1:50051",
        *,
        timeout: float = 1.0,
        retries: int = 2,
        credentials: grpc.ChannelCredentials | None = None,
        channel_options: Sequence[tuple[str, Any]] = (),
        coalesce: bool = False,
        token: str = "",
    ) -> None:
        super().__init__(QuotaServiceStub, address, credentials, channel_options, token)
        self._policy = Policy(timeout_s=timeout, retries=retries)
        self._coalesce = coalesce
        self._coalescer: AsyncCoalescer | None = None

    async def consume(
        self,
        customer_id: str,
        feature_id: str,
        quantity: int = 1,
        *,
        resource_id: str = "",
        requested_values: Sequence[str] = (),
        explain: bool = False,
        best_effort: bool = False,
        idempotency_key: str | None = None,
    ) -> Decision:
        """Decide and, when allowed, count; a denial is a value.

        Args:
            customer_id: the customer that uses the feature.
            feature_id: what is used.
            quantity: how much; negative gives back, for gauges only.
            resource_id: what of the customer's it is for, a workspace or a project; empty: the
                customer itself.
            requested_values: of a config feature that lists its values: all must be granted.
            explain: return where the entitlement comes from; costs several times as much.
            best_effort: take what there is room for, if that is less; `granted` is how much.
            idempotency_key: the caller's own, which makes a repeat of this call safe for as long
                as the server remembers it. Without one the client makes a key for its retries.

        Raises:
            QuotaError: the call was wrong, or no server could decide it.
        """
        consumption = Consumption(
            customer_id,
            feature_id,
            quantity,
            idempotency_key,
            resource_id,
            requested_values,
            explain,
            best_effort,
        )
        return await self._decide(calls.consume_request(self._policy, consumption))

    async def record(
        self,
        customer_id: str,
        feature_id: str,
        quantity: int = 1,
        *,
        resource_id: str = "",
        occurred_at: datetime | None = None,
        idempotency_key: str | None = None,
    ) -> Decision:
        """Count what has happened already, also past the limit; nothing more is admitted then.

        Args:
            customer_id: the customer that has used the feature.
            feature_id: what was used.
            quantity: how much; negative gives back, for gauges only.
            resource_id: what of the customer's it was for; empty: the customer itself.
            occurred_at: when, in UTC without a zone: counted in the periods of that moment, as far
                as their counters are still kept; None: now.
            idempotency_key: as of `consume`.

        Raises:
            QuotaError: the call was wrong, or no server could count it.
        """
        consumption = Consumption(customer_id, feature_id, quantity, idempotency_key, resource_id)
        return await self._decide(calls.record_request(self._policy, consumption, occurred_at))

    async def check(
        self,
        customer_id: str,
        feature_id: str,
        quantity: int = 1,
        *,
        resource_id: str = "",
        requested_values: Sequence[str] = (),
        explain: bool = False,
    ) -> Decision:
        """Decide and count nothing; the arguments are those of `consume`.

        Raises:
            QuotaError: the call was wrong, or no server could decide it.
        """
        consumption = Consumption(
            customer_id,
            feature_id,
            quantity,
            resource_id=resource_id,
            requested_values=requested_values,
            explain=explain,
        )
        return await self._decide(calls.check_request(consumption))

    async def consume_all(
        self,
        customer_id: str,
        items: Items,
        *,
        explain: bool = False,
        idempotency_key: str | None = None,
    ) -> ConsumeAllDecision:
        """Decide several features together, and count all of it or nothing.

        Args:
            customer_id: the customer that uses the features.
            items: quantities by feature id, or `Item`s; at most 16.
            explain: as of `consume`.
            idempotency_key: of the whole, as of `consume`.

        Raises:
            QuotaError: the call was wrong, or no server could decide it.
        """
        steps = calls.consume_all(
            self._policy, customer_id, items, explain=explain, key=idempotency_key
        )
        return await self._run(steps)

    async def check_all(
        self, customer_id: str, items: Items, *, explain: bool = False
    ) -> ConsumeAllDecision:
        """Decide as `consume_all`, and count nothing.

        Raises:
            QuotaError: the call was wrong, or no server could decide it.
        """
        steps = calls.consume_all(
            self._policy, customer_id, items, explain=explain, check_only=True
        )
        return await self._run(steps)

    async def consume_many(self, requests: Sequence[Consumption]) -> list[Decision | QuotaError]:
        """Decide and count independent requests, answered in order; never raises a QuotaError.

        They travel in batches of 1,000, each with the whole timeout; a request that could not be
        decided has its error in its place, also one of a wrong shape (an id that is too long, a
        quantity out of range).
        """
        return await self._run(calls.consume_many(self._policy, requests))

    async def entitlement(
        self, customer_id: str, feature_id: str, resource_id: str = ""
    ) -> Entitlement:
        """What the customer may do with one feature now.

        Raises:
            QuotaError: the call was wrong, or no server could answer it.
        """
        return await self._run(
            calls.entitlement(self._policy, customer_id, feature_id, resource_id)
        )

    async def entitlements(self, customer_id: str, resource_id: str = "") -> Entitlements:
        """What the customer may do with every feature that its plan grants.

        Raises:
            QuotaError: the call was wrong, or no server could answer it.
        """
        return await self._run(calls.entitlements(self._policy, customer_id, resource_id))

    def watch(
        self,
        customer_id: str = "",
        *,
        usage: bool = False,
        position: str = "",
        on_lost: OnLost | None = None,
    ) -> AsyncWatch:
        """Watch what changes, to read again what is kept of it: an iterator without an end.

        The first change is a REFETCH, unless there is a position. A connection that is lost is
        opened again by itself, and nothing is missed: what came meanwhile follows, or a REFETCH.

        Args:
            customer_id: whose changes; empty: every customer's.
            usage: changes of usage as well.
            position: of a change, to go on after it; empty: from now on.
            on_lost: called with why, each time before it is opened again.
        """
        return AsyncWatch(self._open_watch, WatchState(customer_id, usage, position, on_lost))

    def _open_watch(self, request: Any) -> Any:
        return None if self._closed else self._connected().WatchEntitlements(request)

    async def close(self) -> None:
        """Close the connection; calls in flight fail."""
        if self._channel is not None and self._coalescer is not None and self._is_of_this_loop():
            self._coalescer.close()
        await super().close()

    async def _decide(self, request: pb.CheckAndConsumeRequest) -> Decision:
        """Ask about one feature; with what waits beside it, if the client coalesces."""
        tried = None
        if self._coalesce and (payload := shared(request)) is not None:
            ends, timeout_s = time.monotonic() + self._policy.timeout_s, self._policy.timeout_s
            answer = await self._coalesced().call(payload, request.customer_id, timeout_s)
            if not isinstance(answer, QuotaError):
                return answers.decision(answer)
            tried = Tried(ends, answer)
        return await self._run(calls.decide(self._policy, request, tried))

    def _perform(self, step: Step) -> Awaitable[Any]:
        if (
            self._coalesce
            and isinstance(step, Attempt)
            and step.method == DECIDES
            and (payload := shared(step.request)) is not None
        ):
            customer_id: str = step.request.customer_id
            return self._coalesced().call(payload, customer_id, step.timeout_s)
        return self._carry_out(step)

    def _coalesced(self) -> AsyncCoalescer:
        """What sends together, connected at the first call."""
        self._connected()
        if self._coalescer is None:
            self._coalescer = AsyncCoalescer(with_token(BytesStub(self._channel), self._token))
        return self._coalescer
