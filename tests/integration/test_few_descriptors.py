"""Clients that use up a server's descriptors do not stop the calls of others."""

import resource
import socket
from collections.abc import Iterator
from contextlib import ExitStack

import grpc
import pytest

from quotad.server.descriptors import (
    LIMIT_MAX,
    OWN,
    raise_limit,
    room_for_clients,
    warn_if_few,
)
from tests.integration.own_store import OwnStore, own_store
from tests.integration.processes import ServerProcess, serve
from tests.running import FRONTS, eventually

CATALOG = """
version: 1
default_plan: free
features: {calls: {type: metered}}
plans: {free: {entitlements: {calls: {limit: 1000000}}}}
"""


@pytest.fixture
def store() -> Iterator[OwnStore]:
    with own_store() as made:
        made.start()
        yield made


def may_consume(server: ServerProcess) -> bool:
    try:
        return bool(server.consume("acme", "calls").allowed)
    except grpc.RpcError:
        return False


@pytest.mark.parametrize("front", FRONTS)
def test_a_server_without_descriptors_goes_on_and_reaches_its_store_again(
    store: OwnStore, front: str
) -> None:
    with ExitStack() as stack:
        server = stack.enter_context(serve(store.url, "q", front, store_timeout_ms=1000))
        server.publish(CATALOG)
        server.wait_ready()
        assert may_consume(server)
        resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (100, 100))
        host, _, port = server._address.rpartition(":")
        # Some are accepted, and as many wait to be as the system lets wait.
        for _ in range(130):
            stack.enter_context(socket.create_connection((host, int(port)), timeout=20))

        assert all(may_consume(server) for _ in range(20))

        for _ in range(3):
            store.client.client_kill_filter(_type="normal", skipme=True)
            eventually(lambda: may_consume(server), bool)


def test_the_limit_of_descriptors_is_raised_to_what_the_system_allows() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(256, before[1]), before[1]))

        limit = raise_limit()

        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == limit == min(before[1], LIMIT_MAX)
        assert limit == raise_limit()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_a_low_limit_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    warn_if_few(1024)
    assert not caplog.records

    warn_if_few(256)

    assert "256 file descriptors, enough for about 96 connections" in caplog.text


def test_clients_have_what_a_worker_does_not_need_itself() -> None:
    assert 1024 - OWN == room_for_clients(1024)
    assert 1 == room_for_clients(64)
