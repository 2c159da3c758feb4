"""What engines are made of and give away."""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from quotad.catalog import Snapshot
from quotad.clock import Clock
from quotad.decision import Decision
from quotad.engine.demand import Demand
from quotad.engine.fallback import Fallback
from quotad.engine.outstanding import Outstanding
from quotad.engine.snapshots import Snapshots
from quotad.engine.views import ViewCache
from quotad.entitlements.resolve import Effective
from quotad.errors import StoreError
from quotad.ledger import NOBODY, LedgerKept, Taker
from quotad.records import StoredCustomer
from quotad.store import CustomerKeys, Link, Retention
from quotad.store.health import Health
from quotad.store.holds import HoldsSeen
from quotad.store.moves import Moves


class EngineSettings(msgspec.Struct, frozen=True):
    """What an engine needs to know of the settings."""

    store_timeout_ms: int = 250
    """Longest time a batch may wait for the store, all rounds together."""
    idempotency_ttl_ms: int = 86_400_000
    retention: Retention = Retention()
    lease_ttl_ms: int = 5_000
    """Longest term of a lease."""
    ledger: LedgerKept | None = LedgerKept()
    """How much of the ledger the store keeps; None: nothing is put there."""


class CustomerReader(Protocol):
    """Where the records of customers come from: `store.Customers`, or a simulation's own."""

    def get_many_over(
        self, link: Link, customers: Sequence[CustomerKeys], deadline: float
    ) -> Sequence[StoredCustomer | StoreError]:
        """Each as it is now; the error of one is in its place.

        Args:
            link: of the calling thread.
            customers: which.
            deadline: monotonic time in seconds by which they must be there.
        """
        ...


class Shared(msgspec.Struct, frozen=True):
    """What the engines of one worker share."""

    snapshots: Snapshots
    views: ViewCache
    customers: CustomerReader
    health: Health
    clock: Clock
    settings: EngineSettings
    holds: HoldsSeen
    demand: Demand = msgspec.field(default_factory=Demand)
    """What is denied; of a simulation it is not counted."""
    fallback: Fallback | None = None
    """Answers what is not sent to a store that is gone; None: without a journal it is denied."""
    reserved: Outstanding = msgspec.field(default_factory=Outstanding)
    """Reservations that are open."""
    leased: Outstanding = msgspec.field(default_factory=Outstanding)
    """Leases that are."""
    slots: Outstanding = msgspec.field(default_factory=Outstanding)
    """Slots that are held."""
    moves: Moves | None = None
    """Where shards have moved; None: they do not, as in a store of one's own."""

    @property
    def step_of_tags(self) -> str:
        """What stands behind the tags of catalogs in the store, while shards move."""
        return "" if self.moves is None or not self.moves.keys.moving else self.moves.step


class Acting:
    """Whose doing it is what an engine does now, beside batches; of one thread."""

    __slots__ = ("taker",)

    def __init__(self) -> None:
        self.taker: Taker = NOBODY


class Granted(msgspec.Struct, frozen=True):
    """Everything a customer is entitled to, with usage, of one moment."""

    effective: Effective
    decisions: dict[str, Decision]
    """By feature id: what asking for one unit would be answered."""
    snapshot: Snapshot
