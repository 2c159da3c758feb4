"""Answers that no counter takes part in: what the plan decides alone, and what can never work."""

import msgspec

from quotad.catalog import Snapshot
from quotad.decision import ConsumeAllRequest, ConsumeRequest, Decision, Mode, Reason
from quotad.entitlements.resolve import Effective
from quotad.errors import Damaged, IdempotencyMismatch, InvalidRequest
from quotad.model import Entitlement, FeatureType
from quotad.slots import AcquireRequest
from quotad.store import Charge
from quotad.store.damage import report_damage


def given_by(
    entitlement: Entitlement, pool: Entitlement | None, snapshot: Snapshot
) -> Decision | None:
    """The decision on an entitlement; None: counters decide.

    Args:
        entitlement: the customer's.
        pool: what pays for the feature, if the customer has it.
        snapshot: the catalog in force.
    """
    feature, version, variant = entitlement.feature, snapshot.version, entitlement.variant
    if entitlement.revoked:
        return Decision(False, int(Reason.REVOKED), version, variant=variant, detailed=True)
    if feature.type is not FeatureType.METERED:
        return Decision(
            True,
            int(Reason.FEATURE_ENABLED),
            version,
            value=entitlement.value,
            values=entitlement.values,
            variant=variant,
            detailed=True,
        )
    if feature.credit is None or pool is not None:
        return None
    pool_id = feature.credit.pool_id
    return Decision(
        False,
        int(Reason.INSUFFICIENT_CREDITS),
        version,
        variant=variant,
        pool_id=pool_id,
        decimals=snapshot.features[pool_id].decimals,
        detailed=True,
    )


def denied(feature_id: str, effective: Effective, snapshot: Snapshot) -> Decision:
    """Why a customer has nothing of a feature: the first reason that applies."""
    reason = effective.denied
    if reason is None:
        known = feature_id in snapshot.features
        reason = Reason.NOT_ENTITLED if known else Reason.FEATURE_NOT_FOUND
    variant = effective.variants.get(feature_id, "")
    return Decision(False, int(reason), snapshot.version, variant=variant, detailed=bool(variant))


def judge_values(given: Decision, request: ConsumeRequest) -> Decision:
    """The decision on a feature that lists its values, when some of them are requested."""
    if not given.allowed or set(request.requested_values) <= set(given.values):
        return given
    return msgspec.structs.replace(given, allowed=False, reason=int(Reason.VALUE_NOT_ALLOWED))


def no_values(request: ConsumeRequest) -> InvalidRequest:
    """Values were requested of a feature that has none to choose from."""
    return InvalidRequest(
        f"requested_values: {request.feature_id!r} does not list values; leave them out, or list"
        " them below its `values:` in the catalog"
    )


def not_this_way(request: ConsumeRequest) -> InvalidRequest:
    """Something was to be given back as only gauges are, or the other way round."""
    if request.mode == Mode.REFUND:
        return InvalidRequest(
            f"feature_id: {request.feature_id!r} is a gauge; give it back by a consume of a"
            " negative quantity"
        )
    return InvalidRequest(
        f"quantity: {request.quantity} is negative, and {request.feature_id!r} is not a gauge; only"
        " gauges can be given back; take back what was counted by a Refund"
    )


def not_by_use(feature_id: str) -> InvalidRequest:
    """What is held in slots was to be counted, held otherwise or lent."""
    return InvalidRequest(
        f"feature_id: {feature_id!r} limits what is in flight; hold a slot of it by"
        " AcquireSlot, which counts other features with it (`also`) where they are used together"
    )


def not_by_slot(request: ConsumeRequest) -> InvalidRequest:
    """A slot was to be acquired of what is not held in slots."""
    return InvalidRequest(
        f"feature_id: {request.feature_id!r} is not of `kind: concurrency`; use CheckAndConsume, or"
        " Reserve what comes back"
    )


def no_negative_slots(request: ConsumeRequest) -> InvalidRequest:
    """It was asked whether slots could be given back."""
    return InvalidRequest(
        f"quantity: {request.quantity} is negative, and {request.feature_id!r} limits what is in"
        " flight; a slot is given back by ReleaseSlot"
    )


def not_checked_together(request: ConsumeRequest) -> InvalidRequest:
    """Slots were to be checked together with something else."""
    return InvalidRequest(
        f"feature_id: {request.feature_id!r} limits what is in flight; check it by itself, with"
        " CheckAndConsume and MODE_CHECK_ONLY"
    )


def not_kept(request: ConsumeRequest) -> InvalidRequest:
    """Return the refusal of usage in periods whose counters are gone."""
    return InvalidRequest(
        f"occurred_at: no counter of {request.feature_id!r} is kept any more for the periods of"
        " that moment; they are for `usage_retention_ms` after a period has ended"
    )


def damaged(charge: Charge, request: ConsumeRequest) -> Damaged:
    """A key of a charge holds something else than was written there; which is only for the log."""
    keys = charge.key_names()
    for key in keys:
        others = f", or another one of {len(keys)} that a call needs" if len(keys) > 1 else ""
        report_damage(key, f"it holds no usage{others}")
    items = request.items if isinstance(request, ConsumeAllRequest) else (request,)
    names = " or ".join(repr(item.feature_id) for item in items)
    return Damaged(f"a counter of {names} is damaged in the store")


def in_item(request: ConsumeAllRequest, place: int, refused: InvalidRequest) -> InvalidRequest:
    """One of several items of a request can never work."""
    if not isinstance(request, AcquireRequest):
        return InvalidRequest(f"items[{place}].{refused}")
    return InvalidRequest(f"also[{place - 1}].{refused}") if place else refused


def mismatch(request: ConsumeRequest) -> IdempotencyMismatch:
    """A key was used before for something else."""
    return IdempotencyMismatch(
        f"idempotency_key: {request.idempotency_key!r} was used before with another feature_id,"
        " quantity, resource_id, mode, occurred_at or requested_values, or with other items; use a"
        " new key for a new piece of work"
    )
