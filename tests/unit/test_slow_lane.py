"""Calls for customers of a slow server wait apart, and are all answered."""

import threading
from collections.abc import Callable, Sequence

import pytest

from quotad.errors import TOO_LONG, QuotadError
from quotad.fronts.interface import Answer, Call
from quotad.server.decider import Decider
from quotad.server.slow_lane import SlowLane
from quotad.service.quota import METHODS
from quotad.service.whom import customers_of
from quotad.v1 import quota_pb2 as pb


class Front:
    """Gives each of its batches to one thread, and keeps what is answered."""

    def __init__(self, *batches: list[Call]) -> None:
        self._batches = list(batches)
        self.answers: list[Answer] = []

    def recv_batch(self, calls_max: int) -> list[Call] | None:
        return self._batches.pop(0) if self._batches else None

    def answer(self, answers: Sequence[Answer]) -> None:
        self.answers += answers


class Service:
    """Answers with its name, when it may."""

    def __init__(self, name: bytes) -> None:
        self._name = name
        self.may = threading.Event()

    def answer(self, calls: Sequence[Call]) -> list[list[Answer]]:
        assert self.may.wait(20)
        return [[(call.call_id, self._name) for call in calls]]

    def close(self) -> None:
        pass


def names(call: Call) -> list[str]:
    return call.request.decode().split()


def lane_of(
    front: Front, patience_s: float = 60, slow: Callable[[str], bool] | None = "s".__eq__
) -> SlowLane:
    return SlowLane(front, 1, patience_s, lambda: slow, names)


def test_calls_for_slow_customers_wait_apart_and_all_are_answered_before_the_end() -> None:
    requests = [b"a", b"s", b"a b s", b"b", b"s"]
    front = Front([Call(i, 0, request) for i, request in enumerate(requests)])
    usual, apart = Service(b"usual"), Service(b"apart")
    lane = lane_of(front)
    threads = [Decider(0, usual, front, 100, lane), Decider(1, apart, lane, 2)]
    usual.may.set()
    for thread in threads:
        thread.start()
    threads[0].join(20)  # the other waits for its server
    first = sorted(call_id for call_id, _ in front.answers)
    apart.may.set()
    threads[1].join(20)

    assert [0, 3] == first
    assert {0: b"usual", 3: b"usual", 1: b"apart", 2: b"apart", 4: b"apart"} == dict(front.answers)
    assert [False, False] == [thread.is_alive() for thread in threads]


def test_calls_that_have_waited_too_long_are_refused_and_never_sent() -> None:
    front = Front()
    lane = lane_of(front, patience_s=-1)
    lane.take_slow([Call(7, 0, b"s")])
    lane.leave()

    assert lane.recv_batch(10) is None
    assert [(7, TOO_LONG)] == front.answers
    assert isinstance(TOO_LONG, QuotadError)
    assert TOO_LONG.retry_after_ms


def test_while_no_server_is_slow_nothing_is_looked_at() -> None:
    calls = [Call(0, 0, b"s")]

    assert calls is lane_of(Front(), slow=None).take_slow(calls)


@pytest.mark.parametrize("path", METHODS)
def test_every_method_shows_whom_it_is_about(path: str) -> None:
    name = path.rpartition("/")[2]
    request = getattr(pb, f"{name}Request")()
    if name == "BatchCheckAndConsume":
        request.requests.add(customer_id="a")
        request.requests.add(customer_id="b")
    else:
        request.customer_id = "a"
    sent = request.SerializeToString()

    found = customers_of(Call(1, METHODS.index(path), sent))

    assert (["a", "b"] if name == "BatchCheckAndConsume" else ["a"]) == list(found)
    assert () == customers_of(Call(1, METHODS.index(path), b"\xff"))
