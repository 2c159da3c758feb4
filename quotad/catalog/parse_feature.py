"""One entry of `features` -> `Feature`; and the texts that features, plans and add-ons have."""

from collections.abc import Mapping

from quotad.catalog.parse_entitlement import config_text
from quotad.catalog.problems import (
    Place,
    check_keys,
    described,
    mapping_of,
    shown,
    text_of,
    word_of,
)
from quotad.catalog.windows import parse_history
from quotad.decision import ID_BYTES_MAX
from quotad.ledger import SHARES, Noting
from quotad.model import Feature, FeatureType, MeterKind

NAME_BYTES_MAX = 256
DESCRIPTION_BYTES_MAX = 4096

METADATA_MAX = 50
"""Most keys of metadata; here and of customers."""

METADATA_KEY_BYTES_MAX = 128
METADATA_BYTES_MAX = 1024
"""Longest value of metadata."""

TEXT_KEYS = ("name", "description", "metadata")
"""Keys that features, plans, groups and add-ons have for people and for callers."""

DECIMALS_MAX = 6

STRIPE_METER_BYTES_MAX = 100
"""Longest event name of a meter in Stripe."""

THRESHOLD_MAX = 1_000
THRESHOLDS_MAX = 10
"""Of a feature, at which webhooks have an event."""

_KEYS = (
    "type",
    "kind",
    "unit",
    "values",
    "decimals",
    "credit",
    "usage_history",
    "on_store_failure",
    "ledger",
    "stripe_meter",
    "thresholds",
    *TEXT_KEYS,
)
_TYPES = {kind.value: kind for kind in FeatureType}
_KINDS = {kind.value: kind for kind in MeterKind}
# The types that each key belongs to; the others belong to all.
_ONLY_OF = {
    "kind": (FeatureType.METERED,),
    "unit": (FeatureType.METERED, FeatureType.CONFIG),
    "values": (FeatureType.CONFIG,),
    "decimals": (FeatureType.METERED,),
    "credit": (FeatureType.METERED,),
    "usage_history": (FeatureType.METERED,),
    "stripe_meter": (FeatureType.METERED,),
    "thresholds": (FeatureType.METERED,),
}


def parse_feature(
    place: Place, feature_id: str, value: object, published: bool = False
) -> Feature | None:
    """Return a feature, or None after noting what is wrong with it.

    What pays for it is left out: the pool may not have been read yet.
    """
    raw = mapping_of(place, value, "{type: metered}")
    if raw is None:
        return None
    check_keys(place, raw, _KEYS)
    if "type" not in raw:
        place.refuse("has no type; write 'type: metered', boolean or config")
        return None
    feature_type = word_of(place.key("type"), raw["type"], _TYPES)
    if feature_type is None:
        return None
    for key, types in _ONLY_OF.items():
        if key in raw and feature_type not in types:
            only = " and ".join(kind.value for kind in types)
            place.key(key).refuse(f"is only for {only} features")
            return None
    kind = MeterKind.COUNTER
    if "kind" in raw:
        kind = word_of(place.key("kind"), raw["kind"], _KINDS) or kind
    values: tuple[str, ...] = ()
    if "values" in raw:
        values = _values(place.key("values"), raw["values"], published)
    unit = optional_text(place, raw, "unit", NAME_BYTES_MAX)
    if kind is not MeterKind.COUNTER:
        for key in ("decimals", "credit", "usage_history"):
            if key in raw:
                place.key(key).refuse(f"is only for counters, and this is a {kind.in_words}")
    decimals = 0
    if "decimals" in raw:
        decimals = _decimals(place.key("decimals"), raw["decimals"])
    if "decimals" in raw and "credit" in raw:
        place.key("decimals").refuse("belongs to the pool, not to the feature that it pays for")
    history = None
    if "usage_history" in raw:
        history = parse_history(place.key("usage_history"), raw["usage_history"])
    ledger = _noting(place.key("ledger"), raw["ledger"]) if "ledger" in raw else None
    stripe_meter = optional_text(place, raw, "stripe_meter", STRIPE_METER_BYTES_MAX)
    thresholds = None
    if "thresholds" in raw:
        thresholds = _thresholds(place.key("thresholds"), raw["thresholds"])
    for key, wanted in (("the meter gets", stripe_meter), ("reaches thresholds", thresholds)):
        if wanted and ledger is Noting.NOTHING:
            place.key("ledger").refuse(f"must not be false: what {key} is read there")
    return Feature(
        feature_id,
        feature_type,
        kind,
        unit,
        values,
        None,
        decimals,
        history,
        *texts_of(place, raw),
        ledger=ledger,
        stripe_meter=stripe_meter,
        thresholds=thresholds,
    )


def texts_of(place: Place, raw: Mapping[str, object]) -> tuple[str, str, dict[str, str]]:
    """Return the optional `name`, `description` and `metadata` of what has them."""
    name = optional_text(place, raw, "name", NAME_BYTES_MAX)
    description = optional_text(place, raw, "description", DESCRIPTION_BYTES_MAX)
    if "metadata" not in raw:
        return name, description, {}
    return name, description, _metadata(place.key("metadata"), raw["metadata"])


def archived_of(place: Place, raw: Mapping[str, object]) -> bool:
    """Whether a plan or an add-on is kept only for those who have it."""
    archived = raw.get("archived", False)
    if isinstance(archived, bool):
        return archived
    place.key("archived").refuse(f"must be true or false, not {described(archived)}")
    return False


def _metadata(place: Place, value: object) -> dict[str, str]:
    raw = mapping_of(place, value, "{tier: '1'}") or {}
    if len(raw) > METADATA_MAX:
        place.refuse(f"has {len(raw)} keys, at most {METADATA_MAX} are allowed")
        return {}
    metadata: dict[str, str] = {}
    for key, item in raw.items():
        spot = place.key(key)
        if isinstance(item, bool | int | float):
            spot.refuse(f"must be text, not {described(item)}; write it in quotes")
            continue
        text = text_of(spot, item, METADATA_BYTES_MAX)
        if not key or len(key.encode()) > METADATA_KEY_BYTES_MAX or not key.isprintable():
            spot.refuse(f"a key must be printable text of 1 to {METADATA_KEY_BYTES_MAX} bytes")
        elif text is not None:
            metadata[key] = text
    return metadata


def optional_text(place: Place, raw: Mapping[str, object], key: str, bytes_max: int) -> str:
    """Return the text below `key`, empty if there is none."""
    if key not in raw:
        return ""
    return text_of(place.key(key), raw[key], bytes_max) or ""


def check_id(place: Place, name: str) -> bool:
    """Whether `name` may be the id of a feature or plan; if not, note why."""
    if not name:
        place.refuse("an id must not be empty")
    elif not name.isprintable():
        place.refuse("an id must be printable text")
    elif len(name.encode()) > ID_BYTES_MAX:
        size = len(name.encode())
        place.refuse(f"an id of {size} bytes; at most {ID_BYTES_MAX} bytes are allowed")
    else:
        return True
    return False


def _thresholds(place: Place, value: object) -> tuple[int, ...] | None:
    found = value if isinstance(value, list | tuple) else None
    whole = all(isinstance(each, int) and not isinstance(each, bool) for each in found or ())
    if found is None or not whole:
        place.refuse(f"must be a list of percentages such as [80, 100], not {described(value)}")
        return None
    if not all(1 <= each <= THRESHOLD_MAX for each in found):
        place.refuse(f"must be from 1 to {THRESHOLD_MAX} percent")
    elif len(found) > THRESHOLDS_MAX:
        place.refuse(f"has {len(found)} percentages, at most {THRESHOLDS_MAX} are allowed")
    elif sorted(set(found)) != list(found):
        place.refuse("must rise from one to the next")
    else:
        return tuple(found)
    return None


def _noting(place: Place, value: object) -> Noting | None:
    if isinstance(value, bool):
        return Noting.TAKEN if value else Noting.NOTHING
    if value == "all":
        return Noting.ALL
    if isinstance(value, dict) and list(value) == ["denials"]:
        share = value["denials"]
        if isinstance(share, float) and share in SHARES:
            return SHARES[share]
        words = ", ".join(map(str, SHARES))
        place.key("denials").refuse(f"must be one of {words}, not {described(share)}")
        return None
    place.refuse(f"must be true, false, all or {{denials: SHARE}}, not {described(value)}")
    return None


def write_noting(noting: Noting) -> bool | str | dict[str, float]:
    """Return what of a feature is noted as a catalog spells it."""
    if noting.level:
        return {"denials": noting.denials}
    return noting.word if noting is Noting.ALL else noting is Noting.TAKEN


def _decimals(place: Place, value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= DECIMALS_MAX:
        return value
    place.refuse(f"must be a whole number from 0 to {DECIMALS_MAX}, not {described(value)}")
    return 0


def _values(place: Place, value: object, published: bool) -> tuple[str, ...]:
    if not isinstance(value, list) or not value:
        what = "an empty list" if value == [] else described(value)
        place.refuse(f"must be a list of the allowed values, not {what}")
        return ()
    texts: dict[str, int] = {}
    for index, item in enumerate(value):
        text = config_text(place.item(index), item)
        if text is None:
            continue
        # A rule younger than some published catalogs, which must stay readable.
        askable = text and text.isprintable() and len(text.encode()) <= ID_BYTES_MAX
        if not published and not askable:
            place.item(index).refuse(
                f"must be printable text of 1 to {ID_BYTES_MAX} bytes, so that calls can ask for it"
            )
        first = texts.setdefault(text, index)
        if first != index:
            place.item(index).refuse(f"{shown(text)} is already values[{first}]")
    return tuple(texts)
