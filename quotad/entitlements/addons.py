"""What the add-ons of a subscription make of what its plan grants.

Of one limit the amounts with `add` are summed (each times its quantity) on top of the plan's;
the largest with `set` takes the place of that sum where it is more. What the plan does not
limit stays unlimited. An amount for a window that the plan does not have is a separate right,
merged as that of another subscription would be, so that an add-on never takes anything away.
"""

from collections.abc import Sequence

from quotad.catalog import Snapshot
from quotad.entitlements.entries import entitled
from quotad.entitlements.merge import decisive, merge, merge_limits, target, unlimited, with_limits
from quotad.entitlements.units import addon_of_units
from quotad.model import QUANTITY_MAX, AddOnEntry, Entitlement, Feature, FeatureType, Limit, Window

# Looking a member up in its enum takes as long as the rest of a line.
METERED = FeatureType.METERED
BOOLEAN = FeatureType.BOOLEAN
CONFIG = FeatureType.CONFIG

Bought = tuple[AddOnEntry, int]
"""An add-on's entry for a feature, and how many of it there are."""


def bought(addons: dict[str, int], snapshot: Snapshot, units: int) -> dict[str, list[Bought]]:
    """Entries of a subscription's add-ons, by feature id; in the order of their ids.

    Args:
        addons: quantities.
        snapshot: the catalog in force.
        units: of the subscription.
    """
    if len(addons) > 1:
        addons = dict(sorted(addons.items()))
    found: dict[str, list[Bought]] = {}
    for addon_id, quantity in addons.items():
        addon = snapshot.addons.get(addon_id)
        if addon is None or quantity < 1:  # taken out of the catalog since
            continue
        for feature_id, entry in addon.entries.items():
            if feature_id in snapshot.features:
                if entry.per_unit:
                    entry = addon_of_units(entry, units)
                found.setdefault(feature_id, []).append((entry, quantity))
    return found


def with_addons(
    feature: Feature, mine: Entitlement | None, entries: Sequence[Bought]
) -> Entitlement | None:
    """Return what the plan and the add-ons grant together; `mine` itself if nothing is added."""
    if mine is not None and feature.type is BOOLEAN:
        return mine
    amounts: list[Bought] = []
    for bought_entry in entries:
        entry = bought_entry[0].entry
        if entry is None:
            amounts.append(bought_entry)
        elif (extra := entitled(feature, entry, mine)) is not None:
            mine = extra if mine is None else merge(mine, extra)
    if not amounts or feature.type is not METERED:
        return mine
    return _with_amounts(feature, mine, amounts)


def gives_text(found: Entitlement | None, entries: Sequence[Bought]) -> bool:
    """Whether an add-on gives the value of a config feature, be it that the plan gives it too."""
    if found is None or found.feature.type is not CONFIG:
        return False
    extras = [entitled(found.feature, bought.entry) for bought, _ in entries if bought.entry]
    return any(extra is not None and extra.value == found.value for extra in extras)


class _Amounts:
    """Amounts of several add-ons for one limit."""

    __slots__ = ("added", "set")

    def __init__(self) -> None:
        self.added = 0
        self.set: int | None = None

    def take(self, entry: AddOnEntry, quantity: int) -> None:
        if entry.add is not None:
            self.added += entry.add * quantity
        elif entry.set is not None and (self.set is None or entry.set > self.set):
            self.set = entry.set

    def on(self, limit: int) -> int:
        """The limit with them."""
        added_to = min(limit + self.added, QUANTITY_MAX)
        return added_to if self.set is None or self.set <= added_to else self.set


def _with_amounts(
    feature: Feature, mine: Entitlement | None, amounts: Sequence[Bought]
) -> Entitlement | None:
    if mine is not None and len(mine.limits) == 1:
        found = _with_one(mine, mine.limits[0], amounts)
        if found is not None:
            return found
    limits = () if mine is None else mine.limits
    raised: dict[int, _Amounts] = {}
    own: dict[Window | None, _Amounts] = {}
    for entry, quantity in amounts:
        index = target_of(entry, limits)
        if index is not None:
            amount = raised.get(index)
            if amount is None:
                amount = raised[index] = _Amounts()
            amount.take(entry, quantity)
        else:
            own.setdefault(entry.window, _Amounts()).take(entry, quantity)
    if raised:
        limits = _raised(limits, raised)
    for window, amount in own.items():
        extra = (Limit(amount.on(0), window),)
        limits = merge_limits(limits, extra)[0] if limits or mine is not None else extra
    if mine is None:
        return Entitlement(feature, limits=limits) if limits else None
    return mine if limits is mine.limits else with_limits(mine, limits)


def _with_one(mine: Entitlement, limit: Limit, amounts: Sequence[Bought]) -> Entitlement | None:
    """The same where there is one limit and all are about it; None: they are not.

    By far the most common case, and a third of the time that the general one takes.
    """
    if limit.limit is None:
        return mine
    added, largest = 0, -1
    for entry, quantity in amounts:
        if entry.names_window and entry.window is not limit.window and entry.window != limit.window:
            return None
        if entry.add is not None:
            added += entry.add * quantity
        elif entry.set is not None and entry.set > largest:
            largest = entry.set
    number = max(min(limit.limit + added, QUANTITY_MAX), largest)
    if number == limit.limit:
        return mine
    raised = Limit(number, limit.window, limit.soft, limit.overage_limit, limit.shadow)
    return with_limits(mine, (raised,))


def _raised(limits: tuple[Limit, ...], amounts: dict[int, _Amounts]) -> tuple[Limit, ...]:
    """Return the plan's limits with what is added to them; themselves if that is nothing."""
    for index, amount in amounts.items():
        limit = limits[index]
        if limit.limit is None:
            continue
        number = amount.on(limit.limit)
        if number != limit.limit:
            raised = Limit(number, limit.window, limit.soft, limit.overage_limit, limit.shadow)
            limits = (*limits[:index], raised, *limits[index + 1 :])
    return limits


def target_of(entry: AddOnEntry, limits: tuple[Limit, ...]) -> int | None:
    """Which of the plan's limits an amount is about; None: none of them."""
    if entry.names_window:
        return target(limits, entry.window)
    if len(limits) == 1:
        return 0
    if limits:
        # A catalog with such an add-on is refused, but an earlier revision of the plan may have
        # more windows than today's: the decisive one. Where it has none, the
        # amount is a separate limit, in the window that plans have today.
        return limits.index(limits[0] if unlimited(limits) else decisive(limits) or limits[0])
    return None
