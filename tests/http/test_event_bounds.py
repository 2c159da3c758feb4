"""Streams of changes that are asked for wrongly or too often, and readers and servers that stop."""

import socket
import uuid
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from quotad.config import Config
from quotad.feed import hub
from quotad.server.tokens import token_operations
from quotad.store import KeySpace, Store, scripts
from quotad.store.events import kept
from quotad.tokens.record import WantedToken
from quotad.tokens.roles import TokenRole
from tests.http.conftest import CATALOG
from tests.http.events import EventStream
from tests.http.serving import HttpRunning, http_running
from tests.integration.own_store import own_store
from tests.running import eventually

APP = "https://app.example"


@pytest.fixture(scope="module")
def few(store_url: str) -> Iterator[HttpRunning]:
    """A server for few listeners."""
    prefix = f"t-{uuid.uuid4().hex[:12]}"
    bounds = {"max_listeners": 3, "max_listeners_per_caller": 2}
    with http_running(store_url, prefix, cors_origins=(APP,), **bounds) as made:
        made.publish_and_wait(CATALOG)
        yield made


def listeners(running: HttpRunning) -> int:
    return running.server._parts.feed.listeners


def test_more_streams_than_a_caller_may_have_are_refused_until_one_ends(
    few: HttpRunning, customer: str
) -> None:
    with ExitStack() as stack:
        streams = [
            stack.enter_context(EventStream(few.address, customer_id=customer)) for _ in range(2)
        ]
        assert [200, 200] == [each.status for each in streams]
        for _ in range(50):  # a flood
            with EventStream(few.address, customer_id=customer) as refused:
                assert (503, "BUSY") == (refused.status, refused.body()["reason"])
                assert "1" == refused.answer.headers["retry-after"]
        wanted = {"customer_id": customer, "feature_id": "calls"}
        assert 200 == few.post("/v1/consume", wanted).status
        assert 2 == listeners(few)

        streams[0].close()
        eventually(lambda: listeners(few), lambda left: left == 1)
        with EventStream(few.address, customer_id=customer) as another:
            assert "REFETCH" == another.next().type
    eventually(lambda: listeners(few), lambda left: left == 0)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("position=x%20y", "position"),
        ("position=" + "f" * 13, "position"),
        ("customer_id=" + "a" * 300, "customer_id"),
        ("customer_id=%00", "customer_id"),
        ("customer_id=a&customer_id=b", "customer_id"),
        ("customer=a", "customer"),
        ("usage=perhaps", "usage"),
        ("usage=%ff", "query"),
    ],
)
def test_a_wrong_request_is_refused_before_a_stream_begins(
    few: HttpRunning, query: str, field: str
) -> None:
    reply = few.get(f"/v1/events?{query}")

    assert (400, "INVALID_REQUEST") == (reply.status, reply.body["reason"])
    assert reply.body["detail"].startswith(f"{field}:")
    assert 0 == listeners(few)


def test_other_methods_do_not_begin_a_stream(few: HttpRunning) -> None:
    assert 405 == few.post("/v1/events", {}).status
    reply = few.send("HEAD", "/v1/events")
    assert (200, "text/event-stream; charset=utf-8") == (
        reply.status,
        reply.headers["content-type"],
    )
    assert 0 == listeners(few)


def test_a_page_of_an_allowed_origin_may_read_a_stream_and_another_may_not(
    few: HttpRunning, customer: str
) -> None:
    asked = {
        "Origin": APP,
        "Access-Control-Request-Method": "GET",
        "Access-Control-Request-Headers": "x-api-key, x-customer-key, last-event-id",
    }
    told = few.send("OPTIONS", "/v1/events", None, asked)
    assert (200, APP) == (told.status, told.headers["access-control-allow-origin"])

    for origin, allowed in ((APP, APP), ("https://evil.example", None)):
        with EventStream(few.address, {"Origin": origin}, customer_id=customer) as events:
            assert 200 == events.status
            assert allowed == events.answer.headers["access-control-allow-origin"]
            assert "no-store" == events.answer.headers["cache-control"]


def test_a_server_that_stops_ends_its_streams(store_url: str, customer: str) -> None:
    with http_running(store_url, f"t-{uuid.uuid4().hex[:12]}") as made:
        made.publish_and_wait(CATALOG)
        with EventStream(made.address, customer_id=customer) as events:
            events.next()
            assert 500 <= events.retry_ms <= 3000
            made.stop()

            last = events.rest()[-1]
    assert ("end", "NOT_READY") == (last.type, last.data["reason"])


def test_an_idle_stream_gets_later_positions(
    few: HttpRunning, customer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "HEARTBEAT_S", 0.02)
    with EventStream(few.address, customer_id=customer) as events:
        first = events.next().position
        later = eventually(events.any, lambda told: int(told.position, 16) > int(first, 16))

    assert ("", None) == (later.type, later.data)


def test_a_listener_that_does_not_read_holds_up_no_other_and_is_to_read_again(
    few: HttpRunning, store_url: str, customer: str
) -> None:
    with socket.socket() as slow, EventStream(few.address) as other:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        host, _, port = few.address.rpartition(":")
        slow.connect((host, int(port)))
        slow.sendall(f"GET /v1/events HTTP/1.1\r\nhost: {host}\r\n\r\n".encode())
        other.next()
        eventually(lambda: listeners(few), lambda left: left == 2)
        keys = KeySpace(few.grpc.config.prefix, few.grpc.config.shards)
        store = Store(store_url, 5000)
        long_id = "x" * 250
        call = ([keys.customer(customer).events], [*kept(), "customer", long_id, "epoch", 1])
        for _ in range(80):  # until what the kernel holds for it is full
            store.run_many(scripts.load("note_change"), [call] * 150)
            for _ in range(150):
                assert "CUSTOMER_CHANGED" == other.next().type
        store.close()
        received = b""
        slow.settimeout(20)
        while b"event: REFETCH" not in received[1000:]:
            received += slow.recv(1 << 20)
    assert b"event: CUSTOMER_CHANGED" in received


def test_a_stream_outlives_the_store_and_is_to_read_again_what_that_has_lost(
    customer: str,
) -> None:
    with own_store() as store:
        store.start()
        with http_running(store.url, "t", store_timeout_ms=500) as made:
            made.publish_and_wait(CATALOG)
            with EventStream(made.address, customer_id=customer) as events:
                events.next()
                made.grpc.provision(customer, "free")
                assert "CUSTOMER_CHANGED" == events.next().type
                store.kill()
                store.start()  # without anything

                assert "REFETCH" == events.next().type
                made.publish_and_wait(CATALOG)
                assert "CATALOG_CHANGED" == events.next().type


def test_streams_that_began_without_a_token_end_when_there_is_one(
    store_url: str, customer: str
) -> None:
    prefix = f"t-{uuid.uuid4().hex[:12]}"
    with http_running(store_url, prefix) as made:
        made.publish_and_wait(CATALOG)
        config = Config(redis_url=store_url, prefix=prefix, shards=8)
        with (
            EventStream(made.address, customer_id=customer) as events,
            token_operations(config) as operations,
        ):
            events.next()
            operations.create(WantedToken("first", TokenRole.ADMIN))

            last = events.rest()[-1]
    assert ("end", "UNAUTHENTICATED") == (last.type, last.data["reason"])
