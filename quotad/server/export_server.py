"""What exports the ledger: a worker of `quotad serve`, or all of `quotad export`."""

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from quotad.clock import SyncedClock
from quotad.config import Config
from quotad.errors import ConfigError
from quotad.export import Exporter, Receivers, WebhookParts
from quotad.metrics import WorkerReport
from quotad.operations.endings import EndingOperations
from quotad.operations.exports import ExportOperations
from quotad.server.export_targets import WEBHOOKS, ExportSource, targets_of
from quotad.server.instruments import instruments
from quotad.server.signals import on_stop
from quotad.server.store_contact import first_contact
from quotad.store import CustomerIndex, Customers, KeySpace, Store, check_layout
from quotad.store.change_streams import ChangeStreams
from quotad.store.exports import ExportRecords
from quotad.store.health import Health
from quotad.store.ledger import LedgerStreams
from quotad.store.meta import look_at_layout
from quotad.store.webhooks import WebhookStore
from quotad.webhooks.networks import Networks

__all__ = ["ExportOperations", "ExportServer", "export_operations", "run_export"]

_log = logging.getLogger("quotad.export")

LOOK_S = 5.0
"""How often it is read where shards are by now."""

TIMEOUT_MS = 5_000
"""Longest time of a command, of which some read a thousand records."""


class ExportServer:
    """Exports until it is stopped; usable in-process by tests.

    Args:
        config: the settings.
        _reuse_port: as other workers have it; nothing is bound.
        once: end as soon as nothing is left that can be sent at once.

    Raises:
        ConfigError: there is no target, one cannot be used, or the store's URL is wrong.
    """

    def __init__(self, config: Config, _reuse_port: bool = False, once: bool = False) -> None:
        if not config.export_to and not config.ledger_archive:
            raise ConfigError("export_to: missing; give at least one target, as files:DIRECTORY")
        self._store = store = Store(config.redis_url, max(config.store_timeout_ms, TIMEOUT_MS))
        self._keys = keys = KeySpace(config.prefix, config.shards)
        self._once = once
        self._looked_s = 0.0
        self._stopped = threading.Event()
        self._fatal: ConfigError | None = None
        records, streams = ExportRecords(store, keys), LedgerStreams(store, keys)
        from_oldest = config.export_from == "oldest"
        source = ExportSource(config, store, keys)
        targets = targets_of(source)
        self._exporter = Exporter(records, streams, targets, self._look, from_oldest)
        clock = SyncedClock()
        self._health = Health(store, clock)
        self._receivers: Receivers | None = None
        if WEBHOOKS in config.export_to:
            parts = WebhookParts(
                WebhookStore(store, keys),
                ChangeStreams(store, keys),
                EndingOperations(CustomerIndex(store, keys, Customers(store, keys))),
                Networks(config.webhook_networks),
                source.catalogs,
                config.webhook_thresholds,
                clock.now_ms,
                lambda: records.parts,
            )
            self._receivers = Receivers(records, streams, parts, self._look)
        self._thread = threading.Thread(target=self._run, name="quotad-export")
        self._nothing = instruments().nothing()

    @property
    def ready(self) -> bool:
        """Whether it runs."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Export from here on."""
        self._thread.start()

    def interrupt(self) -> None:
        """Let it end; a signal handler calls it beside, see `signals`."""
        self._stopped.set()

    def interrupted(self, timeout_s: float) -> bool:
        """Wait for an end within a time; return whether it has come."""
        return self._stopped.wait(timeout_s)

    def has_progressed(self) -> bool:
        """Whether it goes on; what takes long is sent to elsewhere, and has its own time-outs."""
        return self._thread.is_alive() or self._stopped.is_set()

    def report(self) -> WorkerReport:
        """Nothing: servers read in the store how exports are doing."""
        return self._nothing

    def stop(self) -> None:
        """End after what is under way, and let others go on."""
        self._stopped.set()
        self._thread.join()
        self._store.close()

    def wait(self) -> None:
        """Wait for its end.

        Raises:
            ConfigError: the store can never be used with these settings.
        """
        self._stopped.wait()
        if self._fatal is not None:
            raise self._fatal

    def _run(self) -> None:
        try:
            if first_contact(self._store, self._keys, self._health, self._stopped, _log):
                self._run_all()
        except ConfigError as error:
            self._fatal = error
        self._stopped.set()

    def _run_all(self) -> None:
        if self._receivers is None:
            self._exporter.run(self._stopped, self._once)
            return
        webhooks = threading.Thread(
            target=self._receivers.run, args=(self._stopped, self._once), name="quotad-webhooks"
        )
        webhooks.start()
        self._exporter.run(self._stopped, self._once)
        webhooks.join()

    def _look(self) -> None:
        now_s = time.monotonic()
        if now_s - self._looked_s > LOOK_S:
            look_at_layout(self._store, self._keys)
            self._looked_s = now_s


def run_export(config: Config, once: bool = False) -> None:
    """Export until SIGTERM or Ctrl-C.

    Args:
        config: the settings.
        once: end as soon as nothing is left that can be sent at once.

    Raises:
        ConfigError: there is no target, or a setting can never work.
    """
    server = ExportServer(config, once=once)
    on_stop(server.interrupt)
    server.start()
    archive = [f"archive:{config.ledger_archive}"] if config.ledger_archive else []
    _log.info("exporting to %s", ", ".join([*config.export_to, *archive]))
    try:
        server.wait()
    finally:
        server.stop()


def run_archive(config: Config) -> None:
    """Write the archive, and export to nothing else, until SIGTERM or Ctrl-C.

    Raises:
        ConfigError: there is no directory, or a setting can never work.
    """
    if not config.ledger_archive:
        raise ConfigError("ledger_archive: missing; give a directory")
    run_export(msgspec.structs.replace(config, export_to=()))


@contextmanager
def export_operations(config: Config) -> Iterator[ExportOperations]:
    """Have what operators do about the exports of the store of the settings.

    Raises:
        ConfigError: the store is laid out in another way.
        StoreUnavailable: it is not there.
    """
    store = Store(config.redis_url, max(config.store_timeout_ms, TIMEOUT_MS))
    try:
        keys = KeySpace(config.prefix)
        check_layout(store, keys)
        yield ExportOperations(ExportRecords(store, keys))
    finally:
        store.close()
