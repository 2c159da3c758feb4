"""What few calls ask for and few answers tell, over both fronts."""

from typing import Any

import grpc
import pytest

from quotad.v1 import admin_pb2
from quotad.v1 import quota_pb2 as pb
from tests.running import CALL_S, Running, refusal

CATALOG = """
version: 1
default_plan: free
features:
  credits: {type: metered, decimals: 2}
  image: {type: metered, credit: {pool: credits, cost: 2.5}}
  calls: {type: metered}
  exports: {type: metered}
  support: {type: config, values: [community, email, phone]}
  editor: {type: boolean}
plans:
  free:
    entitlements:
      credits: {limit: 10, per: 100 years}
      image: {limit: 100, per: 100 years}
      calls: {limit: 10, per: 100 years, soft: true, overage_limit: 5}
      exports: {limit: 2, per: 100 years, enforce: shadow}
      support: [community, email]
      editor: {rollout: {percent: 0}}
"""


@pytest.fixture(scope="module")
def quotad(served: Running) -> Running:
    served.publish_and_wait(CATALOG)
    return served


def provision(quotad: Running, customer: str, **fields: Any) -> None:
    request = admin_pb2.ProvisionCustomerRequest(customer_id=customer, plan_id="free", **fields)
    quotad.admin.ProvisionCustomer(request, timeout=CALL_S)


def test_a_pool_is_shown_with_its_decimals(quotad: Running, customer: str) -> None:
    answer = quotad.consume(customer, "image", quantity=3)

    assert (True, 3, 1000, 750, 250, "credits", 2) == (
        answer.allowed,
        answer.granted,
        answer.limit,
        answer.used,
        answer.remaining,
        answer.pool_id,
        answer.decimals,
    )
    assert [("", 0, 3), ("credits", 2, 750)] == [
        (each.pool_id, each.decimals, each.used) for each in answer.limits
    ]


def test_requested_values_decide(quotad: Running, customer: str) -> None:
    granted = quotad.consume(customer, "support", requested_values=["email"])
    refused = quotad.consume(customer, "support", requested_values=["email", "phone"])
    wrong = refusal(lambda: quotad.consume(customer, "calls", requested_values=["email"]))

    assert (True, "email", ["community", "email"]) == (
        granted.allowed,
        granted.value,
        list(granted.values),
    )
    assert (False, pb.REASON_VALUE_NOT_ALLOWED) == (refused.allowed, refused.reason)
    assert grpc.StatusCode.INVALID_ARGUMENT is wrong.code
    assert wrong.message.startswith("requested_values: 'calls' does not list values")


def test_a_resource_is_counted_and_asked_about_on_its_own(quotad: Running, customer: str) -> None:
    provision(quotad, customer)
    provision(quotad, customer, resource_id="team")
    quotad.consume(customer, "calls", quantity=9, resource_id="team")

    own = quotad.consume(customer, "calls")
    unknown = quotad.consume(customer, "calls", resource_id="other")
    asked = pb.GetEntitlementRequest(customer_id=customer, feature_id="calls", resource_id="team")
    one = quotad.quota.GetEntitlement(asked, timeout=CALL_S).entitlement
    ask_all = pb.GetEntitlementsRequest(customer_id=customer, resource_id="team")
    every = quotad.quota.GetEntitlements(ask_all, timeout=CALL_S)

    assert (1, pb.REASON_NO_ACTIVE_SUBSCRIPTION) == (own.used, unknown.reason)
    assert (9, 80, 80) == (one.used, one.mark, one.limits[0].mark)
    assert ("team", "free") == (every.resource_id, every.plan_id)
    assert {"calls": 9} == {each.feature_id: each.used for each in every.entitlements if each.used}


def test_overage_shadow_and_variant_are_reported(quotad: Running, customer: str) -> None:
    over = quotad.consume(customer, "calls", quantity=15, explain=True)
    stopped = quotad.consume(customer, "calls", explain=True)
    shadow = [quotad.consume(customer, "exports").would_deny for _ in range(3)]
    editor = quotad.consume(customer, "editor")

    assert (pb.REASON_OVER_SOFT_LIMIT, 5, 5) == (
        over.reason,
        over.overage,
        over.limits[0].overage_limit,
    )
    assert (pb.REASON_LIMIT_EXCEEDED, 1) == (stopped.reason, stopped.explanation.missing)
    assert [False, False, True] == shadow
    assert (pb.REASON_NOT_ENTITLED, "control") == (editor.reason, editor.variant)


def test_an_explanation_shows_sources_and_what_was_missing(quotad: Running, customer: str) -> None:
    quotad.consume(customer, "image", quantity=3)

    denied = quotad.consume(customer, "image", quantity=2, explain=True)

    told = denied.explanation
    assert (pb.REASON_INSUFFICIENT_CREDITS, 250, "10.00 credits per 100 years") == (
        denied.reason,
        told.missing,
        told.denied_by,
    )
    assert denied.resets_at == told.frees_at
    assert [
        ("free", pb.SOURCE_KIND_DEFAULT_PLAN, ""),
        ("free", pb.SOURCE_KIND_DEFAULT_PLAN, "credits"),
    ] == [(source.source_id, source.kind, source.feature_id) for source in told.sources]
    assert not quotad.consume(customer, "image").HasField("explanation")


def test_a_batch_returns_all_of_it_too(quotad: Running, customer: str) -> None:
    requests = [
        pb.CheckAndConsumeRequest(customer_id=customer, feature_id="image", explain=True),
        pb.CheckAndConsumeRequest(
            customer_id=customer, feature_id="support", requested_values=["phone"]
        ),
        pb.CheckAndConsumeRequest(
            customer_id=customer, feature_id="image", requested_values=["phone"]
        ),
        pb.CheckAndConsumeRequest(customer_id=customer, feature_id="calls", resource_id="x"),
    ]

    first, second, third, fourth = quotad.batch(*requests).results

    assert ("credits", 2) == (first.response.pool_id, len(first.response.explanation.sources))
    assert pb.REASON_VALUE_NOT_ALLOWED == second.response.reason
    assert "INVALID_REQUEST" == third.error.reason
    assert pb.REASON_NO_ACTIVE_SUBSCRIPTION == fourth.response.reason
