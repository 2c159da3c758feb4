"""G1 and G2 for credit pools: never passed, met exactly, paid together with a feature's own limits.

Many concurrent callers, two server processes with different fronts, one Valkey.
"""

import random
from collections.abc import Iterable
from typing import Any

import pytest

from quotad.v1 import quota_pb2 as pb
from tests.integration.conftest import Pair
from tests.running import CALL_S

CATALOG = """
version: 1
default_plan: pro
features:
  ai-credits: {type: metered, decimals: 2}
  chat:  {type: metered, credit: {pool: ai-credits, cost: 1.25}}
  image: {type: metered, credit: {pool: ai-credits, cost: 7.5}}
  video: {type: metered, credit: {pool: ai-credits, cost: 40}}
  film: {type: metered, credit: {pool: ai-credits, cost: 1000}}
  tokens: {type: metered}
  embed: {type: metered, credit: {pool: tokens, cost: 3}}
plans:
  pro:
    entitlements:
      ai-credits:
        limits:
          - {limit: 500, per: 100 years}
          - {limit: 300, per: 50 years}
      chat: true
      image: {limit: 20, per: 100 years}
      video: unlimited
      film: true
      embed: true
"""
COST = {"chat": 125, "image": 750, "video": 4000, "ai-credits": 1}


@pytest.fixture(scope="module")
def servers(pair: Pair) -> Pair:
    pair.publish(CATALOG)
    return pair


def request(customer: str, feature: str, quantity: int = 1, **fields: Any) -> Any:
    return pb.CheckAndConsumeRequest(
        customer_id=customer, feature_id=feature, quantity=quantity, **fields
    )


def send(servers: Pair, requests: Iterable[Any]) -> list[Any]:
    """All at once, in turns to both servers; answers in the order of the requests."""
    stubs = (servers.first.quota, servers.second.quota)
    calls = [
        stubs[i % 2].CheckAndConsume.future(each, timeout=CALL_S) for i, each in enumerate(requests)
    ]
    return [call.result() for call in calls]


def counted(servers: Pair, customer: str, feature: str) -> set[int]:
    """What the counters of a feature show; of several, each should show the same."""
    counters = servers.counters(customer)
    return {used for name, used in counters.items() if name.startswith(f"{feature}:")} or {0}


def test_a_pool_is_met_exactly_by_all_its_features(servers: Pair, customer: str) -> None:
    """30,000 hundredths are left to the last one: chats of 125 fit 240 times."""
    answers = send(servers, [request(customer, "chat")] * 600)

    assert 240 == sum(answer.allowed for answer in answers)
    assert {30_000} == counted(servers, customer, "ai-credits")
    denied = next(answer for answer in answers if not answer.allowed)
    assert (pb.REASON_INSUFFICIENT_CREDITS, "ai-credits", 2, 30_000, 30_000, 0) == (
        denied.reason,
        denied.pool_id,
        denied.decimals,
        denied.limit,
        denied.used,
        denied.remaining,
    )


def test_mixed_features_never_pass_the_pool_and_all_that_fits_is_sold(
    servers: Pair, customer: str
) -> None:
    rng = random.Random(7)
    features = [rng.choice(list(COST)) for _ in range(500)]
    quantities = [rng.choice((1, 1, 2, 5)) for _ in features]

    answers = send(servers, map(request, [customer] * 500, features, quantities))

    for feature, quantity, answer in zip(features, quantities, answers, strict=True):
        assert answer.granted == (quantity if answer.allowed else 0), feature
    spent = sum(
        COST[feature] * answer.granted for feature, answer in zip(features, answers, strict=True)
    )
    assert 29_000 < spent <= 30_000
    assert {spent} == counted(servers, customer, "ai-credits")
    images = sum(a.granted for f, a in zip(features, answers, strict=True) if f == "image")
    assert {images} == counted(servers, customer, "image")
    # What is left is sold one hundredth at a time, and not one more.
    rest = send(servers, [request(customer, "ai-credits", 5)] * 250)
    left = 30_000 - spent
    assert left - left % 5 == sum(answer.granted for answer in rest)


def test_a_full_limit_of_the_feature_costs_no_credits(servers: Pair, customer: str) -> None:
    answers = send(servers, [request(customer, "image")] * 60)

    assert 20 == sum(answer.allowed for answer in answers)
    assert {20} == counted(servers, customer, "image")
    assert {20 * 750} == counted(servers, customer, "ai-credits")
    assert {pb.REASON_WITHIN_LIMIT, pb.REASON_LIMIT_EXCEEDED} == {a.reason for a in answers}


def test_a_full_pool_counts_nothing_of_the_feature(servers: Pair, customer: str) -> None:
    before = send(servers, [request(customer, "video", 7)])[0]
    answers = send(servers, [request(customer, "image", 3)] * 10)

    assert (True, 28_000) == (before.allowed, before.used)
    # 2,000 hundredths are left: three images cost 2,250.
    assert {(False, pb.REASON_INSUFFICIENT_CREDITS)} == {(a.allowed, a.reason) for a in answers}
    assert {0} == counted(servers, customer, "image")
    assert {28_000} == counted(servers, customer, "ai-credits")
    (fits,) = send(servers, [request(customer, "image", 2)])
    assert (True, 2) == (fits.allowed, fits.granted)


def test_without_a_pool_there_is_nothing_to_pay_with(servers: Pair, customer: str) -> None:
    (answer,) = send(servers, [request(customer, "embed")])

    assert (False, pb.REASON_INSUFFICIENT_CREDITS, "tokens") == (
        answer.allowed,
        answer.reason,
        answer.pool_id,
    )
    assert {} == servers.counters(customer)


def test_a_repeated_key_pays_once(servers: Pair, customer: str) -> None:
    answers = send(servers, [request(customer, "image", idempotency_key="k")] * 40)

    assert 1 == sum(not answer.replayed for answer in answers)
    first = next(answer for answer in answers if not answer.replayed)
    first.replayed = True
    assert all(answer.replayed is False or answer == first for answer in answers)
    assert {750} == counted(servers, customer, "ai-credits")


def test_a_batch_pays_in_order(servers: Pair, customer: str) -> None:
    requests = [
        request(customer, "video", 7),
        request(customer, "image", 3),
        request(customer, "chat"),
    ]

    answer = servers.first.quota.BatchCheckAndConsume(
        pb.BatchCheckAndConsumeRequest(requests=requests), timeout=CALL_S
    )

    assert [
        (True, 28_000),
        (False, 28_000),
        (True, 28_125),
    ] == [(r.response.allowed, r.response.used) for r in answer.results]


def test_an_entitlement_shows_what_the_pool_has_left(servers: Pair, customer: str) -> None:
    send(servers, [request(customer, "video", 6)])
    ask = pb.GetEntitlementsRequest(customer_id=customer)

    granted = servers.second.quota.GetEntitlements(ask, timeout=CALL_S).entitlements

    told = {each.feature_id: each for each in granted}
    assert ["ai-credits", "chat", "image", "video", "film", "embed"] == list(told)
    image = told["image"]
    assert (True, "ai-credits", 2, 24_000, 6_000, 80) == (
        image.allowed,
        image.pool_id,
        image.decimals,
        image.used,
        image.remaining,
        image.mark,
    )
    assert [("", 0), ("ai-credits", 0), ("ai-credits", 80)] == [
        (limit.pool_id, limit.mark) for limit in image.limits
    ]
    assert (2, "", 24_000) == (
        told["ai-credits"].decimals,
        told["ai-credits"].pool_id,
        told["ai-credits"].used,
    )
    assert (False, pb.REASON_INSUFFICIENT_CREDITS) == (told["embed"].allowed, told["embed"].reason)


def test_what_is_missing_may_be_more_than_an_answer_can_hold(servers: Pair, customer: str) -> None:
    asked = [request(customer, "film", 10**15, explain=True)] * 8

    answers = send(servers, [*asked, request(customer, "film")])

    assert [2**63 - 1] * 8 == [answer.explanation.missing for answer in answers[:8]]
    assert {pb.REASON_INSUFFICIENT_CREDITS} == {answer.reason for answer in answers}
