"""What a customer may use, in Stigg's shapes: for clients that decide from the list they keep."""

from collections.abc import Iterator, Sequence

from quotad.decision import Decision, LimitStatus, Reason
from quotad.engine.shared import Granted
from quotad.entitlements.periods import Period, period_at
from quotad.entitlements.resolve import Effective
from quotad.http.stigg.words import Shape, feature_shape, iso
from quotad.model import Anchor, Entitlement, Feature, FeatureType, Limit, Window
from quotad.stigg_words import DENIED, RESETS

KEPT_MS = 30_000
"""How long a client may decide from a copy (`validUntil`): usage goes on elsewhere meanwhile."""

_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


class StiggEntitlements:
    """Makes the shapes of one answer of the engine.

    Args:
        customer_id: whose.
        resource_id: of the resource that it is about; empty: the customer.
        granted: what the engine answered.
        now_ms: Unix time of the answer.
    """

    def __init__(self, customer_id: str, resource_id: str, granted: Granted, now_ms: int) -> None:
        self._customer_id = customer_id
        self._resource_id = resource_id
        self._granted = granted
        self._now_ms = now_ms

    @property
    def experiment(self) -> tuple[str, str] | None:
        """The experiment that the customer is in, and its variant."""
        group = self._granted.effective.group
        return None if group is None else (group.experiment.name, group.variant)

    @property
    def denied(self) -> str | None:
        """Why the customer may use nothing at all."""
        return _denied(self._granted.effective)

    def granted(self) -> list[Shape]:
        """What the customer has, also where its limit is reached."""
        features = self._granted.snapshot.features
        return [
            self._of(features[feature_id], answer)
            for feature_id, answer in self._granted.decisions.items()
        ]

    def every(self) -> list[Shape]:
        """What the customer has, and what it has not, with the reason.

        A client that keeps the list asks again for what is in it when `validUntil` is over; for
        what is not in it, never.
        """
        if self._granted.effective.denied is not None:
            return []
        return self.granted() + [
            self._of(feature, _NOT_ENTITLED) for feature in self._not_granted()
        ]

    def of(self, feature_id: str) -> Shape | None:
        """What the customer has of one feature; None: nothing."""
        answer = self._granted.decisions.get(feature_id)
        if answer is None:
            return None
        return self._of(self._granted.snapshot.features[feature_id], answer)

    def window_of(self, feature_id: str) -> str:
        """The window whose usage is shown of a feature with several, as a catalog spells it."""
        answer = self._granted.decisions.get(feature_id)
        if answer is None or len(answer.limits) < 2:
            return ""
        return _tightest(answer).per or "lifetime"

    def one(self, feature: Feature | None, answer: Decision) -> Shape:
        """The answer for one feature; None: there is no such feature."""
        if feature is None:
            return self._of(Feature("", FeatureType.BOOLEAN), answer) | {"feature": None}
        return self._of(feature, answer)

    def _not_granted(self) -> Iterator[Feature]:
        decisions = self._granted.decisions
        for feature_id, feature in self._granted.snapshot.features.items():
            if feature_id not in decisions:
                yield feature

    def _of(self, feature: Feature, answer: Decision) -> Shape:
        effective, now_ms = self._granted.effective, self._now_ms
        entitlement = effective.entitlements.get(feature.feature_id)
        reason = DENIED.get(answer.reason)
        valid_ms = min(now_ms + KEPT_MS, effective.until_ms)
        shape: Shape = {
            "__typename": "FeatureEntitlement",
            "isGranted": reason is None,
            "hasAccess": reason is None,
            "accessDeniedReason": reason,
            "customerId": self._customer_id,
            "resourceId": self._resource_id or None,
            "feature": feature_shape(feature),
            "hasUnlimitedUsage": answer.unlimited,
            "hasSoftLimit": answer.soft_limit,
            "entitlementUpdatedAt": iso(now_ms),
            "validUntil": valid_ms,
        }
        if feature.type is FeatureType.CONFIG:
            shape |= value_shape(feature, answer.value, answer.values)
        elif feature.type is FeatureType.METERED and entitlement is not None:
            shape |= _metered(answer, entitlement, effective, now_ms)
            ends = answer.resets_at_ms
            if ends is not None:
                shape["validUntil"] = min(valid_ms, ends)
        return shape


_NOT_ENTITLED = Decision(allowed=False, reason=Reason.NOT_ENTITLED)


def _denied(effective: Effective) -> str | None:
    return None if effective.denied is None else DENIED[effective.denied]


def value_shape(feature: Feature, value: str, values: Sequence[str]) -> Shape:
    """The value of a config feature: a number is a limit that nothing is counted against."""
    if feature.values:
        return {"enumValues": list(values or ([value] if value else []))}
    try:
        return {"usageLimit": int(value)} if value else {}
    except ValueError:
        return {"enumValues": [value]}


def _metered(
    answer: Decision, entitlement: Entitlement, effective: Effective, now_ms: int
) -> Shape:
    """Limit, usage and period of the limit that clients compare with: the tightest."""
    if not answer.limits:  # revoked, or without the pool that pays for it
        return {}
    status = _tightest(answer)
    paid_by = effective.entitlements.get(status.pool_id) if status.pool_id else entitlement
    entitlement = paid_by or entitlement
    limit = _limit_of(status, entitlement.limits)
    window = None if limit is None else limit.window
    anchor_ms = entitlement.anchor_ms if entitlement.anchor_ms is not None else effective.anchor_ms
    period = _period(window, now_ms, anchor_ms, status.resets_at_ms)
    return {
        "hasUnlimitedUsage": status.limit is None,
        "hasSoftLimit": status.soft,
        "usageLimit": None if status.limit is None else plain(status.limit, status.decimals),
        "currentUsage": plain(status.used, status.decimals),
        "resetPeriod": RESETS.get(status.per),
        "resetPeriodConfiguration": configuration_of(window),
        "usagePeriodAnchor": iso(period.start_ms),
        "usagePeriodStart": iso(period.start_ms),
        "usagePeriodEnd": iso(period.end_ms),
        "nextResetDate": iso(period.end_ms),
        "usageUpdatedAt": iso(now_ms),
    }


def _tightest(answer: Decision) -> LimitStatus:
    """The limit with the least room; what is in shadow or unlimited stands back."""

    def room(status: LimitStatus) -> tuple[bool, float]:
        unlimited = status.limit is None or status.shadow
        return unlimited, status.remaining / 10**status.decimals

    return min(answer.limits, key=room)


def _limit_of(status: LimitStatus, limits: Sequence[Limit]) -> Limit | None:
    """The limit that a status is of."""
    for limit in limits:
        if (limit.window.per if limit.window else "") == status.per:
            return limit
    return None


def _period(
    window: Window | None, now_ms: int, anchor_ms: int | None, resets_at_ms: int | None
) -> Period:
    if window is None:
        return Period(None, resets_at_ms, "")
    period = period_at(window, now_ms, anchor_ms)
    if window.anchor is Anchor.FIRST_USE:
        # When it opened is known to the counter alone.
        return Period(None, resets_at_ms, "")
    return period


def plain(amount: int, decimals: int) -> float:
    """An amount in units of a feature, which is kept in units of 10^-decimals."""
    return amount / 10**decimals if decimals else amount


def configuration_of(window: Window | None) -> Shape | None:
    """Where the periods start, in the words there are."""
    if window is None or window.count != 1:
        return None
    subscribed = window.anchor is Anchor.SUBSCRIPTION
    name = window.unit.value
    if name == "month":
        start = "SubscriptionStart" if subscribed else "StartOfTheMonth"
    elif name == "week":
        start = "SubscriptionStart" if subscribed else f"Every{_WEEKDAYS[window.week_starts]}"
    elif name == "year" and subscribed:
        start = "SubscriptionStart"
    else:
        return None
    word = f"{name}ly"
    return {"__typename": f"{word.title()}ResetPeriodConfig", f"{word}AccordingTo": start}
