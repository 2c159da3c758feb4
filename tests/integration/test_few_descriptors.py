"""Clients that use up a server's descriptors do not stop the calls of others."""

import resource
import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import grpc
import pytest

from quotad.server.descriptors import (
    OWN,
    room_for_clients,
    set_limit,
    warn_if_few,
)
from quotad.v1 import quota_pb2
from tests.integration.own_store import OwnStore, own_store
from tests.integration.processes import ServerProcess, serve
from tests.processes import children_of
from tests.running import FRONTS, Caller, eventually

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
        [worker] = children_of(server.process.pid)
        resource.prlimit(worker.number, resource.RLIMIT_NOFILE, (100, 100))
        host, _, port = server._address.rpartition(":")
        # Some are accepted, and as many wait to be as the system lets wait.
        for _ in range(130):
            stack.enter_context(socket.create_connection((host, int(port)), timeout=20))

        assert all(may_consume(server) for _ in range(20))

        for _ in range(3):
            store.client.client_kill_filter(_type="normal", skipme=True)
            eventually(lambda: may_consume(server), bool)


def test_the_limit_of_descriptors_is_what_the_connections_that_are_allowed_need() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(256, before[1]), before[1]))

        for connections_max in (1_000_000_000, 2_000, 20):
            limit = set_limit(connections_max)

            in_force = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
            assert in_force == limit == min(before[1], OWN + connections_max)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_the_native_front_lets_connections_beyond_the_cap_wait_until_others_are_closed(
    store: OwnStore,
) -> None:
    with ExitStack() as stack:
        server = stack.enter_context(serve(store.url, "q", "native", max_connections=5))
        server.publish(CATALOG)
        server.wait_ready()
        host, _, port = server._address.rpartition(":")
        # What a worker does not need itself of its own share is left for clients, too.
        idle = [
            stack.enter_context(socket.create_connection((host, int(port)), timeout=20))
            for _ in range(OWN + 20)
        ]
        [worker] = children_of(server.process.pid)
        files = Path(f"/proc/{worker.number}/fd")
        eventually(lambda: len(list(files.iterdir())), lambda found: found >= OWN)
        with closing(Caller(server._address)) as late:
            request = quota_pb2.CheckAndConsumeRequest(customer_id="acme", feature_id="calls")
            call = late.quota.CheckAndConsume.future(request, timeout=20, wait_for_ready=True)
            assert may_consume(server)
            assert not call.done()
            assert len(list(files.iterdir())) <= OWN + 5

            for each in idle:
                each.close()

            assert call.result().allowed


@pytest.mark.parametrize("front", [front for front in FRONTS if front.values != ("native",)])
def test_connections_beyond_the_cap_are_refused_until_others_are_closed(
    store: OwnStore, front: str
) -> None:
    with ExitStack() as stack:
        server = stack.enter_context(serve(store.url, "q", front, max_connections=5))
        server.publish(CATALOG)
        server.wait_ready()
        host, _, port = server._address.rpartition(":")
        made = [
            stack.enter_context(socket.create_connection((host, int(port)), timeout=20))
            for _ in range(20)
        ]

        # The server greets those that it takes; one connection is this test's own.
        assert [True] * 4 + [False] * 16 == [_was_greeted(each) for each in made]
        assert may_consume(server)
        with closing(Caller(server._address)) as late:
            request = quota_pb2.CheckAndConsumeRequest(customer_id="acme", feature_id="calls")
            with pytest.raises(grpc.RpcError, match="UNAVAILABLE"):
                late.quota.CheckAndConsume(request, timeout=20)

            made[0].close()

            assert late.quota.CheckAndConsume(request, timeout=20, wait_for_ready=True).allowed


def _was_greeted(connection: socket.socket) -> bool:
    try:
        return bool(connection.recv(1))
    except ConnectionError:
        return False


def test_a_low_limit_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    warn_if_few(1024, 10_000)
    warn_if_few(256, 96)
    assert not caplog.records

    warn_if_few(256, 10_000)

    assert "256 file descriptors, enough for about 96 connections" in caplog.text


def test_clients_have_what_a_worker_does_not_need_itself() -> None:
    assert 1024 - OWN == room_for_clients(1024)
    assert 1 == room_for_clients(64)
