"""What a customer may do, for the model: what its plan and everything else make together."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from tests.integration.plans.catalogs import (
    Catalog,
    Content,
    Grant,
    Limit,
    Limits,
    Said,
    is_inside,
    read,
    scale,
)
from tests.integration.plans.periods import Window, window_of

YEAR_S = 31_556_952
SECONDS = {
    "second": 1,
    "minute": 60,
    "hour": 3600,
    "day": 86_400,
    "week": 604_800,
    "month": YEAR_S // 12,
    "year": YEAR_S,
}
PLAN, ADDON, TRIAL, PROMOTION = range(4)
"""What the text of a config feature is from; the later counts."""


@dataclass(frozen=True)
class Right:
    """What a customer has of one feature."""

    limits: Limits = ()
    values: tuple[str, ...] = ()
    anchor_ms: int | None = None
    """Of the subscription that its windows are of."""
    variant: str = ""
    text_from: int = PLAN
    revoked: bool = False


Rights = dict[str, Right]


def of_plan(
    content: Content, customer_id: str, anchor_ms: int | None
) -> tuple[Rights, dict[str, str]]:
    """What a plan grants to a customer, and the variants of its rollouts."""
    rights: Rights = {}
    variants: dict[str, str] = {}
    for feature_id, first in content.grants.items():
        grant: Grant | None = first
        while grant is not None and grant.share and not is_inside(grant.share, customer_id):
            grant = grant.otherwise
        variant = ""
        if first.share:
            variant = grant.share[2] if grant is not None and grant.share else "control"
            variants[feature_id] = variant
        if grant is not None:
            rights[feature_id] = Right(grant.limits, grant.values, anchor_ms, variant)
    return rights, variants


def add(catalog: Catalog, rights: Rights, addons: dict[str, int], anchor_ms: int | None) -> None:
    """Put what add-ons add on top of a plan."""
    amounts: dict[str, list[tuple[dict[str, Any], int]]] = {}
    for addon_id, quantity in sorted(addons.items()):
        addon = catalog.document.get("addons", {}).get(addon_id, {"entitlements": {}})
        for feature_id, value in addon["entitlements"].items():
            feature = catalog.features[feature_id]
            if isinstance(value, dict) and ("add" in value or "set" in value):
                if "per" not in value and feature.get("kind") != "gauge":
                    value = {**value, "own": _sold(catalog, addon.get("plans"), feature_id)}
                amounts.setdefault(feature_id, []).append((value, quantity))
                continue
            said = read(feature, value)
            assert said is not None
            right = topped_up(feature, rights.get(feature_id), said, anchor_ms, ADDON)
            if right is not None:
                rights[feature_id] = right
    for feature_id, entries in amounts.items():
        feature = catalog.features[feature_id]
        mine = rights.get(feature_id)
        limits = _with_amounts(feature, mine, entries)
        if limits != (() if mine is None else mine.limits):
            rights[feature_id] = replace(mine or Right(anchor_ms=anchor_ms), limits=limits)


def _sold(catalog: Catalog, plans: list[str] | None, feature_id: str) -> Window | None:
    """The longest window that plans have of a feature today."""
    found: list[Limit] = []
    for plan_id in sorted(catalog.plans if plans is None else plans):
        grant = catalog.plans[plan_id].latest.grants.get(feature_id)
        while grant is not None:
            found.extend(grant.limits)
            grant = grant.otherwise
    return max(found, key=_seconds).window if found else None


def topped_up(
    feature: dict[str, Any], mine: Right | None, said: Said, anchor_ms: int | None, text_from: int
) -> Right | None:
    """What somebody has who has `mine` and is given what is said as well."""
    right = granted(feature, said, mine, anchor_ms)
    if right is None:
        return mine
    right = replace(right, text_from=text_from)
    return right if mine is None else more_generous(feature, mine, right, later=True)


def granted(
    feature: dict[str, Any], said: Said, replaced: Right | None, anchor_ms: int | None
) -> Right | None:
    """What is said, as a right; None: it means nothing (any more)."""
    if replaced is not None and any(_is_aligned(limit) for limit in replaced.limits):
        anchor_ms = replaced.anchor_ms
    if feature["type"] == "metered":
        if said.limits is None:
            windows = replaced.limits if replaced is not None else ()
            return Right(_counting(windows) or (Limit(None),), anchor_ms=anchor_ms)
        return Right(said.limits, anchor_ms=anchor_ms)
    values = said.values
    if "values" in feature:
        values = tuple(value for value in feature["values"] if value in values)
        if not values:
            return None
    return Right(values=values, anchor_ms=anchor_ms)


def more_generous(feature: dict[str, Any], mine: Right, theirs: Right, *, later: bool) -> Right:
    """What somebody has who has both; `mine` gives the windows, the later one the text."""
    if feature["type"] == "boolean":
        return mine
    if feature["type"] == "metered":
        limits, whole = merged(mine.limits, theirs.limits)
        return replace(mine, limits=limits, anchor_ms=theirs.anchor_ms if whole else mine.anchor_ms)
    if "values" in feature:
        both = tuple(v for v in feature["values"] if v in mine.values + theirs.values)
        return replace(mine, values=both)
    own, other = _number(mine.values[0]), _number(theirs.values[0])
    if own is not None and other is not None:
        later = other > own
    if mine.values == theirs.values:
        return replace(mine, text_from=max(mine.text_from, theirs.text_from))
    return replace(mine, values=theirs.values, text_from=theirs.text_from) if later else mine


def merged(mine: Limits, theirs: Limits) -> tuple[Limits, bool]:
    """The limits of somebody who has both, and whether they are theirs."""
    if all(limit.limit is None for limit in mine):
        return mine, False
    if all(limit.limit is None for limit in theirs):
        return _counting(mine), False
    pairs = [(limit, _same_window(limit, mine, theirs)) for limit in mine]
    if any(other for _, other in pairs):
        return tuple(one if other is None else _larger(one, other) for one, other in pairs), False
    own, other = longest(mine), longest(theirs)
    if own is None:
        return mine, False
    if other is None:
        return theirs, True
    if _amount(other) * _seconds(own) > _amount(own) * _seconds(other):
        return (_softened(theirs, other) if own.stop is None else theirs), True
    return (_softened(mine, own) if other.stop is None else mine), False


def _same_window(limit: Limit, mine: Limits, theirs: Limits) -> Limit | None:
    """Theirs of the very same window, else the largest of one as long that is nobody's own."""
    for other in theirs:
        if other.window == limit.window:
            return other
    windows = {each.window for each in mine}
    found: Limit | None = None
    for other in theirs:
        if other.window not in windows and _length(other.window) == _length(limit.window):
            found = other if found is None else _larger(found, other)
    return found


def longest(limits: Limits) -> Limit | None:
    """The limit that says how much there is per time."""
    found: Limit | None = None
    for limit in limits:
        denies = limit.limit is not None and not limit.shadow
        if denies and (found is None or _seconds(limit) > _seconds(found)):
            found = limit
    return found


def _larger(mine: Limit, theirs: Limit) -> Limit:
    """Of two limits of one window what is more, in the window of `mine`."""
    if mine.limit is None or theirs.limit is None:
        return Limit(None, mine.window)
    larger = Limit(max(mine.limit, theirs.limit), mine.window)
    if mine.shadow or theirs.shadow:
        return replace(larger, shadow=True)
    if mine.stop is None or theirs.stop is None:
        return replace(larger, soft=True)
    past = max(mine.stop, theirs.stop) - _amount(larger)
    return replace(larger, soft=True, overage=past) if past else larger


def _with_amounts(
    feature: dict[str, Any], mine: Right | None, entries: Sequence[tuple[dict[str, Any], int]]
) -> Limits:
    limits = () if mine is None else mine.limits
    raised: dict[int, list[tuple[dict[str, Any], int]]] = {}
    extra: dict[Window | None, list[tuple[dict[str, Any], int]]] = {}
    for entry, quantity in entries:
        index = target(entry, limits)
        if index is not None:
            raised.setdefault(index, []).append((entry, quantity))
        else:
            window = window_of(entry) if "per" in entry else entry.get("own")
            extra.setdefault(window, []).append((entry, quantity))
    found = list(limits)
    for index, said in raised.items():
        limit = found[index]
        if limit.limit is not None:
            found[index] = replace(limit, limit=_amounting(feature, limit.limit, said))
    limits = tuple(found)
    for window, said in extra.items():
        own = (Limit(_amounting(feature, 0, said), window),)
        limits = merged(limits, own)[0] if limits or mine is not None else own
    return limits


def target(entry: dict[str, Any], limits: Limits) -> int | None:
    """Which limit an amount is about."""
    if "per" in entry:
        window = window_of(entry)
        near = [i for i, limit in enumerate(limits) if _length(limit.window) == _length(window)]
        exact = [i for i in near if limits[i].window == window]
        return next(iter(exact or near), None)
    if len(limits) > 1:
        # Only of an earlier revision of the plan: what says how much there is.
        return limits.index(longest(limits) or limits[0])
    return 0 if limits else None


def _amounting(
    feature: dict[str, Any], limit: int, said: Sequence[tuple[dict[str, Any], int]]
) -> int:
    unit = scale(feature)
    sets: list[int] = [entry["set"] * unit for entry, _ in said if "set" in entry]
    adds: list[int] = [entry.get("add", 0) * unit * quantity for entry, quantity in said]
    return max([limit + sum(adds), *sets])


def _counting(limits: Limits) -> Limits:
    return tuple(Limit(None, limit.window) for limit in limits)


def _softened(limits: Limits, one: Limit) -> Limits:
    """One of them without a stop: who could go on past a limit still can."""
    soft = Limit(one.limit, one.window, soft=True)
    return tuple(soft if limit is one else limit for limit in limits)


def _is_aligned(limit: Limit) -> bool:
    return limit.window is not None and limit.window.anchor == "subscription"


def _amount(limit: Limit) -> int:
    assert limit.limit is not None
    return limit.limit


def _seconds(limit: Limit) -> int:
    window = limit.window
    return 100 * YEAR_S if window is None else SECONDS[window.unit] * window.number


def _length(window: Window | None) -> tuple[str, int] | None:
    return None if window is None else (window.unit, window.number)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
