"""Which calls of a coalescing client leave together, and when."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quotad.client.coalescing import LOOK_MAX, CallQueue, Lane, message_of
from quotad.decision import BATCH_MAX
from quotad.v1 import quota_pb2 as pb


@dataclass
class Call:
    """One that waits."""

    customer_id: str
    number: int = 0
    gave_up: bool = False
    payload: bytes = b""

    def has_given_up(self) -> bool:
        return self.gave_up


def waiting(*customers: str) -> CallQueue[Call, Lane]:
    queue: CallQueue[Call, Lane] = CallQueue(Lane(), Lane())
    queue.waiting.extend(Call(each) for each in customers)
    return queue


def taken(queue: CallQueue[Call, Lane], place: int) -> str:
    return "".join(call.customer_id for call in queue.take(queue.lanes[place]))


@pytest.mark.parametrize(
    ("calls", "first", "second", "left"),
    [
        ("", "", "", ""),
        ("a", "a", "", ""),
        ("aaaa", "aaaa", "", ""),  # they cannot be in two messages, so why wait
        ("abcd", "ab", "cd", ""),
        ("abcde", "abc", "de", ""),
        ("abcabc", "abcabc", "", ""),
        ("abcdab", "abcab", "d", ""),
        ("abca", "aba", "c", ""),
        ("abcdefcd", "abcdcd", "ef", ""),
    ],
)
def test_a_message_has_half_of_the_calls_and_all_of_its_customers(
    calls: str, first: str, second: str, left: str
) -> None:
    queue = waiting(*calls)

    assert first == taken(queue, 0)
    assert second == taken(queue, 1)
    assert left == "".join(call.customer_id for call in queue.waiting)


def test_calls_that_have_given_up_are_not_sent() -> None:
    queue = waiting(*"abcd")
    for call in list(queue.waiting)[:3]:
        call.gave_up = True

    assert "d" == taken(queue, 0)
    assert "" == taken(queue, 1)
    assert not queue.waiting


def test_a_message_has_no_more_calls_than_a_server_takes() -> None:
    queue = waiting(*["a"] * (LOOK_MAX + 1))

    assert BATCH_MAX == len(queue.take(queue.lanes[0]))
    assert [] == queue.take(queue.lanes[1])
    assert LOOK_MAX + 1 - BATCH_MAX == len(queue.waiting)


@pytest.mark.parametrize("size", [0, 1, 127, 128, 300, 2048])
def test_requests_are_joined_as_protobuf_would(size: int) -> None:
    """Of 0 to 2,048 bytes: one or two bytes of length."""
    request = pb.CheckAndConsumeRequest(customer_id="x" * max(0, size - 3))
    calls = [Call("a", payload=request.SerializeToString()) for _ in range(2)]

    method, message = message_of(calls)

    assert "BatchCheckAndConsume" == method
    assert pb.BatchCheckAndConsumeRequest(requests=[request] * 2).SerializeToString() == message


@given(st.lists(st.sampled_from(["a", "b", "c", "d", "answer 0", "answer 1", "give up"])))
def test_every_call_leaves_once_and_in_the_order_of_its_customer(steps: list[str]) -> None:
    """As threads use it: a call leaves at once or waits, and what is answered makes room."""
    queue = waiting()
    under_way: dict[Lane, list[Call]] = {lane: [] for lane in queue.lanes}
    decided: list[Call] = []
    calls: list[Call] = []

    def send(lane: Lane | None) -> None:
        while lane is not None:
            under_way[lane] = queue.take(lane)
            lane = queue.claim_for_rest(lane)

    def answer(lane: Lane) -> None:
        decided.extend(under_way[lane])
        under_way[lane] = []
        lane.customers.clear()
        if queue.waiting:
            send(lane)
        else:
            lane.free()

    def check() -> None:
        one, other = ({call.customer_id for call in each} for each in under_way.values())
        assert not one & other
        if not one or not other:  # a lane is free: nothing could leave by it
            assert all(
                call.customer_id in one | other for call in queue.waiting if not call.gave_up
            )

    for number, step in enumerate(steps):
        if step.startswith("answer"):
            lane = queue.lanes[int(step[-1])]
            if under_way[lane]:
                answer(lane)
        elif step == "give up":
            for call in list(queue.waiting)[:1]:
                call.gave_up = True
        else:
            calls.append(Call(step, number))
            claimed = queue.claim(step)
            if claimed is None:
                queue.waiting.append(calls[-1])
            else:
                under_way[claimed] = [calls[-1]]
        check()
    while any(under_way.values()):
        answer(next(lane for lane, each in under_way.items() if each))
        check()

    assert not queue.waiting
    for customer_id in "abcd":
        made = [c.number for c in calls if c.customer_id == customer_id and not c.gave_up]
        sent = [c.number for c in decided if c.customer_id == customer_id]
        assert made == sent
