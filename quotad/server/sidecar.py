"""`quotad sidecar`: the sidecar as a separate process."""

import logging
import socket
import threading

from quotad.backoff import pause_s
from quotad.clock import SyncedClock
from quotad.config import Config
from quotad.errors import ConfigError, StoreError, StoreUnavailable
from quotad.server.signals import on_stop
from quotad.sidecar import Sidecar, parse_source
from quotad.store import Catalogs, KeySpace, Store, check_layout
from quotad.store.health import Health

_log = logging.getLogger("quotad.sidecar")

BACKOFF_MIN_S = 0.1
BACKOFF_MAX_S = 2.0


def run_sidecar(config: Config) -> None:
    """Keep the catalog in step with the sources until SIGTERM or Ctrl-C.

    Raises:
        ConfigError: no source, a source that cannot be one, or a store of another layout.
    """
    if not config.source:
        raise ConfigError("source: missing; give at least one file, directory or URL")
    sources = [
        parse_source(
            text,
            http_interval_s=config.source_interval_ms / 1000,
            settle_s=config.source_settle_ms / 1000,
        )
        for text in config.source
    ]
    stop = threading.Event()
    on_stop(stop.set)
    store = Store(config.redis_url, config.store_timeout_ms)
    try:
        keys = KeySpace(config.prefix, config.shards)
        clock = SyncedClock()
        if _first_contact(store, keys, Health(store, clock), stop):
            published_by = f"sidecar on {socket.gethostname()}"
            catalogs = Catalogs(store, keys, clock, config.publish_wait_ms)
            Sidecar(
                sources,
                catalogs,
                only_first=config.catalog_owner == "dashboard",
                removal_delay_s=config.source_removal_delay_ms / 1000,
                published_by=published_by,
            ).run(stop)
    finally:
        store.close()


def _first_contact(store: Store, keys: KeySpace, health: Health, stop: threading.Event) -> bool:
    """Wait for the store, and check that it is laid out as expected; False: stopped first."""
    failures = 0
    while not stop.is_set():
        if health.probe():
            try:
                check_layout(store, keys)
            except StoreError as error:  # it may answer and refuse writes: its disk is full
                health.mark_down(StoreUnavailable(str(error)))
            else:
                return True
        if not failures:
            _log.error("%s; trying again until it can be used", health.problem)
        stop.wait(pause_s(failures, BACKOFF_MIN_S, BACKOFF_MAX_S))
        failures += 1
    return False
