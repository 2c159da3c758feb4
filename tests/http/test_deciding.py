"""Requests of one tick of the event loop are one batch; every one of them gets its own answer."""

import asyncio
import time
from collections.abc import Awaitable, Sequence
from typing import cast

import msgspec
import pytest

from quotad.decision import ConsumeRequest, Decision, Reason
from quotad.errors import TOO_LONG, InvalidRequest, QuotadError
from quotad.http.deciding import Deciding, HttpDecider, HttpSlowLane
from quotad.ledger import Taker, Takers
from quotad.operations.decisions import DecisionOperations


class Batches:
    """Decides by the quantity alone, and keeps the sizes of batches."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.takers: list[Taker] = []
        self.closed = False

    def decide(
        self, requests: Sequence[ConsumeRequest], takers: Takers
    ) -> list[Decision | QuotadError]:
        self.sizes.append(len(requests))
        self.takers += [takers.at(place) for place in range(len(requests))]
        if any(request.feature_id == "broken" for request in requests):
            raise RuntimeError("a bug")
        return [
            Decision(True, int(Reason.UNLIMITED), used=each.quantity)
            if each.quantity
            else InvalidRequest("quantity: none")
            for each in requests
        ]

    def act_for(self, taker: Taker) -> None:
        self.takers.append(taker)

    def close(self) -> None:
        self.closed = True


WEB = ("web", "http")


def asked(quantity: int, feature_id: str = "calls") -> ConsumeRequest:
    return ConsumeRequest("acme", feature_id, quantity)


@pytest.fixture
def made() -> Batches:
    return Batches()


async def deciding(made: Batches) -> tuple[Deciding, HttpDecider]:
    loop = asyncio.get_running_loop()
    asking = Deciding(batch_max=100)
    decider = HttpDecider(0, asking, cast(DecisionOperations, made), lambda: loop)
    return asking, decider


async def test_requests_of_one_tick_are_one_batch_and_keep_their_places(made: Batches) -> None:
    asking, decider = await deciding(made)
    waiting = [asking.decide(asked(n), WEB) for n in range(1, 51)]
    several = asking.decide_all([asked(100), asked(0), asked(102)], WEB)
    decider.start()

    used = [cast(Decision, each).used for each in await asyncio.gather(*waiting)]
    first, second, third = await several

    assert list(range(1, 51)) == used
    assert [100, 102] == [cast(Decision, each).used for each in (first, third)]
    assert isinstance(second, InvalidRequest)
    assert [53] == made.sizes


async def test_each_request_and_act_of_a_batch_is_the_doing_of_its_caller(made: Batches) -> None:
    asking, decider = await deciding(made)
    gate, batch = ("", "authorize"), ("batch", "http")
    waiting: list[Awaitable[object]] = [
        asking.decide(asked(1), WEB),
        asking.run(lambda _: 1, gate),
        asking.decide(asked(2), gate),
        asking.decide_all([asked(3), asked(4)], batch),
        asking.decide(asked(5), batch),
        asking.decide(asked(6), WEB),
    ]
    decider.start()
    await asyncio.gather(*waiting)

    assert [WEB, gate, batch, batch, batch, WEB, gate] == made.takers


async def test_what_is_handed_over_while_a_batch_is_decided_is_the_next_batch(
    made: Batches,
) -> None:
    asking, decider = await deciding(made)
    first = asking.decide(asked(1), WEB)
    await asyncio.sleep(0)
    later = [asking.decide(asked(2), WEB), asking.decide(asked(3), WEB)]
    await asyncio.sleep(0)
    decider.start()
    await asyncio.gather(first, *later)

    assert [3] == made.sizes


async def test_requests_for_customers_of_a_slow_server_wait_apart(made: Batches) -> None:
    loop = asyncio.get_running_loop()
    asking, apart = Deciding(batch_max=100), Batches()
    lane = HttpSlowLane(100, 1, 60, lambda: "slow".__eq__)
    usual = HttpDecider(0, asking, cast(DecisionOperations, made), lambda: loop, lane)
    slow = msgspec.structs.replace(asked(1), customer_id="slow")
    first, several = asking.decide(slow, WEB), asking.decide_all([asked(2), slow], WEB)
    acts = [asking.run(lambda _: "slow", WEB, "slow"), asking.run(lambda _: "usual", WEB, "acme")]
    usual.start()

    assert 3 == cast(Decision, await asking.decide(asked(3), WEB)).used
    assert "usual" == await acts[1]
    assert [False, False, False] == [first.done(), several.done(), acts[0].done()]

    beside = HttpDecider(1, lane, cast(DecisionOperations, apart), lambda: loop)
    beside.start()
    asking.waiting.put(None)
    answers = [await first, *await several]
    assert "slow" == await acts[0]

    assert [1, 2, 1] == [cast(Decision, each).used for each in answers]
    beside.join(20)
    assert apart.closed


async def test_requests_that_have_waited_too_long_are_refused_and_never_sent(made: Batches) -> None:
    loop = asyncio.get_running_loop()
    asking, apart = Deciding(batch_max=100), Batches()
    lane = HttpSlowLane(100, 1, -1, lambda: "slow".__eq__)
    slow = msgspec.structs.replace(asked(1), customer_id="slow")
    waiting: list[Awaitable[object]] = [
        asking.decide(slow, WEB),
        asking.run(lambda _: "acted", WEB, "slow"),
    ]
    several = asking.decide_all([slow, asked(2)], WEB)
    await asyncio.sleep(0)
    asking.waiting.put(None)
    usual = HttpDecider(0, asking, cast(DecisionOperations, made), lambda: loop, lane)
    beside = HttpDecider(1, lane, cast(DecisionOperations, apart), lambda: loop)
    for thread in (usual, beside):
        thread.start()

    assert [TOO_LONG] * 2 == [await each for each in waiting]
    assert [TOO_LONG] * 2 == await several
    for thread in (usual, beside):
        await asyncio.to_thread(thread.join)
    assert ([], True) == (apart.sizes, apart.closed)


def test_what_is_refused_does_not_wait_for_what_is_decided(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now_s[0])
    lane = HttpSlowLane(100, 1, 10.0, lambda: "acme".__eq__)
    for since_s in (0.0, 1.0, 19.0, 20.0):
        now_s[0] = since_s
        assert [] == lane.take_slow([(print, asked(1), WEB)])
    lane.leave()

    taken = [lane.take() for _ in range(3)]

    assert [2, 2, None] == [some and len(some) for some in taken]


async def test_a_bug_answers_every_request_of_its_batch(made: Batches) -> None:
    asking, decider = await deciding(made)
    decider.start()
    outcomes = await asyncio.gather(
        asking.decide(asked(1, "broken"), WEB), asking.decide(asked(2), WEB)
    )

    assert ["INTERNAL"] * 2 == [cast(QuotadError, each).reason for each in outcomes]
    assert 3 == cast(Decision, await asking.decide(asked(3), WEB)).used


async def test_what_is_not_decided_in_a_batch_runs_on_the_thread_and_its_errors_are_answers(
    made: Batches,
) -> None:
    asking, decider = await deciding(made)
    decider.start()

    def refuse(_: DecisionOperations) -> int:
        raise InvalidRequest("no")

    assert 1 == await asking.run(lambda _: 1, WEB)
    assert isinstance(await asking.run(refuse, WEB), InvalidRequest)


async def test_a_thread_ends_after_what_came_before_the_end(made: Batches) -> None:
    asking, decider = await deciding(made)
    waiting = asking.decide(asked(7), WEB)
    await asyncio.sleep(0)
    asking.waiting.put(None)
    decider.start()

    assert 7 == cast(Decision, await waiting).used
    await asyncio.to_thread(decider.join)
    assert made.closed
