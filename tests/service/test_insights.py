"""GetInsights over both fronts: who should be offered the next plan."""

from typing import Any

import grpc
import pytest

from quotad.v1 import admin_pb2 as pb
from quotad.v1 import quota_pb2
from tests.running import CALL_S, Running, refusal

PLANS = """
version: 1
default_plan: free
features:
  {feature}: {{type: metered}}
  sso: {{type: boolean}}
plans:
  free:
    entitlements:
      {feature}: {{limit: 10, per: year, soft: true}}
      sso: true
"""


@pytest.fixture(scope="module")
def quotad(served: Running) -> Running:
    served.publish_and_wait(PLANS.format(feature="calls"))
    return served


def insights(quotad: Running, **fields: Any) -> Any:
    return quotad.admin.GetInsights(pb.GetInsightsRequest(**fields), timeout=CALL_S)


def test_who_was_served_a_moment_ago_is_listed(quotad: Running, customer: str) -> None:
    quotad.consume(f"{customer}-above", "calls", quantity=25)
    requests = [
        quota_pb2.CheckAndConsumeRequest(
            customer_id=f"{customer}-{name}", feature_id="calls", quantity=quantity
        )
        for name, quantity in (("near", 9), ("far", 7))
    ]
    quotad.batch(*requests)

    (found,) = insights(quotad, size=100).features

    assert "calls" == found.feature_id
    above = [u for u in found.above if u.customer_id.startswith(customer)]
    near = [u for u in found.near if u.customer_id.startswith(customer)]
    assert [(f"{customer}-above", "free", 25, 10, 250, "year")] == [
        (u.customer_id, u.plan_id, u.used, u.limit, u.percent, u.per) for u in above
    ]
    assert [(f"{customer}-near", 90)] == [(u.customer_id, u.percent) for u in near]
    assert above[0].HasField("resets_at")


def test_a_limit_may_be_passed_by_more_than_an_answer_can_hold(
    quotad: Running, customer: str
) -> None:
    for name, quantity in (("most", 10**15), ("less", 10**14)):
        quotad.consume(f"{customer}-{name}", "calls", quantity=quantity)

    (found,) = insights(quotad, size=100).features

    assert [(f"{customer}-most", 2**31 - 1), (f"{customer}-less", 2**31 - 1)] == [
        (u.customer_id, u.percent) for u in found.above if u.customer_id.startswith(customer)
    ]


def test_a_feature_that_is_asked_for_is_listed_even_if_no_customer_is_near(
    quotad: Running, customer: str
) -> None:
    quotad.publish_and_wait(PLANS.format(feature=customer))

    assert [customer] == [f.feature_id for f in insights(quotad, feature_id=customer).features]
    assert [] == list(insights(quotad).features)
    quotad.publish_and_wait(PLANS.format(feature="calls"))


@pytest.mark.parametrize(
    ("fields", "code", "message"),
    [
        ({"feature_id": "sso"}, grpc.StatusCode.INVALID_ARGUMENT, "is not metered"),
        ({"feature_id": "call"}, grpc.StatusCode.NOT_FOUND, "did you mean 'calls'?"),
        ({"size": 101}, grpc.StatusCode.INVALID_ARGUMENT, "size: 101 is not between 0 and 100"),
        ({"size": -1}, grpc.StatusCode.INVALID_ARGUMENT, "size: -1 is not between"),
    ],
)
def test_what_cannot_be_listed_is_refused(
    quotad: Running, fields: dict[str, Any], code: grpc.StatusCode, message: str
) -> None:
    failed = refusal(lambda: insights(quotad, **fields))

    assert code is failed.code
    assert message in repr(failed)
