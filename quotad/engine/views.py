"""What the engine remembers of customers: bounded, and good only for one catalog and epoch."""

from collections.abc import Callable, Collection, Hashable
from itertools import chain
from threading import Lock
from typing import Any

import msgspec

from quotad.catalog import Snapshot
from quotad.engine.joint import JointLayout
from quotad.engine.meters import Bound, Meter, is_anchored, new_meter
from quotad.engine.rounds import KeptPlan, KeptTogether
from quotad.entitlements.resolve import Effective, resolve
from quotad.recent import Recent
from quotad.records import CustomerRecord, StoredCustomer
from quotad.store import CustomerKeys, KeySpace, Retention
from quotad.store.charges import CONSUME, kept

SETS_MAX = 7
"""Most sets of features of one customer, beside the first, that plans are kept of: callers choose
what they ask for together. What else they ask for is planned for each call."""


class View(msgspec.Struct, gc=False):
    """One customer as the engine sees it; only what it keeps of plans changes."""

    snapshot: Snapshot
    """The catalog it was made with; a view of another one is not used."""
    since_ms: int
    """When it was made; what is in force before is not known, should the store's clock go back."""
    epoch: int
    keys: CustomerKeys
    effective: Effective
    meters: dict[str, Meter]
    """By feature id. Shared by the customers with the same entitlements, where all their periods
    are the same for all."""
    until_ms: int
    """As of `effective`, which would be one more look at memory that is in no cache."""
    kept: KeptPlan | None = None
    """What is planned of the feature that was asked for first, of nearly all the only one. It holds
    no longer than the view."""
    others: dict[str, KeptPlan] | None = None
    """The same of further features."""
    together: KeptTogether | None = None
    """What is planned of the features that were asked for together first."""
    sets: dict[tuple[str, ...], KeptTogether] | None = None
    """The same of further sets of features."""

    def kept_of(self, feature_id: str) -> KeptPlan | None:
        """What is kept of the plans for a feature; its period may have ended."""
        first = self.kept
        if first is not None and first.feature_id == feature_id:
            return first
        return None if self.others is None else self.others.get(feature_id)

    def keep(self, feature_id: str, bound: Bound, quantity: int) -> KeptPlan:
        """Plan a quantity of a feature that has one plain limit, and keep it."""
        one = KeptPlan(
            self.keys,
            self.epoch,
            quantity,
            CONSUME,
            bound.counters,
            None,
            *kept(self.keys, self.epoch, bound.counters),
            bound.terms,
            None,
            bound.alone,
            feature_id,
            max(bound.from_ms, self.since_ms),
            min(bound.until_ms, self.until_ms),
        )
        if self.kept is None or self.kept.feature_id == feature_id:
            self.kept = one
        elif self.others is None:
            self.others = {feature_id: one}
        else:
            self.others[feature_id] = one
        return one

    def keep_together(
        self, features: tuple[str, ...], layout: JointLayout, amounts: tuple[int, ...]
    ) -> KeptTogether:
        """Plan quantities of features that have one plain limit each, and keep it."""
        bounds = layout.bounds
        one = KeptTogether(
            self.keys,
            self.epoch,
            amounts,
            CONSUME,
            layout.counters,
            None,
            *kept(self.keys, self.epoch, layout.counters),
            (),
            layout.parts,
            None,
            features,
            layout.hard,
            max(self.since_ms, *[bound.from_ms for bound in bounds]),
            min(self.until_ms, *[bound.until_ms for bound in bounds]),
        )
        if self.together is None or self.together.features == features:
            self.together = one
        elif self.sets is None:
            self.sets = {features: one}
        elif len(self.sets) < SETS_MAX or features in self.sets:
            self.sets[features] = one
        return one

    def kept_together(self, features: tuple[str, ...]) -> KeptTogether | None:
        """What is kept of the plans for features that are asked for together; a period of them may
        have ended."""
        first = self.together
        if first is not None and first.features == features:
            return first
        return None if self.sets is None else self.sets.get(features)

    def meter(self, feature_id: str, retention: Retention) -> Meter | None:
        """The meter of a feature, made at its first use; None: not entitled."""
        meter = self.meters.get(feature_id)
        if meter is None:
            meter = new_meter(feature_id, self.effective, self.snapshot, retention)
            if meter is not None:
                self.meters[feature_id] = meter
        return meter


def view_name(customer_id: str, resource_id: str) -> str:
    """What the view of a customer, or of one of its resources, is kept under."""
    return f"{customer_id}\0{resource_id}" if resource_id else customer_id


class ViewCache:
    """Views of the customers seen last, shared by the decision threads of a worker.

    Args:
        keys: of the store.
        size_max: most views kept.
        on_unknown: called with each customer that has no record and is on the default plan, and
            with its epoch, when its view is made.
    """

    def __init__(
        self, keys: KeySpace, size_max: int, on_unknown: Callable[[str, int], None] | None = None
    ) -> None:
        self.keys_of = keys.customer
        self.corrections_of = keys.corrections
        self.keys = keys
        self._generation_max = max(size_max // 2, 1)
        self._on_unknown = on_unknown
        self._putting = Lock()
        self.changes = 0
        """Moves before and after a view is put: a reader that finds it even and unmoved has
        seen one view of each customer."""
        self._snapshot: Snapshot | None = None
        """The catalog in force: views of another one are not kept. None: whichever it is."""
        self._views = self._none()
        self._tables: tuple[Any, dict[Hashable, dict[str, Meter] | None]] = (None, {})
        """Meters by `Effective.table`, of the catalog in force; None: some periods are the
        customers' own. No more than views of one generation: twenty rollouts in one plan are a
        million tables, and made-up customers could go through all of them."""

    def __len__(self) -> int:
        return len(self._views)

    @property
    def young(self) -> dict[str, View]:
        """Most of them by `view_name`, for callers whose every nanosecond counts: they look whether
        a view is valid as `get` does, and ask `get` for what is not in here."""
        return self._views.young

    def _none(self) -> Recent[str, View]:
        return Recent(2 * self._generation_max)

    def get(self, name: str, snapshot: Snapshot, now_ms: int) -> View | None:
        """A view that is valid for this catalog and moment, by its `view_name`."""
        view = self._views.young.get(name)
        if view is None:
            view = self._views.old.pop(name, None)
            if view is None:
                return None
            if self._snapshot is None or self._snapshot is view.snapshot:
                self._views.put(name, view)
        if view.snapshot is not snapshot or not view.since_ms <= now_ms < view.until_ms:
            return None
        return view

    def put(
        self,
        name: str,
        stored: StoredCustomer,
        snapshot: Snapshot,
        now_ms: int,
        keys: CustomerKeys | None = None,
    ) -> View:
        """Make and keep the view of a customer as just read.

        Args:
            name: its `view_name`.
            stored: the customer.
            snapshot: the catalog in force.
            now_ms: Unix time.
            keys: of the customer or resource, where they were spelled already.
        """
        customer_id, resource_id = name, ""
        if "\0" in name:
            customer_id, _, resource_id = name.partition("\0")
        record: CustomerRecord | None = stored.record
        effective = resolve(record, snapshot, now_ms, customer_id, resource_id)
        view = View(
            snapshot,
            now_ms,
            stored.epoch,
            keys or self.keys_of(customer_id, resource_id),
            effective,
            self._meters(effective, snapshot),
            effective.until_ms,
        )
        if not effective.provisioned and self._on_unknown is not None:
            self._on_unknown(customer_id, stored.epoch)
        with self._putting:
            self.changes += 1
            if self._snapshot is None or self._snapshot is snapshot:
                self._views.put(name, view)
            self.changes += 1
        return view

    def renew(self, snapshot: Snapshot | None) -> list[Any]:
        """Drop everything that was made with the catalog before.

        Args:
            snapshot: the catalog in force from now on.

        Returns:
            What was dropped: to free it at once may take a while.
        """
        with self._putting:
            old: list[Any] = [self._views.young, self._views.old, self._tables[1]]
            self._snapshot = snapshot
            self._views, self._tables = self._none(), (snapshot, {})
        return old

    def drop(self, name: str) -> None:
        """Drop the view of a customer that was written since, by its `view_name`."""
        self._views.drop(name)

    def drop_of(self, name: str, shards: Collection[str]) -> None:
        """Drop the view of a customer, by its `view_name`, if its keys are of some shards.

        Args:
            name: of the view.
            shards: the keys of the tags of their catalogs.
        """
        view = self._views.young.get(name) or self._views.old.get(name)
        if view is not None and view.keys.catalog in shards:
            self._views.drop(name)

    def _meters(self, effective: Effective, snapshot: Snapshot) -> dict[str, Meter]:
        known, tables = self._tables
        if known is not snapshot:
            tables = {}
            self._tables = (snapshot, tables)
        table_name = effective.table
        if table_name is None or effective.denied is not None or effective.generation:
            return {}
        # Counters of a lifetime are kept for ever only of customers with a record.
        name = (table_name, effective.provisioned)
        if name not in tables:
            if len(tables) >= self._generation_max:
                tables = {}
                self._tables = (snapshot, tables)
            limits = chain.from_iterable(e.limits for e in effective.entitlements.values())
            tables[name] = None if any(map(is_anchored, limits)) else {}
        table = tables[name]
        return {} if table is None else table  # the customer's own, or one for all
