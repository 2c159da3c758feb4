"""One worker: threads and a front for its parts; started, drained, stopped."""

import logging
import threading
import time
from functools import partial
from typing import Any

from quotad.config import Config, unix_path
from quotad.errors import ConfigError
from quotad.fronts.interface import Bounds, Front, FrontSettings, TlsFiles
from quotad.fronts.kinds import choose, make
from quotad.metrics import Instrument
from quotad.model import Reason
from quotad.server.address import check_free
from quotad.server.decider import Decider
from quotad.server.indexing import Indexing
from quotad.server.instruments import (
    CUSTOMERS_CACHED,
    DECISIONS,
    FRONT,
    FRONT_OPEN,
    PROBE_MS,
    WOULD_DENY,
    instruments,
)
from quotad.server.monitor import Monitor
from quotad.server.parts import Parts
from quotad.service import admin, quota
from quotad.service.admin import AdminServicer
from quotad.v1.admin_pb2_grpc import add_AdminServiceServicer_to_server as add_servicer

_log = logging.getLogger("quotad.server")

STORE_WAITS = 10
"""How often a thread of the monitor may wait for the store before it turns."""

MONITOR_STUCK_S = 120.0
"""A thread of the monitor that has not turned for this time is stuck; compiling a large catalog on
a busy machine takes a while. The waits for the store are added."""


class Server:
    """A worker process's insides; a context manager, and usable in-process by tests.

    Args:
        config: the settings.
        reuse_port: share the address with other workers.

    Raises:
        ConfigError: the address cannot be bound, or the store's URL is wrong.
    """

    def __init__(self, config: Config, reuse_port: bool = False) -> None:
        self._config = config
        self._front_name = choose(config.front)
        self._monitor_stuck_s = MONITOR_STUCK_S + STORE_WAITS * config.store_timeout_ms / 1000
        self._fatal: ConfigError | None = None
        self._stopped = threading.Event()
        self._parts = parts = Parts(config)
        servicer = AdminServicer(parts.admin(self._front_name, self._decisions_by_reason))
        self._indexing = Indexing(parts.index, parts.clock, lambda: self.ready)
        self._front = self._make_front(servicer, reuse_port)
        services = [parts.quota() for _ in range(config.decision_threads)]
        self._made = [service.decisions for service in services]
        self._deciders = [
            Decider(i, service, self._front, config.batch_max) for i, service in enumerate(services)
        ]
        self.metrics = instruments()
        self.metrics.read_by(DECISIONS, self._decisions)
        self.metrics.read_by(WOULD_DENY, lambda: [self._would_deny()])
        self.metrics.read_by(CUSTOMERS_CACHED, lambda: [parts.cached_customers])
        for instrument in (FRONT, FRONT_OPEN):
            self.metrics.read_by(instrument, partial(self._counted_by_front, instrument))
        on_probe = self.metrics.observer(PROBE_MS)
        self._monitor = Monitor(parts.monitored(), self._front.set_ready, self.fail, on_probe)

    @property
    def address(self) -> str:
        """Where it listens."""
        return self._front.address

    def start(self) -> None:
        """Accept calls; ready as soon as the store and a catalog are there."""
        self._parts.store.open_links()
        self._front.start()
        self._front.set_ready(False)
        for decider in self._deciders:
            decider.start()
        self._monitor.start()
        self._indexing.start()
        _log.info("listening on %s (%s front)", self.address, self._front_name)

    def wait(self) -> None:
        """Wait until `interrupt` is called.

        Raises:
            ConfigError: the store can never be used with these settings.
        """
        self._stopped.wait()
        if self._fatal is not None:
            raise self._fatal

    def interrupt(self) -> None:
        """Let `wait` return; fit for a signal handler."""
        self._stopped.set()

    @property
    def ready(self) -> bool:
        """Whether calls are answered with decisions."""
        return self._monitor.ready

    def interrupted(self, timeout_s: float) -> bool:
        """Wait for an end within a time; return whether it has come."""
        return self._stopped.wait(timeout_s)

    def has_progressed(self) -> bool:
        """Whether no thread is where it was at the last look; waiting for calls is progress too."""
        return all([decider.has_progressed() for decider in self._deciders]) and (
            self._monitor.silent_s < self._monitor_stuck_s
        )

    def fail(self, error: ConfigError) -> None:
        """Let `wait` raise an error."""
        self._fatal = error
        self._stopped.set()

    def stop(self) -> None:
        """Answer the calls under way, for at most `drain_timeout_ms`, then close everything."""
        self._monitor.stop()
        self._indexing.stop()
        self._front.drain()
        deadline = time.monotonic() + self._config.drain_timeout_ms / 1000
        for decider in self._deciders:
            decider.join(max(0.0, deadline - time.monotonic()))
        self._front.stop()
        self._monitor.join()
        self._parts.write_notes()
        self._parts.store.close()

    def __enter__(self) -> "Server":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _make_front(self, servicer: AdminServicer, reuse_port: bool) -> Front:
        if not reuse_port or unix_path(self._config.listen):  # which cannot be shared
            check_free(self._config.listen)

        def add_services(server: Any) -> None:
            add_servicer(servicer, server)  # type: ignore[no-untyped-call]

        config = self._config
        return make(
            self._front_name,
            FrontSettings(
                config.listen,
                (quota.SERVICE, admin.SERVICE),
                add_services,
                quota.METHODS,
                reuse_port,
                config.io_threads,
                config.max_concurrent_streams,
                config.max_connections,
                Bounds(**{name: getattr(config, name) for name in Bounds.__struct_fields__}),
                _tls_files(config),
            ),
        )

    def _decisions(self) -> list[int]:
        return [sum(each.counts[reason] for each in self._made) for reason in Reason]

    def _counted_by_front(self, instrument: Instrument) -> list[int]:
        counters = self._front.counters()
        return [counters.get(name, 0) for name in instrument.labels]

    def _would_deny(self) -> int:
        return sum(each.would_deny for each in self._made)

    def _decisions_by_reason(self) -> dict[str, int]:
        total = dict(zip(DECISIONS.labels, self._decisions(), strict=True))
        total["WOULD_DENY"] = self._would_deny()
        return {name: count for name, count in total.items() if count}


def _tls_files(config: Config) -> TlsFiles | None:
    if bool(config.tls_cert) != bool(config.tls_key):
        raise ConfigError("tls_cert and tls_key: one without the other serves nothing")
    if config.tls_client_ca and not config.tls_cert:
        raise ConfigError("tls_client_ca: without tls_cert there is no TLS")
    return (
        TlsFiles(config.tls_cert, config.tls_key, config.tls_client_ca) if config.tls_cert else None
    )
