"""The client for asyncio: carries out the steps of `calls` with grpc.aio and `asyncio.sleep`."""

import asyncio
import warnings
from collections.abc import Sequence
from datetime import datetime
from types import TracebackType
from typing import Any, Self, TypeVar

import grpc
import grpc.aio

from quotad.client import calls, errors, target
from quotad.client.aio_slots import AsyncSlotCalls
from quotad.client.calls import Attempt, Consumption, Items, Policy, Step, Steps
from quotad.client.coalescing import AsyncCoalescer, may_share
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
from quotad.v1.quota_pb2_grpc import QuotaServiceStub

_Result = TypeVar("_Result")


class AsyncClient(AsyncCorrecting, AsyncReserving, AsyncLeasing, AsyncSlotCalls):
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
        self._policy = Policy(timeout_s=timeout, retries=retries)
        self._address = address
        self._credentials = credentials
        self._options = target.channel_options(
            address, channel_options, secure=credentials is not None
        )
        # A channel of grpc.aio belongs to the loop that is running when it is made, so it waits
        # for the first call: the client itself may be made anywhere.
        self._channel: grpc.aio.Channel | None = None
        self._stub: Any = None
        self._coalesce = coalesce
        self._token = token
        self._coalescer: AsyncCoalescer | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False

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
        return await self._run(calls.consume(self._policy, consumption))

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
        return await self._run(calls.record(self._policy, consumption, occurred_at))

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
        return await self._run(calls.check(self._policy, consumption))

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

    async def close(self) -> None:
        """Close the connection; calls in flight fail."""
        self._closed = True
        if self._channel is not None:
            if self._coalescer is not None and self._is_of_this_loop():
                self._coalescer.close()
            channel, self._channel, self._stub = self._channel, None, None
            if self._is_of_this_loop():
                await channel.close()
            # Of a loop that has ended nothing is left to wait for.

    async def _run(self, steps: Steps[_Result]) -> _Result:
        try:
            step = next(steps)
            while True:
                answer = await self._perform(step)
                failed = isinstance(answer, QuotaError)
                step = steps.throw(answer) if failed else steps.send(answer)
        except StopIteration as done:
            result: _Result = done.value
            return result

    async def _perform(self, step: Step) -> Any:
        if not isinstance(step, Attempt):
            return await asyncio.sleep(step.seconds)
        stub = self._connected()
        if self._coalescer is not None and may_share(step):
            return await self._coalescer.call(step.request, step.timeout_s)
        try:
            return await getattr(stub, step.method)(step.request, timeout=step.timeout_s)
        except grpc.RpcError as error:
            return errors.from_rpc(error)

    def _connected(self) -> Any:
        if self._closed:
            raise RuntimeError("the client is closed")
        if self._channel is not None and not self._is_of_this_loop():
            raise RuntimeError(
                "this AsyncClient belongs to the event loop of its first call; make one per loop"
            )
        if self._channel is None:
            self._loop = asyncio.get_running_loop()
            self._channel = (
                grpc.aio.insecure_channel(self._address, self._options)
                if self._credentials is None
                else grpc.aio.secure_channel(self._address, self._credentials, self._options)
            )
            stub = QuotaServiceStub(self._channel)  # type: ignore[no-untyped-call]
            self._stub = with_token(stub, self._token)
            self._coalescer = AsyncCoalescer(self._stub) if self._coalesce else None
        return self._stub

    def _is_of_this_loop(self) -> bool:
        return self._loop is asyncio.get_running_loop()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    def __del__(self) -> None:
        if getattr(self, "_channel", None) is not None:
            warnings.warn(f"client of {self._address} was never closed", ResourceWarning, 2)

    def __repr__(self) -> str:
        return f"AsyncClient({self._address!r})"
