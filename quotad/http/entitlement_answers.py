"""Entitlements as JSON: the structs, and how they are made of the model's."""

from datetime import datetime

import msgspec

from quotad.decision import Decision
from quotad.engine.shared import Granted
from quotad.http.answers import REASONS, LimitState, limit_state, moment
from quotad.model import Feature, MeterKind
from quotad.prices import OveragePrice


class OveragePriceAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A price as the catalog writes it; quotad charges nobody."""

    amount: str
    """A decimal number."""
    currency: str
    """Three letters of ISO 4217."""
    each: int
    """Units that it is for."""


class EntitlementAnswer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a customer may do with a feature."""

    feature_id: str
    name: str
    """Of the feature, for display; empty: the catalog gives none."""
    feature_type: str
    """`BOOLEAN`, `CONFIG`, `METERED`; empty: there is no such feature."""
    gauge: bool
    """Metered, goes down again, never resets."""
    concurrency: bool
    """Metered, limits what is in flight: `used` is what slots hold."""
    unit: str
    allowed: bool
    """Whether one more unit would be allowed now."""
    reason: str
    limit: int | None
    """Of the limit with least remaining."""
    unlimited: bool
    soft_limit: bool
    used: int
    remaining: int
    overage: int
    resets_at: datetime | None
    limits: tuple[LimitState, ...]
    mark: int
    """The highest of its limits' marks."""
    reserved: int
    """What open reservations hold of the limit; `used` is without it."""
    leased: int
    """The same of leases."""
    value: str = ""
    """Of a config feature."""
    values: tuple[str, ...] = ()
    """Granted, of a config feature that lists its values."""
    variant: str = ""
    pool_id: str = ""
    """The credit pool whose limit is the one above."""
    decimals: int = 0
    overage_price: OveragePriceAnswer | None = None
    """Of usage past a soft limit, as the plan has it."""


class EntitlementsAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a customer, or a resource of it, is entitled to."""

    customer_id: str
    resource_id: str
    plan_id: str
    """Empty without an active subscription."""
    plan_name: str
    """For display; empty: the catalog gives none."""
    denied_reason: str
    """Why there is no entitlement at all; empty when there is a plan."""
    entitlements: tuple[EntitlementAnswer, ...]
    """Granted or revoked ones, in the catalog's order."""
    catalog_version: int


def entitlement_answer(
    feature_id: str,
    feature: Feature | None,
    answer: Decision,
    overage_price: OveragePrice | None = None,
) -> EntitlementAnswer:
    """Return what a customer may do with a feature; the feature is None where there is none."""
    limits = tuple(limit_state(status, marked=True) for status in answer.limits)
    return EntitlementAnswer(
        feature_id=feature_id,
        name="" if feature is None else feature.name,
        feature_type="" if feature is None else feature.type.name,
        gauge=feature is not None and feature.kind is MeterKind.GAUGE,
        concurrency=feature is not None and feature.kind is MeterKind.CONCURRENCY,
        unit="" if feature is None else feature.unit,
        allowed=answer.allowed,
        reason=REASONS[answer.reason],
        limit=answer.limit,
        unlimited=answer.unlimited,
        soft_limit=answer.soft_limit,
        used=answer.used,
        remaining=answer.remaining,
        overage=answer.overage,
        resets_at=moment(answer.resets_at_ms),
        limits=limits,
        mark=max((each.mark for each in limits), default=0),
        reserved=answer.reserved,
        leased=answer.leased,
        value=answer.value,
        values=answer.values,
        variant=answer.variant,
        pool_id=answer.pool_id,
        decimals=answer.decimals,
        overage_price=None if overage_price is None else _price(overage_price),
    )


def _price(price: OveragePrice) -> OveragePriceAnswer:
    return OveragePriceAnswer(amount=price.amount, currency=price.currency, each=price.each)


def entitlements_answer(customer_id: str, resource_id: str, granted: Granted) -> EntitlementsAnswer:
    """Return everything a customer, or one of its resources, is entitled to."""
    effective, features = granted.effective, granted.snapshot.features
    plan = granted.snapshot.plans.get(effective.plan_id)
    return EntitlementsAnswer(
        customer_id=customer_id,
        resource_id=resource_id,
        plan_id=effective.plan_id,
        plan_name="" if plan is None else plan.name,
        denied_reason=REASONS[effective.denied] if effective.denied else "",
        entitlements=tuple(
            entitlement_answer(
                feature_id,
                features[feature_id],
                answer,
                effective.entitlements[feature_id].overage_price,
            )
            for feature_id, answer in granted.decisions.items()
        ),
        catalog_version=granted.snapshot.version,
    )
