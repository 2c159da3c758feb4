"""One worker: threads and a front for its parts; started, drained, stopped."""

import logging
from functools import partial
from typing import Any

from quotad.config import Config, unix_path
from quotad.errors import ConfigError
from quotad.fronts.grpcio_server import add_stream
from quotad.fronts.interface import Bounds, Details, Front, FrontSettings, TlsFiles
from quotad.fronts.kinds import choose, make
from quotad.metrics import Instrument
from quotad.server.address import check_free, is_loopback
from quotad.server.base import ServerBase
from quotad.server.decider import Decider
from quotad.server.instruments import FRONT, FRONT_OPEN
from quotad.server.slow_lane import SlowLane
from quotad.service import admin, quota
from quotad.service.admin import AdminServicer
from quotad.service.guard import Guard, details
from quotad.service.watching import WATCH, WatchCalls
from quotad.service.whom import customers_of
from quotad.v1.admin_pb2_grpc import add_AdminServiceServicer_to_server as add_servicer

_log = logging.getLogger("quotad.server")


class Server(ServerBase):
    """A worker process's insides that serve gRPC; usable in-process by tests.

    Args:
        config: the settings.
        reuse_port: share the address with other workers.

    Raises:
        ConfigError: the address cannot be bound, or the store's URL is wrong.
    """

    def __init__(self, config: Config, reuse_port: bool = False) -> None:
        self._front_name = choose(config.front)
        self._name = f"{self._front_name} front"
        super().__init__(config)
        self._listens = config.listen
        parts = self._parts
        self._token_watch.look()
        # Calls do not carry what costs time and is not looked at. Not known: the store is away.
        guard = None if self.tokens.required is False else Guard(self.tokens)
        self._guarded = guard is not None
        beside = Guard(self.tokens, is_loopback(config.listen))
        servicer = AdminServicer(parts.admin(self._front_name, self._decisions_by_reason), beside)
        watching = WatchCalls(parts.feed, beside)
        self._front = self._make_front(servicer, watching, reuse_port)
        quota_service = partial(parts.quota, None if guard is None else guard.check, beside.actor)
        services = [quota_service() for _ in range(config.decision_threads)]
        slow, patience_s = parts.slow_customers(), parts.store.timeout_s
        lane = (
            SlowLane(self._front, len(services), patience_s, slow, customers_of) if slow else None
        )
        deciders = [
            Decider(i, each, self._front, config.batch_max, lane) for i, each in enumerate(services)
        ]
        if lane is not None:
            services.append(quota_service())
            deciders.append(Decider(len(deciders), services[-1], lane, config.batch_max))
        self._serve(self._front, deciders, [each.decisions for each in services])
        for instrument in (FRONT, FRONT_OPEN):
            self.metrics.read_by(instrument, partial(self._counted_by_front, instrument))

    def _make_front(self, servicer: AdminServicer, watching: WatchCalls, reuse_port: bool) -> Front:
        if not reuse_port or unix_path(self._config.listen):  # which cannot be shared
            check_free(self._config.listen)

        def add_services(server: Any) -> None:
            add_servicer(servicer, server)  # type: ignore[no-untyped-call]
            add_stream(server, WATCH, watching.watch)

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
                details(self._front_name) if self._guarded else Details(),
            ),
        )

    def _on_required(self) -> None:
        if not self._guarded:
            _log.info("tokens were made; starting again, to ask for them")
            self.interrupt()

    def _counted_by_front(self, instrument: Instrument) -> list[int]:
        counters = self._front.counters()
        return [counters.get(name, 0) for name in instrument.labels]


def _tls_files(config: Config) -> TlsFiles | None:
    if bool(config.tls_cert) != bool(config.tls_key):
        raise ConfigError("tls_cert and tls_key: one without the other serves nothing")
    if config.tls_client_ca and not config.tls_cert:
        raise ConfigError("tls_client_ca: without tls_cert there is no TLS")
    return (
        TlsFiles(config.tls_cert, config.tls_key, config.tls_client_ca) if config.tls_cert else None
    )
