"""What workers that listen for HTTP have in common."""

from collections.abc import Callable
from typing import Any, Protocol

from quotad.config import Config, split_listen
from quotad.errors import ConfigError
from quotad.http.direct import DirectConsume
from quotad.http.listener import HttpListener, ListenerSettings
from quotad.server.base import ServerBase
from quotad.server.http_tls import http_tls


class ListeningApp(Protocol):
    """An ASGI application that knows whether its server is ready."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer a request."""
        ...

    def set_ready(self, ready: bool) -> None:
        """Publish whether there are a store and a catalog."""
        ...


class ListeningServer(ServerBase):
    """A server whose edge is an HTTP listener; a subclass makes it by `_listen`.

    Args:
        config: the settings.
        setting: the one that has the address: `http` or `dashboard`.

    Raises:
        ConfigError: the store's URL or a certificate is wrong.
    """

    _listener: HttpListener
    _upload_step_bytes = 0

    def __init__(self, config: Config, setting: str) -> None:
        super().__init__(config)
        self._setting = setting
        self._listens = getattr(config, setting)
        self._tls = http_tls(config)

    def _listen(
        self,
        app: ListeningApp,
        on_drained: Callable[[], None],
        reuse_port: bool,
        direct: DirectConsume | None = None,
    ) -> HttpListener:
        """Bind the address; arguments as of `HttpListener`.

        Raises:
            ConfigError: the address cannot be bound.
        """
        config = self._config
        host, port = split_listen(self._listens, self._setting)
        settings = ListenerSettings(
            host,
            port,
            reuse_port,
            connections_max=config.max_connections,
            head_bytes_max=config.max_header_bytes,
            request_timeout_s=config.client_timeout_ms / 1000,
            upload_step_bytes=self._upload_step_bytes,
            drain_timeout_s=config.drain_timeout_ms / 1000,
            tls=None if self._tls is None else self._tls.context,
        )
        try:
            self._listener = HttpListener(app, settings, app.set_ready, on_drained, direct)
        except OSError as error:
            raise ConfigError(
                f"{self._setting}: cannot listen on {self._listens}: {error.strerror}"
            ) from error
        return self._listener

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
