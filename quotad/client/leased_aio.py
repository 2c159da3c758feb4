"""The client that decides in the caller's process, from leases, for asyncio."""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import grpc

from quotad.client.aio import AsyncClient
from quotad.client.blocking import Connection
from quotad.client.results import Decision
from quotad.client.tranche import Seconds, Tranche, boottime
from quotad.client.tranches import LOOK_S, TRANCHE, Tranches, register
from quotad.v1.quota_pb2_grpc import QuotaServiceStub

_log = logging.getLogger("quotad.client")


class AsyncLeasedClient(AsyncClient):
    """Decides from leases where it can, and asks the server for the rest; of one event loop.

    Args:
        address: as of `AsyncClient`, and all that follows but `tranche`.
        tranche: most units of one feature of one customer that are leased at a time.
        timeout: seconds.
        retries: further tries.
        credentials: for TLS.
        channel_options: gRPC channel arguments.
        coalesce: send calls that wait at the same time as one message.
        token: as of the other client.
        clock: seconds, that never jump and go on while the machine sleeps.
    """

    def __init__(
        self,
        address: str = "127.0.0.1:50051",
        *,
        tranche: int = TRANCHE,
        timeout: float = 1.0,
        retries: int = 2,
        credentials: grpc.ChannelCredentials | None = None,
        channel_options: Sequence[tuple[str, Any]] = (),
        coalesce: bool = False,
        token: str = "",
        clock: Seconds = boottime,
    ) -> None:
        self._begin(tranche, clock)
        super().__init__(
            address,
            timeout=timeout,
            retries=retries,
            credentials=credentials,
            channel_options=channel_options,
            coalesce=coalesce,
            token=token,
        )
        register(self)

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

        A call with nothing but ids and a quantity above 0 is decided here when a lease has room for
        it, and then is a `LocalDecision`. The arguments are those of `AsyncClient.consume`.

        Raises:
            QuotaError: the call was wrong, or no server could decide it.
        """
        plain = idempotency_key is None and not (explain or best_effort or requested_values)
        # What is no whole number is the server's to refuse, 2.0 and True among it.
        if plain and type(quantity) is int and quantity > 0:
            tranche = self._by_name.get((customer_id, feature_id, resource_id))
            if tranche is not None:
                decision = tranche.take(quantity)
                if decision is not None:
                    return decision
            self._missed((customer_id, feature_id, resource_id), quantity)
        return await super().consume(
            customer_id,
            feature_id,
            quantity,
            resource_id=resource_id,
            requested_values=requested_values,
            explain=explain,
            best_effort=best_effort,
            idempotency_key=idempotency_key,
        )

    async def close(self) -> None:
        """Return what is leased and not spent, and close the connection."""
        self._stopping = True
        if self._channel is not None and self._is_of_this_loop():
            self._wake.set()
            if self._task is not None:
                with suppress(asyncio.CancelledError):
                    await self._task
            for tranche in list(self._by_name.values()):
                await self._run(tranche.give_back(self._policy))
                if tranche.lease_id:
                    break  # no server answers; what is left counts as used
        await super().close()

    def give_all_back(self) -> None:
        """Return what is leased and not spent, once the event loop has ended."""
        held = [tranche for tranche in self._by_name.values() if tranche.lease_id]
        if not held or self._stopping:
            return
        self._stopping = True
        connection = Connection(self._address, QuotaServiceStub, self._credentials, self._options)
        try:
            for tranche in held:
                connection.run(tranche.give_back(self._policy))
                if tranche.lease_id:
                    break
        finally:
            connection.close()

    def drop_all(self) -> None:
        """Forget what is leased: another process holds it."""
        self._begin(self._tranches.most, self._tranches.clock)

    def _begin(self, most: int, clock: Seconds) -> None:
        self._wake = asyncio.Event()
        self._tranches = Tranches(most, self._wake.set, clock)
        self._by_name = self._tranches.by_name
        self._task: asyncio.Task[None] | None = None
        self._stopping = False

    def _missed(self, name: tuple[str, str, str], quantity: int) -> None:
        if self._stopping:
            return
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._tend())
        self._tranches.miss(name, quantity)

    async def _tend(self) -> None:
        """Tend what is due, until the client stops."""
        tranches, wake, loop = self._tranches, self._wake, asyncio.get_running_loop()
        looked = tranches.clock()
        while not self._stopping:
            # Not `wait_for`: before Python 3.12 it may swallow that the task is cancelled.
            wait_s = tranches.wait_s
            timer = None if wait_s is None else loop.call_later(wait_s, wake.set)
            await wake.wait()
            wake.clear()
            if timer is not None:
                timer.cancel()
            await self._tend_each(tranches.urgent())
            if tranches.clock() - looked >= LOOK_S:
                await self._tend_each(tranches.due())
                looked = tranches.clock()

    async def _tend_each(self, tranches: list[Tranche]) -> None:
        for tranche in tranches:
            if self._stopping:
                return
            try:
                await self._run(tranche.tend(self._policy))
            except Exception:  # noqa: BLE001 (others are due as well)
                _log.exception("a lease was not tended")
