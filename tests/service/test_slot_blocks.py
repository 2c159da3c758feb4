"""Slots that are held while a block runs, with both clients."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

import pytest

from quotad.client import AsyncClient, Client, QuotaDenied, QuotaError, QuotaServerError
from tests.running import Running, eventually

CATALOG = """
version: 1
default_plan: free
features:
  exports: {type: metered, kind: concurrency}
  calls: {type: metered}
plans:
  free: {entitlements: {exports: {limit: 1}, calls: {limit: 10, per: year}}}
"""


@pytest.fixture
def published(served: Running) -> Running:
    served.publish_and_wait(CATALOG)
    return served


def new_client(served: Running, **settings: Any) -> Client:
    return Client(served.server.address, timeout=10.0, **settings)


def new_async(served: Running) -> AsyncClient:
    return AsyncClient(served.server.address, timeout=10.0)


async def eventually_async(ask: Callable[[], Awaitable[Any]], wanted: Callable[[Any], bool]) -> Any:
    ends = time.monotonic() + 20
    while not wanted(answer := await ask()):
        assert time.monotonic() < ends, f"still {answer!r}"
        await asyncio.sleep(0.01)
    return answer


def test_a_slot_is_held_while_the_block_runs(published: Running, customer: str) -> None:
    with new_client(published) as client:
        with client.slot(customer, "exports", also={"calls": 2}) as slot:
            assert (True, False) == (slot.allowed, slot.lost)
            (held,) = client.list_slots(customer, "exports")
            assert slot.slot_id == held.slot_id
            full = client.slot(customer, "exports")
            denied = "the slot was denied: LIMIT_EXCEEDED; try again"
            with pytest.raises(QuotaDenied, match=denied), full:
                pytest.fail("there is no slot for this block")
        assert not slot.lost
        assert [] == list(client.list_slots(customer, "exports"))
        assert 2 == client.check(customer, "calls").used


async def test_a_slot_is_held_while_an_async_block_runs(published: Running, customer: str) -> None:
    async with new_async(published) as client:
        async with client.slot(customer, "exports", also={"calls": 2}) as slot:
            assert (True, False) == (slot.allowed, slot.lost)
            (held,) = await client.list_slots(customer, "exports")
            assert slot.slot_id == held.slot_id
            with pytest.raises(QuotaDenied, match="the slot was denied: LIMIT_EXCEEDED") as denied:
                async with client.slot(customer, "exports"):
                    pytest.fail("there is no slot for this block")
            assert denied.value.answer.decision.retry_after is not None
        assert not slot.lost
        assert [] == list(await client.list_slots(customer, "exports"))


def test_what_comes_with_a_slot_may_be_what_denies_it(published: Running, customer: str) -> None:
    with new_client(published) as client:
        slot = client.slot(customer, "exports", also={"calls": 11})
        with (
            pytest.raises(QuotaDenied, match=r"also\[0\] was denied: LIMIT_EXCEEDED") as denied,
            slot,
        ):
            pytest.fail("there is no slot for this block")
        assert not isinstance(denied.value, QuotaError)
        assert [] == list(client.list_slots(customer, "exports"))


def test_a_slot_is_released_when_the_block_fails(published: Running, customer: str) -> None:
    with new_client(published) as client:
        with pytest.raises(ZeroDivisionError), client.slot(customer, "exports"):
            raise ZeroDivisionError
        assert [] == list(client.list_slots(customer, "exports"))


def test_a_slot_is_extended_while_the_block_runs(published: Running, customer: str) -> None:
    def ends(client: Client) -> datetime:
        (held,) = client.list_slots(customer, "exports")
        return held.expires_at

    with new_client(published) as client, client.slot(customer, "exports", ttl=1.5) as slot:
        assert slot.answer is not None
        first = slot.answer.expires_at
        later = eventually(lambda: ends(client), lambda now: now != first)
        eventually(lambda: ends(client), lambda now: now != later)
        assert not slot.lost


async def test_a_slot_is_extended_while_an_async_block_runs(
    published: Running, customer: str
) -> None:
    async with (
        new_async(published) as client,
        client.slot(customer, "exports", ttl=1.5) as slot,
    ):

        async def ends() -> datetime:
            (held,) = await client.list_slots(customer, "exports")
            return held.expires_at

        assert slot.answer is not None
        first = slot.answer.expires_at
        later = await eventually_async(ends, lambda now: now != first)
        await eventually_async(ends, lambda now: now != later)
        assert not slot.lost


def test_a_slot_that_was_taken_away_is_lost(published: Running, customer: str) -> None:
    with new_client(published) as client, client.slot(customer, "exports", ttl=1.0) as slot:
        client.release_slot(customer, slot.slot_id)

        assert eventually(lambda: slot.lost, bool)
        with client.slot(customer, "exports"):
            assert not slot.release()


async def test_an_async_slot_that_was_taken_away_is_lost(published: Running, customer: str) -> None:
    async with (
        new_async(published) as client,
        client.slot(customer, "exports", ttl=1.0) as slot,
    ):
        await client.release_slot(customer, slot.slot_id)

        async def lost() -> bool:
            return slot.lost

        assert await eventually_async(lost, bool)


def test_a_slot_without_a_block_is_asked_for_and_left(published: Running, customer: str) -> None:
    with new_client(published) as client:
        slot = client.slot(customer, "exports", slot_id="mine")
        assert ("", False, False) == (slot.slot_id, slot.allowed, slot.release())
        assert slot.acquire().allowed
        other = client.slot(customer, "exports")
        assert not other.acquire().allowed
        assert not other.release()
        assert slot.release()
        assert not slot.release()
        with pytest.raises(RuntimeError, match="a slot is acquired once"):
            slot.acquire()
        with pytest.raises(QuotaServerError, match="'mine' is not held any more"):
            client.slot(customer, "exports", slot_id="mine").acquire()


async def test_a_block_that_cannot_be_entered_for_want_of_a_server_raises_its_error() -> None:
    nowhere = "127.0.0.1:1"
    with Client(nowhere, timeout=0.2) as client, pytest.raises(QuotaError):
        client.slot("acme", "exports").acquire()
    async with AsyncClient(nowhere, timeout=0.2) as waiting:
        with pytest.raises(QuotaError):
            await waiting.slot("acme", "exports").acquire()


def test_a_client_that_is_closed_in_a_block_leaves_the_slot_to_its_end(
    published: Running, customer: str
) -> None:
    client = new_client(published)
    slot = client.slot(customer, "exports", ttl=1.0)
    slot.acquire()

    client.close()

    assert eventually(lambda: slot.lost, bool)
    with new_client(published) as another:
        assert eventually(lambda: another.acquire_slot(customer, "exports").allowed, bool)


def test_a_slot_that_is_dropped_ends_by_itself(published: Running, customer: str) -> None:
    with new_client(published) as client:
        client.slot(customer, "exports", ttl=1.0).acquire()

        assert eventually(lambda: client.acquire_slot(customer, "exports").allowed, bool)


async def test_an_async_slot_that_is_dropped_ends_by_itself(
    published: Running, customer: str
) -> None:
    async with new_async(published) as client:
        await client.slot(customer, "exports", ttl=1.0).acquire()

        async def allowed() -> bool:
            return (await client.acquire_slot(customer, "exports")).allowed

        assert await eventually_async(allowed, bool)
