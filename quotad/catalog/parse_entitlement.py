"""One entry of a plan's `entitlements` -> `Entry`, by the type of its feature."""

import math
from collections.abc import Mapping

from quotad.catalog.problems import Place, check_keys, described, shown, text_of
from quotad.catalog.windows import WINDOW_KEYS, parse_window
from quotad.model import (
    LIMITS_MAX,
    QUANTITY_MAX,
    Entry,
    Feature,
    FeatureType,
    Limit,
    MeterKind,
)

VALUE_BYTES_MAX = 4096
"""Longest value of a config feature, which is part of every answer about it."""

OFF = Entry(granted=False)
ON = Entry()
UNLIMITED = Entry(limits=None)

_LIMIT_KEYS = ("limit", "unlimited", "soft", *WINDOW_KEYS)
_ENTRY_KEYS = ("limits", *_LIMIT_KEYS)
# Of the design, not yet of the server: amounts of add-ons, and what is left of a period.
_LATER_KEYS = ("add", "set", "rollover")

_METERED_SHAPES = "{limit: 1000, per: month}, unlimited or false"


def parse_entry(place: Place, feature: Feature, value: object) -> Entry | None:
    """Return what a plan says of `feature`, or None after noting what is wrong with it."""
    if feature.type is FeatureType.BOOLEAN:
        if isinstance(value, bool):
            return ON if value else OFF
        place.refuse(f"is a boolean feature: write true or false, not {described(value)}")
        return None
    if feature.type is FeatureType.CONFIG:
        return _config(place, feature, value)
    return _metered(place, feature, value)


def _config(place: Place, feature: Feature, value: object) -> Entry | None:
    text = config_text(place, value)
    if text is None:
        return None
    if feature.values and text not in feature.values:
        hint = place.suggestion(text, feature.values) or f" ({', '.join(feature.values)})"
        place.refuse(f"{shown(text)} is not one of the feature's values{hint}")
        return None
    return Entry(value=text)


def config_text(place: Place, value: object) -> str | None:
    """Return a config value as the text that is stored, or note why it cannot be one."""
    if isinstance(value, bool):
        place.refuse(
            f"must be a number or text, not {described(value)}; to mean the word, quote it"
        )
        return None
    if isinstance(value, int) and abs(value) < 10**30:
        return str(value)
    if isinstance(value, float) and math.isfinite(value):
        return str(value)
    if isinstance(value, str):
        return text_of(place, value, VALUE_BYTES_MAX)
    place.refuse(f"must be a number or text, not {described(value)}")
    return None


def _metered(place: Place, feature: Feature, value: object) -> Entry | None:
    if value is False:
        return OFF
    if value == "unlimited":
        return UNLIMITED
    if isinstance(value, dict):
        return _limits(place, feature, value)
    if isinstance(value, str):
        hint = place.suggestion(value, ("unlimited",))
    elif isinstance(value, list):
        hint = "; several windows go below 'limits:'"
    else:
        hint = ""
    place.refuse(f"is a metered feature: write {_METERED_SHAPES}, not {described(value)}{hint}")
    return None


def _limits(place: Place, feature: Feature, raw: Mapping[str, object]) -> Entry | None:
    if "limits" not in raw:
        if len(raw) == 1 and raw.get("unlimited") is True:
            return UNLIMITED
        limit = _limit(place, feature, raw, _ENTRY_KEYS)
        return None if limit is None else Entry(limits=(limit,))
    check_keys(place, raw, _ENTRY_KEYS, _LATER_KEYS)
    beside = [key for key in raw if key in _LIMIT_KEYS]
    if beside:
        place.refuse(f"has both 'limits' and {shown(beside[0])}; put it into the list")
    rows = raw["limits"]
    place = place.key("limits")
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
    return _limits_listed(place, feature, rows)


def _limits_listed(place: Place, feature: Feature, rows: list[object]) -> Entry | None:
    limits: list[Limit] = []
    counters: dict[object, int] = {}
    for index, row in enumerate(rows):
        spot = place.item(index)
        if not isinstance(row, dict):
            spot.refuse(
                f"must be a mapping such as {{limit: 1000, per: month}}, not {described(row)}"
            )
            continue
        limit = _limit(spot, feature, row, _LIMIT_KEYS)
        if limit is None:
            continue
        window = limit.window
        first = counters.setdefault(window and (window.per, window.anchor), index)
        if first != index:
            what = f"'per: {window.per}' and the same anchor" if window else "no 'per'"
            spot.refuse(f"has {what}, as limits[{first}]; they would share one counter")
        limits.append(limit)
    return Entry(limits=tuple(limits)) if limits else None


def _limit(
    place: Place, feature: Feature, raw: Mapping[str, object], keys: tuple[str, ...]
) -> Limit | None:
    keys_fit = check_keys(place, raw, keys, _LATER_KEYS)
    unlimited = raw.get("unlimited", False)
    if not isinstance(unlimited, bool):
        place.key("unlimited").refuse(f"must be true or left out, not {described(unlimited)}")
        return None
    soft = raw.get("soft", False)
    if not isinstance(soft, bool):
        place.key("soft").refuse(f"must be true or false, not {described(soft)}")
        soft = False
    if feature.kind is MeterKind.GAUGE:
        known, window = True, None
        for key in WINDOW_KEYS:
            if key in raw:
                place.key(key).refuse("has no meaning for a gauge, which never resets")
    else:
        known, window = parse_window(place, raw)
    if unlimited:
        if "limit" in raw:
            place.refuse("has both 'limit' and 'unlimited'; keep one")
        if soft:
            place.key("soft").refuse("has no meaning without a limit to pass")
        return Limit(None, window) if known else None
    if "limit" not in raw and keys_fit:
        place.refuse("has no limit; write 'limit: 1000' or 'unlimited: true'")
    if "limit" not in raw:
        return None
    limit = _limit_number(place.key("limit"), raw["limit"])
    return None if limit is None or not known else Limit(limit, window, soft)


def _limit_number(place: Place, value: object) -> int | None:
    if isinstance(value, int) and not isinstance(value, bool):
        if value < 0:
            place.refuse(f"{described(value)} is negative; for no limit use 'unlimited: true'")
            return None
        if value > QUANTITY_MAX:
            place.refuse(
                f"is larger than {QUANTITY_MAX:,}, the most that is counted exactly;"
                " for no limit use 'unlimited: true'"
            )
            return None
        return value
    if isinstance(value, float) and value.is_integer() and 0 <= value <= QUANTITY_MAX:
        hint = f"; write {int(value)}"
    elif isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20:
        hint = f"; write {int(value)}, without quotes"
    elif value is None or value in ("unlimited", math.inf):
        hint = "; for no limit use 'unlimited: true'"
    else:
        hint = ""
    place.refuse(f"must be a whole number, not {described(value)}{hint}")
    return None
