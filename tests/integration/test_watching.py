"""Both clients and the command line watch, through what connections and servers go through."""

import asyncio
import json
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from typer.testing import CliRunner

from quotad.changes import ChangeKind
from quotad.cli.app import app
from quotad.client import AsyncClient, Client, QuotaError, Watch
from quotad.store.follow import MARGIN_MS
from tests.proxy import Proxy
from tests.running import CALL_S, Running, eventually, running

CATALOG = """
version: 1
default_plan: free
features: {calls: {type: metered}}
plans: {free: {entitlements: {calls: {limit: 100}}}}
"""


@pytest.fixture(scope="module")
def served(store_url: str) -> Iterator[Running]:
    with running(store_url, f"t-{uuid.uuid4().hex[:12]}", "grpcio") as made:
        made.publish_and_wait(CATALOG)
        published_ms = made.store.time_ms()  # of which no later position tells again
        eventually(made.store.time_ms, lambda now_ms: now_ms > published_ms + 2 * MARGIN_MS)
        yield made


@pytest.fixture
def customer() -> str:
    return f"c-{uuid.uuid4().hex[:12]}"


@contextmanager
def watching(client: Client, customer: str, **more: Any) -> Iterator[Watch]:
    """A watch that does not wait for ever for what does not come."""
    with client.watch(customer, **more) as changes:
        timer = threading.Timer(CALL_S, changes.close)
        timer.start()
        try:
            yield changes
        finally:
            timer.cancel()


def test_a_blocking_watch_goes_on_where_it_was_when_its_connection_is_lost(
    served: Running, customer: str
) -> None:
    lost: list[object] = []
    with (
        Proxy(served.server.address) as proxy,
        Client(proxy.address) as client,
        watching(client, customer, on_lost=lost.append) as changes,
    ):
        first = next(changes)
        before = served.provision(customer, "free").epoch
        told = next(changes)
        proxy.cut()
        after = served.provision(customer, "free").epoch  # while nobody listens
        more = next(each for each in changes if each.epoch > before)

    assert (ChangeKind.REFETCH, ChangeKind.CUSTOMER_CHANGED) == (first.kind, told.kind)
    assert [before, after] == [told.epoch, more.epoch]
    assert 1 <= len(lost)
    assert [] == list(changes)


async def test_an_asyncio_watch_goes_on_where_it_was_when_its_connection_is_lost(
    served: Running, customer: str
) -> None:
    with Proxy(served.server.address) as proxy:
        async with (
            asyncio.timeout(CALL_S),
            AsyncClient(proxy.address) as client,
            client.watch(customer) as changes,
        ):
            first = await anext(changes)
            before = (await asyncio.to_thread(served.provision, customer, "free")).epoch
            told = await anext(changes)
            proxy.cut()
            after = (await asyncio.to_thread(served.provision, customer, "free")).epoch
            more = await anext(changes)
            while more.epoch == before:  # which may come twice
                more = await anext(changes)

    assert (ChangeKind.REFETCH, ChangeKind.CUSTOMER_CHANGED) == (first.kind, told.kind)
    assert [before, after] == [told.epoch, more.epoch]


def test_a_position_is_good_for_another_client(served: Running, customer: str) -> None:
    with Client(served.server.address) as client, watching(client, customer) as changes:
        next(changes)
        position = changes.position
    epoch = served.provision(customer, "free").epoch
    with (
        Client(served.server.address) as client,
        watching(client, customer, position=position) as changes,
    ):
        told = next(changes)

    assert (ChangeKind.CUSTOMER_CHANGED, epoch) == (told.kind, told.epoch)


def test_a_wrong_request_ends_the_iteration_with_its_error(served: Running) -> None:
    with Client(served.server.address) as client:
        with pytest.raises(QuotaError, match="position: 'x' is not one"):
            next(client.watch("acme", position="x"))
        with pytest.raises(QuotaError, match="customer_id"):
            next(client.watch("a" * 300))


def test_closing_a_watch_from_another_thread_ends_it(served: Running, customer: str) -> None:
    with Client(served.server.address) as client:
        changes = client.watch(customer)
        next(changes)
        closer = threading.Timer(0.05, changes.close)
        closer.start()

        assert [] == list(changes)


def test_the_command_line_shows_changes(served: Running, customer: str) -> None:
    def watch(*args: str) -> str:
        words = ["watch", *args, "--server", served.server.address]
        result = CliRunner().invoke(app, words)
        assert 0 == result.exit_code, result.output
        return result.output

    [line] = watch(customer, "--first", "1", "--json").splitlines()
    position = json.loads(line)["position"]
    served.provision(customer, "free")
    shown = watch(customer, "--first", "1", "--position", position)

    assert shown.endswith(f"  {customer} has changed (by local)\n")
