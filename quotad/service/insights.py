"""The calls of the admin service that are about usage: of all, and near a limit."""

from collections.abc import Sequence

from quotad.engine.insights import Nearness
from quotad.held import Correction
from quotad.operations.parts import AdminParts
from quotad.operations.usage import PeriodUsage
from quotad.service.admin_parts import mapped
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
                feature_id=feature_id,
                above=_usages(each.above),
                near=_usages(each.near),
                groups=[
                    pb.ExperimentGroup(
                        experiment=group.experiment,
                        variant=group.variant,
                        above=group.above,
                        near=group.near,
                    )
                    for group in each.groups
                ],
            )
        return answer

    @mapped
    def GetUsage(self, request: pb.GetUsageRequest) -> pb.GetUsageResponse:
        """What customers have used."""
        asked, usage = (request.feature_id, request.month), self._parts.usage
        if request.customer_id:
            page = usage.of_customer(request.customer_id, *asked)
        else:
            page = usage.page(*asked, request.page_token, request.page_size)
        return pb.GetUsageResponse(usage=map(_used, page.usage), next_page_token=page.next_token)

    @mapped
    def ListCorrections(self, request: pb.ListCorrectionsRequest) -> pb.ListCorrectionsResponse:
        """The latest corrections of a customer's usage."""
        found = self._parts.usage.corrections_of(request.customer_id, request.page_size)
        return pb.ListCorrectionsResponse(corrections=map(_correction, found))


def _correction(correction: Correction) -> pb.Correction:
    return pb.Correction(
        corrected_at=timestamp(correction.corrected_ms),
        verb=correction.verb,
        feature_id=correction.feature_id,
        resource_id=correction.resource_id,
        change=correction.change,
        reason=correction.reason,
        actor=correction.actor,
        key=correction.key,
        made_by=correction.made_by,
    )


def _used(usage: PeriodUsage) -> pb.Usage:
    return pb.Usage(
        customer_id=usage.customer_id,
        resource_id=usage.resource_id,
        feature_id=usage.feature.feature_id,
        per=usage.per,
        start=timestamp(usage.start_ms),
        end=timestamp(usage.end_ms),
        used=usage.used,
        decimals=usage.feature.decimals,
        unit=usage.feature.unit,
        denied=usage.denied,
    )


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
            denied=one.denied,
            demand_percent=min(one.demand_percent, PERCENT_MAX),
        )
        for one in found
    ]
