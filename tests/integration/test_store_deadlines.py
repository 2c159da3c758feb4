"""G8: a command ends by its deadline, however the store answers: in drips, in part, or not at all.

The stores here go on for as long as the test does. That a call returns at all is the proof.
"""

import socket
import time
from collections.abc import Callable
from typing import Any

import pytest

from quotad.clock import SyncedClock
from quotad.errors import StoreUnavailable
from quotad.store import Catalogs, KeySpace, Store
from quotad.store.health import Health
from tests.fake_store import FakeStore, fake_store

TIMEOUT_MS = 200

ENDLESS = b"$1000000000\r\n"
"""The start of an answer of which much is to come."""


def drip(store: FakeStore, connection: Any, _: list[bytes]) -> None:
    store.drip(connection, ENDLESS)


def by_link(store: Store) -> None:
    store.connect().time_us(time.monotonic() + store.timeout_s)


def by_pool(store: Store) -> None:
    store.time_ms()


def by_pipeline(store: Store) -> None:
    store.execute_many([("HGET", "a", "b"), ("HGET", "a", "c")], atomic=True)


@pytest.mark.parametrize("tls", [False, True], ids=["tcp", "tls"])
@pytest.mark.parametrize("ask", [by_link, by_pool, by_pipeline])
def test_an_answer_in_endless_drips_is_given_up(ask: Callable[[Store], None], tls: bool) -> None:
    with fake_store(drip, tls=tls) as fake:
        store = Store(fake.url, TIMEOUT_MS)
        try:
            with pytest.raises(StoreUnavailable, match="did not answer in time"):
                ask(store)
        finally:
            store.close()


@pytest.mark.parametrize("user", ["", ":secret@"], ids=["", "signing in"])
@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "no Redis or Valkey"),
        (b"-ERR max number of clients reached\r\n", "ERR max number of clients reached"),
        (b"-LOADING Valkey is loading the dataset in memory\r\n", "is loading"),
    ],
    ids=["http", "too many", "loading"],
)
@pytest.mark.parametrize("ask", [by_link, by_pool, by_pipeline])
def test_what_does_not_serve_now_is_away(
    ask: Callable[[Store], None], answer: bytes, why: str, user: str
) -> None:
    with fake_store(lambda _, connection, __: connection.sendall(answer)) as fake:
        store = Store(fake.url.replace("//", f"//{user}"), 5000)
        try:
            with pytest.raises(StoreUnavailable, match=why):
                ask(store)
        finally:
            store.close()


@pytest.mark.parametrize("ask", [by_link, by_pool])
def test_signing_in_is_given_up_too(ask: Callable[[Store], None]) -> None:
    with fake_store(drip) as fake:
        store = Store(fake.url.replace("//", "//:secret@"), TIMEOUT_MS)
        try:
            with pytest.raises(StoreUnavailable, match="did not answer in time"):
                ask(store)
        finally:
            store.close()


def test_agreeing_on_tls_is_given_up_too() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        store = Store(f"rediss://127.0.0.1:{silent.getsockname()[1]}/0", TIMEOUT_MS)
        try:
            with pytest.raises(StoreUnavailable, match="did not answer in time"):
                by_link(store)
        finally:
            store.close()


@pytest.mark.parametrize("tls", [False, True], ids=["tcp", "tls"])
def test_a_command_that_the_store_does_not_read_is_given_up(tls: bool) -> None:
    def read_no_more(store: FakeStore, connection: Any, _: list[bytes]) -> None:
        connection.sendall(b"+PONG\r\n")
        store.ended.wait()

    with fake_store(read_no_more, tls=tls) as fake:
        store = Store(fake.url, TIMEOUT_MS)
        try:
            link: Any = store.connect()
            assert b"PONG" == link.execute(("PING",), time.monotonic() + 5)

            with pytest.raises(StoreUnavailable, match="did not answer in time"):
                link.execute(("SET", "a", b"x" * 20_000_000), time.monotonic() + store.timeout_s)
        finally:
            store.close()


def test_a_probe_is_given_up_and_the_next_one_starts_afresh() -> None:
    dripping = [True]

    def answer(store: FakeStore, connection: Any, _: list[bytes]) -> None:
        if dripping[0]:
            store.drip(connection, ENDLESS)
        connection.sendall(b"*2\r\n$10\r\n1800000000\r\n$1\r\n0\r\n")

    with fake_store(answer) as fake:
        store = Store(fake.url, TIMEOUT_MS)
        try:
            health = Health(store, SyncedClock())
            assert not health.probe()
            assert "did not answer in time" in health.problem

            dripping[0] = False

            assert health.probe()
        finally:
            store.close()


def test_a_notice_that_never_ends_is_given_up() -> None:
    def answer(store: FakeStore, connection: Any, command: list[bytes]) -> None:
        name = command[1]
        connection.sendall(
            b"*3\r\n$9\r\nsubscribe\r\n$%d\r\n%b\r\n:1\r\n" % (len(name), name)
            + b"*3\r\n$7\r\nmessage\r\n$%d\r\n%b\r\n" % (len(name), name)
        )
        store.drip(connection, ENDLESS)

    with fake_store(answer) as fake:
        store = Store(fake.url, TIMEOUT_MS)
        try:
            notices = Catalogs(store, KeySpace("q", 1), SyncedClock()).notices(0.05)
            with pytest.raises(StoreUnavailable, match="did not answer in time"):
                for _ in notices:
                    pass
            notices.close()  # type: ignore[attr-defined]
        finally:
            store.close()


def test_a_large_answer_has_more_time_for_what_has_arrived() -> None:
    pieces, piece = 30, b"x" * 100_000

    def answer(_: FakeStore, connection: Any, __: list[bytes]) -> None:
        connection.sendall(b"$%d\r\n" % (pieces * len(piece)))
        for _piece in range(pieces):
            connection.sendall(piece)
            time.sleep(0.02)
        connection.sendall(b"\r\n")

    with fake_store(answer) as fake:
        store = Store(fake.url, TIMEOUT_MS)
        try:
            assert piece * pieces == store.execute("GET", "a")
        finally:
            store.close()


def test_a_link_that_opens_again_waits_for_no_name_server(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def pong(_: FakeStore, connection: Any, __: list[bytes]) -> None:
        connection.sendall(b"+PONG\r\n")

    with fake_store(pong) as fake:
        store = Store(fake.url, 5000)
        try:
            store.look_up()
            link: Any = store.connect()
            asked: list[Any] = []
            look_up = socket.getaddrinfo

            def noting(*args: Any, **more: Any) -> Any:
                asked.append(args)
                return look_up(*args, **more)

            monkeypatch.setattr(socket, "getaddrinfo", noting)

            for _ in range(2):
                assert b"PONG" == link.execute(("PING",), time.monotonic() + 5)
                link.close()

            assert not asked
            store.look_up()
            assert 1 == len(asked)
        finally:
            store.close()


def test_a_link_leaves_a_store_that_has_become_a_replica() -> None:
    connections: set[int] = set()

    def answer(_: FakeStore, connection: Any, command: list[bytes]) -> None:
        connections.add(id(connection))
        readonly = b"-READONLY You can't write against a read only replica.\r\n"
        connection.sendall(readonly if command[0] == b"SET" else b"+PONG\r\n")

    with fake_store(answer) as fake:
        store = Store(fake.url, 5000)
        try:
            link: Any = store.connect()
            with pytest.raises(StoreUnavailable, match="READONLY"):
                link.execute(("SET", "a", "b"), time.monotonic() + 5)
            link.execute(("PING",), time.monotonic() + 5)

            assert 2 == len(connections)
        finally:
            store.close()


def test_a_store_that_has_moved_is_found_by_the_pool_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def named(name: bytes) -> Callable[[FakeStore, Any, list[bytes]], None]:
        return lambda _, connection, __: connection.sendall(b"+%b\r\n" % name)

    with fake_store(named(b"first")) as first, fake_store(named(b"second")) as second:
        port = [int(fake.url.rpartition(":")[2].partition("/")[0]) for fake in (first, second)]
        leads_to = [port[0]]

        def look_up(*_: Any, **__: Any) -> Any:
            return [(socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", leads_to[0]))]

        monkeypatch.setattr(socket, "getaddrinfo", look_up)
        store = Store("redis://store:6379", 5000)
        try:
            assert b"first" == store.execute("GET", "a")
            leads_to[0] = port[1]
            assert b"first" == store.execute("GET", "a")

            store.look_up()

            assert b"second" == store.execute("GET", "a")
        finally:
            store.close()
