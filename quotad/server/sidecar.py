"""`quotad sidecar`: the sidecar as a separate process."""

import logging
import socket
import threading

from quotad.clock import SyncedClock
from quotad.config import Config
from quotad.errors import ConfigError
from quotad.server.ledger_parts import ledger_kept
from quotad.server.signals import on_stop
from quotad.server.store_contact import first_contact
from quotad.sidecar import Sidecar, parse_source
from quotad.store import Catalogs, KeySpace, Store
from quotad.store.health import Health

_log = logging.getLogger("quotad.sidecar")


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
        if first_contact(store, keys, Health(store, clock), stop, _log):
            published_by = f"sidecar on {socket.gethostname()}"
            catalogs = Catalogs(store, keys, clock, config.publish_wait_ms, ledger_kept(config))
            Sidecar(
                sources,
                catalogs,
                only_first=config.catalog_owner == "dashboard",
                removal_delay_s=config.source_removal_delay_ms / 1000,
                published_by=published_by,
            ).run(stop)
    finally:
        store.close()
