"""What is read: entitlements, usage, insights, and how this process is doing."""

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from quotad.engine.insights import Nearness
from quotad.http.answers import moment
from quotad.http.catalogs import VersionAnswer, version_answer
from quotad.http.entitlement_answers import (
    EntitlementAnswer,
    EntitlementsAnswer,
    entitlement_answer,
    entitlements_answer,
)
from quotad.http.fields import PageSize
from quotad.http.operation import (
    HttpAnswer,
    HttpCall,
    Operation,
    RequestFields,
    in_thread,
    on_decider,
)
from quotad.operations.decisions import DecisionOperations
from quotad.operations.usage import PeriodUsage
from quotad.tokens.roles import Right


class GetEntitlement(RequestFields, frozen=True, kw_only=True):
    """Which entitlement."""

    customer_id: str
    feature_id: str
    resource_id: str = ""


class GetEntitlements(RequestFields, frozen=True, kw_only=True):
    """Whose entitlements."""

    customer_id: str
    resource_id: str = ""


class GetUsage(RequestFields, frozen=True, kw_only=True):
    """Which usage."""

    customer_id: str = ""
    """Empty: of every customer with a record, page by page."""
    feature_id: str = ""
    """Empty: of every metered feature."""
    month: str = ""
    """`2026-10`: of the periods that start in it; empty: of those under way."""
    page_size: PageSize = 0
    page_token: str = ""


class GetInsights(RequestFields, frozen=True, kw_only=True):
    """Of what."""

    feature_id: str = ""
    """Empty: of every metered feature."""
    size: Annotated[int, Meta(ge=0, le=100)] = 0
    """Most customers per list; 0: 10."""


class GetStatus(RequestFields, frozen=True, kw_only=True):
    """Nothing is asked for."""


class EntitlementFound(msgspec.Struct, frozen=True, kw_only=True):
    """An entitlement."""

    entitlement: EntitlementAnswer
    catalog_version: int


class UsageAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What was used of a feature in one period."""

    customer_id: str
    resource_id: str
    feature_id: str
    per: str
    """`day`, `3 months`; empty: lifetime."""
    start: datetime | None
    end: datetime | None
    used: int
    """In units of 10^-decimals."""
    denied: int
    """What there was no room for."""
    decimals: int
    unit: str


class UsageFound(msgspec.Struct, frozen=True, kw_only=True):
    """A page of usage."""

    usage: tuple[UsageAnswer, ...]
    next_page_token: str
    """Empty: no more."""


class CustomerUsageAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A customer near a limit or past it."""

    customer_id: str
    resource_id: str
    plan_id: str
    limit: int | None
    used: int
    per: str
    percent: int
    """Used of the limit."""
    denied: int
    """What the limit had no room for."""
    demand_percent: int
    """Used and denied of the limit; what the lists are ordered by."""
    resets_at: datetime | None
    pool_id: str
    decimals: int


class ExperimentGroupAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """How many customers of one group of an experiment are above a limit, or near it."""

    experiment: str
    variant: str
    """The plan that the group has instead, or `control`."""
    above: int
    near: int


class FeatureInsightsAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Customers of a feature."""

    feature_id: str
    above: tuple[CustomerUsageAnswer, ...]
    """Used or asked for more than a limit, the most of it first."""
    near: tuple[CustomerUsageAnswer, ...]
    """Nearest to their limits first."""
    groups: tuple[ExperimentGroupAnswer, ...]
    """Of experiments; counts all customers, also where the lists are cut off."""


class InsightsFound(msgspec.Struct, frozen=True, kw_only=True):
    """Insights."""

    features: tuple[FeatureInsightsAnswer, ...]
    """In the catalog's order."""


class StatusAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """How a process is doing."""

    server_version: str
    ready: bool
    not_ready_reason: str
    catalog: VersionAnswer | None
    store: str
    store_up: bool
    started_at: datetime | None
    pid: int
    front: str
    decisions: dict[str, int]
    cached_customers: int
    store_warnings: tuple[str, ...]


@on_decider
def entitlement(
    decisions: DecisionOperations, call: HttpCall, wanted: GetEntitlement
) -> HttpAnswer:
    """Return what a customer may do with one feature."""
    asked = wanted.customer_id, wanted.feature_id, wanted.resource_id
    feature, answer = decisions.entitlement(*asked)
    price = decisions.overage_price(*asked)
    return HttpAnswer(
        EntitlementFound(
            entitlement=entitlement_answer(wanted.feature_id, feature, answer, price),
            catalog_version=answer.catalog_version,
        )
    )


@on_decider
def entitlements(
    decisions: DecisionOperations, call: HttpCall, wanted: GetEntitlements
) -> HttpAnswer:
    """Return everything that a customer is entitled to."""
    granted = decisions.entitlements(wanted.customer_id, wanted.resource_id)
    return HttpAnswer(entitlements_answer(wanted.customer_id, wanted.resource_id, granted))


@in_thread
def usage(call: HttpCall, wanted: GetUsage) -> HttpAnswer:
    """Return what customers have used."""
    reading, asked = call.context.parts.usage, (wanted.feature_id, wanted.month)
    if wanted.customer_id:
        page = reading.of_customer(wanted.customer_id, *asked)
    else:
        page = reading.page(*asked, wanted.page_token, wanted.page_size)
    return HttpAnswer(
        UsageFound(usage=tuple(map(_used, page.usage)), next_page_token=page.next_token)
    )


@in_thread
def insights(call: HttpCall, wanted: GetInsights) -> HttpAnswer:
    """Return the customers near a limit or past it."""
    found = call.context.parts.insights.near_limits(wanted.feature_id, wanted.size)
    return HttpAnswer(
        InsightsFound(
            features=tuple(
                FeatureInsightsAnswer(
                    feature_id=feature_id,
                    above=tuple(map(_near, each.above)),
                    near=tuple(map(_near, each.near)),
                    groups=tuple(
                        ExperimentGroupAnswer(
                            experiment=group.experiment,
                            variant=group.variant,
                            above=group.above,
                            near=group.near,
                        )
                        for group in each.groups
                    ),
                )
                for feature_id, each in found.items()
            )
        )
    )


async def status(call: HttpCall, wanted: GetStatus) -> HttpAnswer:
    """Return how this process is doing; without the store."""
    found = call.context.parts.worker.status()
    return HttpAnswer(
        StatusAnswer(
            server_version=found.server_version,
            ready=not found.not_ready_reason,
            not_ready_reason=found.not_ready_reason,
            catalog=None if found.catalog is None else version_answer(found.catalog),
            store=found.store,
            store_up=found.store_up,
            started_at=moment(found.started_ms),
            pid=found.pid,
            front=found.front,
            decisions=found.decisions,
            cached_customers=found.cached_customers,
            store_warnings=found.store_warnings,
        )
    )


def _used(found: PeriodUsage) -> UsageAnswer:
    return UsageAnswer(
        customer_id=found.customer_id,
        resource_id=found.resource_id,
        feature_id=found.feature.feature_id,
        per=found.per,
        start=moment(found.start_ms),
        end=moment(found.end_ms),
        used=found.used,
        denied=found.denied,
        decimals=found.feature.decimals,
        unit=found.feature.unit,
    )


def _near(found: Nearness) -> CustomerUsageAnswer:
    return CustomerUsageAnswer(
        customer_id=found.customer.customer_id,
        resource_id=found.customer.resource_id,
        plan_id=found.plan_id,
        limit=found.status.limit,
        used=found.status.used,
        per=found.status.per,
        percent=found.percent,
        denied=found.denied,
        demand_percent=found.demand_percent,
        resets_at=moment(found.status.resets_at_ms),
        pool_id=found.status.pool_id,
        decimals=found.status.decimals,
    )


OPERATIONS = (
    Operation(
        name="GetEntitlement",
        method="GET",
        path="/v1/customers/{customer_id}/entitlements/{feature_id}",
        right=Right.CHECK,
        wanted=GetEntitlement,
        given=EntitlementFound,
        act=entitlement,
        about="Returns what a customer may do with one feature now. Consumes nothing.",
    ),
    Operation(
        name="GetEntitlements",
        method="GET",
        path="/v1/customers/{customer_id}/entitlements",
        right=Right.CHECK,
        wanted=GetEntitlements,
        given=EntitlementsAnswer,
        act=entitlements,
        about="Returns the same for every feature that is granted, and those that were revoked.",
    ),
    Operation(
        name="GetUsage",
        method="GET",
        path="/v1/usage",
        right=Right.READ,
        wanted=GetUsage,
        given=UsageFound,
        act=usage,
        about="Returns what customers have used and were denied, by feature and period.",
    ),
    Operation(
        name="GetInsights",
        method="GET",
        path="/v1/insights",
        right=Right.READ,
        wanted=GetInsights,
        given=InsightsFound,
        act=insights,
        about="Returns the customers that have used, or asked for, most of their limits.",
    ),
    Operation(
        name="GetStatus",
        method="GET",
        path="/v1/status",
        right=Right.READ,
        wanted=GetStatus,
        given=StatusAnswer,
        act=status,
        about="Returns how the process that answers is doing.",
    ),
)
