"""A call that was given up takes nothing later, so that its repetition is the only one."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import grpc
import pytest

from quotad.decision import ConsumeRequest
from quotad.errors import AnswerLost, QuotadError, StoreUnavailable
from quotad.store import Store
from tests.deciding import bench
from tests.integration.own_store import OwnStore, own_store
from tests.running import Refusal, eventually, refusal, running

CATALOG = """
version: 1
default_plan: free
features: {calls: {type: metered}}
plans: {free: {entitlements: {calls: {limit: 1}}}}
"""


@pytest.fixture
def store() -> Iterator[OwnStore]:
    with own_store() as made:
        made.start()
        yield made


def scripts_run(store: OwnStore) -> int:
    """How many calls of the counting script the store has carried out."""
    stats = store.client.info("commandstats")
    return sum(stats.get(f"cmdstat_{name}", {}).get("calls", 0) for name in ("evalsha", "eval"))


def test_a_call_that_waited_in_a_stalled_store_takes_nothing_when_it_wakes(
    store: OwnStore,
) -> None:
    with running(store.url, "q", store_timeout_ms=250) as server:
        server.publish_and_wait(CATALOG)
        for _ in range(8):  # every decision thread has its link, and the customer is known
            assert server.consume("acme", "calls", quantity=0).allowed
        before = scripts_run(store)
        store.freeze()
        failed = refusal(lambda: server.consume("acme", "calls", idempotency_key="k"))
        assert "STORE_UNAVAILABLE" == failed.reason

        store.thaw()

        eventually(lambda: scripts_run(store), lambda run: run > before)
        assert {} == server.counters("acme")

        def ask() -> Any:
            try:
                return server.consume("acme", "calls", idempotency_key="k")
            except grpc.RpcError as error:
                return Refusal(error)

        answer = eventually(ask, lambda answer: getattr(answer, "allowed", False))
        assert (False, 1) == (answer.replayed, answer.used)


def test_a_decision_is_made_on_a_store_whose_clock_has_gone_ahead(
    store_url: str, prefix: str
) -> None:
    with bench(store_url, prefix) as made:
        made.publish(CATALOG)
        made.health._clock._offset_ns -= 86_400 * 10**9  # what the store has gained since

        assert made.consume("acme", "calls").allowed


def test_a_call_whose_connection_broke_is_answered_when_it_can_take_nothing_any_more(
    store_url: str, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with bench(store_url, prefix) as made:
        made.publish(CATALOG)
        made.consume("other", "calls")
        slept: list[float] = []
        monkeypatch.setattr(time, "sleep", slept.append)

        def breaks(*_: Any) -> Any:
            raise AnswerLost("the store is not available")

        monkeypatch.setattr(made.engine._link, "run", breaks)
        (answer,) = made.engine.decide([ConsumeRequest("other", "calls")])

        assert isinstance(answer, QuotadError)
        assert not made.health.up
        (wait_s,) = slept
        assert 0 < wait_s <= 10  # what was left of this engine's time for the store


@contextmanager
def breaking_store() -> Iterator[str]:
    """A store that closes the connection at the first ECHO."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            client, _ = server.accept()
            with client:
                while (data := client.recv(4096)) and b"ECHO" not in data:
                    client.sendall(b"+OK\r\n" * data.count(b"*"))

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"redis://127.0.0.1:{server.getsockname()[1]}"
        thread.join()


def test_what_was_sent_is_distinguished_from_what_was_not() -> None:
    with breaking_store() as url:
        store = Store(url, timeout_ms=5000)
        link = store.connect()
        try:
            with pytest.raises(AnswerLost):
                link.read(["ECHO"], time.monotonic() + 5)
        finally:
            link.close()
            store.close()
    store = Store(url, timeout_ms=5000)
    with pytest.raises(StoreUnavailable) as refused:
        store.connect().read(["ECHO"], time.monotonic() + 5)
    assert not isinstance(refused.value, AnswerLost)
    store.close()
