"""One catalog tried on the log: a real engine whose clock stands where the log is."""

from quotad.catalog import Catalog, Snapshot
from quotad.clock import SyncedClock
from quotad.decision import Decision
from quotad.engine import Engine, EngineSettings, Shared, Snapshots, ViewCache
from quotad.entitlements.periods import period_at
from quotad.errors import QuotadError, StoreError
from quotad.records import CALENDAR
from quotad.simulate.lines import LoggedCall
from quotad.simulate.roster import Roster, RosterCustomers
from quotad.store import Catalogs, KeySpace, Retention, Store, check_layout
from quotad.store.health import Health
from quotad.store.holds import HoldsSeen

VIEWS_MAX = 100_000
STORE_TIMEOUT_MS = 60_000
"""Of a batch. The store is this machine's own: slow is busy, not gone."""

RETENTION_MS = 1_000 * 365 * 86_400_000
"""The store expires keys by its own time, and the log is in its past: counters end by the log's
time (`purge`), never by the store's."""

PURGE_MIN = 500_000
"""Keys from which on counters of ended periods are looked for. Later it is twice of what was left
the last time, so that looking costs less than counting did."""


class LogClock:
    """Stands at the time of the log."""

    def __init__(self) -> None:
        self.at_ms = 0

    def now_ms(self) -> int:
        """Unix time."""
        return self.at_ms


class CatalogRun:
    """A catalog in force for the customers of a roster, under a separate key prefix."""

    def __init__(
        self, store: Store, prefix: str, catalog: Catalog, roster: Roster, clock: LogClock
    ) -> None:
        keys = KeySpace(prefix, shards=1)
        check_layout(store, keys)
        catalogs = Catalogs(store, keys, clock)
        catalogs.publish(catalog.document, catalog.digest)
        snapshots = Snapshots(catalogs)
        snapshots.refresh(None)
        health = Health(store, SyncedClock())
        health.probe()
        self._views = ViewCache(keys, VIEWS_MAX)
        shared = Shared(
            snapshots,
            self._views,
            RosterCustomers(roster),
            health,
            clock,
            EngineSettings(
                store_timeout_ms=STORE_TIMEOUT_MS,
                retention=Retention(RETENTION_MS, RETENTION_MS),
                ledger=None,
            ),
            HoldsSeen(store, keys),
        )
        self._engine = Engine(shared, store.connect())
        self._roster = roster
        self.snapshot: Snapshot = snapshots.current()
        features = self.snapshot.features.values()
        self.costs = {each.feature_id: each.credit.cost for each in features if each.credit}
        """What one unit of a feature takes of its credit pool."""
        self.decimals = {each.feature_id: each.decimals for each in features if each.decimals}
        """Of credit pools."""

    def decide(self, calls: list[LoggedCall]) -> list[Decision | QuotadError]:
        """Decide calls that are of one grain, at the time of the clock.

        Raises:
            StoreError: the private store failed.
        """
        answers = self._engine.decide([call.request for call in calls])
        for answer in answers:
            if isinstance(answer, StoreError):
                raise answer
        return answers

    def is_news(self, call: LoggedCall) -> bool:
        """Whether a line has another plan of its customer than the line before."""
        return self._roster.is_news(call)

    def learn(self, call: LoggedCall) -> None:
        """Put the customer of a line on the plan of the line, from the next decision on."""
        plan = self.snapshot.plans.get(call.plan_id)
        until_ms = None
        if plan is not None and plan.resets_usage:
            until_ms = period_at(plan.billing, call.at_ms, CALENDAR).end_ms
        self._roster.learn(call, until_ms)
        self._views.drop(call.request.customer_id)

    def plan_id(self, customer_id: str, at_ms: int) -> str:
        """The plan that a customer is on; empty: none."""
        known = self._roster.plan_id(customer_id, at_ms)
        return (self.snapshot.default_plan or "") if known is None else known

    def close(self) -> None:
        """Close the connection."""
        self._engine.close()


class Purge:
    """Keeps the store as large as what is in force: drops counters of periods that have ended."""

    def __init__(self, store: Store, keys_min: int = PURGE_MIN) -> None:
        self._store = store
        self._keys_min = keys_min
        self._next = keys_min
        self.dropped = 0

    def run(self, now_ms: int) -> None:
        """Drop them if there are many keys by now."""
        if self._store.count_keys() >= self._next:
            self.dropped += self._store.purge(now_ms + RETENTION_MS)
            self._next = max(self._keys_min, 2 * self._store.count_keys())
