"""Entries of a catalog, as people say them: `1,000 per month, soft`."""

from collections.abc import Callable, Mapping

from quotad.catalog import entry_value
from quotad.dashboard.catalog_words import money, time_words
from quotad.dashboard.shown import amount
from quotad.model import AddOnEntry, Feature

_ANCHORS = {
    "subscription": "from the day on which the subscription started",
    "first_use": "from its first use",
}


def grant_words(value: object) -> str:
    """Return an entry, or a part of one, in JSON values as a person says it."""
    if isinstance(value, bool):
        return "granted" if value else "not granted"
    if isinstance(value, int | float):
        return f"{value:,}"
    if isinstance(value, list):
        return ", ".join(map(grant_words, value))
    if not isinstance(value, dict):
        return str(value)
    rest = dict(value)
    words = [" and ".join(map(grant_words, rest.pop("limits", ())))]
    words.append(" ".join(_amount(rest)))
    for name, each in rest.items():
        known = _OTHERS.get(name)
        words.append(known(each) if known else f"{name.replace('_', ' ')} {grant_words(each)}")
    return ", ".join(word for word in words if word)


def addon_words(entry: AddOnEntry, feature: Feature) -> str:
    """Return what an add-on gives of a feature: `+10,000 / month`."""
    if entry.entry is not None:
        return grant_words(entry_value(entry.entry, feature))
    number = entry.add if entry.add is not None else entry.set
    per = f" / {entry.window.per}" if entry.names_window and entry.window is not None else ""
    each = " per unit" if entry.per_unit else ""
    words = f"{amount(number, feature.decimals)}{each}{per}"
    return f"+{words}" if entry.add is not None else f"{words} instead"


def _amount(rest: dict[str, object]) -> list[str]:
    """How much, and for how long; taken out of the entry."""
    words = []
    if rest.pop("unlimited", False):
        words.append("unlimited")
    for name, shape in (("limit", "{}"), ("value", "{}"), ("add", "+{}"), ("set", "{} instead")):
        if name in rest:
            words.append(shape.format(_number(rest.pop(name))))
    if "per" in rest:
        per = rest.pop("per")
        words.append("for good" if per == "lifetime" else f"per {per}")
    return words


def _number(value: object) -> str:
    if isinstance(value, dict) and list(value) == ["per_unit"]:
        return f"{grant_words(value['per_unit'])} per unit"
    return grant_words(value)


def _price(value: object) -> str:
    assert isinstance(value, Mapping)
    return f"{money(str(value['amount']), str(value['currency']))} per {value['each']:,} past it"


def _rollout(value: object) -> str:
    percent = value.get("percent") if isinstance(value, Mapping) else value
    return f"for {percent} % of customers"


_OTHERS: Mapping[str, Callable[[object], str]] = {
    "anchor": lambda value: _ANCHORS.get(str(value), f"from {value}"),
    "enforce": lambda value: "counted, never denied" if value == "shadow" else str(value),
    "from": lambda value: f"from {time_words(str(value))}",
    "otherwise": lambda value: f"otherwise {grant_words(value)}",
    "overage_limit": lambda value: f"at most {grant_words(value)} past it",
    "overage_price": _price,
    "rollout": _rollout,
    "soft": lambda value: "soft" if value else "",
    "timezone": lambda value: f"in {value}",
    "until": lambda value: f"until {time_words(str(value))}",
    "week_starts": lambda value: f"weeks from {str(value).capitalize()}",
}
