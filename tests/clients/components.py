"""Components for React in a page, and a server with tokens for them."""

from contextlib import closing
from http.server import SimpleHTTPRequestHandler
from typing import Any

from playwright.sync_api import Page

from quotad.client import Client
from quotad.client.admin import AdminClient, CatalogFile
from quotad.config import Config
from quotad.operations.tokens import TokenOperations
from quotad.server.http_server import HttpServer
from quotad.server.server import Server
from quotad.tokens.record import NewToken, WantedToken, customer_key
from quotad.tokens.roles import TokenRole
from tests.http.serving import HttpCaller
from tests.running import eventually

CATALOG = """
version: 1
default_plan: free
features:
  exports: {type: metered, name: Exports}
  budget:  {type: metered, name: Budget, decimals: 2}
  answers: {type: metered, credit: {pool: budget, cost: 0.25}}
  csv:     {type: boolean, name: CSV files}
  sso:     {type: boolean}
  rows:    {type: config}
plans:
  free:
    entitlements:
      exports: {limit: 3}
      budget: {limit: 1}
      answers: true
      rows: 1000
  pro:
    name: Pro
    extends: free
    entitlements: {exports: {limit: 50}, csv: true}
"""


class Secured:
    """Servers on a store with tokens."""

    def __init__(self, config: Config, operations: TokenOperations) -> None:
        self.operations = operations
        self.admin = self.token(TokenRole.ADMIN).token
        self.page = self.token(TokenRole.CLIENT)
        self._server = Server(config)
        self._server.start()
        self._http = HttpServer(config)
        self._http.start()
        with self.administering() as admin:
            admin.publish([CatalogFile("plans.yaml", CATALOG)])
        eventually(lambda: self._server.ready, bool)
        with closing(HttpCaller(self._http.address)) as caller:
            caller.wait_ready()
        self.url = f"http://{self._http.address}"
        self.client = Client(self._server.address, timeout=20, token=self.admin)

    def token(self, role: TokenRole) -> NewToken:
        return self.operations.create(WantedToken(role.value, role))

    def administering(self) -> AdminClient:
        return AdminClient(self._server.address, timeout=20, token=self.admin)

    def provider(self, customer_id: str, **more: Any) -> dict[str, Any]:
        """Properties of a provider, as the backend of an application makes them."""
        key = customer_key(self.page.signing_key.encode(), customer_id)
        shown = {"token": self.page.token, "customerId": customer_id, "customerKey": key}
        return {"address": self.url, **shown, **more}

    def close(self) -> None:
        self.client.close()
        self._http.stop()
        self._server.stop()


class Shown:
    """A page with components in it, and what it has complained of."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.said: list[str] = []
        page.on("console", lambda message: self.said.append(message.text))
        page.on("pageerror", lambda error: self.said.append(str(error)))
        page.goto(url)

    def show(self, provider: dict[str, Any] | None, **tree: Any) -> None:
        self.page.evaluate("wanted => show(wanted)", {"provider": provider, **tree})

    def hide(self) -> None:
        self.page.evaluate("hide()")
        self.page.unroute_all()

    def last(self, probe: str, wanted: str) -> Any:
        """What a hook gave last, once it is what is wanted, as an expression about `it`."""
        self.page.wait_for_function(
            f"(name) => {{ const it = seen[name]?.at(-1); return it && ({wanted}); }}", arg=probe
        )
        return self.page.evaluate("name => seen[name].at(-1)", probe)

    def ever(self, probe: str, what: str) -> bool:
        """Whether a hook has ever given this."""
        return bool(self.page.evaluate(f"name => seen[name].some(it => {what})", probe))

    def text(self, wanted: str) -> None:
        self.page.get_by_text(wanted).first.wait_for()


class QuietFiles(SimpleHTTPRequestHandler):
    """Files as they are."""

    def log_message(self, *_: Any) -> None:
        """Nothing is."""
