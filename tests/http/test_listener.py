"""Connections of the HTTP server: slow ones end, and requests under way at a stop are answered."""

import asyncio
import re
import socket
import threading
import uuid
from collections.abc import Iterator
from contextlib import suppress

import pytest
from starlette.types import Receive, Scope, Send

from quotad.http.listener import HttpListener, ListenerSettings
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


def test_a_connection_without_requests_ends_and_one_that_waits_for_its_answer_does_not() -> None:
    waiting = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/late":
            await waiting.wait()
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    settings = ListenerSettings("127.0.0.1", 0, idle_timeout_s=0.1)
    listener = HttpListener(app, settings, lambda ready: None, lambda: None)
    listener.start()
    host, _, port = listener.address.rpartition(":")
    try:
        with (
            socket.create_connection((host, int(port)), CALL_S) as idle,
            socket.create_connection((host, int(port)), CALL_S) as busy,
        ):
            busy.sendall(b"GET /late HTTP/1.1\r\nHost: a\r\n\r\n")
            idle.sendall(b"GET /soon HTTP/1.1\r\nHost: a\r\n\r\n")
            assert idle.recv(1000).startswith(b"HTTP/1.1 204 ")

            assert b"" == idle.recv(1000)
            listener.loop.call_soon_threadsafe(waiting.set)
            assert busy.recv(1000).startswith(b"HTTP/1.1 204 ")
    finally:
        listener.drain()
        listener.stop()


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


BODY = b'{"customer_id": "%s", "feature_id": "calls"}'


def request(customer: str, *headers: bytes, body: bytes | None = None) -> bytes:
    """A consume as bytes; the last one of a connection has a header that ends it."""
    data = BODY % customer.encode() if body is None else body
    lines = [b"POST /v1/consume HTTP/1.1", b"Host: localhost", *headers]
    if body is None:
        lines.append(b"Content-Length: %d" % len(data))
    return b"\r\n".join(lines) + b"\r\n\r\n" + data


CLOSE = b"Connection: close"


def used(answer: bytes) -> list[int]:
    """What each answer of a connection tells as used."""
    return [int(text) for text in re.findall(rb'"granted":\d+.*?"used":(\d+)', answer)]


def test_requests_that_are_sent_at_once_are_answered_in_order(
    served: HttpRunning, customer: str
) -> None:
    malformed = request(customer).replace(b"feature_id", b"feature_ie")
    whole = request(customer) + malformed + request(customer) * 2 + request(customer, CLOSE)
    answer = served.raw(whole)

    assert [1, 2, 3, 4] == used(answer)
    assert [b"200", b"400", b"200", b"200", b"200"] == re.findall(rb"HTTP/1.1 (\d+)", answer)
    assert 1 == answer.count(b"connection: close")


def test_a_request_may_come_in_pieces_and_in_chunks(served: HttpRunning, customer: str) -> None:
    body = BODY % customer.encode()
    chunked = b"".join(b"1\r\n%c\r\n" % byte for byte in body) + b"0\r\n\r\n"
    answer = served.raw(request(customer, b"Transfer-Encoding: chunked", CLOSE, body=chunked))
    assert [1] == used(answer)

    host, _, port = served.address.rpartition(":")
    with socket.create_connection((host, int(port)), CALL_S) as link:
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in request(customer, CLOSE):
            link.sendall(bytes([byte]))
        assert [2] == used(b"".join(iter(lambda: link.recv(4096), b"")))


def test_a_client_may_ask_before_it_sends_its_body(served: HttpRunning, customer: str) -> None:
    host, _, port = served.address.rpartition(":")
    head, _, body = request(customer, b"Expect: 100-continue", CLOSE).partition(b"\r\n\r\n")
    with socket.create_connection((host, int(port)), CALL_S) as link:
        link.sendall(head + b"\r\n\r\n")
        assert link.recv(1000).startswith(b"HTTP/1.1 100 ")
        link.sendall(body)
        assert [1] == used(b"".join(iter(lambda: link.recv(4096), b"")))


def test_a_large_body_and_an_old_client_are_answered_as_well(
    served: HttpRunning, customer: str
) -> None:
    body = BODY % customer.encode() + b" " * 200_000
    length = b"Content-Length: %d" % len(body)
    assert [1] == used(served.raw(request(customer, length, CLOSE, body=body)))

    old = request(customer).replace(b"HTTP/1.1", b"HTTP/1.0")
    answer = served.raw(old)
    assert [2] == used(answer)
    assert b"connection: close" in answer


def test_a_client_that_does_not_read_takes_no_memory_without_end(
    served: HttpRunning, customer: str
) -> None:
    host, _, port = served.address.rpartition(":")
    with socket.create_connection((host, int(port)), CALL_S) as link:
        link.setblocking(False)
        sent, data = 0, request(customer) * 100
        with suppress(BlockingIOError):
            while sent < 64 * 1024 * 1024:
                sent += link.send(data)

    assert sent < 64 * 1024 * 1024
    assert 200 == served.post("/v1/check", {"customer_id": customer, "feature_id": "calls"}).status
