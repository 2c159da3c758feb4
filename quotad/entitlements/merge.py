"""Generosity: of two rights to the same feature, what a customer with both may do.

The first one, `mine`, gives the windows; the other one, of another subscription,
a trial or a promotion, can only raise what they allow:

    boolean            granted if either is
    config, values     those of both
    config, numbers    the larger
    config, text       the later in the order plan, add-on, trial, promotion
    metered            per window that both name the larger limit, soft if either is soft; windows
                       that only `mine` has stay, those that only the other has are dropped.
                       Without a window that both name, the one that allows more per time wins as
                       a whole.

`mine` is returned itself, not a copy, where the other one adds nothing.
"""

import re
from collections.abc import Sequence
from decimal import Decimal

import msgspec

from quotad.catalog.windows import length_ms
from quotad.model import Anchor, Entitlement, Feature, FeatureType, Limit, Unit, Window

# Looking a member up in its enum takes as long as the rest of a line.
BOOLEAN = FeatureType.BOOLEAN
CONFIG = FeatureType.CONFIG

Limits = tuple[Limit, ...]

_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]{1,4})?")


def merge(
    mine: Entitlement, other: Entitlement, *, later: bool = True, anchor_ms: int | None = None
) -> Entitlement:
    """Return what a customer with both has.

    Args:
        mine: gives the windows.
        other: can only add.
        later: whether its text counts where texts cannot be compared.
        anchor_ms: of the subscription that the other one is of; None: the same as mine.
    """
    feature_type = mine.feature.type
    if mine is other or feature_type is BOOLEAN:
        return mine
    if feature_type is CONFIG:
        return _config(mine, other, later)
    limits, theirs = merge_limits(mine.limits, other.limits)
    if limits is mine.limits:
        return mine
    if not theirs:
        return with_limits(mine, limits)
    price = other.overage_price or mine.overage_price
    merged = Entitlement(mine.feature, limits=limits, variant=mine.variant, overage_price=price)
    return anchored(merged, other.anchor_ms or anchor_ms)


def with_limits(mine: Entitlement, limits: Limits) -> Entitlement:
    """Return the metered entitlement with other limits."""
    # Written out: structs.replace takes three times as long.
    return Entitlement(
        mine.feature,
        limits=limits,
        anchor_ms=mine.anchor_ms,
        variant=mine.variant,
        overage_price=mine.overage_price,
    )


def anchored(entitlement: Entitlement, anchor_ms: int | None) -> Entitlement:
    """Return the entitlement of another subscription, aligned to that one where it matters."""
    if anchor_ms is None or entitlement.anchor_ms == anchor_ms:
        return entitlement
    for limit in entitlement.limits:
        if limit.window is not None and limit.window.anchor is Anchor.SUBSCRIPTION:
            return msgspec.structs.replace(entitlement, anchor_ms=anchor_ms)
    return entitlement


def merge_limits(mine: Limits, other: Limits) -> tuple[Limits, bool]:
    """Return the limits of a customer with both, and whether the windows are the other's.

    `mine` comes back itself where the other adds nothing.
    """
    if len(mine) == 1 and len(other) == 1 and _same(mine[0].window, other[0].window):
        larger = _larger(mine[0], other[0])
        return (mine if larger is mine[0] else (larger,)), False
    if unlimited(mine):
        return mine, False
    if unlimited(other):
        return without_limit(mine), False
    found = counterparts(mine, other)
    if not any(found):
        return _as_a_whole(mine, other)
    merged = tuple(
        limit if theirs is None else _larger(limit, theirs)
        for limit, theirs in zip(mine, found, strict=True)
    )
    added = any(limit is not own for limit, own in zip(merged, mine, strict=True))
    return (merged if added else mine), False


def unlimited(limits: Limits) -> bool:
    """Whether none of them limits anything."""
    return all(limit.limit is None for limit in limits)


def without_limit(limits: Limits) -> Limits:
    """Return the same windows, only counted.

    The windows stay, and with them the counters: a customer that gets the limits back before the
    period ends keeps its usage.
    """
    return tuple(Limit(None, limit.window) for limit in limits)


def counterparts(mine: Limits, other: Limits) -> list[Limit | None]:
    """For each limit of `mine` the one of `other` that is about the same window, if any.

    A month is a month: where no window is the very same, one with the same length is meant,
    whatever it is aligned to. The anchor and the counter stay those of `mine`.
    """
    exact = {limit.window: limit for limit in other}
    own = {limit.window for limit in mine}
    by_length: dict[object, Limit] = {}
    for limit in other:
        if limit.window not in own:
            length = _per(limit.window)
            known = by_length.get(length)
            by_length[length] = limit if known is None else _larger(known, limit)
    return [exact.get(limit.window) or by_length.get(_per(limit.window)) for limit in mine]


def target(limits: Sequence[Limit], window: Window | None) -> int | None:
    """Which of the limits is about `window`: the very same, else one as long; None: none is."""
    near = None
    for index, limit in enumerate(limits):
        if limit.window is window or limit.window == window:
            return index
        if near is None and _same(limit.window, window):
            near = index
    return near


def decisive(limits: Limits) -> Limit | None:
    """The decisive limit, the longest; None: nothing is denied."""
    denying = [limit for limit in limits if limit.limit is not None and not limit.shadow]
    return max(denying, key=lambda limit: length_ms(limit.window), default=None)


def union(feature: Feature, mine: Entitlement, other: Entitlement) -> tuple[str, ...]:
    """The values that either grants, in the feature's order."""
    granted = {*granted_values(mine), *granted_values(other)}
    return tuple(value for value in feature.values if value in granted)


def granted_values(entitlement: Entitlement) -> tuple[str, ...]:
    """The values of a config feature that lists its values."""
    return entitlement.values or (entitlement.value,)


def _config(mine: Entitlement, other: Entitlement, later: bool) -> Entitlement:
    if mine.feature.values:
        values = union(mine.feature, mine, other)
        if not values or values == granted_values(mine):
            return mine
        return msgspec.structs.replace(mine, value=values[-1], values=values)
    if _is_number(mine.value) and _is_number(other.value):
        later = Decimal(other.value) > Decimal(mine.value)
    if not later or mine.value == other.value:
        return mine
    return msgspec.structs.replace(mine, value=other.value)


def _is_number(text: str) -> bool:
    return _NUMBER.fullmatch(text) is not None


def _per(window: Window | None) -> tuple[Unit, int] | None:
    return None if window is None else (window.unit, window.count)


def _same(window: Window | None, other: Window | None) -> bool:
    """Whether two windows are as long, whatever they are aligned to."""
    if window is None or other is None:
        return window is other
    return window.unit is other.unit and window.count == other.count


def _larger(mine: Limit, other: Limit) -> Limit:
    """Of two limits of one window the larger, in the window of `mine`; `mine` itself if it is."""
    if mine.limit is None:
        return mine
    if other.limit is None:
        return Limit(None, mine.window)
    limit = mine.limit if mine.limit >= other.limit else other.limit
    if mine.soft or other.soft or mine.shadow or other.shadow:
        larger = _softer(mine, other, limit)
        return mine if larger == mine else larger
    return mine if limit == mine.limit else Limit(limit, mine.window)


def _softer(mine: Limit, other: Limit, limit: int) -> Limit:
    """Return `limit` as soft as the softer of the two; in shadow, which denies nothing, is most."""
    if mine.shadow or other.shadow:
        return Limit(limit, mine.window, shadow=True)
    stop, other_stop = _stop(mine), _stop(other)
    if stop is None or other_stop is None:
        return Limit(limit, mine.window, soft=True)
    # Of two hard stops the later one. It is no overage where the other's limit reaches as far.
    overage = max(stop, other_stop) - limit
    if overage == 0:
        return Limit(limit, mine.window)
    return Limit(limit, mine.window, soft=True, overage_limit=overage)


def _stop(limit: Limit) -> int | None:
    """Where a limit denies; None: nowhere."""
    assert limit.limit is not None, "only of limits"
    if not limit.soft:
        return limit.limit
    return None if limit.overage_limit is None else limit.limit + limit.overage_limit


def _as_a_whole(mine: Limits, other: Limits) -> tuple[Limits, bool]:
    """Of two sets of limits without a common window, the one that allows more per time."""
    own, their = decisive(mine), decisive(other)
    if own is None:
        return mine, False
    if their is None:
        return other, True
    if _per_time(their, own) > _per_time(own, their):
        return (_softened(other, their) if _endless(own) else other), True
    return (_softened(mine, own) if _endless(their) else mine), False


def _per_time(limit: Limit, against: Limit) -> int:
    """What a limit allows in as long as both windows together; exact, so that ties are ties."""
    return (limit.limit or 0) * length_ms(against.window)


def _endless(limit: Limit) -> bool:
    return limit.soft and limit.overage_limit is None


def _softened(limits: Limits, one: Limit) -> Limits:
    """Return the limits with one of them soft: what was possible past a limit stays possible."""
    if _endless(one):
        return limits
    soft = Limit(one.limit, one.window, soft=True)
    return tuple(soft if limit is one else limit for limit in limits)
