"""The call of the admin service that is about customers near a limit."""

from collections.abc import Sequence

from quotad.engine.insights import Nearness
from quotad.service.admin_parts import AdminParts, mapped
from quotad.service.encode import timestamp
from quotad.v1 import admin_pb2 as pb

PERCENT_MAX = 2**31 - 1
"""Largest number that an answer can hold: a soft limit of 10 may be passed by far more."""


class InsightCalls:
    """Mixed into the servicer, which has the parts."""

    _parts: AdminParts

    @mapped
    def GetInsights(self, request: pb.GetInsightsRequest) -> pb.GetInsightsResponse:
        """The customers near a limit or past it."""
        found = self._parts.insights.near_limits(request.feature_id, request.size)
        answer = pb.GetInsightsResponse()
        for feature_id, each in found.items():
            answer.features.add(
                feature_id=feature_id, above=_usages(each.above), near=_usages(each.near)
            )
        return answer


def _usages(found: Sequence[Nearness]) -> list[pb.CustomerUsage]:
    return [
        pb.CustomerUsage(
            customer_id=one.customer.customer_id,
            resource_id=one.customer.resource_id,
            plan_id=one.plan_id,
            limit=one.status.limit,
            used=one.status.used,
            per=one.status.per,
            percent=min(one.percent, PERCENT_MAX),
            resets_at=timestamp(one.status.resets_at_ms),
            pool_id=one.status.pool_id,
            decimals=one.status.decimals,
        )
        for one in found
    ]
