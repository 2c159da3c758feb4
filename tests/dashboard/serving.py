"""A real dashboard in this process, beside a gRPC server on the same store, and who visits it."""

import http.client
import re
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from html import unescape
from http.cookies import SimpleCookie
from typing import Any, NamedTuple
from urllib.parse import urlencode

from quotad.clock import SyncedClock
from quotad.config import Config
from quotad.errors import QuotadError
from quotad.operations.tokens import TokenOperations
from quotad.server.dashboard_server import DashboardServer
from quotad.store import KeySpace
from quotad.store.tokens import TokenStore
from quotad.tokens.access import TokenTable
from quotad.tokens.record import NewToken, WantedToken
from quotad.tokens.roles import TokenRole
from quotad.v1 import admin_pb2
from tests.running import Running, eventually, running

CALL_S = 20.0
"""Far above what a page may take, so that only a hang meets it."""


class Shown(NamedTuple):
    """A page as it came."""

    status: int
    headers: Mapping[str, str]
    html: str

    @property
    def text(self) -> str:
        """What a reader sees, in one line."""
        bare = re.sub(r"<(script|style).*?</\1>", " ", self.html, flags=re.DOTALL)
        return " ".join(unescape(re.sub(r"<[^>]+>", " ", bare)).split())

    @property
    def form_key(self) -> str:
        found = re.search(r'name="form_key" value="(\w*)"', self.html)
        return found[1] if found else ""


class Visit:
    """A browser without a screen: keeps cookies, sends forms as a browser does."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.cookies: dict[str, str] = {}
        host, _, port = address.rpartition(":")
        self._link = http.client.HTTPConnection(host, int(port), timeout=CALL_S)

    def send(self, method: str, path: str, body: bytes = b"", /, **headers: str) -> Shown:
        """Make a request; a header whose name has underscores is sent with hyphens."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.cookies:
            named["cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        try:
            self._link.request(method, path, body or None, named)
            answer = self._link.getresponse()
            content = answer.read().decode()
        except BaseException:
            self._link.close()
            raise
        for header in answer.headers.get_all("set-cookie") or ():
            for name, morsel in SimpleCookie(header).items():
                if morsel["max-age"] == "0":
                    self.cookies.pop(name, None)
                else:
                    self.cookies[name] = morsel.value
        return Shown(answer.status, {k.lower(): v for k, v in answer.headers.items()}, content)

    def get(self, path: str, **headers: str) -> Shown:
        return self.send("GET", path, b"", **headers)

    def post(self, path: str, fields: Mapping[str, str] | None = None, **headers: str) -> Shown:
        """Send a form from a page of the dashboard's own."""
        sent = {"origin": f"http://{self.address}"} | headers
        return self.send("POST", path, urlencode(fields or {}).encode(), **sent)

    def submit(self, page: str, path: str, fields: Mapping[str, str] | None = None) -> Shown:
        """Open a page and send a form that it has."""
        key = self.get(page).form_key
        return self.post(path, {"form_key": key} | dict(fields or {}))

    def sign_in(self, token: str) -> Shown:
        return self.post("/sign-in", {"token": token})

    def close(self) -> None:
        self._link.close()


class DashboardRunning:
    """A dashboard in this process, and a gRPC server on the same store."""

    def __init__(self, config: Config, grpc: Running) -> None:
        self.grpc = grpc
        self.config = config
        self.server = DashboardServer(config)
        self.server.start()
        self.address = self.server.address
        self.parts = self.server.parts
        """What the pages work with."""
        store = TokenStore(grpc.store, KeySpace(config.prefix, config.shards))
        self.tokens = TokenOperations(store, SyncedClock(), on_store=True)

    def see(self) -> None:
        """Have the gRPC server write down what its decisions have noted of customers."""
        self.grpc.admin.GetInsights(admin_pb2.GetInsightsRequest(), timeout=CALL_S)
        self.grpc.admin.ListSeenCustomers(admin_pb2.ListSeenCustomersRequest(), timeout=CALL_S)

    def visit(self) -> "closing[Visit]":
        """A new browser."""
        return closing(Visit(self.address))

    def signed_in(self, role: TokenRole, name: str = "maria", **scopes: Any) -> "closing[Visit]":
        """A new browser with a session."""
        visit = Visit(self.address)
        reply = visit.sign_in(self.token(role, name, **scopes).token)
        assert 303 == reply.status, reply.text
        return closing(visit)

    def token(self, role: TokenRole, name: str = "maria", **scopes: Any) -> NewToken:
        """Make a token and wait until the dashboard knows it."""
        made = self.tokens.create(WantedToken(name, role, **scopes))
        eventually(lambda: is_read(self.server.tokens, made.record.token_id), bool)
        return made


def is_read(table: TokenTable, token_id: str) -> bool:
    """Whether a dashboard has read a token that was made."""
    try:
        table.access_of(token_id)
    except QuotadError:
        return False
    return True


@contextmanager
def dashboard_running(store_url: str, prefix: str, **settings: Any) -> Iterator[DashboardRunning]:
    """A dashboard on a free port, closed at the end."""
    with running(store_url, prefix) as grpc:
        defaults = {"dashboard": "127.0.0.1:0", "store_timeout_ms": 5000, "shards": 8}
        config = Config(redis_url=store_url, prefix=prefix, **(defaults | settings))  # type: ignore[arg-type]
        made = DashboardRunning(config, grpc)
        try:
            yield made
        finally:
            made.server.stop()
