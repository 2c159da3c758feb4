"""Streams that last, on every front: they go to the server behind."""

import itertools
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from quotad.fronts.interface import Bounds
from quotad.fronts.kinds import is_installed
from tests.fronts.serving import BESIDE, Serving, serving
from tests.running import CALL_S, FRONTS, eventually

MANY = 1000

only_fast = pytest.mark.skipif(
    not is_installed("fast"), reason="the fast front is not installed (make front)"
)


@pytest.fixture(params=FRONTS)
def served(request: pytest.FixtureRequest) -> Iterator[Serving]:
    with serving(request.param) as made:
        yield made


def watch(served: Serving) -> Any:
    stub: Any = health_pb2_grpc.HealthStub(served.channel)
    return stub.Watch(health_pb2.HealthCheckRequest(), timeout=CALL_S, wait_for_ready=True)


def code(stream: Any) -> grpc.StatusCode:
    """What a stream ends with."""
    with pytest.raises(grpc.RpcError) as failed:
        for _ in stream:
            pass
    found: grpc.StatusCode = failed.value.code()
    return found


def test_a_stream_goes_on_until_its_client_cancels_it(served: Serving) -> None:
    served.decide()
    streams = [served.stream() for _ in range(3)]

    assert [[b"\0"] * 50] * 3 == [list(itertools.islice(each, 50)) for each in streams]
    streams[0].cancel()

    eventually(lambda: served.endless.open, lambda count: count == 2)
    assert b"\0" == next(streams[1])
    assert b"0:x" == served.call().result()


def test_a_client_that_does_not_read_holds_up_its_own_stream_only(served: Serving) -> None:
    served.decide()
    size = 100_000
    stream = served.stream(size)
    given: list[int] = []

    def has_stalled() -> bool:
        """Whether nothing was given during a hundred calls."""
        given.append(served.endless.given)
        for _ in range(100):
            assert b"beside:x" == served.call(b"x", BESIDE).result()
        return served.endless.given == given[-1] > 0

    eventually(has_stalled, bool)

    assert served.endless.given < 200, "more than windows and sockets hold"
    assert size == len(next(stream))
    before = served.endless.given
    for _ in range(before + 10):
        assert size == len(next(stream))
    stream.cancel()


def test_a_thousand_streams_are_open_at_once_and_each_hears_of_a_change(served: Serving) -> None:
    served.decide()
    served.front.set_ready(False)
    streams = [watch(served) for _ in range(MANY)]
    status = health_pb2.HealthCheckResponse
    assert {status.NOT_SERVING} == {next(each).status for each in streams}

    served.front.set_ready(True)

    assert {status.SERVING} == {next(each).status for each in streams}
    assert b"beside:x" == served.call(b"x", BESIDE).result()
    for each in streams:
        each.cancel()
    assert b"0:x" == served.call().result()


def test_a_drain_leaves_a_stream_and_a_stop_ends_it(served: Serving) -> None:
    stream = served.stream()
    next(stream)

    served.drain()

    for _ in range(200):  # of which the drain was before most
        next(stream)
    served.stop()
    assert code(stream) in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)
    assert 0 == served.endless.open


@only_fast
def test_an_old_connection_stays_for_its_streams_and_calls_go_elsewhere() -> None:
    with serving("fast", bounds=Bounds(max_connection_age_ms=100)) as served:
        served.decide()
        stream = served.stream()

        def connections() -> int:
            next(stream)
            assert b"0:x" == served.call().result()
            counters: dict[str, int] = served.front.counters()
            return counters["connections"]

        eventually(connections, lambda count: count > 2)
        stream.cancel()


@only_fast
def test_calls_that_are_passed_on_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_module("quotad.fronts.fast"), "CALLS_MAX", 20)
    with serving("fast") as served:
        served.decide()
        streams = [served.stream() for _ in range(20)]
        for each in streams:
            next(each)

        assert grpc.StatusCode.RESOURCE_EXHAUSTED == code(served.stream())
        assert b"0:x" == served.call().result()
        for each in streams:
            each.cancel()
        eventually(
            lambda: served.call(b"x", BESIDE).code(), lambda found: found is grpc.StatusCode.OK
        )
