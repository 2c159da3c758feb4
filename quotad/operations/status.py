"""How one worker is doing; answers without the store."""

import os
from collections.abc import Callable

import msgspec

from quotad import __version__
from quotad.engine import Snapshots, ViewCache
from quotad.operations.catalogs import Version
from quotad.store.health import Health


class WorkerStatus(msgspec.Struct, frozen=True):
    """How a worker is doing."""

    server_version: str
    not_ready_reason: str
    """Empty: it is ready."""
    catalog: Version | None
    """That it decides by; None: none yet."""
    store: str
    """Its address."""
    store_up: bool
    """Whether it answers; it may be refused all the same."""
    started_ms: int
    """Unix time."""
    pid: int
    front: str
    decisions: dict[str, int]
    """Since its start, by reason."""
    cached_customers: int
    store_warnings: tuple[str, ...]


class Worker(msgspec.Struct, frozen=True):
    """What a worker's status is made of."""

    snapshots: Snapshots
    views: ViewCache
    health: Health
    not_ready_reason: Callable[[], str]
    """Empty: it is ready."""
    warnings: Callable[[], tuple[str, ...]]
    """What an operator should know of the store."""
    store_address: str
    front: str
    started_ms: int
    decisions: Callable[[], dict[str, int]]
    """Decisions of this worker since its start, by reason."""

    def status(self) -> WorkerStatus:
        """Return how it is doing."""
        health, published = self.health, self.snapshots.published
        return WorkerStatus(
            server_version=__version__,
            not_ready_reason=self.not_ready_reason(),
            catalog=None if published is None else Version(published, in_force=True),
            store=self.store_address,
            store_up=health.up or health.refused,
            started_ms=self.started_ms,
            pid=os.getpid(),
            front=self.front,
            decisions=self.decisions(),
            cached_customers=len(self.views),
            store_warnings=self.warnings(),
        )
