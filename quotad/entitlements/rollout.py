"""Which of a plan's customers have what is only for a share of them, and the tables they share.

Tables are of as many customers as are on the same side of all rollouts, with as many units.
"""

import weakref
from collections.abc import Callable, Hashable

import msgspec

from quotad.catalog import Snapshot
from quotad.entitlements.units import of_units
from quotad.experiments import CONTROL, place_of
from quotad.model import Entitlement, Plan, Rollout

SNAPSHOTS_MAX = 2
"""Most catalogs whose tables are kept: the one in force and one that it is compared with."""

ENTRIES_MAX = 200_000
"""Most entitlements in the tables of one catalog, about 20 MB. Ten rollouts in one plan are up to
1,024 tables."""


Choice = tuple[int, str]
"""Of an entitlement with rollouts and spans: how many of them a customer is outside of before one
that applies, and the variant that it has by that; empty: no rollout is under way."""


class Table(msgspec.Struct, frozen=True, gc=False):
    """What a plan grants to customers on the same side of all its rollouts."""

    entitlements: dict[str, Entitlement]
    variants: dict[str, str]
    """By feature id, also of features that are not granted outside the rollout."""
    key: Hashable
    """The same for customers with the same table."""


class _Tables:
    """The tables of one catalog."""

    __slots__ = ("entries", "snapshot", "tables")

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = weakref.ref(snapshot, _forget)
        """Does not keep a catalog that is not in force any more."""
        self.tables: dict[Hashable, Table] = {}
        self.entries = 0


_kept: tuple[_Tables, ...] = ()
"""The catalogs used last. Replaced as a whole: threads that do so at once lose a table to build
again, nothing else."""

_NO_VARIANTS: dict[str, str] = {}


def is_inside(rollout: Rollout, customer_id: str) -> bool:
    """Whether a customer belongs to the share; inside it stays inside when the share grows."""
    return place_of(rollout.salt, customer_id) < rollout.per_myriad


def applies(right: Entitlement, customer_id: str, now_ms: int) -> bool:
    """Whether an entitlement is in force for a customer: inside its rollout, and its span."""
    if right.span is not None and not right.span.holds(now_ms):
        return False
    return right.rollout is None or is_inside(right.rollout, customer_id)


def table_of(
    plan: Plan, snapshot: Snapshot, customer_id: str, now_ms: int, units: int = 1
) -> Table:
    """What a plan grants to this customer at a moment.

    Args:
        plan: which.
        snapshot: the catalog that it is of.
        customer_id: rollouts choose by it.
        now_ms: Unix time.
        units: of the customer's subscription.
    """
    if not plan.conditional and not plan.per_unit:
        return Table(plan.entitlements, _NO_VARIANTS, (plan.plan_id, plan.revision))
    choices = tuple(
        _choice(plan.entitlements[feature_id], customer_id, now_ms)
        for feature_id in plan.conditional
    )
    key: Hashable = (plan.plan_id, plan.revision, choices)
    if plan.per_unit:
        key = (key, units)
    return remembered(snapshot, key, lambda: _table(plan, choices, units, key))


def remembered(snapshot: Snapshot, key: Hashable, make: Callable[[], Table]) -> Table:
    """Return the table of a catalog with this key, made at its first use."""
    known = _tables_of(snapshot)
    table = known.tables.get(key)
    if table is None:
        table = make()
        if known.entries > ENTRIES_MAX:
            known.tables, known.entries = {}, 0
        known.tables[key] = table
        known.entries += len(table.entitlements) + 1
    return table


def _choice(entitlement: Entitlement, customer_id: str, now_ms: int) -> Choice:
    """What of an entitlement and what it stands on is the first that applies to a customer."""
    outside, variant = 0, ""
    current: Entitlement | None = entitlement
    while current is not None and not applies(current, customer_id, now_ms):
        if current.rollout is not None and (current.span is None or current.span.holds(now_ms)):
            variant = CONTROL
        outside += 1
        current = current.otherwise
    if current is not None and current.rollout is not None:
        variant = current.rollout.variant
    return outside, variant


def _table(plan: Plan, choices: tuple[Choice, ...], units: int, key: Hashable) -> Table:
    entitlements = dict(plan.entitlements)
    variants: dict[str, str] = {}
    for feature_id, (outside, variant) in zip(plan.conditional, choices, strict=True):
        found: Entitlement | None = entitlements[feature_id]
        for _ in range(outside):
            found = None if found is None else found.otherwise
        if variant:
            variants[feature_id] = variant
        if found is None:
            del entitlements[feature_id]
        else:
            entitlements[feature_id] = msgspec.structs.replace(
                found, rollout=None, otherwise=None, span=None, variant=variant
            )
    for feature_id in plan.per_unit:
        found = entitlements.get(feature_id)
        if found is not None:
            limits = of_units(found.limits, units)
            entitlements[feature_id] = msgspec.structs.replace(found, limits=limits)
    return Table(entitlements, variants, key)


def _tables_of(snapshot: Snapshot) -> _Tables:
    global _kept
    for known in _kept:
        if known.snapshot() is snapshot:
            return known
    made = _Tables(snapshot)
    _kept = (made, *_kept[: SNAPSHOTS_MAX - 1])
    return made


def _forget(snapshot: weakref.ref[Snapshot]) -> None:
    """Drop the tables of a catalog that is not used any more."""
    global _kept
    _kept = tuple(known for known in _kept if known.snapshot is not snapshot)
