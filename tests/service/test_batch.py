"""BatchCheckAndConsume: many requests in one call, each decided and answered on its own."""

from typing import Any

import pytest

from quotad.decision import BATCH_MAX
from quotad.v1 import quota_pb2 as pb
from tests.running import Running, refusal

CATALOG = """
version: 1
default_plan: free
features:
  calls: {type: metered}
  seats: {type: metered, kind: gauge}
  export: {type: boolean}
plans:
  free:
    entitlements:
      calls: {limit: 5, per: 100 years}
      seats: {limit: 2}
"""


@pytest.fixture(scope="module")
def quotad(served: Running) -> Running:
    served.publish_and_wait(CATALOG)
    return served


def item(customer: str, feature: str = "calls", quantity: int = 1, **fields: Any) -> Any:
    return pb.CheckAndConsumeRequest(
        customer_id=customer, feature_id=feature, quantity=quantity, **fields
    )


def test_answers_come_in_the_order_of_the_requests(quotad: Running, customer: str) -> None:
    answer = quotad.batch(
        item(customer, quantity=4),
        item(customer, "no-such"),
        item(f"{customer}-2", quantity=2),
        item(customer, "export"),
        item(customer, quantity=2),
        item(customer, "seats", 2),
        item(customer, quantity=1),
    )

    assert [
        (True, "WITHIN_LIMIT", 4),
        (False, "FEATURE_NOT_FOUND", 0),
        (True, "WITHIN_LIMIT", 2),
        (False, "NOT_ENTITLED", 0),
        (False, "LIMIT_EXCEEDED", 4),
        (True, "WITHIN_LIMIT", 2),
        (True, "WITHIN_LIMIT", 5),
    ] == [
        (r.response.allowed, pb.Reason.Name(r.response.reason)[7:], r.response.used)
        for r in answer.results
    ]


def test_a_customer_that_comes_twice_sees_itself(quotad: Running, customer: str) -> None:
    answer = quotad.batch(*[item(customer, "seats", q) for q in (1, 1, 1, -1, 1)])

    assert [1, 2, 2, 1, 2] == [r.response.used for r in answer.results]
    assert [True, True, False, True, True] == [r.response.allowed for r in answer.results]


def test_a_thousand_requests_are_answered_in_order(quotad: Running, customer: str) -> None:
    requests = [item(f"{customer}-{i % 250}", quantity=i // 250) for i in range(BATCH_MAX)]

    answer = quotad.batch(*requests)

    # 0, 1, 2 of five, and then three more, which do not fit.
    assert [0, 1, 3, 3] == [answer.results[i].response.used for i in (249, 499, 749, 999)]
    for i, result in enumerate(answer.results):
        assert (i // 250 if i < 750 else 0) == result.response.granted
        assert (i < 750) == result.response.allowed
    assert BATCH_MAX == len(answer.results)


def test_one_more_than_a_thousand_are_refused(quotad: Running, customer: str) -> None:
    failed = refusal(lambda: quotad.batch(*[item(customer)] * (BATCH_MAX + 1)))

    assert "INVALID_ARGUMENT INVALID_REQUEST: requests: 1001 of them; at most 1000" == repr(failed)
    assert {} == quotad.counters(customer)


def test_an_empty_batch_has_no_answers(quotad: Running) -> None:
    assert pb.BatchCheckAndConsumeResponse() == quotad.batch()


@pytest.mark.parametrize(
    ("bad", "field"),
    [
        (item(""), "customer_id"),
        (item("x", ""), "feature_id"),
        (item("x", quantity=10**16), "quantity"),
        (item("x", mode=5), "mode"),
        (item("x", idempotency_key="k" * 257), "idempotency_key"),
    ],
    ids=["customer_id", "feature_id", "quantity", "mode", "idempotency_key"],
)
def test_a_malformed_request_is_refused_in_its_own_place(
    quotad: Running, customer: str, bad: Any, field: str
) -> None:
    answer = quotad.batch(bad, item(customer), bad, bad, item(customer), item(customer), bad)

    assert ["error", "response", "error", "error", "response", "response", "error"] == [
        r.WhichOneof("result") for r in answer.results
    ]
    for i in (0, 2, 3, 6):
        error = answer.results[i].error
        assert (3, "INVALID_REQUEST") == (error.code, error.reason)
        assert error.message.startswith(f"{field}: ")
    assert [1, 2, 3] == [answer.results[i].response.used for i in (1, 4, 5)]
    assert [3] == list(quotad.counters(customer).values())


def test_a_batch_of_malformed_requests_is_answered(quotad: Running) -> None:
    answer = quotad.batch(item(""), item("x", ""))

    assert ["customer_id", "feature_id"] == [
        r.error.message.partition(":")[0] for r in answer.results
    ]


def test_ninety_nine_are_decided_beside_a_malformed_one(quotad: Running, customer: str) -> None:
    requests = [item(f"{customer}-{i}") for i in range(100)]
    requests[42] = item("")

    answer = quotad.batch(*requests)

    assert [42] == [i for i, r in enumerate(answer.results) if r.HasField("error")]
    assert 99 == sum(r.response.granted for r in answer.results)


def test_an_error_of_one_request_leaves_the_others_decided(quotad: Running, customer: str) -> None:
    quotad.consume(customer, "calls", quantity=1, idempotency_key="k")

    answer = quotad.batch(
        item(customer, quantity=1),
        item(customer, quantity=2, idempotency_key="k"),
        item(customer, quantity=-1),
        item(customer, quantity=1, idempotency_key="k"),
        item(customer, quantity=2),
    )

    assert ["response", "error", "error", "response", "response"] == [
        r.WhichOneof("result") for r in answer.results
    ]
    mismatch, negative = answer.results[1].error, answer.results[2].error
    assert (3, "IDEMPOTENCY_MISMATCH") == (mismatch.code, mismatch.reason)
    assert mismatch.message.startswith("idempotency_key: 'k' was used before with another")
    assert (3, "INVALID_REQUEST") == (negative.code, negative.reason)
    assert negative.message.startswith("quantity: -1 is negative")
    assert [2, 1, 4] == [answer.results[i].response.used for i in (0, 3, 4)]
    assert answer.results[3].response.replayed
    assert [4] == list(quotad.counters(customer).values())


def test_one_key_twice_in_a_batch_counts_once(quotad: Running, customer: str) -> None:
    answer = quotad.batch(*[item(customer, quantity=2, idempotency_key="k")] * 3)

    assert [False, True, True] == [r.response.replayed for r in answer.results]
    assert [2, 2, 2] == [r.response.used for r in answer.results]
    assert [2] == list(quotad.counters(customer).values())
