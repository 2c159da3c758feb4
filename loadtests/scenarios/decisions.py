"""Requests, and what must never be answered to them. Pure."""

from collections.abc import Callable, Sequence
from typing import Any

from loadtests.scenarios.catalog import METERED
from quotad.v1 import quota_pb2 as pb

Check = Callable[[Any], str | None]
"""Looks at an answer; returns what is wrong with it."""


def consumption(customer_id: str, feature_id: str, quantity: int = 1, key: str = "") -> Any:
    """A request; its idempotency key, if any, is remembered for as long as a run needs it."""
    request = pb.CheckAndConsumeRequest(
        customer_id=customer_id, feature_id=feature_id, quantity=quantity, idempotency_key=key
    )
    if key:
        request.idempotency_ttl.seconds = 600
    return request


def reason_of(answer: Any) -> str:
    """The reason's name as the README has it."""
    return pb.Reason.Name(answer.reason).removeprefix("REASON_")


def lasting(answer: Any) -> Any:
    """The limit without a period: of several, or the answer's only one."""
    return next((limit for limit in answer.limits if not limit.per), answer)


def wrong(request: Any, answer: Any) -> str | None:
    """What is wrong with a decision, as far as it tells by itself."""
    who = f"{request.customer_id} {request.feature_id}"
    if request.feature_id not in METERED or answer.replayed or request.quantity < 0:
        return None
    limits = [each for each in answer.limits or [answer] if each.HasField("limit")]
    if answer.allowed:
        over = [each for each in limits if each.used > each.limit and not each.soft_limit]
        if answer.granted != request.quantity:
            return f"{who}: asked for {request.quantity}, granted {answer.granted}"
        return f"{who}: allowed {over[0].used} of {over[0].limit}" if over else None
    if answer.granted:
        return f"{who}: denied, and granted {answer.granted}"
    if answer.reason == pb.REASON_LIMIT_EXCEEDED and all(
        each.used + request.quantity <= each.limit for each in limits
    ):
        return f"{who}: {request.quantity} denied at {answer.used} of {answer.limit}"
    return None


def wrong_batch(requests: list[Any], answer: Any) -> str | None:
    """What is wrong with the answers to a batch."""
    if len(requests) != len(answer.results):
        return f"{len(answer.results)} results for {len(requests)} requests"
    for request, result in zip(requests, answer.results, strict=True):
        if result.HasField("error"):
            return f"an error in a batch: {result.error.reason}"
        if problem := wrong(request, result.response):
            return problem
    return None


def wrong_repeat(request: Any, answers: Sequence[Any]) -> str | None:
    """What is wrong with all the answers under one key: it takes once, and then returns that.

    A denial is not kept, so others may be allowed after it.
    """
    who = f"{request.customer_id} key {request.idempotency_key}"
    taken = [each for each in answers if each.granted]
    if len({(each.allowed, each.granted, each.reason) for each in taken}) > 1:
        return f"{who}: answered differently the second time"
    if sum(not each.replayed for each in taken) > 1:
        return f"{who}: taken more than once"
    return None


def wrong_plan(answer: Any, plan_id: str, limit: int) -> str | None:
    """What is wrong with the first decision after a change to a plan with this limit."""
    if answer.limit == limit:
        return None
    return f"the limit is {answer.limit} after a change to plan {plan_id}, not {limit}"


def wrong_catalog(answer: Any, version: int, limit: int) -> str | None:
    """What is wrong with the first decision after a version with this limit was published.

    Somebody else may have published another one since, so a later version may decide.
    """
    if answer.catalog_version < version:
        return f"catalog {answer.catalog_version} decided after {version} was published"
    if answer.catalog_version == version and answer.limit != limit:
        return f"the limit is {answer.limit} after {limit} was published in catalog {version}"
    return None
