"""What the engine remembers of customers: bounded, and good only for one catalog and epoch."""

from itertools import chain
from typing import Any

import msgspec

from quotad.catalog import Snapshot
from quotad.engine.meters import Meter, is_anchored, new_meter
from quotad.entitlements.resolve import Effective, resolve
from quotad.model import CustomerRecord, StoredCustomer
from quotad.store import CustomerKeys, KeySpace


class View(msgspec.Struct, frozen=True, gc=False):
    """One customer as the engine sees it."""

    snapshot: Snapshot
    """The catalog it was made with; a view of another one is not used."""
    epoch: int
    keys: CustomerKeys
    effective: Effective
    meters: dict[str, Meter]
    """By feature id. The plan's own table where all its periods are the same for everybody."""

    def meter(self, feature_id: str, retention_ms: int) -> Meter | None:
        """The meter of a feature, made at its first use; None: not entitled."""
        meter = self.meters.get(feature_id)
        if meter is None:
            entitlement = self.effective.entitlements.get(feature_id)
            if entitlement is None:
                return None
            meter = new_meter(entitlement, self.effective.anchor_ms, retention_ms)
            self.meters[feature_id] = meter
        return meter


class ViewCache:
    """Views of the customers seen last, shared by the decision threads of a worker.

    Two generations instead of a list in order of use: a hit is one dictionary look-up and needs no
    lock. What was not looked up since the younger generation was started goes with the older one.

    Args:
        keys: of the store.
        size_max: most views kept.
    """

    def __init__(self, keys: KeySpace, size_max: int) -> None:
        self._keys = keys
        self._generation_max = max(size_max // 2, 1)
        self._young: dict[str, View] = {}
        self._old: dict[str, View] = {}
        self._plan_meters: tuple[Any, dict[str, dict[str, Meter] | None]] = (None, {})
        """Of the catalog in force; None: some periods are the customers' own."""

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def get(self, customer_id: str, snapshot: Snapshot, now_ms: int) -> View | None:
        """A view that is good for this catalog and moment."""
        view = self._young.get(customer_id)
        if view is None:
            view = self._old.pop(customer_id, None)
            if view is None:
                return None
            self._keep(customer_id, view)
        if view.snapshot is not snapshot or now_ms >= view.effective.until_ms:
            return None
        return view

    def put(
        self, customer_id: str, stored: StoredCustomer, snapshot: Snapshot, now_ms: int
    ) -> View:
        """Make and keep the view of a customer as just read."""
        record: CustomerRecord | None = stored.record
        effective = resolve(record, snapshot, now_ms)
        view = View(
            snapshot,
            stored.epoch,
            self._keys.customer(customer_id),
            effective,
            self._meters(effective, snapshot),
        )
        self._keep(customer_id, view)
        return view

    def drop(self, customer_id: str) -> None:
        """Forget a customer that was written since."""
        self._young.pop(customer_id, None)
        self._old.pop(customer_id, None)

    def _keep(self, customer_id: str, view: View) -> None:
        if len(self._young) >= self._generation_max:
            self._old, self._young = self._young, {}
        self._young[customer_id] = view

    def _meters(self, effective: Effective, snapshot: Snapshot) -> dict[str, Meter]:
        known, tables = self._plan_meters
        if known is not snapshot:
            tables = {}
            self._plan_meters = (snapshot, tables)
        if effective.denied is not None:
            return {}
        plan_id = effective.plan_id
        if plan_id not in tables:
            limits = chain.from_iterable(e.limits for e in effective.entitlements.values())
            tables[plan_id] = None if any(map(is_anchored, limits)) else {}
        table = tables[plan_id]
        return {} if table is None else table  # one of the customer's own, or the plan's
