"""The calls of `EntitlementsClient`, check, work and report: steps for both kinds of clients."""

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import msgspec
from google.protobuf.duration_pb2 import Duration

from quotad.client import access, calls, corrections, customers
from quotad.client.access import (
    AnyAccess,
    BooleanAccess,
    EnumAccess,
    MeteredAccess,
    NumericAccess,
    UsageMeasurement,
)
from quotad.client.building import checked
from quotad.client.calls import Attempt, Consumption, Policy, Steps
from quotad.client.customers import Customer
from quotad.client.errors import QuotaDeadline, QuotaInvalid, QuotaServerError, QuotaUnavailable
from quotad.client.results import Decision, Entitlement
from quotad.decision import Reason
from quotad.stigg_words import REPORT_KEY_KEPT_MS
from quotad.v1 import admin_pb2

_Access = TypeVar("_Access", bound=BooleanAccess)

_KEY_TTL = Duration(seconds=REPORT_KEY_KEPT_MS // 1000)


class FeatureOf(msgspec.Struct, frozen=True):
    """Which feature of which customer."""

    customer_id: str
    feature_id: str
    resource_id: str = ""


def boolean(
    policy: Policy, asked: FeatureOf, fallback: BooleanAccess | None
) -> Steps[BooleanAccess]:
    """Whether a feature is on."""
    return _or_fallback(_read(policy, asked, access.boolean), fallback, BooleanAccess)


def numeric(
    policy: Policy, asked: FeatureOf, fallback: NumericAccess | None
) -> Steps[NumericAccess]:
    """The number that a feature is configured with."""
    return _or_fallback(_read(policy, asked, access.numeric), fallback, NumericAccess)


def words(
    policy: Policy, asked: FeatureOf, requested: Sequence[str], fallback: EnumAccess | None
) -> Steps[EnumAccess]:
    """The words that a feature is configured with."""

    def made(entitlement: Entitlement) -> EnumAccess:
        return access.words(entitlement, requested)

    return _or_fallback(_read(policy, asked, made), fallback, EnumAccess)


def metered(
    policy: Policy, asked: FeatureOf, requested: int, fallback: MeteredAccess | None
) -> Steps[MeteredAccess]:
    """Whether there is room for what is about to be used."""

    def steps() -> Steps[MeteredAccess]:
        entitlement = yield from _entitlement(policy, asked)
        decision = None
        if requested != 1:
            consumption = Consumption(
                asked.customer_id, asked.feature_id, requested, resource_id=asked.resource_id
            )
            decision = yield from calls.decide(policy, calls.check_request(consumption))
        return access.metered(entitlement, requested, decision)

    return _or_fallback(steps(), fallback, MeteredAccess)


def every(policy: Policy, customer_id: str, resource_id: str) -> Steps[tuple[AnyAccess, ...]]:
    """What a customer has, feature by feature."""
    found = yield from calls.entitlements(policy, customer_id, resource_id)
    return tuple(access.whatever(each) for each in found.entitlements)


def report(
    policy: Policy, asked: FeatureOf, value: int, key: str | None, behavior: str, **when: Any
) -> Steps[UsageMeasurement]:
    """Count what was used.

    Raises:
        QuotaError: nothing was counted, by name.
    """
    if behavior not in ("DELTA", "SET"):
        raise _invalid(f"update_behavior: must be 'DELTA' or 'SET', not {behavior!r}")
    decision = yield from _count(policy, asked, value, key, behavior == "SET", when)
    if not decision.allowed:
        why = access.denied_reason(decision)
        raise QuotaServerError(
            f"value: not counted, {why}", code="NOT_FOUND", reason=decision.reason.name
        )
    if decision.reason is Reason.FEATURE_ENABLED:
        raise _invalid(f"feature_id: {asked.feature_id!r} is not metered; nothing to count")
    ids = msgspec.structs.astuple(asked)
    return access.measured(decision, key or os.urandom(16).hex(), value, *ids)


def provision(
    policy: Policy, customer_id: str, plan_id: str | None, **fields: Any
) -> Steps[Customer]:
    """Create a customer, and put it on a plan; without one, change what it is known by."""
    if plan_id is None:
        given = {name: each for name, each in fields.items() if name in _KNOWN_BY}
        lost = [name for name, each in fields.items() if name not in _KNOWN_BY and each]
        if lost:
            raise _invalid(f"{lost[0]}: without a plan_id there is no subscription to have it")
        update = checked(admin_pb2.UpdateCustomerRequest, customer_id=customer_id, **given)
        step = Attempt("UpdateCustomer", update, policy.timeout_s)
    else:
        request = checked(
            admin_pb2.ProvisionCustomerRequest, customer_id=customer_id, plan_id=plan_id, **fields
        )
        step = Attempt("ProvisionCustomer", request, policy.timeout_s)
    return customers.customer((yield step))


_KNOWN_BY = ("name", "email", "metadata", "external_ids")


def _read(
    policy: Policy, asked: FeatureOf, made: Callable[[Entitlement], _Access]
) -> Steps[_Access]:
    return made((yield from _entitlement(policy, asked)))


def _or_fallback(
    steps: Steps[_Access], fallback: _Access | None, kind: type[_Access]
) -> Steps[_Access]:
    try:
        return (yield from steps)
    except (QuotaUnavailable, QuotaDeadline):
        return msgspec.structs.replace(fallback or kind(has_access=False), is_fallback=True)


def _count(
    policy: Policy,
    asked: FeatureOf,
    value: int,
    key: str | None,
    is_set: bool,
    when: Mapping[str, Any],
) -> Steps[Decision]:
    customer_id, feature_id, resource_id = msgspec.structs.astuple(asked)
    ttl: dict[str, Any] = {} if key is None else {"idempotency_ttl": _KEY_TTL}
    if is_set:
        per = access.window((yield from _entitlement(policy, asked)))
        fields = {"per": per, "resource_id": resource_id, **ttl}
        steps = corrections.set_usage(policy, customer_id, feature_id, value, key=key, **fields)
        return (yield from steps)
    # Of a gauge, what is negative is counted as such.
    if value < 0 and not (yield from _entitlement(policy, asked)).gauge:
        back = Consumption(customer_id, feature_id, -value, key, resource_id)
        return (yield from corrections.refund(policy, back, **when, **ttl))
    consumption = Consumption(customer_id, feature_id, value, key, resource_id)
    request = calls.record_request(policy, consumption, when.get("occurred_at"), **ttl)
    return (yield from calls.decide(policy, request))


def _entitlement(policy: Policy, asked: FeatureOf) -> Steps[Entitlement]:
    return calls.entitlement(policy, asked.customer_id, asked.feature_id, asked.resource_id)


def _invalid(problem: str) -> QuotaInvalid:
    return QuotaInvalid(problem, code="INVALID_ARGUMENT", reason="INVALID_REQUEST")
