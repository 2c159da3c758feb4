"""One plan, and one group of entitlements that plans include -> their definitions."""

from quotad.catalog.definitions import GroupDefinition, PlanDefinition
from quotad.catalog.known import Known
from quotad.catalog.parse_feature import TEXT_KEYS, archived_of, texts_of
from quotad.catalog.parse_price import parse_prices
from quotad.catalog.problems import Place, check_keys, mapping_of, word_of
from quotad.catalog.windows import parse_billing
from quotad.model import Anchor, Unit, Window

MONTHLY = Window(Unit.MONTH, 1, Anchor.SUBSCRIPTION)
"""The billing period of a plan without one of its own."""

_PLAN_KEYS = (
    "extends",
    "groups",
    "entitlements",
    "archived",
    "apply_to",
    "billing",
    "usage_on_change",
    "prices",
    *TEXT_KEYS,
)
CARRIED_KEYS = ("revision", "earlier")
"""Of plans in documents that were published; no file has them."""
_PUBLISHED_ONLY = dict.fromkeys(
    CARRIED_KEYS, "is kept by the published catalog; take it out of the file"
)
_GROUP_KEYS = ("entitlements", *TEXT_KEYS)
_NO_NESTING = "is not for groups, which hold entitlements only; list all groups in the plan"
_GROUP_ELSEWHERE = dict.fromkeys(("groups", "extends"), _NO_NESTING)

_APPLY_TO = {"all": False, "new": True}
_USAGE_ON_CHANGE = {"keep": False, "reset": True}


def parse_plan(
    known: Known, place: Place, plan_id: str, value: object, published: bool
) -> PlanDefinition | None:
    """Return a plan, or None if it is none at all; problems are noted.

    Args:
        known: what it may name.
        place: of the plan.
        plan_id: its name.
        value: what stands there.
        published: whether it is of a published document, which may hold revisions.
    """
    raw = mapping_of(place, value, "{entitlements: {}}")
    if raw is None:
        return None
    keys = (*_PLAN_KEYS, *CARRIED_KEYS) if published else _PLAN_KEYS
    check_keys(place, raw, keys, _PUBLISHED_ONLY)
    entries = known.entries(place, raw, "{api-calls: unlimited}", known.entry)
    base = None
    if "extends" in raw:
        base = known.merged.plan_name(place.key("extends"), raw["extends"])
    groups: tuple[str, ...] = ()
    if "groups" in raw:
        groups = known.merged.names(place.key("groups"), raw["groups"], "group")
    billing = None
    if "billing" in raw:
        billing = parse_billing(place.key("billing"), raw["billing"])
    return PlanDefinition(
        plan_id,
        base,
        entries,
        *texts_of(place, raw),
        groups=groups,
        archived=archived_of(place, raw),
        apply_to_new=_switch(place, raw, "apply_to", _APPLY_TO),
        billing=None if billing == MONTHLY else billing,
        resets_usage=parse_usage_on_change(place, raw),
        prices=parse_prices(known, place, raw),
    )


def parse_group(known: Known, place: Place, group_id: str, value: object) -> GroupDefinition | None:
    """Return a group, or None if it is none at all; problems are noted."""
    raw = mapping_of(place, value, "{entitlements: {}}")
    if raw is None:
        return None
    check_keys(place, raw, _GROUP_KEYS, _GROUP_ELSEWHERE)
    entries = known.entries(place, raw, "{api-calls: unlimited}", known.entry)
    return GroupDefinition(group_id, entries, *texts_of(place, raw))


def parse_usage_on_change(place: Place, raw: dict[str, object]) -> bool:
    """Whether a plan resets the usage of customers that change to it."""
    return _switch(place, raw, "usage_on_change", _USAGE_ON_CHANGE)


def _switch(place: Place, raw: dict[str, object], key: str, words: dict[str, bool]) -> bool:
    return key in raw and bool(word_of(place.key(key), raw[key], words))
