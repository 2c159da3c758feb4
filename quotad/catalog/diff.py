"""What changes from one catalog to the next, as a person would list it.

Order: product and default plan, features in display order, groups, plans, add-ons, meters and
experiments by id, entitlements in the order of the features; what is gone stands after what is
there. A feature or an entitlement that is new or gone is one change; one that differs is listed
down to the value that differs. Of what plans were earlier, the revisions that are kept are one
value.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from quotad.catalog.catalog import Catalog
from quotad.catalog.document import plain
from quotad.catalog.problems import path_with


class CatalogChange(msgspec.Struct, frozen=True):
    """One difference between two catalogs."""

    path: str
    """Where, such as `plans.pro.entitlements.api-calls.limits[0].limit`."""
    before: str
    """JSON; empty if it was not there."""
    after: str
    """JSON; empty if it is gone."""


_ABSENT: Any = object()


def diff(old: Catalog | None, new: Catalog) -> list[CatalogChange]:
    """List the changes from `old` (None: from nothing) to `new`."""
    before = plain(old.definitions) if old is not None else {"features": {}}
    after = plain(new.definitions)
    changes: list[CatalogChange] = []
    for key in ("product", "default_plan", "on_store_failure"):
        _differ(changes, key, before.get(key, _ABSENT), after.get(key, _ABSENT))
    features = _names(after["features"], before["features"])
    _order(changes, before["features"], after["features"])
    for name in features:
        _differ(
            changes,
            path_with("features", name),
            before["features"].get(name, _ABSENT),
            after["features"].get(name, _ABSENT),
        )
    rank = {name: index for index, name in enumerate(features)}
    for section in ("groups", "plans", "addons"):
        was, now = before.get(section, {}), after.get(section, {})
        for name in sorted(set(was) | set(now)):
            _bundle(changes, path_with(section, name), was.get(name), now.get(name), rank)
    for section in ("meters", "experiments"):
        was, now = before.get(section, {}), after.get(section, {})
        for name in sorted(set(was) | set(now)):
            path = path_with(section, name)
            _differ(changes, path, was.get(name, _ABSENT), now.get(name, _ABSENT))
    return changes


def _bundle(
    changes: list[CatalogChange],
    path: str,
    old: Mapping[str, Any] | None,
    new: Mapping[str, Any] | None,
    rank: Mapping[str, int],
) -> None:
    """List the changes of a group, plan or add-on.

    One that is new or gone is listed entitlement by entitlement, to be readable.
    """
    before, after = dict(old or {}), dict(new or {})
    rights = before.pop("entitlements", {}), after.pop("entitlements", {})
    earlier = before.pop("earlier", {}), after.pop("earlier", {})
    if old is None or new is None:
        _differ(
            changes,
            path,
            _ABSENT if old is None else before,
            _ABSENT if new is None else after,
        )
    else:
        for key in _names(after, before):
            _differ(
                changes,
                path_with(path, key),
                before.get(key, _ABSENT),
                after.get(key, _ABSENT),
            )
    _rights(changes, path_with(path, "entitlements"), *rights, rank)
    _earlier(changes, path_with(path, "earlier"), *earlier, rank)


def _rights(
    changes: list[CatalogChange],
    path: str,
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    rank: Mapping[str, int],
) -> None:
    for name in sorted(set(before) | set(after), key=rank.__getitem__):
        _differ(
            changes,
            path_with(path, name),
            before.get(name, _ABSENT),
            after.get(name, _ABSENT),
        )


def _earlier(
    changes: list[CatalogChange],
    path: str,
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    rank: Mapping[str, int],
) -> None:
    """List which earlier revisions of a plan are kept, and changes of those that stay kept."""
    # Tuples, so that each side is shown as one value.
    kept = [tuple(map(int, side)) or _ABSENT for side in (before, after)]
    _differ(changes, path, *kept)
    for number in before:
        if number in after:
            _bundle(changes, path_with(path, number), before[number], after[number], rank)


def _order(
    changes: list[CatalogChange], before: Mapping[str, object], after: Mapping[str, object]
) -> None:
    """List a new display order; without it, two catalogs could differ in nothing but digest."""
    old = [name for name in before if name in after]
    new = [name for name in after if name in before]
    if old != new:
        changes.append(CatalogChange("features", _json(old), _json(new)))


def _differ(changes: list[CatalogChange], path: str, old: Any, new: Any) -> None:
    if old is new or (old == new and type(old) is type(new)):
        return
    if isinstance(old, dict) and isinstance(new, dict):
        for key in _names(new, old):
            _differ(changes, path_with(path, key), old.get(key, _ABSENT), new.get(key, _ABSENT))
    elif isinstance(old, list) and isinstance(new, list):
        for index in range(max(len(old), len(new))):
            _differ(
                changes,
                f"{path}[{index}]",
                old[index] if index < len(old) else _ABSENT,
                new[index] if index < len(new) else _ABSENT,
            )
    else:
        changes.append(CatalogChange(path, _json(old), _json(new)))


def _names(first: Iterable[str], second: Iterable[str]) -> list[str]:
    """Merge two orders: `first`, then what only `second` has."""
    return list(dict.fromkeys([*first, *second]))


def _json(value: Any) -> str:
    return "" if value is _ABSENT else msgspec.json.encode(value).decode()
