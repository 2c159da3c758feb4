"""One entry of `meters` -> `EventMeter`."""

from collections.abc import Mapping

from quotad.catalog.known import Known
from quotad.catalog.problems import Place, check_keys, described, mapping_of, shown, text_of
from quotad.decision import ID_BYTES_MAX
from quotad.event_meters import Dimension, EventMeter
from quotad.model import QUANTITY_MAX, Feature, FeatureType, MeterKind

WHERE_MAX = 20
"""Most fields that one meter looks at, and most values of one."""

_KEYS = ("feature", "quantity", "where")


def parse_meter(known: Known, place: Place, name: str, value: object) -> EventMeter | None:
    """Return a meter, or None after noting what is wrong with it.

    Args:
        known: the features that it may name.
        place: of the meter.
        name: of the events.
        value: what stands there.
    """
    raw = mapping_of(place, value, "{feature: api-calls}")
    if raw is None:
        return None
    fits = check_keys(place, raw, _KEYS)
    if "feature" not in raw and fits:
        place.refuse("has no feature; write 'feature: api-calls'")
    problems = place.problems.count
    feature_id = None
    if "feature" in raw:
        feature_id = _feature(known, place.key("feature"), raw["feature"])
    quantity, field = _quantity(place.key("quantity"), raw.get("quantity", 1))
    where = _where(place.key("where"), raw["where"]) if "where" in raw else {}
    if feature_id is None or place.problems.count != problems:
        return None
    return EventMeter(name, feature_id, quantity, field, where)


def write_meter(meter: EventMeter) -> dict[str, object]:
    """Return a meter as JSON values."""
    written: dict[str, object] = {"feature": meter.feature_id}
    if meter.field or meter.quantity != 1:
        written["quantity"] = meter.field or meter.quantity
    if meter.where:
        written["where"] = {
            name: values[0] if len(values) == 1 else list(values)
            for name, values in sorted(meter.where.items())
        }
    return written


def _feature(known: Known, place: Place, value: object) -> str | None:
    if not isinstance(value, str):
        place.refuse(f"must be the name of a feature, not {described(value)}")
        return None
    if value not in known.features:
        if known.merged.complete:
            place.refuse(f"unknown feature {shown(value)}{place.suggestion(value, known.features)}")
        return None
    feature = known.features[value]
    if feature is None or _counts(feature):
        return value
    what = feature.type.value if feature.type is not FeatureType.METERED else feature.kind.value
    place.refuse(
        f"{shown(value)} is a {what} feature; events count metered features of kind counter"
    )
    return None


def _counts(feature: Feature) -> bool:
    return feature.type is FeatureType.METERED and feature.kind is MeterKind.COUNTER


def _quantity(place: Place, value: object) -> tuple[int, str]:
    """The quantity of each event, or the field that has it."""
    if isinstance(value, str):
        field = text_of(place, value, ID_BYTES_MAX)
        if field == "":
            place.refuse("is empty; write a field of the event, or a whole number")
        return 1, field or ""
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= QUANTITY_MAX:
        return value, ""
    place.refuse(f"must be a whole number from 1, or a field of the event, not {described(value)}")
    return 1, ""


def _where(place: Place, value: object) -> dict[str, tuple[Dimension, ...]]:
    raw: Mapping[str, object] = mapping_of(place, value, "{region: eu}") or {}
    if len(raw) > WHERE_MAX:
        place.refuse(f"has {len(raw)} fields, at most {WHERE_MAX} are allowed")
        return {}
    where: dict[str, tuple[Dimension, ...]] = {}
    for name, said in raw.items():
        values = said if isinstance(said, list) else [said]
        spot = place.key(name)
        if not 1 <= len(values) <= WHERE_MAX:
            spot.refuse(f"must have 1 to {WHERE_MAX} values, not {len(values)}")
        where[name] = tuple(_value(spot, each) for each in values)
    return where


def _value(place: Place, value: object) -> Dimension:
    if isinstance(value, str):
        return text_of(place, value, ID_BYTES_MAX) or ""
    if isinstance(value, bool | int) and abs(value) <= QUANTITY_MAX:
        return value
    place.refuse(f"must be text, a whole number, true or false, not {described(value)}")
    return ""
