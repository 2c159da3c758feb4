"""The worker of the dashboard: threads for its pages and an HTTP server."""

from concurrent.futures import ThreadPoolExecutor

from quotad.config import Config, split_listen
from quotad.dashboard.app import DashboardApp
from quotad.dashboard.ask import PageContext
from quotad.dashboard.doorkeeper import Doorkeeper
from quotad.engine.lending import Lent
from quotad.errors import ConfigError
from quotad.http.listener import HttpListener, ListenerSettings
from quotad.operations.sessions import SessionOperations
from quotad.server.base import ServerBase
from quotad.server.http_tls import http_tls

THREADS = 16
"""Pages that are made at once; fewer than the store has connections for them."""

DECIDING = 2
"""Pages that ask for decisions at once; each has a connection of its own."""


class DashboardServer(ServerBase):
    """A worker process's insides that serve the dashboard; usable in-process by tests.

    Args:
        config: the settings.
        reuse_port: share the address with the worker that takes the place of this one.

    Raises:
        ConfigError: the address cannot be bound, or the store's URL is wrong.
    """

    _name = "dashboard"

    def __init__(self, config: Config, reuse_port: bool = False) -> None:
        super().__init__(config)
        self._listens = config.dashboard
        parts = self._parts
        made = [parts.decisions() for _ in range(DECIDING)]
        threads = ThreadPoolExecutor(THREADS, thread_name_prefix="quotad-page")
        sessions = SessionOperations(parts.sessions(), self.tokens, parts.clock)
        self._tls = http_tls(config)
        host, port = split_listen(config.dashboard, "dashboard")
        # Browsers do not set cookies of one host's ports apart.
        cookie = f"quotad_session_{port}"
        self.parts = parts.admin("dashboard", self._decisions_by_reason)
        context = PageContext(
            parts=self.parts,
            lent=Lent(iter(made).__next__, DECIDING),
            sessions=sessions,
            threads=threads,
            cookie=cookie,
            environment={"Prefix": config.prefix, "Listens on": config.dashboard},
        )
        self._token_watch.look()
        app = DashboardApp(context, Doorkeeper(sessions, cookie, config.insecure))
        settings = ListenerSettings(
            host,
            port,
            reuse_port,
            connections_max=config.max_connections,
            head_bytes_max=config.max_header_bytes,
            request_timeout_s=config.client_timeout_ms / 1000,
            drain_timeout_s=config.drain_timeout_ms / 1000,
            tls=None if self._tls is None else self._tls.context,
        )

        def end_threads() -> None:
            threads.shutdown(wait=False, cancel_futures=True)

        try:
            self._listener = HttpListener(app, settings, app.set_ready, end_threads)
        except OSError as error:
            raise ConfigError(
                f"dashboard: cannot listen on {config.dashboard}: {error.strerror}"
            ) from error
        self._serve(self._listener, [], made)

    def start(self) -> None:
        """As every server; certificates are looked at from here on."""
        super().start()
        if self._tls is not None:
            self._tls.start()

    def stop(self) -> None:
        """As every server."""
        super().stop()
        if self._tls is not None:
            self._tls.stop()

    def has_progressed(self) -> bool:
        """Whether neither a thread nor the event loop is where it was at the last look."""
        return all([super().has_progressed(), self._listener.has_progressed()])
