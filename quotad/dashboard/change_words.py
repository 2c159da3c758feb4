"""What one catalog changes of another, as a person says it: by plan, with the names things have."""

import json
import re
from collections.abc import Iterable, Sequence

import msgspec

from quotad.catalog import CatalogChange
from quotad.catalog.editing.placed import spelled
from quotad.dashboard.catalog_words import (
    GRANTED,
    KIND_WORDS,
    NOTHING,
    Compiled,
    kind_of,
    price_words,
    said,
    time_words,
)
from quotad.dashboard.grant_words import addon_words
from quotad.dashboard.plan_order import in_selling_order
from quotad.model import AddOn, Entitlement, Feature
from quotad.plural import plural_of

ADDED, CHANGED, REMOVED = "added", "changed", "removed"

_BETWEEN = " \u00b7 "

_A_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)")

_TITLES = {
    "features": "Features",
    "groups": "Groups of features",
    "meters": "Events that are counted",
    "experiments": "Experiments",
}
"""Of sections whose changes stand together; each plan and each add-on stands by itself."""

_SINGLES = {
    "product": "Product",
    "default_plan": "Plan of customers that were never provisioned",
    "on_store_failure": "While the store is gone",
}

_SPELLED_OUT = {
    "apply_to": "changes are for",
    "extends": "extends",
    "max_quantity": "most on one subscription",
    "on_store_failure": "while the store is gone",
    "stripe_meter": "meter in Stripe",
    "stripe_price": "price in Stripe",
    "thresholds": "webhooks have an event at percent of a limit",
    "usage_history": "usage of past periods is kept for",
    "usage_on_change": "usage when the plan changes",
}


class ChangeWords(msgspec.Struct, frozen=True):
    """One change."""

    kind: str
    """`added`, `changed` or `removed`."""
    where: str = ""
    """What is changed of the thing in the group's title; empty: all of it."""
    what: str = ""
    before: str = ""
    after: str = ""
    note: str = ""


class ChangeGroup(msgspec.Struct, frozen=True):
    """What is changed of one plan, one add-on, or a section of the catalog."""

    title: str
    lines: list[ChangeWords]
    kind: str = CHANGED
    """Whether the whole of it is new or gone."""


_Path = tuple[str | int, ...]
_Row = tuple[_Path, CatalogChange]


def change_count(changes: Iterable[CatalogChange]) -> int:
    """Return how many lines changes come to."""
    return len({(_group_of(path), _line_of(path)) for path, _ in map(_row, changes)})


def change_groups(
    changes: Sequence[CatalogChange], found: Compiled, before: Compiled | None
) -> list[ChangeGroup]:
    """Return changes as a person says them.

    Args:
        changes: from `before` to `found`, or the first of them.
        found: the catalog with the changes.
        before: the one without; None: there was none.
    """
    groups: dict[_Path, dict[_Path, list[_Row]]] = {}
    for path, change in map(_row, changes):
        lines = groups.setdefault(_group_of(path), {})
        lines.setdefault(_line_of(path), []).append((path, change))
    words = _Words(found, before)
    return [words.group(key, groups[key]) for key in sorted(groups, key=words.rank)]


def _row(change: CatalogChange) -> _Row:
    return spelled(f"{change.path}: ")[0], change


def _group_of(path: _Path) -> _Path:
    return path[:2] if path[0] in ("plans", "addons") else path[:1] if path[0] in _TITLES else ()


def _line_of(path: _Path) -> _Path:
    """What is one line: all that changes of an entitlement, all prices, else one value."""
    if path[2:3] == ("entitlements",):
        return path[:4]
    if path[2:3] == ("earlier",) and len(path) == 3:
        return (*path[:2], "revision")
    return path[:3] if path[2:3] in (("prices",), ("plans",)) else path


class _Words:
    """Words for changes from one catalog to another."""

    def __init__(self, found: Compiled, before: Compiled | None) -> None:
        self._found = found
        self._before = before
        order = [each.plan_id for each in in_selling_order(found.snapshot)]
        self._plans = {plan_id: at for at, plan_id in enumerate(order)}

    def rank(self, key: _Path) -> tuple[int, int, str]:
        """Where a group stands: what is about all of it first, then as the rail has them."""
        sections = ("", "features", "plans", "addons", *_TITLES)
        name = str(key[1]) if len(key) > 1 else ""
        section = str(key[0]) if key else ""
        at = self._plans.get(name, len(self._plans)) if section == "plans" else 0
        return sections.index(section), at, name

    def group(self, key: _Path, lines: dict[_Path, list[_Row]]) -> ChangeGroup:
        """All that changes of one thing."""
        if len(key) < 2:
            made = [self._line(path, rows) for path, rows in lines.items()]
            return ChangeGroup(_TITLES[str(key[0])] if key else "Catalog", made)
        whole = lines.get(key)
        kind = CHANGED if whole is None else _kind(whole[0][1])
        made = [self._line(path, rows) for path, rows in lines.items()]
        return ChangeGroup(self._name(str(key[0]), str(key[1])), made, kind)

    def _name(self, section: str, id_: str) -> str:
        """What is called so, also if it is gone."""
        name = self._found.name(section, id_)
        return self._before.name(section, id_) if name == id_ and self._before else name

    def _line(self, path: _Path, rows: list[_Row]) -> ChangeWords:
        change = rows[0][1]
        names = [str(each) for each in path]
        if len(path) == 1:
            return self._single(names[0], change)
        if names[0] in _TITLES:
            return self._of_section(names, change)
        if len(path) == 2:
            return ChangeWords(_kind(change), after=self._whole(names[0], names[1]))
        if names[2] == "entitlements":
            of = self._entitlement if names[0] == "plans" else self._addon_entry
            return of(names[1], names[3], rows)
        if names[2] == "prices":
            texts = [self._prices(each, *names[:2]) for each in (self._before, self._found)]
            return _from_to("", "price", *texts)
        if names[2] == "plans":
            texts = [self._sold_with(each, names[1]) for each in (self._before, self._found)]
            return _from_to("", "for customers on", *texts)
        if names[2] == "extends":
            ids = [value_text(each) for each in (change.before, change.after)]
            return _from_to("", "extends", *(each and self._name("plans", each) for each in ids))
        if names[2:] == ["revision"]:
            return _revisions([each for _, each in rows])
        return _plain_change(change, "", names[2:])

    def _single(self, name: str, change: CatalogChange) -> ChangeWords:
        values = [value_text(each) for each in (change.before, change.after)]
        if name == "default_plan":
            values = [each and self._name("plans", each) for each in values]
        if name == "features":
            return ChangeWords(CHANGED, "Order of features", "", *values)
        return _from_to(_SINGLES.get(name, _spaced(name)), "", *values)

    def _of_section(self, names: list[str], change: CatalogChange) -> ChangeWords:
        where = self._name(names[0], names[1]) if names[0] == "features" else names[1]
        if names[0] == "features" and len(names) == 2:
            source = self._found if change.after else self._before
            feature = None if source is None else source.snapshot.features.get(names[1])
            return ChangeWords(_kind(change), where, after=feature_words(feature))
        return _plain_change(change, where, names[2:])

    def _whole(self, section: str, id_: str) -> str:
        """What there is to a plan or an add-on, beside what it grants."""
        source = self._found
        if section == "plans":
            plan = source.catalog.definitions.plans.get(id_)
            if plan is None:
                return ""
            base = f"extends {source.name('plans', plan.extends)}" if plan.extends else ""
            price = self._prices(source, section, id_)
            return _BETWEEN.join(each for each in (base, price, plan.description) if each)
        addon = source.catalog.definitions.addons.get(id_)
        if addon is None:
            return ""
        most = f"at most {addon.max_quantity}" if addon.max_quantity else ""
        price = self._prices(source, section, id_)
        plans = f"for {self._sold_with(source, id_)}"
        return _BETWEEN.join(each for each in (price, plans, most, addon.description) if each)

    def _prices(self, source: Compiled | None, section: str, id_: str) -> str:
        if source is None:
            return ""
        definitions = source.catalog.definitions
        had = definitions.plans.get(id_) if section == "plans" else definitions.addons.get(id_)
        prices = () if had is None else had.prices
        return " or ".join(price_words(each, source.snapshot.features) for each in prices)

    def _sold_with(self, source: Compiled | None, addon_id: str) -> str:
        addon = self._addon(source, addon_id)
        if source is None or addon is None:
            return ""
        plans = sorted(addon.plans or (), key=lambda each: self._plans.get(each, 0))
        return ", ".join(source.name("plans", each) for each in plans) or "every plan"

    def _entitlement(self, plan_id: str, feature_id: str, rows: list[_Row]) -> ChangeWords:
        where = self._name("features", feature_id)
        rights = [_right(each, plan_id, feature_id) for each in (self._before, self._found)]
        was, now = (" ".join(said(each)) for each in rights)
        if was != now:
            line = _from_to(where, "", _some(was), _some(now))
            if line.kind != CHANGED and GRANTED in (was, now):  # nothing more can be said of it
                line = ChangeWords(line.kind, where)
            return msgspec.structs.replace(line, note=self._also(plan_id, feature_id))
        path, change = rows[0]
        if len(path) > 4:  # a part of it that the words do not have
            return _plain_change(change, where, [str(each) for each in path[4:]])
        return ChangeWords(CHANGED, where, after=now, note="the same as before")

    def _also(self, plan_id: str, feature_id: str) -> str:
        """Other plans that get the same by extending this one."""
        found, before = self._found, self._before
        others = [
            found.name("plans", other)
            for other, plan in found.snapshot.plans.items()
            if plan_id in plan.bases
            and feature_id not in found.catalog.definitions.plans[other].entries
            and _right(before, other, feature_id) != _right(found, other, feature_id)
            and (before is None or other in before.snapshot.plans)
        ]
        return f"also on {', '.join(others)}" if others and before is not None else ""

    def _addon_entry(self, addon_id: str, feature_id: str, rows: list[_Row]) -> ChangeWords:
        del rows
        texts = []
        for source in (self._before, self._found):
            addon = self._addon(source, addon_id)
            entry = None if addon is None else addon.entries.get(feature_id)
            feature = None if source is None else source.snapshot.features.get(feature_id)
            texts.append(addon_words(entry, feature) if entry and feature else "")
        return _from_to(self._name("features", feature_id), "", *texts)

    def _addon(self, source: Compiled | None, addon_id: str) -> AddOn | None:
        return None if source is None else source.catalog.definitions.addons.get(addon_id)


def _revisions(changes: Sequence[CatalogChange]) -> ChangeWords:
    """That a plan has a new revision, or which earlier ones are kept."""
    for each in changes:
        if each.path.endswith(".revision"):
            note = "who has the plan now keeps what they have"
            return ChangeWords(CHANGED, after=f"a new revision, {each.after}", note=note)
    if not changes[0].after:
        return ChangeWords(CHANGED, after="everybody has the latest revision")
    kept = value_text(changes[0].after)
    return ChangeWords(CHANGED, after=f"kept for those who have it: revision {kept}")


def feature_words(feature: Feature | None) -> str:
    """What kind of feature it is: `counted, in calls`."""
    if feature is None:
        return ""
    unit = f", in {plural_of(feature.unit)}" if feature.unit else ""
    return f"{KIND_WORDS[kind_of(feature)]}{unit}"


def _right(source: Compiled | None, plan_id: str, feature_id: str) -> Entitlement | None:
    plan = None if source is None else source.snapshot.plans.get(plan_id)
    return None if plan is None else plan.entitlements.get(feature_id)


def _some(words: str) -> str:
    return "" if words == NOTHING else words


def _kind(change: CatalogChange) -> str:
    return ADDED if not change.before else REMOVED if not change.after else CHANGED


def _from_to(where: str, what: str, before: str, after: str) -> ChangeWords:
    kind = ADDED if not before else REMOVED if not after else CHANGED
    return ChangeWords(kind, where, what, before, after)


def _plain_change(change: CatalogChange, where: str, rest: Sequence[str]) -> ChangeWords:
    names = [each for each in rest if not each.isdigit() and each != "limits"]
    what = " ".join(_SPELLED_OUT.get(each, _spaced(each)) for each in names)
    values = (value_text(change.before), value_text(change.after))
    return ChangeWords(_kind(change), where, what, *values)


def _spaced(name: str) -> str:
    return name.replace("_", " ")


def value_text(text: str) -> str:
    """JSON as a person writes it."""
    if not text:
        return ""
    value = json.loads(text)
    if isinstance(value, dict) and list(value) == ["limits"]:
        value = value["limits"]
    return _spelled(value)


def _spelled(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, list):
        between = "; " if any(isinstance(each, dict) for each in value) else ", "
        return between.join(map(_spelled, value)) or "nothing"
    if isinstance(value, dict):
        pairs = (
            f"{_spaced(str(name))}: ({_spelled(each)})"
            if isinstance(each, list | dict)
            else f"{_spaced(str(name))}: {_spelled(each).removesuffix('.')}"
            for name, each in value.items()
        )
        return ", ".join(pairs) or "nothing"
    text = str(value)
    return time_words(text) if _A_TIME.fullmatch(text) else text
