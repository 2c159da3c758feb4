"""`quotad serve`: a parent that watches its workers, which share the address."""

import msgspec

from quotad.config import Config, unix_path
from quotad.errors import ConfigError
from quotad.server.address import reserved, reserved_dashboard, reserved_http
from quotad.server.descriptors import set_limit, warn_if_few
from quotad.server.fallback_parts import fallback_workers
from quotad.server.ops import ops_port
from quotad.server.signals import on_stop
from quotad.server.workers import Workers


def run_serve(config: Config) -> None:
    """Serve until SIGTERM or Ctrl-C.

    Raises:
        ConfigError: the address is taken, or the settings can never be used.
    """
    warn_if_few(set_limit(config.max_connections), config.max_connections)
    if config.workers > 1 and unix_path(config.listen):
        raise ConfigError(f"workers: {config.workers} cannot share a Unix socket; 1 can use it")
    with (
        reserved(config.listen) as listen,
        reserved_http(config.http) as http,
        reserved_dashboard(config.dashboard) as dashboard,
    ):
        config = msgspec.structs.replace(
            config,
            listen=listen,
            http=http,
            dashboard=dashboard,
            fallback_workers=fallback_workers(config),
        )
        workers = Workers(config)
        on_stop(workers.interrupt)
        with ops_port(config.ops, workers), workers:
            workers.run()
