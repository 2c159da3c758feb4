"""Connections of the HTTP server: slow ones end, and requests under way at a stop are answered."""

import socket
import threading
import uuid
from collections.abc import Iterator
from contextlib import suppress

import pytest

from tests.http.conftest import CATALOG
from tests.http.serving import CALL_S, HttpCaller, HttpRunning, http_running
from tests.integration.own_store import own_store
from tests.running import eventually

BEGUN = [
    b"",
    b"POST /v1/consume HTTP/1.1\r\n",
    b"POST /v1/consume HTTP/1.1\r\nContent-Length: 10\r\n\r\n{",
]


@pytest.mark.parametrize("begun", BEGUN, ids=["nothing", "headers", "body"])
def test_a_request_that_does_not_arrive_whole_ends_its_connection(
    hasty: HttpRunning, begun: bytes
) -> None:
    host, _, port = hasty.address.rpartition(":")
    with socket.create_connection((host, int(port)), CALL_S) as link:
        link.sendall(begun)

        with suppress(ConnectionResetError):
            assert b"" == link.recv(1000)


@pytest.fixture(scope="module")
def hasty(store_url: str) -> Iterator[HttpRunning]:
    with http_running(store_url, f"t-{uuid.uuid4().hex[:12]}", client_timeout_ms=500) as made:
        yield made


def test_a_request_under_way_at_a_stop_is_answered() -> None:
    with own_store() as store:
        store.start()
        with http_running(store.url, "q", drain_timeout_ms=20_000) as served:
            served.publish_and_wait(CATALOG)
            store.client.client_pause(60_000, all=False)
            replies: list[int] = []

            def call() -> None:
                wanted = {"customer_id": "acme", "feature_id": "calls"}
                replies.append(HttpCaller(served.address).post("/v1/consume", wanted).status)

            calling = threading.Thread(target=call)
            calling.start()
            eventually(lambda: store.client.info("clients")["blocked_clients"], lambda n: n > 0)
            stop = threading.Thread(target=served.stop)
            stop.start()
            eventually(lambda: refuses(served.address), bool)
            store.client.client_unpause()
            calling.join()
            stop.join()

            assert [200] == replies
            assert [1] == list(served.grpc.counters("acme").values())


def refuses(address: str) -> bool:
    """Whether no further connection is taken."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), CALL_S).close()
    except ConnectionRefusedError:
        return True
    return False
