"""The steps of the calls about usage: what customers have used, page by page, and insights."""

from quotad.client import customers
from quotad.client.building import checked
from quotad.client.calls import Policy, Steps, retried
from quotad.client.customers import FeatureInsights, UsagePage
from quotad.v1 import admin_pb2 as pb

PAGE_MAX = 1_000
"""Most customers of a page."""


def page(
    policy: Policy, customer_id: str, feature_id: str, month: str, token: str, size: int
) -> Steps[UsagePage]:
    """Read a page of usage."""
    request = checked(
        pb.GetUsageRequest,
        customer_id=customer_id,
        feature_id=feature_id,
        month=month,
        page_size=size,
        page_token=token,
    )
    answer = yield from retried(policy, "GetUsage", request)
    return UsagePage(
        usage=tuple(map(customers.usage, answer.usage)), next_token=answer.next_page_token
    )


def insights(policy: Policy, feature_id: str, size: int) -> Steps[tuple[FeatureInsights, ...]]:
    """Read which customers are near their limits, or need more."""
    request = checked(pb.GetInsightsRequest, feature_id=feature_id, size=size)
    answer = yield from retried(policy, "GetInsights", request)
    return tuple(map(customers.insights, answer.features))
