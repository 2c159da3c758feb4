"""A server that is told to stop answers the calls that are under way, and refuses new ones.

On every front what arrived before the drain is decided within `drain_timeout_ms`, and what arrives
after it is refused and takes nothing. The fast and the grpcio front send all answers of what was
counted. The native front gives them 0.3 s from the last answer on, as it does not know which have
left: there, these tests hold on a machine that does not stall for so long (docs/operating.md).
"""

import threading
from collections.abc import Iterator
from typing import Any

import grpc
import pytest

from quotad.v1 import quota_pb2 as pb
from tests.integration.own_store import OwnStore, own_store
from tests.running import CALL_S, FRONTS, Refusal, Running, eventually, running

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


@pytest.fixture
def store() -> Iterator[OwnStore]:
    with own_store() as made:
        made.start()
        yield made


# grpcio resets a call that arrives at the very end, before anybody has looked at it.
RESET = {"grpcio": {"CANCELLED None: CANCELLED"}}

STOPPING = "UNAVAILABLE NOT_READY: the server is stopping; try again on another one"


def send(server: Running) -> Any:
    request = pb.CheckAndConsumeRequest(customer_id="acme", feature_id="calls")
    return server.quota.CheckAndConsume.future(request, timeout=CALL_S)


@pytest.mark.parametrize("front", FRONTS)
def test_calls_under_way_at_a_stop_are_answered(store: OwnStore, front: str) -> None:
    with running(store.url, "q", front, drain_timeout_ms=20_000) as server:
        server.publish_and_wait(CATALOG)
        server.consume("acme", "calls")
        # Scripts may write, so they wait; everything else goes on.
        store.client.client_pause(60_000, all=False)
        calls = [send(server)]
        blocked(store, 1)
        calls += [send(server) for _ in range(150)]
        blocked(store, 2)

        stop = threading.Thread(target=server.stop)
        stop.start()
        server.wait_ready(False)
        store.client.client_unpause()

        # Those that had not arrived yet were refused; of none the answer was lost.
        refused = [told(call) for call in calls if call.code() != grpc.StatusCode.OK]
        assert {STOPPING, *RESET.get(front, ())} >= set(refused)
        answered = [call.result().used for call in calls if call.code() == grpc.StatusCode.OK]
        assert list(range(2, 2 + len(answered))) == sorted(answered)
        assert len(answered) >= 2
        assert {"calls:life": len(answered) + 1} == server.counters("acme")
        stop.join()


def told(call: Any) -> str:
    return repr(Refusal(call))


def blocked(store: OwnStore, count: int) -> None:
    """Wait until so many decision threads wait for the store."""
    eventually(
        lambda: store.client.info("clients")["blocked_clients"], lambda found: found == count
    )


@pytest.mark.parametrize("front", FRONTS)
def test_no_call_hangs_or_is_lost_while_a_server_stops(store: OwnStore, front: str) -> None:
    with running(store.url, "q", front) as server:
        server.publish_and_wait(CATALOG)
        codes: list[grpc.StatusCode] = []
        started = threading.Event()

        def load() -> None:
            while True:
                call = send(server)
                codes.append(call.code())
                if codes[-1] != grpc.StatusCode.OK:
                    return
                started.set()

        threads = [threading.Thread(target=load) for _ in range(8)]
        for thread in threads:
            thread.start()
        assert started.wait(CALL_S)
        server.stop()
        for thread in threads:
            thread.join()

        reset = {grpc.StatusCode.CANCELLED} if front == "grpcio" else set()
        assert {grpc.StatusCode.OK, grpc.StatusCode.UNAVAILABLE} == set(codes) - reset
        counted = server.counters("acme")["calls:life"]
        assert counted == codes.count(grpc.StatusCode.OK)


@pytest.mark.parametrize("front", FRONTS)
def test_a_store_that_is_away_does_not_hold_up_a_stop(store: OwnStore, front: str) -> None:
    with running(store.url, "q", front, store_timeout_ms=250, drain_timeout_ms=20_000) as server:
        server.publish_and_wait(CATALOG)
        server.consume("acme", "calls")
        store.freeze()
        calls = [send(server) for _ in range(50)]
        server.stop()

        # grpcio resets what it has not read yet when it is stopped.
        reset = {grpc.StatusCode.CANCELLED} if front == "grpcio" else set()
        assert {grpc.StatusCode.UNAVAILABLE} == {call.code() for call in calls} - reset


@pytest.mark.parametrize("front", FRONTS)
def test_a_drain_ends_in_time_also_with_calls_under_way(store: OwnStore, front: str) -> None:
    settings = {"store_timeout_ms": 5_000, "drain_timeout_ms": 100}
    with running(store.url, "q", front, **settings) as server:
        server.publish_and_wait(CATALOG)
        server.consume("acme", "calls")
        store.client.client_pause(60_000, all=False)
        call = send(server)
        blocked(store, 1)
        server.stop()
        store.client.client_unpause()

        assert grpc.StatusCode.UNAVAILABLE == call.code()
