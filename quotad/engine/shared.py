"""What engines are made of and give away."""

import msgspec

from quotad.catalog import Snapshot
from quotad.clock import Clock
from quotad.engine.snapshots import Snapshots
from quotad.engine.views import ViewCache
from quotad.entitlements.resolve import Effective
from quotad.model import Decision
from quotad.store import Customers, Retention
from quotad.store.health import Health
from quotad.store.holds import HoldsSeen


class EngineSettings(msgspec.Struct, frozen=True):
    """What an engine needs to know of the settings."""

    store_timeout_ms: int = 250
    """Longest time a batch may wait for the store, all rounds together."""
    idempotency_ttl_ms: int = 86_400_000
    retention: Retention = Retention()


class Shared(msgspec.Struct, frozen=True):
    """What the engines of one worker share."""

    snapshots: Snapshots
    views: ViewCache
    customers: Customers
    health: Health
    clock: Clock
    settings: EngineSettings
    holds: HoldsSeen


class Granted(msgspec.Struct, frozen=True):
    """Everything a customer is entitled to, with usage, of one moment."""

    effective: Effective
    decisions: dict[str, Decision]
    """By feature id: what asking for one unit would be answered."""
    snapshot: Snapshot
