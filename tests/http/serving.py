"""A real HTTP server in this process, beside one of gRPC on the same store, and a client for it."""

import http.client
import json
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

from quotad.config import Config
from quotad.server.http_server import HttpServer
from tests.running import Running, eventually, running

CALL_S = 20.0
"""Far above what an answer may take, so that only a hang meets it."""


class Reply(NamedTuple):
    """An answer."""

    status: int
    headers: Mapping[str, str]
    body: Any
    """Read where it is JSON, else text."""


class HttpCaller:
    """Calls a server, over one connection."""

    def __init__(self, address: str) -> None:
        self.address = address
        host, _, port = address.rpartition(":")
        self._link = http.client.HTTPConnection(host.strip("[]"), int(port), timeout=CALL_S)

    def send(
        self,
        method: str,
        path: str,
        body: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """Make a request; a body that is no bytes is sent as JSON."""
        raw = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        try:
            self._link.request(method, path, raw, dict(headers or {}))
            answer = self._link.getresponse()
            content = answer.read()
        except BaseException:
            self._link.close()
            raise
        kind = answer.headers.get("content-type", "")
        read = json.loads(content) if "json" in kind else content.decode()
        return Reply(answer.status, {k.lower(): v for k, v in answer.headers.items()}, read)

    def get(self, path: str, **headers: str) -> Reply:
        return self.send("GET", path, None, headers)

    def post(self, path: str, body: object = None, **headers: str) -> Reply:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.send("POST", path, body, named)

    def raw(self, data: bytes) -> bytes:
        """Send bytes over a connection of their own and read to its end."""
        host, _, port = self.address.rpartition(":")
        with socket.create_connection((host, int(port)), CALL_S) as link:
            link.sendall(data)
            parts = []
            with suppress(ConnectionResetError):  # it ended before all was read
                while part := link.recv(65_536):
                    parts.append(part)
            return b"".join(parts)

    def close(self) -> None:
        self._link.close()

    def wait_ready(self, ready: bool = True) -> None:
        """Wait until the server is ready, or is not."""
        eventually(lambda: self.get("/readyz").status, lambda status: (status == 200) is ready)


class HttpRunning(HttpCaller):
    """A server in this process, and one of gRPC on the same store."""

    def __init__(self, config: Config, grpc: Running) -> None:
        self.grpc = grpc
        self.server = HttpServer(config)
        self.server.start()
        self._stopped = False
        super().__init__(self.server.address)

    def publish_and_wait(self, text: str) -> None:
        """Publish a catalog and wait until it is in force here."""
        self.grpc.publish_and_wait(text)
        self.wait_ready()

    def stop(self) -> None:
        """Stop the server; once."""
        if not self._stopped:
            self._stopped = True
            self.server.stop()

    def close(self) -> None:
        super().close()
        self.stop()


@contextmanager
def http_running(store_url: str, prefix: str, **settings: Any) -> Iterator[HttpRunning]:
    """A server on a free port, closed at the end."""
    with running(store_url, prefix) as grpc:
        defaults = {"http": "127.0.0.1:0", "store_timeout_ms": 5000, "shards": 8}
        config = Config(redis_url=store_url, prefix=prefix, **(defaults | settings))  # type: ignore[arg-type]
        made = HttpRunning(config, grpc)
        try:
            yield made
        finally:
            made.close()
