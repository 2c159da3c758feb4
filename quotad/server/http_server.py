"""One HTTP worker: threads and an HTTP server for its parts."""

from concurrent.futures import ThreadPoolExecutor

from quotad.config import Config, split_listen
from quotad.engine.lending import Lent
from quotad.errors import ConfigError
from quotad.http.app import App, AppSettings
from quotad.http.authorize import header_names
from quotad.http.deciding import Deciding, HttpDecider
from quotad.http.direct import DirectConsume
from quotad.http.identity import token_admit
from quotad.http.listener import HttpListener, ListenerSettings
from quotad.http.operation import Context
from quotad.http.stigg.mount import StiggRoutes
from quotad.server.base import ServerBase
from quotad.server.http_tls import http_tls

CALLS_BESIDE = 4
"""Calls of Stigg's clients that are carried out at once, beside the batches."""

THREADS = 16
"""For what waits for the store and is no decision; fewer than the store has connections for it."""


class HttpServer(ServerBase):
    """A worker process's insides that serve HTTP; usable in-process by tests.

    Args:
        config: the settings.
        reuse_port: share the address with other workers.

    Raises:
        ConfigError: the address cannot be bound, or the store's URL is wrong.
    """

    _name = "HTTP"

    def __init__(self, config: Config, reuse_port: bool = False) -> None:
        super().__init__(config)
        deciding = Deciding(config.batch_max)
        parts = self._parts.admin("http", self._decisions_by_reason)
        threads = ThreadPoolExecutor(THREADS, thread_name_prefix="quotad-http-admin")
        made = [self._parts.decisions() for _ in range(config.decision_threads)]
        beside = [self._parts.decisions() for _ in range(CALLS_BESIDE)]
        context = Context(deciding, parts, Lent(iter(beside).__next__, CALLS_BESIDE), threads)
        self._listens = config.http
        self._token_watch.look()
        admit = token_admit(self.tokens)
        calls = StiggRoutes(context, admit, CALLS_BESIDE)
        app_settings = AppSettings(
            admit=admit,
            routes=[calls],
            authorize=header_names(config.authorize_headers),
            origins=config.cors_origins,
            dashboard=config.dashboard,
        )
        app = App(context, app_settings)
        self._tls = http_tls(config)
        host, port = split_listen(config.http, "http")
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
            for _ in made:
                deciding.waiting.put(None)

        try:
            self._listener = HttpListener(
                app, settings, app.set_ready, end_threads, DirectConsume(deciding, admit)
            )
        except OSError as error:
            raise ConfigError(f"http: cannot listen on {config.http}: {error.strerror}") from error
        deciders = [
            HttpDecider(i, deciding, each, lambda: self._listener.loop)
            for i, each in enumerate(made)
        ]
        self._serve(self._listener, deciders, [*made, *beside])

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
