"""Which customers are near a limit or past it, and should be offered the next plan."""

import heapq
from itertools import chain

import msgspec

from quotad.catalog import Snapshot
from quotad.clock import Clock
from quotad.engine import Engine, Lent, Snapshots
from quotad.engine.demand import Demand
from quotad.engine.insights import Insights, Nearness, Notes, look_up, rank
from quotad.entitlements.counted import metered
from quotad.errors import InvalidRequest, NotFound
from quotad.nearest import nearest
from quotad.store.demand import DemandStore
from quotad.store.nearby import NEARBY_MAX, NearbyStore

SIZE_DEFAULT = 10
SIZE_MAX = 100


class InsightOperations(msgspec.Struct, frozen=True):
    """Looks customers up; for all threads."""

    snapshots: Snapshots
    nearby: NearbyStore
    notes: Notes
    """Of this worker."""
    clock: Clock
    engines: Lent[Engine]
    demand: Demand
    """Of this worker."""
    denied: DemandStore

    def near_limits(self, feature_id: str = "", size: int = 0) -> dict[str, Insights]:
        """Return the customers of metered features that are near a limit or past it.

        Args:
            feature_id: of which; empty: of all that have such customers.
            size: most customers above, and most near, of each feature; 0: the default.

        Raises:
            InvalidRequest: the size is out of range, or the feature is not metered.
            NotFound: there is no such feature.
            NotReady: no catalog was published yet.
            StoreUnavailable: the store refused or timed out.
        """
        if not 0 <= size <= SIZE_MAX:
            raise InvalidRequest(f"size: {size} is not between 0 and {SIZE_MAX}")
        feature_ids = metered_named(self.snapshots.newest(), feature_id)
        found = self._look_up(feature_ids, size or SIZE_DEFAULT)
        return {name: each for name, each in found.items() if feature_id or each.above or each.near}

    def ranked(self, most: int) -> list[Nearness]:
        """Return customers near a limit or past it of all features, who wants most of one first.

        Looks at every customer on the lists: for work beside calls, not for a call.

        Args:
            most: customers and features to return.

        Raises:
            NotReady: no catalog was published yet.
            StoreUnavailable: the store refused or timed out.
        """
        found = self._look_up(metered(self.snapshots.newest()), NEARBY_MAX)
        every = chain.from_iterable((*each.above, *each.near) for each in found.values())
        return heapq.nsmallest(most, every, key=rank)

    def _look_up(self, feature_ids: list[str], size: int) -> dict[str, Insights]:
        now_ms = self.clock.now_ms()
        self.notes.flush(now_ms)
        self.demand.flush(now_ms)
        with self.engines.lend() as engine:
            return {
                name: look_up(engine, self.nearby, self.denied, name, size) for name in feature_ids
            }


def metered_named(snapshot: Snapshot, wanted: str) -> list[str]:
    """The metered features asked for, in the catalog's order; empty: all of them.

    Raises:
        InvalidRequest: the feature is not metered.
        NotFound: there is no such feature.
    """
    known = metered(snapshot)
    if not wanted:
        return known
    if wanted in known:
        return [wanted]
    if wanted in snapshot.features:
        raise InvalidRequest(f"feature_id: {wanted!r} is not metered; it has no limits")
    near = nearest(wanted, known)
    hint = f", did you mean {near!r}?" if near else ""
    raise NotFound(f"feature_id: unknown feature {wanted!r}{hint}")
