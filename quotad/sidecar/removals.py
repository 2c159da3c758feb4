"""What the new files leave out of the catalog in force, and how long it is waited for.

A file that is read while it is written ends too early, and half of a catalog is often a valid
one. It takes from customers what stands in the other half. So what is only left out (not switched
off, not archived) is published after a delay, unless it comes back.
"""

import msgspec

from quotad.catalog import Catalog, compile_snapshot
from quotad.catalog.problems import path_with

DELAY_S = 30.0
"""How long what was left out is waited for, by default."""

_SHOWN_MAX = 5


class Waiting(msgspec.Struct, frozen=True):
    """What a publish waits for."""

    left_out: tuple[str, ...]
    """Paths, such as `plans.pro`."""
    until_s: float
    """When it is published all the same; monotonic seconds."""

    def __str__(self) -> str:
        more = len(self.left_out) - _SHOWN_MAX
        return ", ".join(self.left_out[:_SHOWN_MAX]) + (f" and {more} more" if more > 0 else "")


class Removals:
    """Knows since when what is in force has been missing in the files."""

    def __init__(self, delay_s: float) -> None:
        """Prepare.

        Args:
            delay_s: how long something must be missing before it is taken out; 0: not at all.
        """
        self._delay_s = delay_s
        self._since: dict[str, float] = {}

    def waiting(self, before: Catalog | None, after: Catalog, now_s: float) -> Waiting | None:
        """Return what a publish has to wait for; None: nothing.

        Args:
            before: the catalog in force; None: there is none.
            after: what is to be published.
            now_s: monotonic seconds.
        """
        if before is None or not self._delay_s:
            return None
        missing = left_out(before, after)
        self._since = {path: self._since.get(path, now_s) for path in missing}
        until_s = max(self._since.values(), default=now_s - self._delay_s) + self._delay_s
        return Waiting(tuple(missing), until_s) if until_s > now_s else None


def left_out(before: Catalog, after: Catalog) -> list[str]:
    """List what `after` does not mention and customers have of `before`, by path.

    That is the default plan, features, plans and add-ons, and entitlements of plans that are still
    there. Of what is gone as a whole, its parts are not listed.
    """
    old, new = before.definitions, after.definitions
    missing = ["default_plan"] if old.default_plan and new.default_plan is None else []
    missing += [path_with("features", name) for name in old.features if name not in new.features]
    missing += [path_with("plans", name) for name in old.plans if name not in new.plans]
    missing += [path_with("addons", name) for name in old.addons if name not in new.addons]
    had, has = compile_snapshot(before, 0).plans, compile_snapshot(after, 0).plans
    for plan_id, plan in new.plans.items():
        if plan_id not in had:
            continue
        section = path_with(path_with("plans", plan_id), "entitlements")
        missing += [
            path_with(section, feature_id)
            for feature_id in had[plan_id].entitlements
            if feature_id not in has[plan_id].entitlements
            and feature_id in new.features
            and feature_id not in plan.entries  # switched off explicitly
        ]
    for addon_id, addon in new.addons.items():
        if addon_id in old.addons:
            section = path_with(path_with("addons", addon_id), "entitlements")
            missing += [
                path_with(section, feature_id)
                for feature_id in old.addons[addon_id].entries
                if feature_id not in addon.entries and feature_id in new.features
            ]
    return missing
