"""A client with thousands of calls open, or that gives calls up in bursts, beside patient ones."""

import asyncio
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from typing import Any

import grpc
import grpc.aio
import pytest

from quotad.client import AsyncClient, Client
from quotad.v1 import quota_pb2 as pb
from quotad.v1.quota_pb2_grpc import QuotaServiceStub
from tests.docs.pages import all_blocks
from tests.integration.own_store import OwnStore, own_store
from tests.proxy import Proxy
from tests.running import CALL_S, FRONTS, Caller, eventually, running

CATALOG = """
version: 1
default_plan: free
features:
  calls: {type: metered}
plans:
  free:
    entitlements:
      calls: {limit: 1000000}
"""

REQUEST = pb.CheckAndConsumeRequest(customer_id="hasty", feature_id="calls")


@pytest.fixture
def store() -> Iterator[OwnStore]:
    with own_store() as made:
        made.start()
        yield made


def codes(calls: list[Any]) -> Counter[str]:
    return Counter(call.code().name for call in calls)


@pytest.mark.parametrize("front", FRONTS)
def test_thousands_of_open_calls_fail_neither_themselves_nor_a_bystander(
    store: OwnStore, front: str
) -> None:
    with ExitStack() as stack:
        server = stack.enter_context(running(store.url, "q", front))
        server.publish_and_wait(CATALOG)
        callers = [stack.enter_context(closing(Caller(server.server.address))) for _ in range(6)]
        calls = [
            caller.quota.CheckAndConsume.future(REQUEST, timeout=3 * CALL_S)
            for _ in range(600)
            for caller in callers
        ]
        patient = [server.quota.CheckAndConsume.future(REQUEST, timeout=CALL_S) for _ in range(20)]

        assert {"OK": 20} == codes(patient)
        assert {"OK": 3600} == codes(calls)


def wait_until_sent(proxy: Proxy, customer: bytes, calls: int, closed: int) -> None:
    """Wait for the calls of a customer, or for another connection to be closed than so many."""
    eventually(
        lambda: (proxy.sent.count(customer), proxy.closed_for_resets),
        lambda seen: seen[0] >= calls or seen[1] > closed,
    )


async def give_up_many(proxy: Proxy, call: Callable[[], Any]) -> None:
    """Give calls up in bursts until the server closes their connection for it."""
    before = proxy.closed_for_resets
    deadline = time.monotonic() + CALL_S
    while proxy.closed_for_resets == before:
        assert time.monotonic() < deadline
        with proxy.holding():
            calls = proxy.sent.count(b"hasty") + 100
            hasty = [call() for _ in range(100)]
            # The server may close the connection for the burst before this one, and end its calls.
            await asyncio.to_thread(wait_until_sent, proxy, b"hasty", calls, before)
            for each in hasty:
                each.cancel()
        await asyncio.sleep(0)


class Sync:
    """The client for threads, and raw calls on its connection.

    It tries again as often as by default. Its time is that of a busy machine: the store is frozen
    for as long as the bursts take.
    """

    def __init__(self, address: str) -> None:
        self._client = Client(address, timeout=3 * CALL_S)

    async def consume(self) -> bool:
        decision = await asyncio.to_thread(self._client.consume, "patient", "calls")
        return decision.allowed

    def hasty(self) -> Any:
        return self._client._connection._stub.CheckAndConsume.future(REQUEST, timeout=CALL_S)

    async def close(self) -> None:
        self._client.close()


class Async:
    """The same of the one for asyncio."""

    def __init__(self, address: str) -> None:
        self._client = AsyncClient(address, timeout=3 * CALL_S)

    async def consume(self) -> bool:
        return (await self._client.consume("patient", "calls")).allowed

    def hasty(self) -> Any:
        return self._client._connected().CheckAndConsume(REQUEST, timeout=CALL_S)

    async def close(self) -> None:
        await self._client.close()


class Raw:
    """Stubs with the retries of gRPC that the operating page asks for."""

    def __init__(self, address: str) -> None:
        [documented] = all_blocks("json service config")
        options = [
            ("grpc.service_config", documented.text),
            ("grpc.use_local_subchannel_pool", 1),
        ]
        self._channel = grpc.aio.insecure_channel(address, options)
        self._stub: Any = QuotaServiceStub(self._channel)  # type: ignore[no-untyped-call]

    async def consume(self) -> bool:
        request = pb.CheckAndConsumeRequest(
            customer_id="patient", feature_id="calls", idempotency_key=uuid.uuid4().hex
        )
        return bool((await self._stub.CheckAndConsume(request, timeout=3 * CALL_S)).allowed)

    def hasty(self) -> Any:
        return self._stub.CheckAndConsume(REQUEST, timeout=CALL_S)

    async def close(self) -> None:
        await self._channel.close()


@pytest.mark.parametrize("kind", [Sync, Async, Raw])
async def test_calls_of_a_client_survive_that_others_on_its_connection_are_given_up_in_bursts(
    store: OwnStore, kind: type[Sync] | type[Async] | type[Raw]
) -> None:
    # The store is frozen for as long as the bursts take, which is not to be a failure of the store.
    frozen_ms = int(2 * CALL_S * 1000)
    with (
        running(store.url, "q", "native", store_timeout_ms=frozen_ms) as server,
        Proxy(server.server.address) as proxy,
    ):
        server.publish_and_wait(CATALOG)
        client = kind(proxy.address)
        for burst in range(1, 3):
            assert await client.consume()
            calls = proxy.sent.count(b"patient") + 5
            store.freeze()  # so that these are under way when the connection ends
            patient = [asyncio.create_task(client.consume()) for _ in range(5)]
            await asyncio.to_thread(
                wait_until_sent, proxy, b"patient", calls, proxy.closed_for_resets
            )
            await give_up_many(proxy, client.hasty)
            store.thaw()

            assert all([await each for each in patient])
            assert burst <= proxy.closed_for_resets < proxy.connections
        await client.close()
        # Each was counted once, whichever of its tries did it.
        assert {"calls:life": 12} == server.counters("patient")


def test_every_client_has_a_connection_of_its_own(store: OwnStore) -> None:
    with (
        running(store.url, "q") as server,
        Proxy(server.server.address) as proxy,
        Client(proxy.address) as one,
        Client(proxy.address) as other,
    ):
        server.publish_and_wait(CATALOG)

        assert one.consume("acme", "calls").allowed
        assert other.consume("acme", "calls").allowed
        assert 2 == proxy.connections
