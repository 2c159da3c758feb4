"""What can be lent to a caller that decides by itself: units of hard limits."""

from quotad.engine.given import not_by_use
from quotad.engine.meters import Bound, Meter
from quotad.errors import InvalidRequest
from quotad.model import FeatureType, MeterKind
from quotad.store.charges import PLAIN_ARGS


def not_lendable(feature_id: str, meter: Meter, bound: Bound) -> InvalidRequest | None:
    """Why nothing of a feature can be lent to a customer; None: it can be.

    Args:
        feature_id: the feature.
        meter: the customer's entitlement to it.
        bound: its limits now.
    """
    if meter.entitlement.feature.type is not FeatureType.METERED:
        what = "is not metered"
    elif meter.slots:
        return not_by_use(feature_id)
    elif meter.entitlement.feature.kind is not MeterKind.COUNTER:
        what = f"is a {meter.entitlement.feature.kind.in_words}"
    elif meter.pool is not None:
        what = "is paid for by a credit pool"
    else:
        what = _of_limits(bound)
    if not what:
        return None
    return InvalidRequest(
        f"feature_id: {feature_id!r} {what}, and only hard limits can be leased; use"
        " CheckAndConsume"
    )


def _of_limits(bound: Bound) -> str:
    """Which of the limits is in the way; empty: none."""
    for term in bound.terms:
        details = term.details
        if term.soft:
            return "has a soft limit"
        if details is not None and details.shadow:
            return "has a limit in shadow"
        if details is not None and details.opens:
            return "has a limit whose period begins at first use"
    return "has a limit of its own kind" if bound.counters.words[1] != PLAIN_ARGS else ""
