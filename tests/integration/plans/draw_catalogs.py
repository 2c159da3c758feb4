"""Random catalogs, from a fixed set of building blocks."""

import copy
import random
from typing import Any

from tests.integration.plans.catalogs import Document, Grant, Limit, written_out
from tests.integration.plans.periods import Window, window_of
from tests.integration.plans.rights import target

FEATURES: dict[str, dict[str, Any]] = {
    "calls": {"type": "metered"},
    "tokens": {"type": "metered"},
    "seats": {"type": "metered", "kind": "gauge"},
    "credits": {"type": "metered", "decimals": 1},
    "chat": {"type": "metered", "credit": {"pool": "credits", "cost": 0.5}},
    "image": {"type": "metered", "credit": {"pool": "credits", "cost": "2.5"}},
    "export": {"type": "boolean"},
    "editor": {"type": "boolean"},
    "support": {"type": "config", "values": ["community", "email", "phone"]},
    "upload": {"type": "config"},
    "theme": {"type": "config"},
}
METERED = tuple(name for name, feature in FEATURES.items() if feature["type"] == "metered")
MONTHLY = {"per": "month", "anchor": "subscription"}
BERLIN, NEW_YORK = "Europe/Berlin", "America/New_York"
COUNTED: tuple[Any, ...] = (
    {"limit": 5, "per": "day"},
    {"limit": 0, "per": "day"},
    {"limit": 9, "per": "month"},
    {"limit": 12},
    {"limit": 7, **MONTHLY},
    {"limit": 4, "per": "month", "soft": True},
    {"limit": 3, "per": "day", "soft": True, "overage_limit": 3},
    {"limit": 6, "per": "month", "enforce": "shadow"},
    {"limit": 5, "per": "day", "timezone": BERLIN},
    {"limit": 6, "per": "6 hours", "timezone": BERLIN},
    {"limit": 6, "per": "week", "week_starts": "sunday", "timezone": NEW_YORK},
    {"limit": 4, "per": "hour", "timezone": "Asia/Kolkata"},
    {"limit": 20, "per": "3 months"},
    {"limit": 5, "per": "5 hours", "anchor": "first_use"},
    {"limit": 8, "per": "month", "anchor": "first_use", "timezone": BERLIN},
    {"limit": 5, "per": "2 days", "anchor": "subscription", "timezone": NEW_YORK},
    {"unlimited": True, "per": "day"},
    "unlimited",
    "unlimited",
    "unlimited",
    {"limits": [{"limit": 4, "per": "hour"}, {"limit": 9, **MONTHLY}]},
    {"limits": [{"limit": 3, "per": "day", "anchor": "first_use"}, {"limit": 6, "per": "month"}]},
    {
        "limits": [
            {"limit": 6, "per": "day"},
            {"limit": 8, **MONTHLY, "soft": True, "overage_limit": 5},
            {"limit": 5, "per": "week", "enforce": "shadow"},
        ]
    },
    {"limits": [{"limit": 4, "per": "day", "soft": True}, {"limit": 12}]},
    {"limits": [{"limit": 6, "per": "month"}, {"limit": 9, **MONTHLY}]},
    {"limits": [{"unlimited": True, "per": "month"}, {"limit": 7, "per": "year"}]},
)
PAID = (True, True, True, *COUNTED)
GAUGES: tuple[Any, ...] = (
    {"limit": 4},
    {"limit": 2, "soft": True},
    {"limit": 3, "soft": True, "overage_limit": 2},
    {"limit": 3, "enforce": "shadow"},
    "unlimited",
)
SUPPORT: tuple[Any, ...] = ("community", "email", "phone", ["community", "phone"])
THEMES = ("light", "dark", "mint")
UPLOADS: tuple[Any, ...] = (10, 50, 2.5, "1e2")
SHARES: tuple[dict[str, Any], ...] = (
    {"percent": 50},
    {"percent": 12.5, "salt": "spring", "inherit": True},
    {"percent": 50},
    {"percent": 30, "salt": "s", "variant": "handed"},
    {"percent": 80, "salt": "s", "variant": "large", "inherit": True},
    {"percent": 100},
    {"percent": 0, "variant": "nobody"},
)
ADDED: tuple[Any, ...] = (
    {"add": 3},
    {"set": 6},
    {"add": 2, "per": "day"},
    {"set": 11, "per": "month"},
    {"add": 4, **MONTHLY},
    {"add": 5, "per": "lifetime"},
    {"set": 5, "per": "5 hours", "anchor": "first_use"},
    "unlimited",
)
PLANS = ("free", "pro", "team", "lab")


def blocks(feature_id: str) -> tuple[Any, ...]:
    """What may be said of a feature."""
    if feature_id in ("chat", "image"):
        return PAID
    found = {"seats": GAUGES, "support": SUPPORT, "upload": UPLOADS, "theme": THEMES}
    found |= {"export": (True,), "editor": (True,)}
    return found.get(feature_id, COUNTED)


def catalog(rng: random.Random) -> Document:
    """A valid catalog."""
    document: Document = {"version": 1, "features": copy.deepcopy(FEATURES), "groups": {}}
    for group in ("perks", "beta"):
        document["groups"][group] = {"entitlements": _entries(rng, document, 0.25)}
    document["plans"] = {plan: {} for plan in PLANS}
    for plan in PLANS:
        _redraw(rng, document, plan)
    _sell(rng, document)
    return document


def republished(rng: random.Random, before: Document) -> Document:
    """Another catalog, some of which is as it was."""
    document = copy.deepcopy(before)
    for feature_id in ("calls", "theme", "image"):
        if rng.random() < 0.1:
            _switch(document, feature_id)
    if rng.random() < 0.3:
        _revalue(rng, document)
    if rng.random() < 0.1 and "chat" in document["features"]:
        document["features"]["chat"]["credit"]["cost"] = rng.choice((0.5, 1, 1.5))
    for group in document["groups"].values():
        if rng.random() < 0.2:
            group["entitlements"] = _entries(rng, document, 0.25)
    for plan in PLANS:
        if plan not in document["plans"]:
            document["plans"][plan] = {}
            _redraw(rng, document, plan)
        elif rng.random() < 0.35:
            _redraw(rng, document, plan)
        elif rng.random() < 0.4:
            entries = document["plans"][plan]["entitlements"]
            entries.update(_entries(rng, document, 0.15))
    if rng.random() < 0.07:
        del document["plans"]["lab"]
    _sell(rng, document)
    return document


def publishes(rng: random.Random, count: int) -> list[dict[str, Any]]:
    """Catalogs one after the other; or which of those before is gone back to."""
    document = catalog(rng)
    found: list[dict[str, Any]] = [{"document": document, "apply_to": ""}]
    while len(found) < count:
        if len(found) > 1 and rng.random() < 0.2:
            found.append({"back_to": 0})
            continue
        document = republished(rng, document)
        apply_to = rng.choice(("", "", "new", "new", "all"))
        found.append({"document": document, "apply_to": apply_to})
    return found


def _switch(document: Document, feature_id: str) -> None:
    """Take a feature out, or put it back."""
    if document["features"].pop(feature_id, None) is None:
        document["features"][feature_id] = copy.deepcopy(FEATURES[feature_id])
        return
    for layer in (*document["plans"].values(), *document["groups"].values()):
        layer["entitlements"].pop(feature_id, None)


def _revalue(rng: random.Random, document: Document) -> None:
    """Change the order of values, and perhaps take one out."""
    values = rng.sample(("community", "email", "phone"), rng.choice((2, 3, 3)))
    document["features"]["support"]["values"] = values
    for layer in (*document["plans"].values(), *document["groups"].values()):
        said = layer["entitlements"].get("support", False)
        said = said["value"] if isinstance(said, dict) else said
        if said and not _listed(said) <= set(values):
            del layer["entitlements"]["support"]


def _listed(said: Any) -> set[str]:
    return set(said if isinstance(said, list) else [said])


def _redraw(rng: random.Random, document: Document, plan: str) -> None:
    said: dict[str, Any] = {"entitlements": _entries(rng, document, 0.6 if plan != "free" else 0.8)}
    base = {"pro": "free", "team": rng.choice(("pro", "free", "")), "lab": ""}.get(plan, "")
    if base:
        said["extends"] = base
        for feature_id in document["features"]:
            if rng.random() < 0.05:
                said["entitlements"][feature_id] = False
    if plan != "free" and rng.random() < 0.5:
        said["groups"] = rng.sample(("perks", "beta"), rng.choice((1, 2)))
    if plan == "lab" or rng.random() < 0.2:
        said["usage_on_change"] = "reset"
    if rng.random() < 0.3:
        said["billing"] = rng.choice(("week", "10 days", "3 months", "year"))
    if rng.random() < 0.4:
        said["apply_to"] = rng.choice(("new", "all"))
    document["plans"][plan] = said


def _entries(rng: random.Random, document: Document, share: float) -> dict[str, Any]:
    entries = {}
    for feature_id in document["features"]:
        if rng.random() < share:
            entries[feature_id] = _entry(rng, document, feature_id)
    return entries


def _entry(rng: random.Random, document: Document, feature_id: str) -> Any:
    value = _value(rng, document, feature_id)
    if rng.random() > (0.5 if feature_id == "editor" else 0.14):
        return value
    rollout = {"rollout": rng.choice(SHARES)}
    if value is True:
        return rollout
    if value == "unlimited":
        return {"unlimited": True, **rollout}
    return {**(value if isinstance(value, dict) else {"value": value}), **rollout}


def _value(rng: random.Random, document: Document, feature_id: str) -> Any:
    known = document["features"][feature_id].get("values")
    fitting = [said for said in blocks(feature_id) if not known or _listed(said) <= set(known)]
    return copy.deepcopy(rng.choice(fitting))


def _sell(rng: random.Random, document: Document) -> None:
    """Draw what depends on all of the plans: the default plan, archived ones, add-ons."""
    document.pop("default_plan", None)
    if rng.random() < 0.8:
        document["default_plan"] = "free"
    for plan, said in document["plans"].items():
        said.pop("archived", None)
        if rng.random() < 0.08 and plan != "free":
            said["archived"] = True
    addons: dict[str, Any] = {}
    for name in ("more", "big", "perk"):
        addon: dict[str, Any] = {"entitlements": {}}
        plans = [plan for plan in document["plans"] if rng.random() < 0.9]
        for feature_id in document["features"]:
            if rng.random() < 0.35:
                value = _added(rng, document, feature_id)
                fitting = [plan for plan in plans if _fits(document, plan, feature_id, value)]
                if fitting:
                    plans = fitting
                    addon["entitlements"][feature_id] = value
        if len(plans) < len(document["plans"]):
            addon["plans"] = plans
        if rng.random() < 0.3:
            addon["max_quantity"] = 2
        if plans and rng.random() < 0.9:
            addons[name] = addon
    document["addons"] = addons


def _added(rng: random.Random, document: Document, feature_id: str) -> Any:
    if feature_id == "seats":
        return rng.choice(({"add": 2}, {"set": 5}, "unlimited"))
    if feature_id in ("chat", "image"):
        return rng.choice((True, *ADDED))
    if FEATURES[feature_id]["type"] == "metered":
        return copy.deepcopy(rng.choice(ADDED))
    return _value(rng, document, feature_id)


def _fits(document: Document, plan: str, feature_id: str, value: Any) -> bool:
    """Whether the amount of an add-on is about a limit of the plan, whoever its customer is."""
    if not isinstance(value, dict) or FEATURES[feature_id].get("kind") == "gauge":
        return True
    grant: Grant | None = written_out(document, plan).get(feature_id)
    if grant is None:
        return "per" in value
    while grant is not None:
        if not _fits_limits(grant.limits, value):
            return False
        grant = grant.otherwise
    return True


def _fits_limits(limits: tuple[Limit, ...], value: dict[str, Any]) -> bool:
    if all(limit.limit is None for limit in limits):
        return True
    if "per" not in value:
        return len(limits) == 1
    window = window_of(value)
    windows = [limit.window for limit in limits]
    near = [each for each in windows if _per(each) == _per(window)]
    return window in windows or (len(near) == 1 and target(value, limits) is not None)


def _per(window: Window | None) -> str:
    return "" if window is None else window.per
