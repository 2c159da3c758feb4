"""An engine on a real Valkey with a clock that only the test moves."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from zoneinfo import ZoneInfo

from quotad.catalog import Source, parse
from quotad.clock import SyncedClock
from quotad.customers.subscriptions import Provision, archive, provision
from quotad.decision import ConsumeRequest, Decision, Mode
from quotad.engine import Engine, EngineSettings, Shared, Snapshots, ViewCache
from quotad.engine.demand import Demand
from quotad.records import CustomerRecord
from quotad.store import Catalogs, Customers, KeySpace, Store, check_layout
from quotad.store.demand import DemandStore
from quotad.store.health import Health
from quotad.store.holds import HoldsSeen
from quotad.store.moves import Moves
from quotad.store.nearby import NearbyStore


def at(text: str, zone: str = "UTC") -> int:
    """Unix milliseconds of a local time, `2031-01-31 12:00`."""
    local = datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone))
    return int(local.timestamp() * 1000)


class FixedClock:
    """Stands still. Later than the store's, which forgets what has expired by its own time."""

    def __init__(self, now_ms: int) -> None:
        self.now = now_ms

    def now_ms(self) -> int:
        return self.now


class Bench:
    """One engine, and short words for what tests do with it."""

    def __init__(self, url: str, prefix: str, now: str = "2031-01-15 12:00") -> None:
        self.clock = FixedClock(at(now))
        self.keys = KeySpace(prefix, shards=4)
        self.store = Store(url, timeout_ms=10_000)
        check_layout(self.store, self.keys)
        self.catalogs = Catalogs(self.store, self.keys, self.clock)
        self.customers = Customers(self.store, self.keys)
        self.health = Health(self.store, SyncedClock())
        assert self.health.probe()
        self.snapshots = Snapshots(self.catalogs)
        self.views = ViewCache(self.keys, 1000)
        self.snapshots.on_swap(self.views.renew)
        self.denied = DemandStore(self.store, self.keys)
        self.nearby = NearbyStore(self.store, self.keys)
        self.demand = Demand(self.denied, self.nearby)
        self.shared = Shared(
            self.snapshots,
            self.views,
            self.customers,
            self.health,
            self.clock,
            EngineSettings(store_timeout_ms=10_000),
            HoldsSeen(self.store, self.keys),
            self.demand,
            moves=Moves(self.store, self.keys),
        )
        self.engine = Engine(self.shared, self.store.connect())

    def usage(self, feature_id: str) -> list[int]:
        """What acme has used of every limit of a feature now."""
        request = ConsumeRequest("acme", feature_id, mode=Mode.CHECK_ONLY, every_limit=True)
        (answer,) = self.engine.decide([request])
        assert isinstance(answer, Decision)
        return [limit.used for limit in answer.limits]

    def close(self) -> None:
        self.engine.close()
        self.store.close()

    def publish(self, text: str) -> int:
        version = self.publish_elsewhere(text)
        self.snapshots.refresh(self.snapshots.peek)
        return version

    def publish_elsewhere(self, text: str) -> int:
        """Publish without a notice, so that only the script can tell."""
        catalog = parse([Source("plans.yaml", text)])
        return self.catalogs.publish(catalog.document, catalog.digest).version

    def provision(
        self, customer_id: str, plan_id: str, start: str | None = None, resource_id: str = ""
    ) -> None:
        """Put a customer, or a resource of it, on a plan, from a time in UTC on."""

        def change(before: CustomerRecord | None) -> CustomerRecord:
            record = before or CustomerRecord(customer_id)
            start_ms = at(start) if start else None
            wanted = Provision(plan_id, start_ms, resource_id=resource_id)
            return provision(record, wanted, self.snapshots.current(), self.clock.now)

        self.customers.update(customer_id, change)

    def archive(self, customer_id: str) -> None:
        def change(before: CustomerRecord | None) -> CustomerRecord:
            return archive(before or CustomerRecord(customer_id), self.clock.now)

        self.customers.update(customer_id, change)

    def decide(self, *requests: ConsumeRequest) -> list[Decision]:
        answers = [a for a in self.engine.decide(requests) if isinstance(a, Decision)]
        assert len(answers) == len(requests)
        return answers

    def consume(
        self, customer_id: str, feature_id: str, quantity: int = 1, key: str = ""
    ) -> Decision:
        (answer,) = self.decide(
            ConsumeRequest(customer_id, feature_id, quantity, idempotency_key=key)
        )
        return answer

    def check(self, customer_id: str, feature_id: str) -> Decision:
        (answer,) = self.decide(ConsumeRequest(customer_id, feature_id, 1, Mode.CHECK_ONLY))
        return answer


@contextmanager
def bench(url: str, prefix: str, now: str = "2031-01-15 12:00") -> Iterator[Bench]:
    """An engine on the store, closed at the end."""
    made = Bench(url, prefix, now)
    try:
        yield made
    finally:
        made.close()
