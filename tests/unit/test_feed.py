"""Queues of listeners and notes of usage, which have bounds."""

import asyncio

import pytest

from quotad.changes import ChangeEvent, ChangeKind
from quotad.decision import ConsumeAllRequest, ConsumeRequest, Decision, Mode, Reason
from quotad.errors import InvalidRequest, NotReady
from quotad.feed.listener import QUEUED_MAX, FeedListener, Watcher
from quotad.feed.usage import NOTED_MAX, ROWS_MAX, UsageNotes
from quotad.feed.wanted import WantedChanges, wanted_changes, write_position
from quotad.store.events import ANYONE, EventId
from quotad.store.watched import EVERYONE

WATCHER = Watcher("", lambda: None)


def change(epoch: int) -> ChangeEvent:
    return ChangeEvent(ChangeKind.CUSTOMER_CHANGED, epoch, "acme", epoch)


async def test_a_listener_takes_what_is_queued_in_order() -> None:
    listener = FeedListener(WantedChanges("acme"), WATCHER)
    for number in range(3):
        listener.put("s", EventId(number, number + 1), change(number))

    assert [0, 1, 2] == [each.epoch for each in await listener.take(1)]
    assert [] == await listener.take(0)


async def test_what_is_too_much_for_a_listener_becomes_one_refetch_and_what_follows() -> None:
    listener = FeedListener(WantedChanges("acme"), WATCHER)
    for number in range(3 * QUEUED_MAX + 5):
        listener.put("s", EventId(number, number + 1), change(number))
    listener.skip({"s": EventId(10**6, 1)})  # told already; but not that some is lost

    taken = await listener.take(1)

    assert [ChangeKind.REFETCH] == [each.kind for each in taken]


async def test_what_a_listener_was_told_already_is_left_out() -> None:
    listener = FeedListener(WantedChanges("acme"), WATCHER)
    listener.put("s", EventId(1, 1), change(1))
    listener.put("t", EventId(1, 1), change(2))
    listener.put("s", EventId(2, 2), change(3))
    listener.skip({"s": EventId(1, 1)})

    assert [2, 3] == [each.epoch for each in await listener.take(1)]


async def test_a_listener_takes_what_is_queued_before_its_end() -> None:
    listener = FeedListener(WantedChanges("acme"), WATCHER)
    waiting = asyncio.create_task(listener.take(20))
    await asyncio.sleep(0)
    listener.put("s", EventId(1, 1), change(1))
    listener.end(NotReady("over"))
    listener.wake()

    assert [1] == [each.epoch for each in await waiting]
    with pytest.raises(NotReady, match="over"):
        await listener.take(20)


def test_usage_is_noted_of_who_is_watched_and_each_once() -> None:
    notes = UsageNotes()
    notes.note("acme", "calls")
    assert [] == notes.take()

    notes.watched = frozenset({"acme"})
    requests = [
        ConsumeRequest("acme", "calls"),
        ConsumeRequest("acme", "calls"),
        ConsumeRequest("acme", "calls", mode=Mode.CHECK_ONLY),
        ConsumeRequest("other", "calls"),
        ConsumeRequest("acme", "mails"),
        ConsumeAllRequest("acme", "", 0, items=(ConsumeRequest("acme", "a", resource_id="r"),)),
    ]
    allowed = Decision(True, Reason.WITHIN_LIMIT, 1, 1, 100, False, False, 1, 99)
    denied = Decision(False, Reason.LIMIT_EXCEEDED, 1, 0, 100, False, False, 100, 0)
    notes.note_decided(requests, [allowed, allowed, allowed, allowed, denied, allowed])

    assert [("acme", "", "calls"), ("acme", "r", "a")] == notes.take()
    assert [] == notes.take()
    notes.watched = frozenset({EVERYONE})
    notes.note("whoever")
    assert [("whoever", "", "")] == notes.take()


@pytest.mark.parametrize("customers", [ROWS_MAX + 1, NOTED_MAX + 10])
def test_more_usage_than_is_told_apart_is_that_of_anyone(customers: int) -> None:
    notes = UsageNotes()
    notes.watched = frozenset({EVERYONE})
    for number in range(customers):
        notes.note(f"c-{number}", "calls")

    assert [ANYONE] == notes.take()
    assert [] == notes.take()


def test_positions_are_read_back_and_nothing_else_is_read() -> None:
    assert 1795773604754 == wanted_changes("", False, write_position(1795773604754)).since_ms
    for wrong in ("x", "-1", "1" * 13, "1 ", "ABC", "\u0661"):
        with pytest.raises(InvalidRequest, match="position"):
            wanted_changes("", False, wrong)
