"""Calls of one client that wait at the same time travel as one batch."""

import asyncio
import threading
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import grpc.aio
import pytest

from quotad.client import (
    AsyncClient,
    Client,
    Decision,
    QuotaDeadline,
    QuotaInvalid,
    QuotaServerError,
    QuotaUnavailable,
)
from quotad.client.coalescing import REQUEST_BYTES_MAX, BytesStub
from quotad.client.coalescing_aio import AsyncCoalescer
from quotad.client.coalescing_threads import Coalescer
from quotad.v1 import quota_pb2 as pb
from tests.running import Running
from tests.service.fake_quotad import UNAVAILABLE, Fail, FakeServer

CATALOG = """
version: 1
default_plan: free
features: {calls: {type: metered}}
plans: {free: {entitlements: {calls: {limit: 500, per: year}}}}
"""

Kind = type[Client] | type[AsyncClient]
KINDS: list[Kind] = [Client, AsyncClient]


class Crowd:
    """Callers of one client that coalesces, in threads or tasks."""

    def __init__(self, kind: Kind, server: FakeServer) -> None:
        self._kind = kind
        self._server = server
        self._pool = ThreadPoolExecutor(40)
        self.held: list[asyncio.Task[Any]] = []
        """Calls that are under way until the server goes on."""
        self.new()

    def new(self, **settings: Any) -> None:
        """Make a client with these settings and use it from here on."""
        self.client = self._kind(
            self._server.address, coalesce=True, **{"timeout": 10.0, **settings}
        )

    def call(self, method: str, *args: Any, **kwargs: Any) -> "asyncio.Task[Any]":
        """Start a call."""
        return asyncio.ensure_future(self._call(method, *args, **kwargs))

    async def _call(self, method: str, *args: Any, **kwargs: Any) -> Any:
        bound: Callable[..., Any] = getattr(self.client, method)
        if self._kind is AsyncClient:
            return await bound(*args, **kwargs)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, lambda: bound(*args, **kwargs))

    @property
    def waiting(self) -> int:
        """How many calls wait to be sent."""
        holder = self.client._connection if isinstance(self.client, Client) else self.client
        return holder._coalescer.waiting if holder._coalescer else 0

    async def held_up(self, *more: str) -> "asyncio.Task[Any]":
        """Start calls that are under way until the server goes on; returns the first.

        Args:
            more: customers of further ones.
        """
        quota = self._server.quota
        quota.hold.clear()
        self.held = []
        for customer_id in ("ahead", *more):
            begun = quota.begun + 1
            self.held.append(self.call("consume", customer_id, "bandwidth"))
            await until(lambda begun=begun: quota.begun == begun)  # type: ignore[misc]
        return self.held[0]

    async def wait_together(self, count: int) -> None:
        """Wait until so many calls wait to be sent."""
        await until(lambda: self.waiting == count)

    async def outcomes(self, *started: "asyncio.Task[Any]") -> list[Any]:
        """Let the server go on and return what became of calls."""
        self._server.quota.hold.set()
        return await asyncio.gather(*started, return_exceptions=True)

    async def close(self) -> None:
        if isinstance(self.client, AsyncClient):
            await self.client.close()
        else:
            self.client.close()


@pytest.fixture(params=KINDS, ids=["blocking", "asyncio"])
async def crowd(request: pytest.FixtureRequest, server: FakeServer) -> AsyncIterator[Crowd]:
    made = Crowd(request.param, server)
    yield made
    server.quota.hold.set()
    await made.close()
    made._pool.shutdown()


def sizes(server: FakeServer) -> list[int]:
    """Requests of every message received: 0 of a call that travelled alone."""
    return [
        len(each.requests) if isinstance(each, pb.BatchCheckAndConsumeRequest) else 0
        for each in server.quota.requests
    ]


async def until(wanted: Callable[[], bool]) -> None:
    """Wait for the other threads and tasks."""
    async with asyncio.timeout(20):
        while not wanted():  # noqa: ASYNC110 (other threads have no event for it)
            await asyncio.sleep(0.002)


async def test_calls_that_come_while_one_is_under_way_travel_together(
    crowd: Crowd, server: FakeServer
) -> None:
    first = await crowd.held_up()
    later = [crowd.call("consume", "ahead", "api-calls", i) for i in range(5)]
    later.append(crowd.call("check", "ahead", "api-calls", 5))
    await crowd.wait_together(6)

    decisions = await crowd.outcomes(first, *later)

    assert [0, 6] == sizes(server)
    assert [True] * 7 == [decision.allowed for decision in decisions]
    assert [1, 0, 1, 2, 3, 4, 0] == [decision.granted for decision in decisions]


async def test_a_message_leaves_half_of_the_calls_for_the_other_one(
    crowd: Crowd, server: FakeServer
) -> None:
    first = await crowd.held_up("beside")
    later = [crowd.call("consume", f"c-{i}", "api-calls") for i in range(11)]
    await crowd.wait_together(11)

    await crowd.outcomes(first, *later)

    assert 6 == max(sizes(server))  # how the others leave depends on which answer is first
    assert 11 == sum(max(size, 1) for size in sizes(server)) - 2


async def test_a_lone_call_travels_alone(crowd: Crowd, server: FakeServer) -> None:
    for _ in range(3):
        await crowd.call("consume", "acme", "api-calls")

    assert [0, 0, 0] == sizes(server)


async def test_calls_are_decided_in_the_order_in_which_they_are_made(
    crowd: Crowd, server: FakeServer
) -> None:
    first = await crowd.held_up()
    later = []
    for quantity in range(1, 9):
        later.append(crowd.call("consume", "ahead", "api-calls", quantity))
        await crowd.wait_together(quantity)

    decisions = await crowd.outcomes(first, *later)

    assert [1, 3, 6, 10, 15, 21, 28, 36] == [decision.used for decision in decisions[1:]]


async def test_a_customer_waits_for_its_own_calls_and_others_leave_meanwhile(
    crowd: Crowd, server: FakeServer
) -> None:
    first = await crowd.held_up()
    behind = crowd.call("consume", "ahead", "api-calls")
    await crowd.wait_together(1)
    beside = crowd.call("consume", "beside", "api-calls")
    await until(lambda: server.quota.begun == 2)  # both are under way

    decisions = await crowd.outcomes(first, behind, beside)

    assert [True] * 3 == [decision.allowed for decision in decisions]


async def test_every_customer_is_decided_in_the_order_of_its_calls(
    crowd: Crowd, server: FakeServer
) -> None:
    customers = ("acme", "beside", "globex", "wayne")
    ahead = [await crowd.held_up("beside")]
    later = []
    for place, quantity in enumerate(range(1, 6)):
        for number, each in enumerate(customers):
            later.append(crowd.call("consume", each, "api-calls", quantity))
            await crowd.wait_together(place * len(customers) + number + 1)

    decisions = (await crowd.outcomes(*ahead, *later))[1:]

    for number in range(len(customers)):
        mine = decisions[number :: len(customers)]
        assert [1, 3, 6, 10, 15] == [decision.used for decision in mine]


async def test_an_error_belongs_to_the_call_that_it_is_about(
    crowd: Crowd, server: FakeServer
) -> None:
    crowd.new(retries=0)
    server.quota.item_failures["lost"] = deque([UNAVAILABLE])
    first = await crowd.held_up("beside")
    later = [crowd.call("consume", each, "api-calls") for each in ("acme", "lost", "globex")]
    wrong = crowd.call("consume", "acme", "api-calls", "3")
    await crowd.wait_together(3)

    _, acme, away, globex, refused = await crowd.outcomes(first, *later, wrong)

    assert isinstance(acme, Decision)
    assert isinstance(globex, Decision)
    assert isinstance(away, QuotaUnavailable)
    assert "STORE_UNAVAILABLE" == away.reason
    assert isinstance(refused, QuotaInvalid)


async def test_calls_of_a_batch_that_fails_are_tried_again_under_their_keys(
    crowd: Crowd, server: FakeServer
) -> None:
    first = await crowd.held_up()
    later = [crowd.call("consume", "ahead", "api-calls", 2) for _ in range(4)]
    await crowd.wait_together(4)
    counted = Fail(UNAVAILABLE.code, "gone", "STORE_UNAVAILABLE", counted=True)
    server.quota.failures.extend([Fail(UNAVAILABLE.code, "gone", "STORE_UNAVAILABLE"), counted])

    decisions = await crowd.outcomes(first, *later)

    assert all(isinstance(decision, Decision) for decision in decisions)
    assert 8 == server.quota.used["ahead", "api-calls"]
    assert 1 == server.quota.used["ahead", "bandwidth"]


def request(customer_id: str) -> tuple[bytes, str]:
    message = pb.CheckAndConsumeRequest(customer_id=customer_id, feature_id="seats", quantity=1)
    return message.SerializeToString(), customer_id


async def test_a_thread_that_runs_out_of_time_while_it_waits_sends_nothing(
    server: FakeServer,
) -> None:
    with grpc.insecure_channel(server.address) as channel:
        coalescer = Coalescer(BytesStub(channel))
        server.quota.hold.clear()
        first = asyncio.create_task(asyncio.to_thread(coalescer.call, *request("ahead"), 20.0))
        await until(lambda: server.quota.begun == 1)

        late = await asyncio.to_thread(coalescer.call, *request("ahead"), 0.05)
        server.quota.hold.set()
        await first

        assert isinstance(late, QuotaDeadline)
        assert "the timeout ran out before the call was sent; nothing is taken" == str(late)
        assert [0] == sizes(server)
        assert coalescer.call(*request("ahead"), 20.0).used == 2


async def test_threads_that_give_up_leave_the_others_their_answers(server: FakeServer) -> None:
    server.quota.limits["seats"] = 10**6

    def ask(coalescer: Coalescer, number: int) -> list[Any]:
        short = number % 2
        timeouts_s = [0.0005 * (turn % 7) if short else 20.0 for turn in range(30)]
        return [coalescer.call(*request(f"c-{number}"), each) for each in timeouts_s]

    with grpc.insecure_channel(server.address) as channel, ThreadPoolExecutor(32) as pool:
        coalescer = Coalescer(BytesStub(channel))
        outcomes = list(pool.map(lambda number: ask(coalescer, number), range(32)))

        patient = [answer for each in outcomes[::2] for answer in each]
        assert [True] * 16 * 30 == [answer.allowed for answer in patient]
        assert {QuotaDeadline} >= {
            type(answer)
            for each in outcomes
            for answer in each
            if not isinstance(answer, pb.CheckAndConsumeResponse)
        }
        assert 0 == coalescer.waiting


def senders() -> set[threading.Thread]:
    return {each for each in threading.enumerate() if each.name == "quotad-coalescing"}


async def test_the_threads_that_send_end_when_there_is_nothing_to_do(
    server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("quotad.client.coalescing_threads.IDLE_S", 0.01)
    crowd, before = Crowd(Client, server), senders()
    for _ in range(2):  # and another one comes when there is
        first = await crowd.held_up()
        later = crowd.call("consume", "ahead", "api-calls")
        await crowd.wait_together(1)

        assert (await crowd.outcomes(first, later))[1].allowed
        await until(lambda: senders() <= before)
    await crowd.close()


async def test_a_caller_sends_where_no_thread_can_be_started(
    server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    crowd = Crowd(Client, server)
    first = await crowd.held_up()
    later = [crowd.call("consume", "ahead", "api-calls") for _ in range(3)]
    await crowd.wait_together(3)

    start = threading.Thread.start

    def fail(thread: threading.Thread) -> None:
        if thread.name == "quotad-coalescing":
            raise RuntimeError("can't start new thread")
        start(thread)  # the server's

    monkeypatch.setattr(threading.Thread, "start", fail)
    decisions = await crowd.outcomes(first, *later)
    monkeypatch.undo()

    assert [True] * 4 == [each.allowed for each in decisions]
    assert [0, 3] == sizes(server)
    await crowd.close()


async def test_a_task_that_runs_out_of_time_while_it_waits_sends_nothing(
    server: FakeServer,
) -> None:
    async with grpc.aio.insecure_channel(server.address) as channel:
        coalescer = AsyncCoalescer(BytesStub(channel))
        server.quota.hold.clear()
        first = coalescer.call(*request("ahead"), 20.0)
        await until(lambda: server.quota.begun == 1)

        late = await coalescer.call(*request("ahead"), 0.05)
        server.quota.hold.set()
        await first

        assert isinstance(late, QuotaDeadline)
        assert "the timeout ran out before the call was sent; nothing is taken" == str(late)
        assert [0] == sizes(server)
        assert (await coalescer.call(*request("ahead"), 20.0)).used == 2


async def test_tasks_run_out_of_time_each_at_its_own_deadline(server: FakeServer) -> None:
    ended: list[str] = []

    async def ask(coalescer: AsyncCoalescer, name: str, timeout_s: float) -> None:
        ended.append(f"{name} {type(await coalescer.call(*request(name), timeout_s)).__name__}")

    async with grpc.aio.insecure_channel(server.address) as channel:
        coalescer = AsyncCoalescer(BytesStub(channel))
        server.quota.hold.clear()
        asked = [asyncio.create_task(ask(coalescer, "ahead", 20.0))]
        await until(lambda: server.quota.begun == 1)
        asked.append(asyncio.create_task(ask(coalescer, "beside", 20.0)))
        await until(lambda: server.quota.begun == 2)
        for name, timeout_s in (("third", 0.3), ("next", 0.05), ("last", 20.0)):
            asked.append(asyncio.create_task(ask(coalescer, name, timeout_s)))
        await until(lambda: len(ended) == 2)
        server.quota.hold.set()
        await asyncio.gather(*asked)
        coalescer.close()

    assert ["next QuotaDeadline", "third QuotaDeadline"] == ended[:2]
    assert [f"{name} CheckAndConsumeResponse" for name in ("ahead", "beside", "last")] == sorted(
        ended[2:]
    )


async def test_tasks_that_are_answered_ask_again_together_with_those_that_wait(
    server: FakeServer,
) -> None:
    async def ask(client: AsyncClient, times: int) -> None:
        for _ in range(times):
            await client.consume("acme", "seats")

    async with AsyncClient(server.address, timeout=20.0, coalesce=True) as client:
        server.quota.hold.clear()
        first = asyncio.create_task(ask(client, 3))
        await until(lambda: server.quota.begun == 1)
        others = [asyncio.create_task(ask(client, 2)) for _ in range(3)]
        coalescer = client._coalescer
        await until(lambda: coalescer is not None and coalescer.waiting == 3)
        server.quota.hold.set()
        await asyncio.gather(first, *others)

    assert [0, 4, 4] == sizes(server)


async def test_calls_under_way_end_at_their_deadline(crowd: Crowd, server: FakeServer) -> None:
    crowd.new(timeout=1.0, retries=0)
    first = await crowd.held_up()
    later = [crowd.call("consume", "overdue", "seats") for _ in range(3)]

    outcomes = await asyncio.gather(first, *later, return_exceptions=True)

    assert [QuotaDeadline] * 4 == [type(each) for each in outcomes]


async def test_a_task_that_is_cancelled_while_it_waits_sends_nothing(server: FakeServer) -> None:
    crowd = Crowd(AsyncClient, server)
    first = await crowd.held_up()
    cancelled = crowd.call("consume", "ahead", "seats")
    patient = crowd.call("consume", "ahead", "api-calls")
    await crowd.wait_together(2)
    cancelled.cancel()

    _, _, decision = await crowd.outcomes(first, cancelled, patient)

    assert decision.allowed
    assert 0 == server.quota.used["ahead", "seats"]
    await crowd.close()


async def test_large_and_explained_calls_travel_alone(crowd: Crowd, server: FakeServer) -> None:
    first = await crowd.held_up()
    explained = crowd.call("check", "acme", "api-calls", explain=True)
    large = crowd.call("check", "acme", "api-calls", requested_values=["x" * REQUEST_BYTES_MAX])
    small = crowd.call("check", "ahead", "api-calls")
    await crowd.wait_together(1)
    await until(lambda: server.quota.begun == 3)  # they do not wait

    await crowd.outcomes(first, explained, large, small)

    assert [0, 0, 0, 0] == sizes(server)


async def test_more_than_a_batch_takes_travels_in_several(server: FakeServer) -> None:
    crowd = Crowd(AsyncClient, server)
    server.quota.limits["api-calls"] = 10**6
    first = await crowd.held_up()
    later = [crowd.call("consume", "ahead", "api-calls") for _ in range(2500)]
    await crowd.wait_together(2500)

    decisions = await crowd.outcomes(first, *later)

    assert [0, 1000, 1000, 500] == sizes(server)
    assert list(range(1, 2501)) == [decision.used for decision in decisions[1:]]
    await crowd.close()


async def test_closing_ends_the_calls_that_wait(crowd: Crowd, server: FakeServer) -> None:
    first = await crowd.held_up()
    later = [crowd.call("consume", "ahead", "api-calls") for _ in range(3)]
    await crowd.wait_together(3)

    await crowd.close()
    outcomes = await asyncio.gather(first, *later, return_exceptions=True)

    assert ["CANCELLED"] * 4 == [
        each.code for each in outcomes if isinstance(each, QuotaServerError)
    ]


async def test_closing_ends_calls_of_tasks_that_have_only_just_asked(server: FakeServer) -> None:
    async with grpc.aio.insecure_channel(server.address) as channel:
        coalescer = AsyncCoalescer(BytesStub(channel))
        asked = [coalescer.call(*request(f"c-{number}"), 20.0) for number in range(3)]

        coalescer.close()

        assert ["CANCELLED"] * 3 == [each.code for each in await asyncio.gather(*asked)]
    assert [] == sizes(server)


@pytest.mark.parametrize("kind", KINDS, ids=["blocking", "asyncio"])
async def test_many_callers_are_allowed_exactly_what_there_is(
    kind: Kind, served: Running, customer: str
) -> None:
    served.publish_and_wait(CATALOG)
    pool = ThreadPoolExecutor(40)
    client = kind(served.server.address, timeout=30.0, coalesce=True)
    loop = asyncio.get_running_loop()

    async def one() -> list[Decision]:
        if isinstance(client, AsyncClient):
            return [await client.consume(customer, "calls") for _ in range(20)]
        return await loop.run_in_executor(
            pool, lambda: [client.consume(customer, "calls") for _ in range(20)]
        )

    answers = await asyncio.gather(*(one() for _ in range(40)))
    if isinstance(client, AsyncClient):
        await client.close()
    else:
        client.close()
    pool.shutdown()

    decisions = [decision for each in answers for decision in each]
    assert Counter({True: 500, False: 300}) == Counter(each.allowed for each in decisions)
    assert sorted(each.used for each in decisions if each.allowed) == list(range(1, 501))
