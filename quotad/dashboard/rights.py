"""What a customer may do, as lines of a page: used, limit, resets, state."""

from collections.abc import Iterable

import msgspec

from quotad.dashboard.shown import value_words
from quotad.decision import Decision, LimitStatus, Reason
from quotad.engine.shared import Granted
from quotad.marks import NEAR_PERCENT
from quotad.model import Feature, FeatureType, MeterKind

REASONS = {
    Reason.CUSTOMER_NOT_FOUND: "there is no such customer, and no default plan",
    Reason.CUSTOMER_ARCHIVED: "the customer is archived",
    Reason.NO_ACTIVE_SUBSCRIPTION: "no subscription is active",
    Reason.FEATURE_NOT_FOUND: "there is no such feature",
    Reason.NOT_ENTITLED: "nothing grants it",
    Reason.REVOKED: "an override revokes it",
    Reason.VALUE_NOT_ALLOWED: "the value is not granted",
    Reason.LIMIT_EXCEEDED: "the limit is reached",
    Reason.INSUFFICIENT_CREDITS: "the credits are used up",
    Reason.OVER_SOFT_LIMIT: "past a soft limit, which lets it through",
    Reason.UNLIMITED: "unlimited",
    Reason.FEATURE_ENABLED: "granted",
    Reason.WITHIN_LIMIT: "within the limit",
    Reason.OVER_LIMIT: "past the limit",
}


class LimitLine(msgspec.Struct, frozen=True):
    """One limit of a feature."""

    used: int
    limit: int | None
    per: str
    resets_ms: int | None
    decimals: int
    soft: bool
    held: int
    """What open reservations and leases hold."""

    @property
    def percent(self) -> int | None:
        """Used of the limit; None: there is none."""
        if self.limit is None:
            return None
        return 100 if self.limit <= 0 else (self.used + self.held) * 100 // self.limit

    @property
    def state(self) -> str:
        """Class of its bar."""
        percent = self.percent
        if percent is None:
            return ""
        return "bad" if percent >= 100 else "warn" if percent >= NEAR_PERCENT else ""


class RightLine(msgspec.Struct, frozen=True):
    """One feature."""

    feature_id: str
    name: str
    unit: str
    metered: bool
    allowed: bool
    why: str
    value: str
    pool: str
    limits: tuple[LimitLine, ...]
    gauge: bool = False

    @property
    def top(self) -> LimitLine | None:
        """The limit of which most is used."""
        return max(self.limits, key=lambda each: each.percent or 0, default=None)


def right_lines(granted: Granted) -> list[RightLine]:
    """Return a line for each feature of a customer: what is near a limit, what is metered, others;
    each in the order of the catalog."""
    features = granted.snapshot.features
    lines = [
        right_line(feature_id, features.get(feature_id), answer)
        for feature_id, answer in granted.decisions.items()
    ]
    states = ("bad", "warn", "")
    return sorted(
        lines, key=lambda each: (states.index(each.top.state if each.top else ""), not each.metered)
    )


def right_line(feature_id: str, feature: Feature | None, answer: Decision) -> RightLine:
    """Return the line of a feature."""
    metered = feature is not None and feature.type is FeatureType.METERED
    return RightLine(
        feature_id,
        (feature.name if feature else "") or feature_id,
        feature.unit if feature else "",
        metered,
        answer.allowed,
        REASONS[Reason(answer.reason)],
        value_words(answer.value, feature.unit if feature else "") or ", ".join(answer.values),
        answer.pool_id,
        _limits(answer) if metered else (),
        feature is not None and feature.kind in (MeterKind.GAUGE, MeterKind.CONCURRENCY),
    )


def most_used(lines: Iterable[RightLine]) -> RightLine | None:
    """Return the feature of whose limit most is used; None: nothing is limited."""
    limited = [each for each in lines if each.top is not None and each.top.percent is not None]
    return max(limited, key=lambda each: (each.top and each.top.percent) or 0, default=None)


def _limits(answer: Decision) -> tuple[LimitLine, ...]:
    if answer.limits:
        return tuple(map(_status, answer.limits))
    if answer.limit is None and not answer.unlimited and not answer.used:
        return ()
    return (
        LimitLine(
            answer.used,
            answer.limit,
            "",
            answer.resets_at_ms,
            answer.decimals,
            answer.soft_limit,
            answer.reserved + answer.leased,
        ),
    )


def _status(status: LimitStatus) -> LimitLine:
    return LimitLine(
        status.used,
        status.limit,
        status.per,
        status.resets_at_ms,
        status.decimals,
        status.soft,
        status.reserved + status.leased,
    )
