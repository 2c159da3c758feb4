"""Which share of a plan's customers an entry is for: `rollout: {percent: 10}` -> `Rollout`."""

from quotad.catalog.numbers import parse_decimal
from quotad.catalog.problems import Place, check_keys, described, mapping_of, text_of
from quotad.decision import ID_BYTES_MAX
from quotad.experiments import CONTROL
from quotad.model import Rollout

VARIANT = "rollout"
"""The variant of customers inside where the catalog names none."""

_KEYS = ("percent", "salt", "variant", "inherit")


def parse_rollout(place: Place, feature_id: str, value: object) -> Rollout | None:
    """Return a rollout, or None after noting what is wrong with it."""
    raw = mapping_of(place, value, "{percent: 10}")
    if raw is None:
        return None
    fits = check_keys(place, raw, _KEYS)
    if "percent" not in raw:
        if fits:
            place.refuse("has no percent; write 'percent: 10'")
        return None
    share = parse_decimal(place.key("percent"), raw["percent"], 2, "")
    if share is not None and not 0 <= share <= 10_000:
        place.key("percent").refuse("must be from 0 to 100")
        share = None
    salt = _name(place.key("salt"), raw.get("salt", feature_id))
    variant = _name(place.key("variant"), raw.get("variant", VARIANT))
    if variant == CONTROL:
        place.key("variant").refuse("'control' is what those outside are called; use another name")
    if share is None or salt is None or variant is None:
        return None
    return Rollout(share, salt, variant)


def parse_inherit(place: Place, value: object) -> bool | None:
    """Return whether a rollout is also for plans that extend this one; None: not written."""
    if not isinstance(value, dict) or "inherit" not in value:
        return None
    inherit = value["inherit"]
    if isinstance(inherit, bool):
        return inherit
    place.key("inherit").refuse(f"must be true or false, not {described(inherit)}")
    return None


def _name(place: Place, value: object) -> str | None:
    text = text_of(place, value, ID_BYTES_MAX)
    if text == "":
        place.refuse("must not be empty; leave it out for the usual one")
        return None
    return text
