"""What a worker is made of, from the store up; the server adds threads and a front."""

from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path

from quotad.archive import ArchiveDirectory
from quotad.clock import SyncedClock
from quotad.config import Config
from quotad.engine import Engine, EngineSettings, Lent, Shared, Snapshots, ViewCache
from quotad.engine.demand import Demand
from quotad.engine.insights import Notes
from quotad.engine.seen import Seen
from quotad.environments import read_environments
from quotad.errors import StoreError
from quotad.feed.hub import Hub, HubBounds
from quotad.feed.usage import UsageFeed, UsageNotes
from quotad.ledger import LEDGER_KEPT, NOTING_WORDS
from quotad.metrics import FeatureNames
from quotad.operations.archived import ArchivedLedger
from quotad.operations.catalog_process import CatalogProcess
from quotad.operations.catalogs import CatalogOperations
from quotad.operations.customers import CustomerOperations
from quotad.operations.decided import DecidedCounts, DecidedOperations
from quotad.operations.decisions import DecisionOperations
from quotad.operations.drafts import DraftOperations
from quotad.operations.environments import EnvironmentOperations
from quotad.operations.erasing import ErasingOperations
from quotad.operations.exports import ExportWatch, read_until_ms
from quotad.operations.finding import FindingOperations
from quotad.operations.history import HistoryOperations
from quotad.operations.insights import InsightOperations
from quotad.operations.ledger import LedgerOperations
from quotad.operations.ledger_bound import LedgerBound
from quotad.operations.parts import AdminParts
from quotad.operations.rebuilding import UsageRebuilds
from quotad.operations.rollbacks import RollbackOperations
from quotad.operations.status import Worker
from quotad.operations.tokens import TokenOperations
from quotad.operations.transfer import TransferOperations
from quotad.operations.usage import UsageOperations
from quotad.operations.usage_audit import UsageAudits
from quotad.operations.webhooks import WebhookOperations
from quotad.outbox import ARCHIVE
from quotad.records import CatalogRecord
from quotad.server.fallback_parts import FallbackParts, StoreInUse
from quotad.server.last_known import LastKnownFile, Recollection
from quotad.server.ledger_parts import ledger_kept
from quotad.server.monitor import MonitorParts
from quotad.service.decode import RequestDecoder
from quotad.service.quota import CheckCall, NameCaller, QuotaService
from quotad.store import (
    Catalogs,
    CustomerIndex,
    Customers,
    Fleet,
    KeySpace,
    Retention,
    Store,
    server_id,
)
from quotad.store.changes import ChangeLists
from quotad.store.decided import DecidedStore
from quotad.store.demand import DemandStore
from quotad.store.drafts import DraftStore
from quotad.store.erasures import Erasures
from quotad.store.exports import ExportRecords
from quotad.store.fleet import ServerList
from quotad.store.health import Health
from quotad.store.holds import HoldsSeen
from quotad.store.ledger import LedgerStreams
from quotad.store.moves import Moves
from quotad.store.nearby import NearbyStore
from quotad.store.rebuilding import RebuildScript
from quotad.store.safety import Safety
from quotad.store.seen import SeenStore
from quotad.store.sessions import SessionStore
from quotad.store.tokens import TokenStore
from quotad.store.usage import UsageStore
from quotad.store.watched import WatchedStore
from quotad.store.webhooks import WebhookStore
from quotad.tokens.record import TokenRecord
from quotad.webhooks.networks import Networks

SPARE_SOCKETS = 16
"""LedgerKept for connections to the store, which has about as many open; see `Store`."""


class Parts:
    """The parts that the threads of a worker share, and those that each of them has made."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self.clock = clock = SyncedClock()
        self.store = store = Store(config.redis_url, config.store_timeout_ms, SPARE_SOCKETS)
        self._keys = keys = KeySpace(config.prefix, config.shards)
        self._health = Health(store, clock, config.store_clock_step_ms)
        self._safety = Safety(store, config.allow_evicting_store)
        self._kept = kept = ledger_kept(config)
        self._catalogs = Catalogs(store, keys, clock, config.publish_wait_ms, kept)
        self._customers = Customers(store, keys, kept)
        self.index = CustomerIndex(store, keys, self._customers)
        self._seen_store = SeenStore(store, keys, self._customers)
        self._seen = Seen(self._seen_store)
        self._nearby = NearbyStore(store, keys)
        self.reader = CatalogProcess(config.catalog_timeout_ms, config.catalog_memory_mb)
        self._notes = Notes(self._nearby)
        self._denied = DemandStore(store, keys)
        self._moves = Moves(store, keys)
        self._demand = Demand(self._denied, self._nearby)
        self._snapshots = Snapshots(self._catalogs, NOTING_WORDS[config.ledger])
        self._views = ViewCache(keys, config.customer_cache_max, self._seen.note)
        self._snapshots.on_swap(self._views.renew)
        self._usage = UsageNotes()
        self.without_store = FallbackParts(
            config, StoreInUse(store, keys, self._health, clock), self._snapshots, self._usage
        )
        self._shared = Shared(
            self._snapshots,
            self._views,
            self._customers,
            self._health,
            clock,
            _engine_settings(config),
            HoldsSeen(self.store, self._keys),
            self._demand,
            self.without_store.fallback,
            moves=self._moves,
        )
        self._ledger = LedgerStreams(store, keys)
        self.ledger_bound = LedgerBound(self._ledger, kept, self._snapshots)
        """Whether more goes into the ledger than is kept."""
        self.exports = ExportWatch(ExportRecords(store, keys), clock.now_ms, kept.ms)
        """How exports of the ledger are doing."""
        self._warnings_beside: Callable[[], tuple[str, ...]] = lambda: ()
        self._read = RequestDecoder()
        bounds = HubBounds(config.max_listeners, config.max_listeners_per_caller)
        self.feed = Hub(store, keys, clock, bounds)
        self._features = FeatureNames(self._has_feature)
        self._decided_store = DecidedStore(store, keys)
        self._decided = DecidedCounts(self._decided_store)

    def quota(self, check: CheckCall | None, actor: NameCaller) -> QuotaService:
        """Make what one decision thread answers with; it has its own connection.

        Args:
            check: looks at every call; None: all are answered.
            actor: names the caller of a correction.
        """
        return QuotaService(self.decisions(), self._read, check, actor)

    def slow_customers(self) -> Callable[[], Callable[[str], bool] | None] | None:
        """Return what tells customers of slow servers of a cluster apart, at the moment of the
        call; it returns None where there are none. None: the store is one server."""
        if self.store.whole:
            return None
        store, keys = self.store, self._keys

        def slow() -> Callable[[str], bool] | None:
            shards = store.slow_places(keys.shard_catalogs)
            return (lambda customer_id: keys.shard(customer_id) in shards) if shards else None

        return slow

    def tokens(self) -> TokenStore:
        """Where tokens are kept."""
        return TokenStore(self.store, self._keys, self._kept)

    def sessions(self) -> SessionStore:
        """Where sessions of the dashboard are kept."""
        return SessionStore(self.store, self._keys)

    def decisions(self, counted: bool = True) -> DecisionOperations:
        """Make what one decision thread decides with; it has its own connection.

        Args:
            counted: whether its decisions are among those that are counted over time.
        """
        made = DecisionOperations(self._engine(), self._notes, self._usage, self._features)
        if counted:
            self._decided.include(made.counts)
        return made

    def _has_feature(self, feature_id: str) -> bool:
        snapshot = self._snapshots.peek
        return snapshot is not None and feature_id in snapshot.features

    @property
    def health(self) -> Health:
        """Of the store."""
        return self._health

    @property
    def unsafe(self) -> frozenset[str]:
        """What is wrong with the store, in words of `store.safety.PROBLEMS`."""
        return self._safety.problems

    @property
    def published(self) -> CatalogRecord | None:
        """The record of the catalog in force, without its document; None: none yet."""
        return self._snapshots.published

    def problems(self) -> dict[str, str]:
        """Why decisions cannot be made, by what is missing; empty: they can."""
        found = {"store": self._health.problem, "catalog": self._snapshots.problem}
        return {name: problem for name, problem in found.items() if problem}

    def _not_ready_reason(self) -> str:
        problems = self.problems()
        if self.without_store.answers:
            problems.pop("store", None)
        return next(iter(problems.values()), "")

    def warnings(self) -> tuple[str, ...]:
        """What an operator should know of the store."""
        found = (*self._safety.warnings, *filter(None, [self._health.clock_warning]))
        spread = self._keys.spread
        if spread.moving:
            found = (*found, f"resharding: {spread.moved} of {spread.former} shards have moved")
        return (
            *found,
            *self.ledger_bound.warnings,
            *self.exports.warnings,
            *self.without_store.warnings,
            *self._warnings_beside(),
        )

    def warn_of(self, warnings: Callable[[], tuple[str, ...]]) -> None:
        """Have warnings of an edge among those that an operator should know."""
        self._warnings_beside = warnings

    @property
    def cached_customers(self) -> int:
        """Views of customers in memory."""
        return len(self._views)

    def outstanding(self) -> list[int]:
        """How many reservations, leases and slots are, as far as this worker has given them out."""
        shared, now_ms = self._shared, self.clock.now_ms()
        return [each.count(now_ms) for each in (shared.reserved, shared.leased, shared.slots)]

    def admin(self, front: str, decisions: Callable[[], dict[str, int]]) -> AdminParts:
        """Make the operations beside decisions.

        Args:
            front: the name of the one that serves.
            decisions: counts those of this worker since its start, by reason.
        """
        config, clock, customers = self._config, self.clock, self._customers
        snapshots, views, nearby = self._snapshots, self._views, self._nearby
        reader = self.reader
        erasures = Erasures(
            self.store, self._keys, customers, nearby, self._kept, bool(config.ledger_archive)
        )
        engines = Lent(self._engine)
        catalogs = CatalogOperations(self._catalogs, reader)
        drafts = DraftStore(self.store, self._keys)
        changes = ChangeLists(self.store, self._keys)
        counters, ledger = (
            UsageStore(self.store, self._keys),
            LedgerOperations(self._ledger, self._archive()),
        )
        writes = CustomerOperations(customers, snapshots, views, clock)
        return AdminParts(
            decided=DecidedOperations(self._decided_store, self._decided, clock),
            catalogs=catalogs,
            drafts=DraftOperations(drafts, catalogs, clock, config.catalog_owner, config.four_eyes),
            customers=writes,
            finding=FindingOperations(customers, self.index, self._seen_store, self._seen, clock),
            erasing=ErasingOperations(erasures, snapshots, views),
            transfer=TransferOperations(customers, snapshots, views, clock),
            insights=InsightOperations(
                snapshots, nearby, self._notes, clock, engines, self._demand, self._denied
            ),
            ledger=ledger,
            usage=UsageOperations(customers, counters, snapshots, clock, self._demand),
            rebuilds=self._rebuilds(ledger, counters),
            tokens=TokenOperations(self.tokens(), clock),
            webhooks=WebhookOperations(
                WebhookStore(self.store, self._keys, self._kept),
                Networks(config.webhook_networks),
                clock,
            ),
            history=HistoryOperations(changes),
            rollbacks=RollbackOperations(writes, changes, snapshots, clock),
            servers=ServerList(self.store, self._keys),
            exports=self.exports,
            worker=Worker(
                snapshots,
                views,
                self._health,
                self._not_ready_reason,
                self.warnings,
                store_address=self.store.address,
                front=front,
                started_ms=clock.now_ms(),
                decisions=decisions,
            ),
            feed=self.feed,
            environments=EnvironmentOperations(
                read_environments(config.environments),
                config.prefix,
                catalogs,
                lambda prefix: CatalogOperations(
                    Catalogs(self.store, KeySpace(prefix), clock, config.publish_wait_ms), reader
                ),
            ),
        )

    def _rebuilds(self, ledger: LedgerOperations, counters: UsageStore) -> UsageRebuilds:
        settings, idle_ms = self._shared.settings, self._config.unprovisioned_retention_ms
        audits = UsageAudits(
            ledger,
            counters,
            self._customers,
            self._catalogs,
            self._snapshots,
            self.clock,
            idle_ms,
        )
        script = RebuildScript(self.store, self._keys)
        kept = settings.ledger or LEDGER_KEPT
        return UsageRebuilds(audits, script, settings.retention, kept, self._keys, self._usage)

    def _archive(self) -> ArchivedLedger | None:
        """What the ledger is read from beside the store; None: there is no archive."""
        if not self._config.ledger_archive:
            return None
        records = ExportRecords(self.store, self._keys)
        files = ArchiveDirectory(Path(self._config.ledger_archive))
        return ArchivedLedger(files, lambda: read_until_ms(records, ARCHIVE))

    def write_notes(self) -> None:
        """Write what decisions have noted and was not written yet; what cannot be is lost."""
        if self._health.up:
            now_ms = self.clock.now_ms()
            with suppress(StoreError):
                self._notes.flush(now_ms)
                self._seen.flush(now_ms)
                self._demand.flush(now_ms)
                self._decided.flush(now_ms)

    def recollection(
        self,
        tokens: Callable[[], Collection[TokenRecord] | None],
        take_tokens: Callable[[Collection[TokenRecord]], None],
    ) -> Recollection:
        """Make what keeps, and takes over, what is known of the store.

        Args:
            tokens: those that are known; None: not yet.
            take_tokens: takes those that were known.
        """
        config = self._config
        store = f"{self.store.address} {config.prefix}"
        file = LastKnownFile(Path(config.journal), store) if config.journal else None
        return Recollection(
            file, self._keys, self._snapshots, self.without_store, tokens, take_tokens
        )

    def monitored(self) -> MonitorParts:
        """Name what the monitor watches."""
        return MonitorParts(
            self.store,
            self._keys,
            self._health,
            self._safety,
            self._catalogs,
            self._snapshots,
            Fleet(self.store, self._keys, server_id()),
            self._notes,
            self._seen,
            self._demand,
            self._decided,
            self._shared.holds,
            UsageFeed(WatchedStore(self.store, self._keys), self._usage),
            self.clock,
            without_store=self.without_store,
            look_at_ledger=self._look_at_ledger,
            look_at_shards=self._look_at_shards,
        )

    def _look_at_ledger(self) -> None:
        self.ledger_bound.look()
        self.exports.look()

    def _look_at_shards(self) -> None:
        self._moves.look()
        self._moves.calm_down(lambda: self._views.renew(self._snapshots.peek))

    def _engine(self) -> Engine:
        return Engine(self._shared, self.store.connect())


def _engine_settings(config: Config) -> EngineSettings:
    retention_ms = config.usage_retention_ms
    return EngineSettings(
        config.store_timeout_ms,
        config.idempotency_ttl_ms,
        Retention(
            retention_ms,
            min(retention_ms, Retention().short_ms),
            config.unprovisioned_retention_ms,
        ),
        config.lease_ttl_ms,
        ledger_kept(config),
    )
