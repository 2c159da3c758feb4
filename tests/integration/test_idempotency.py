"""G3: a key takes at most once; what was taken is answered again, what took nothing is not kept."""

from collections.abc import Iterator
from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration

from quotad.v1 import quota_pb2 as pb
from tests.integration.conftest import Pair
from tests.raw import raw
from tests.running import CALL_S, eventually, refusal

CATALOG = """
version: 1
features:
  calls:  {type: metered}
  builds: {type: metered}
  seats:  {type: metered, kind: gauge}
  export: {type: boolean}
  region: {type: config}
plans:
  free:
    entitlements:
      calls: {limit: 1000, per: 100 years}
      builds:
        limits:
          - {limit: 5, per: 50 years}
          - {limit: 3, per: 100 years, soft: true}
      seats: {limit: 3}
      export: true
      region: eu
  none:
    entitlements:
      calls: {limit: 0}
"""


@pytest.fixture(scope="module")
def servers(pair: Pair) -> Pair:
    pair.publish(CATALOG)
    return pair


@pytest.fixture
def free(servers: Pair, customer: str) -> str:
    servers.first.provision(customer, "free")
    return customer


def first_told_again(answer: Any) -> Any:
    """An answer as its replay must be."""
    again = pb.CheckAndConsumeResponse()
    again.CopyFrom(answer)
    again.replayed = True
    return again


def test_concurrent_duplicates_are_counted_once(servers: Pair, free: str) -> None:
    stubs = (servers.first.quota, servers.second.quota)
    calls: dict[str, list[Any]] = {}
    for duplicate in range(6):
        for i in range(100):
            request = pb.CheckAndConsumeRequest(
                customer_id=free, feature_id="calls", quantity=3, idempotency_key=f"k{i}"
            )
            stub = stubs[(duplicate + i) % 2]
            calls.setdefault(f"k{i}", []).append(
                stub.CheckAndConsume.future(request, timeout=CALL_S)
            )

    for duplicates in calls.values():
        answers = [call.result() for call in duplicates]
        assert [False] + [True] * 5 == sorted(answer.replayed for answer in answers)
        (first,) = [answer for answer in answers if not answer.replayed]
        assert all(first_told_again(first) == first_told_again(answer) for answer in answers)
    assert [300] == list(servers.counters(free).values())


def test_a_batch_and_single_calls_share_their_keys(servers: Pair, free: str) -> None:
    request = pb.CheckAndConsumeRequest(
        customer_id=free, feature_id="calls", quantity=2, idempotency_key="k"
    )
    one = servers.first.quota.CheckAndConsume(request, timeout=CALL_S)
    many = servers.second.batch(request, request)

    assert [first_told_again(one)] * 2 == [result.response for result in many.results]
    assert [2] == list(servers.counters(free).values())


def every_kind(servers: Pair, customer: str) -> Iterator[Any]:
    """Decisions of every kind that takes something, under a key each; repeated, the same ones."""
    for number, (feature, quantity) in enumerate(
        [("calls", 7), ("builds", 4), ("seats", 3), ("seats", -2), ("seats", -9)]
    ):
        server = servers.first if number % 2 else servers.second
        yield server.consume(customer, feature, quantity=quantity, idempotency_key=f"key {number}")


def assert_told_again(servers: Pair, customer: str, first: list[Any]) -> None:
    counters = servers.counters(customer)
    for before, again in zip(first, every_kind(servers, customer), strict=True):
        assert first_told_again(before) == again
    assert counters == servers.counters(customer)


def test_every_kind_of_decision_that_took_something_is_returned_again(
    servers: Pair, free: str
) -> None:
    first = list(every_kind(servers, free))

    assert [True] * 5 == [answer.allowed for answer in first]
    assert_told_again(servers, free, first)
    assert_told_again(servers, free, first)


@pytest.mark.parametrize(
    ("feature", "quantity"),
    [("calls", 2000), ("calls", 0), ("export", 1), ("region", 1), ("no-such", 1)],
)
def test_what_took_nothing_is_judged_afresh_under_its_key(
    servers: Pair, free: str, feature: str, quantity: int
) -> None:
    for server in (servers.first, servers.second, servers.first):
        answer = server.consume(free, feature, quantity=quantity, idempotency_key="k")
        assert (False, 0) == (answer.replayed, answer.granted)
    assert {} == servers.counters(free)

    # The key is free for something else, and then known.
    assert servers.first.consume(free, "seats", quantity=2, idempotency_key="k").allowed
    failed = refusal(
        lambda: servers.second.consume(free, feature, quantity=quantity, idempotency_key="k")
    )
    assert "IDEMPOTENCY_MISMATCH" == failed.reason


def test_the_first_decision_outlives_change_of_plan_and_archiving(servers: Pair, free: str) -> None:
    first = list(every_kind(servers, free))

    servers.first.provision(free, "none")
    assert_told_again(servers, free, first)
    servers.second.archive(free)
    assert_told_again(servers, free, first)


def test_the_first_decision_outlives_a_change_of_the_catalog(servers: Pair, free: str) -> None:
    first = list(every_kind(servers, free))
    without = "\n".join(line for line in CATALOG.splitlines() if "seats" not in line)
    changed = without.replace("limit: 1000", "limit: 1")
    servers.publish(changed)
    try:
        assert_told_again(servers, free, first)
    finally:
        servers.publish(CATALOG)


def test_the_first_decision_outlives_that_its_request_can_never_work_any_more(
    servers: Pair, free: str
) -> None:
    call: dict[str, Any] = {"feature_id": "seats", "quantity": -1, "idempotency_key": "back"}
    servers.first.consume(free, "seats")
    answer = servers.first.consume(free, **call)
    servers.publish(CATALOG.replace(", kind: gauge", ""))
    try:
        assert first_told_again(answer) == servers.second.consume(free, **call)
        other = call | {"idempotency_key": "another"}
        for _ in range(2):  # nothing is remembered of what can never work
            failed = refusal(lambda: servers.second.consume(free, **other))
            assert "INVALID_REQUEST" == failed.reason
        failed = refusal(lambda: servers.second.consume(free, **(call | {"resource_id": "w"})))
        assert "IDEMPOTENCY_MISMATCH" == failed.reason
    finally:
        servers.publish(CATALOG)


def test_a_denied_call_takes_under_its_key_once_there_is_room(servers: Pair, free: str) -> None:
    servers.first.consume(free, "seats", quantity=3)
    denied = servers.first.consume(free, "seats", idempotency_key="k")
    servers.second.consume(free, "seats", quantity=-1)

    again = servers.second.consume(free, "seats", idempotency_key="k")
    third = servers.first.consume(free, "seats", idempotency_key="k")

    assert (False, True, False) == (denied.allowed, again.allowed, again.replayed)
    assert first_told_again(again) == third
    assert [3] == list(servers.counters(free).values())


@pytest.mark.parametrize(
    "change", [{"quantity": 3}, {"feature_id": "builds"}, {"feature_id": "export"}]
)
def test_other_parameters_under_a_known_key_are_an_error(
    servers: Pair, free: str, change: dict[str, Any]
) -> None:
    fields: dict[str, Any] = {"feature_id": "calls", "quantity": 2, "idempotency_key": "k"}
    servers.first.consume(free, **fields)

    failed = refusal(lambda: servers.second.consume(free, **(fields | change)))

    assert ("INVALID_ARGUMENT", "IDEMPOTENCY_MISMATCH") == (failed.code.name, failed.reason)
    assert failed.message.startswith("idempotency_key: 'k' was used before")
    assert [2] == list(servers.counters(free).values())


def test_customers_do_not_share_keys(servers: Pair, customer: str) -> None:
    for name in (customer, customer + ":k", customer + "%3Ak"):
        servers.first.provision(name, "free")
        for key in ("k", ":k", "k:k"):
            answer = servers.second.consume(name, "calls", idempotency_key=key)
            assert not answer.replayed
        assert [3] == list(servers.counters(name).values())


def test_a_key_is_remembered_as_long_as_asked_for(servers: Pair, free: str) -> None:
    def ask() -> Any:
        return servers.first.consume(
            free, "calls", idempotency_key="k", idempotency_ttl=Duration(nanos=50_000_000)
        )

    assert not ask().replayed
    eventually(ask, lambda answer: not answer.replayed)

    assert [2] == list(servers.counters(free).values())


def test_a_key_is_remembered_for_a_day_when_nothing_is_asked(servers: Pair, free: str) -> None:
    servers.first.consume(free, "calls", idempotency_key="k")

    left_ms = raw(servers.store).pttl(servers.keys.customer(free).decision + "k")
    assert 86_000_000 < left_ms <= 86_400_000
