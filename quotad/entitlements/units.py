"""Amounts per unit of a subscription, multiplied by how many units it has."""

from quotad.model import QUANTITY_MAX, AddOnEntry, Limit


def of_units(limits: tuple[Limit, ...], units: int) -> tuple[Limit, ...]:
    """Return the limits of a subscription with so many units; themselves where none is per unit."""
    for limit in limits:
        if limit.per_unit:
            return tuple(_of_units(limit, units) for limit in limits)
    return limits


def addon_of_units(entry: AddOnEntry, units: int) -> AddOnEntry:
    """Return the entry of an add-on for a subscription with so many units."""
    if not entry.per_unit:
        return entry
    add, set_to = times(entry.add, units), times(entry.set, units)
    return AddOnEntry(add, set_to, entry.window, entry.names_window)


def times(amount: int | None, units: int) -> int | None:
    """An amount for so many units, at most what is counted exactly."""
    return None if amount is None else min(amount * units, QUANTITY_MAX)


def _of_units(limit: Limit, units: int) -> Limit:
    if not limit.per_unit:
        return limit
    number = times(limit.limit, units)
    return Limit(number, limit.window, limit.soft, limit.overage_limit, limit.shadow)
