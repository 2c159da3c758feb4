"""One limit of an entitlement, and the list of them -> `Limit`."""

from collections.abc import Mapping

from quotad.catalog.numbers import parse_amount, parse_limit_amount, parse_per_unit
from quotad.catalog.problems import Place, check_keys, described, shown
from quotad.catalog.windows import WINDOW_KEYS, parse_window
from quotad.model import LIMITS_MAX, Feature, Limit, MeterKind, Window

LIMIT_KEYS = ("limit", "unlimited", "soft", "overage_limit", "enforce", *WINDOW_KEYS)

LET_PASS = ("soft", "overage_limit", "enforce")
"""Keys of limits that let something pass."""

_ADD_ONS_ONLY = "is only for add-ons; here write 'limit'"
ELSEWHERE = {
    "add": _ADD_ONS_ONLY,
    "set": _ADD_ONS_ONLY,
    "rollover": "is not supported by this version",
}
"""Keys that people look for in a limit, and what to do instead."""


def parse_limits(place: Place, feature: Feature, rows: object) -> tuple[Limit, ...] | None:
    """Return the limits listed below `limits`, or None after noting what is wrong with them."""
    if not isinstance(rows, list):
        place.refuse(f"must be a list of {{limit: 1000, per: month}}, not {described(rows)}")
        return None
    if not rows:
        place.refuse("is empty; write unlimited, or false to switch the feature off")
        return None
    if len(rows) > LIMITS_MAX:
        place.refuse(f"has {len(rows)} limits, at most {LIMITS_MAX} are allowed")
        return None
    if feature.kind is MeterKind.GAUGE and len(rows) > 1:
        place.refuse("has several limits; a gauge never resets and has one")
        return None
    if feature.kind is MeterKind.CONCURRENCY and len(rows) > 1:
        place.refuse("has several limits; of slots in flight there is one")
        return None
    limits: list[Limit] = []
    counters: dict[object, int] = {}
    for index, row in enumerate(rows):
        spot = place.item(index)
        if not isinstance(row, dict):
            spot.refuse(
                f"must be a mapping such as {{limit: 1000, per: month}}, not {described(row)}"
            )
            continue
        limit = parse_limit(spot, feature, row, LIMIT_KEYS)
        if limit is None:
            continue
        limits.append(limit)
        if len(rows) == 1:
            break
        window = limit.window
        first = counters.setdefault(window and (window.per, window.anchor), index)
        if first != index:
            what = f"'per: {window.per}' and the same anchor" if window else "no 'per'"
            spot.refuse(f"has {what}, as limits[{first}]; they would share one counter")
    return tuple(limits) or None


def parse_limit(
    place: Place, feature: Feature, raw: Mapping[str, object], keys: tuple[str, ...]
) -> Limit | None:
    """Return one limit, or None after noting what is wrong with it.

    Args:
        place: of the mapping.
        feature: that it limits.
        raw: the mapping.
        keys: those that may stand in it.
    """
    keys_fit = check_keys(place, raw, keys, ELSEWHERE)
    if feature.kind is MeterKind.CONCURRENCY:
        raw = _only_hard(place, raw)
    unlimited = raw.get("unlimited", False)
    if not isinstance(unlimited, bool):
        place.key("unlimited").refuse(f"must be true or left out, not {described(unlimited)}")
        return None
    soft, shadow = _soft(place, raw), _shadow(place, raw)
    known, window = _window(place, feature, raw)
    if unlimited:
        if "limit" in raw:
            place.refuse("has both 'limit' and 'unlimited'; keep one")
        for key, wrong in (
            ("soft", soft),
            ("overage_limit", "overage_limit" in raw),
            ("enforce", shadow),
        ):
            if wrong:
                place.key(key).refuse("has no meaning without a limit to pass")
        return Limit(None, window) if known else None
    if "limit" not in raw and keys_fit:
        place.refuse("has no limit; write 'limit: 1000' or 'unlimited: true'")
    if soft and shadow:
        place.key("enforce").refuse("a soft limit lets pass already; keep one of the two")
    overage_limit = _overage_limit(place, feature, raw, soft)
    if "limit" not in raw:
        return None
    limit, per_unit = parse_per_unit(place.key("limit"), feature, raw["limit"], parse_limit_amount)
    if limit is None or not known:
        return None
    return Limit(limit, window, soft, overage_limit, shadow, per_unit)


def _window(
    place: Place, feature: Feature, raw: Mapping[str, object]
) -> tuple[bool, Window | None]:
    if feature.kind is MeterKind.COUNTER:
        return parse_window(place, raw)
    refuse_window(place, feature, raw)
    return True, None


def refuse_window(place: Place, feature: Feature, raw: Mapping[str, object]) -> None:
    """Note a problem for every key of a window, where the feature has no periods."""
    for key in WINDOW_KEYS:
        if key in raw:
            place.key(key).refuse(f"has no meaning for {feature.kind.single}")


def _only_hard(place: Place, raw: Mapping[str, object]) -> Mapping[str, object]:
    """Note a problem for what lets more pass than a limit of slots; returns the rest."""
    for key in LET_PASS:
        if key in raw:
            place.key(key).refuse("is not for slots in flight, whose limit is hard; leave it out")
    return {key: value for key, value in raw.items() if key not in LET_PASS}


def _soft(place: Place, raw: Mapping[str, object]) -> bool:
    soft = raw.get("soft", False)
    if isinstance(soft, bool):
        return soft
    place.key("soft").refuse(f"must be true or false, not {described(soft)}")
    return False


def _shadow(place: Place, raw: Mapping[str, object]) -> bool:
    if "enforce" not in raw or raw["enforce"] == "shadow":
        return "enforce" in raw
    value = raw["enforce"]
    hint = place.suggestion(value, ("shadow",)) if isinstance(value, str) else ""
    what = shown(value) if isinstance(value, str) else described(value)
    place.key("enforce").refuse(
        f"must be shadow, not {what}{hint or '; leave it out for a limit that denies'}"
    )
    return False


def _overage_limit(
    place: Place, feature: Feature, raw: Mapping[str, object], soft: bool
) -> int | None:
    if "overage_limit" not in raw:
        return None
    place = place.key("overage_limit")
    if not soft:
        place.refuse("is how far a soft limit may be passed; write 'soft: true' as well")
        return None
    return parse_amount(place, feature, raw["overage_limit"])
