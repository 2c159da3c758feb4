"""G1 and G2: a hard limit is never passed and met exactly; a denied call changes nothing.

Many concurrent callers, two server processes with different fronts, one Valkey.
"""

import random
import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration

from quotad.v1 import quota_pb2 as pb
from tests.integration.conftest import Pair
from tests.running import CALL_S, eventually

CATALOG = """
version: 1
default_plan: free
features:
  calls:  {type: metered}
  builds: {type: metered}
  seats:  {type: metered, kind: gauge}
  jobs:   {type: metered, kind: concurrency}
plans:
  free:
    entitlements:
      calls: {limit: 500, per: 100 years}
      builds:
        limits:
          - {limit: 900, per: 100 years}
          - {limit: 300, per: 50 years}
          - {limit: 600}
          - {limit: 100, per: 20 years, soft: true}
      seats: {limit: 7}
      jobs: {limit: 5}
"""


@pytest.fixture(scope="module")
def servers(pair: Pair) -> Pair:
    pair.publish(CATALOG)
    return pair


def request(customer: str, feature: str, quantity: int = 1) -> Any:
    return pb.CheckAndConsumeRequest(customer_id=customer, feature_id=feature, quantity=quantity)


def send(servers: Pair, requests: Iterable[Any]) -> list[Any]:
    """All at once, in turns to both servers; answers in the order of the requests."""
    stubs = (servers.first.quota, servers.second.quota)
    calls = [
        stubs[i % 2].CheckAndConsume.future(each, timeout=CALL_S) for i, each in enumerate(requests)
    ]
    return [call.result() for call in calls]


def assert_told_apart(answers: Iterable[Any]) -> None:
    """No two allowed calls saw the same usage: each was counted on its own."""
    seen = [answer.used for answer in answers if answer.granted > 0]
    assert len(seen) == len(set(seen))


def test_the_sum_of_allowed_is_exactly_the_limit(servers: Pair, customer: str) -> None:
    answers = send(servers, [request(customer, "calls")] * 2000)

    assert 500 == sum(answer.allowed for answer in answers)
    assert 500 == sum(answer.granted for answer in answers)
    assert_told_apart(answers)
    assert [500] == list(servers.counters(customer).values())
    assert {(500, 0)} == {(a.used, a.remaining) for a in answers if not a.allowed}


def test_threads_that_wait_for_their_answers_meet_the_limit_too(
    servers: Pair, customer: str
) -> None:
    def caller(number: int) -> int:
        server = servers.first if number % 2 else servers.second
        return sum(server.consume(customer, "calls").granted for _ in range(50))

    with ThreadPoolExecutor(16) as pool:
        granted = sum(pool.map(caller, range(16)))

    assert 500 == granted
    assert [500] == list(servers.counters(customer).values())


def test_mixed_quantities_never_pass_the_limit(servers: Pair, customer: str) -> None:
    rng = random.Random(1)
    quantities = [rng.randrange(0, 30) for _ in range(600)]

    answers = send(servers, [request(customer, "calls", q) for q in quantities])

    granted = sum(answer.granted for answer in answers)
    assert granted <= 500
    assert sum(q for q, a in zip(quantities, answers, strict=True) if a.allowed) == granted
    assert [granted] == list(servers.counters(customer).values())
    # What the denied calls left is still there for those that fit.
    rest = send(servers, [request(customer, "calls")] * 60)
    assert 500 == granted + sum(answer.granted for answer in rest)


def test_several_windows_are_counted_all_or_none(servers: Pair, customer: str) -> None:
    rng = random.Random(2)
    quantities = [rng.choice((1, 2, 3, 5, 8, 400)) for _ in range(500)]

    answers = send(servers, [request(customer, "builds", q) for q in quantities])

    granted = sum(answer.granted for answer in answers)
    assert 290 < granted <= 300
    assert [granted] * 4 == list(servers.counters(customer).values())
    for quantity, answer in zip(quantities, answers, strict=True):
        assert answer.granted == (quantity if answer.allowed else 0)
        assert 1 == len({status.used for status in answer.limits})


def test_batches_and_single_calls_share_one_limit(servers: Pair, customer: str) -> None:
    batch = pb.BatchCheckAndConsumeRequest(requests=[request(customer, "calls")] * 40)
    calls = []
    for i in range(120):
        stub = (servers.first if i % 2 else servers.second).quota
        if i % 6 == 0:
            calls.append(stub.BatchCheckAndConsume.future(batch, timeout=CALL_S))
        else:
            one = request(customer, "calls")
            calls.append(stub.CheckAndConsume.future(one, timeout=CALL_S))

    answers: list[Any] = []
    for call in calls:
        answer = call.result()
        single = isinstance(answer, pb.CheckAndConsumeResponse)
        answers += [answer] if single else [r.response for r in answer.results]

    assert 900 == len(answers)
    assert 500 == sum(answer.granted for answer in answers)
    assert_told_apart(answers)
    assert [500] == list(servers.counters(customer).values())


def test_many_customers_at_once_have_a_limit_each(servers: Pair, customer: str) -> None:
    rng = random.Random(3)
    names = [f"{customer}-{i}" for i in range(8)]
    requests = [request(name, "calls", 100) for name in names for _ in range(40)]
    rng.shuffle(requests)

    answers = send(servers, requests)

    granted = dict.fromkeys(names, 0)
    for each, answer in zip(requests, answers, strict=True):
        granted[each.customer_id] += answer.granted
    assert dict.fromkeys(names, 500) == granted
    assert [[500]] * 8 == [list(servers.counters(name).values()) for name in names]


def test_never_more_seats_are_held_than_there_are(servers: Pair, customer: str) -> None:
    held, most, rounds = 0, 0, 0
    lock = threading.Lock()

    def user(number: int) -> None:
        nonlocal held, most, rounds
        server = servers.first if number % 2 else servers.second
        for _ in range(50):
            acquired = server.consume(customer, "seats")
            assert acquired.used <= 7
            if not acquired.allowed:
                continue
            with lock:
                held, rounds = held + 1, rounds + 1
                most = max(most, held)
            with lock:
                held -= 1
            assert -1 == server.consume(customer, "seats", quantity=-1).granted

    with ThreadPoolExecutor(12) as pool:
        list(pool.map(user, range(12)))

    assert most <= 7
    assert rounds > 50
    assert {} == servers.counters(customer)


def test_seats_given_back_too_often_do_not_go_below_zero(servers: Pair, customer: str) -> None:
    rng = random.Random(4)
    quantities = [rng.choice((1, 2, -1, -2)) for _ in range(800)]

    answers = send(servers, [request(customer, "seats", q) for q in quantities])

    assert {True} == {a.allowed for q, a in zip(quantities, answers, strict=True) if q < 0}
    assert all(0 <= answer.used <= 7 for answer in answers)
    left = sum(answer.granted for answer in answers)
    assert left == sum(servers.counters(customer).values())


def slot(customer: str, slot_id: str, **fields: Any) -> Any:
    also = [pb.ConsumeItem(feature_id="calls")]
    return pb.AcquireSlotRequest(
        customer_id=customer, feature_id="jobs", slot_id=slot_id, also=also, **fields
    )


def test_slots_acquired_at_once_are_exactly_the_limit(servers: Pair, customer: str) -> None:
    stubs = (servers.first.quota, servers.second.quota)
    calls = [
        stubs[i % 2].AcquireSlot.future(slot(customer, f"s{i}"), timeout=CALL_S) for i in range(300)
    ]
    answers = [call.result() for call in calls]

    assert 5 == sum(answer.decision.allowed for answer in answers)
    assert 5 == sum(answer.HasField("expires_at") for answer in answers)
    assert [5] == list(servers.counters(customer).values())


def test_the_slot_of_a_holder_that_died_is_free_at_its_end_and_not_before(
    servers: Pair, customer: str
) -> None:
    held = [
        servers.first.quota.AcquireSlot(
            slot(customer, f"s{i}", ttl=Duration(seconds=1 if i == 0 else 60)), timeout=CALL_S
        )
        for i in range(5)
    ]
    tries = count()

    def again() -> Any:
        request = slot(customer, f"again{next(tries)}", ttl=Duration(seconds=60))
        return servers.second.quota.AcquireSlot(request, timeout=CALL_S)

    got = eventually(again, lambda answer: answer.decision.allowed)

    acquired_ns = got.expires_at.ToNanoseconds() - 60 * 10**9
    assert held[0].expires_at.ToNanoseconds() <= acquired_ns
    assert [6] == list(servers.counters(customer).values())
