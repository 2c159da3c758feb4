"""Which calls of a coalescing client leave together, and when."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quotad.client.coalescing import LOOK_MAX, Queue, Slot, message_of
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


def waiting(*customers: str) -> Queue[Call, Slot]:
    queue: Queue[Call, Slot] = Queue(Slot(), Slot())
    queue.waiting.extend(Call(each) for each in customers)
    return queue


def taken(queue: Queue[Call, Slot], place: int) -> str:
    return "".join(call.customer_id for call in queue.take(queue.slots[place]))


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

    assert BATCH_MAX == len(queue.take(queue.slots[0]))
    assert [] == queue.take(queue.slots[1])
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
    under_way: dict[Slot, list[Call]] = {slot: [] for slot in queue.slots}
    decided: list[Call] = []
    calls: list[Call] = []

    def send(slot: Slot | None) -> None:
        while slot is not None:
            under_way[slot] = queue.take(slot)
            slot = queue.claim_for_rest(slot)

    def answer(slot: Slot) -> None:
        decided.extend(under_way[slot])
        under_way[slot] = []
        slot.customers.clear()
        if queue.waiting:
            send(slot)
        else:
            slot.free()

    def check() -> None:
        one, other = ({call.customer_id for call in each} for each in under_way.values())
        assert not one & other
        if not one or not other:  # a slot is free: nothing could leave by it
            assert all(
                call.customer_id in one | other for call in queue.waiting if not call.gave_up
            )

    for number, step in enumerate(steps):
        if step.startswith("answer"):
            slot = queue.slots[int(step[-1])]
            if under_way[slot]:
                answer(slot)
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
        answer(next(slot for slot, each in under_way.items() if each))
        check()

    assert not queue.waiting
    for customer_id in "abcd":
        made = [c.number for c in calls if c.customer_id == customer_id and not c.gave_up]
        sent = [c.number for c in decided if c.customer_id == customer_id]
        assert made == sent
