"""`/authorize` behind a real Caddy, configured as docs/http.md shows, with a token."""

import re
import shutil
import sys
import uuid
from collections.abc import Iterator

import pytest

from quotad.config import Config
from quotad.server.tokens import token_operations
from quotad.tokens.record import WantedToken
from quotad.tokens.roles import TokenRole
from tests.http.conftest import CATALOG
from tests.http.gateways import free_port, started
from tests.http.serving import HttpCaller, HttpRunning, http_running
from tests.processes import ROOT
from tests.running import eventually

CADDY = shutil.which("caddy")
if CADDY is None:
    sys.stderr.write("\n### NO CADDY IS HERE: /authorize IS NOT TESTED BEHIND ONE ###\n")

pytestmark = pytest.mark.skipif(CADDY is None, reason="caddy is not installed")

WHOLE = """
{{
  admin off
  auto_https off
}}
{shown}
http://127.0.0.1:{app} {{
  respond "served as {{http.request.header.X-Customer-Id}}"
}}
"""


def shown(quotad: str, listen: int, app: int) -> str:
    """The block of the page, with our addresses."""
    page = (ROOT / "docs" / "http.md").read_text()
    block: str = re.findall(r"```caddyfile\n(.*?)```", page, re.DOTALL)[0]
    text = block.replace("127.0.0.1:8080", quotad).replace("127.0.0.1:9000", f"127.0.0.1:{app}")
    return text.replace("http://:80 ", f"http://127.0.0.1:{listen} ")


@pytest.fixture(scope="module")
def guarded(store_url: str) -> Iterator[tuple[HttpRunning, str]]:
    """A server with tokens, and one that may consume."""
    with http_running(store_url, f"t-{uuid.uuid4().hex[:12]}") as made:
        made.publish_and_wait(CATALOG)
        config = Config(redis_url=store_url, prefix=made.grpc.keys.prefix, shards=8)
        with token_operations(config) as tokens:
            tokens.create(WantedToken("ops", TokenRole.ADMIN))
            token = tokens.create(WantedToken("gateway", TokenRole.CONSUME)).token
        eventually(lambda: made.get("/v1/status").status, (401).__eq__)
        yield made, token


@pytest.fixture(scope="module")
def gateway(
    guarded: tuple[HttpRunning, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[HttpCaller]:
    made, token = guarded
    here = tmp_path_factory.mktemp("caddy")
    listen, app = free_port(), free_port()
    config = here / "Caddyfile"
    config.write_text(WHOLE.format(shown=shown(made.address, listen, app), app=app))
    assert CADDY is not None
    words = [CADDY, "run", "--config", str(config), "--adapter", "caddyfile"]
    homes = {"HOME": str(here), "XDG_DATA_HOME": str(here), "XDG_CONFIG_HOME": str(here)}
    with started(words, listen, here, {"QUOTAD_TOKEN": token, **homes}) as caller:
        yield caller


def test_caddy_passes_on_what_has_room_and_answers_429_to_the_rest(
    gateway: HttpCaller, guarded: tuple[HttpRunning, str], customer: str
) -> None:
    visitor = {"X-Tenant": customer, "X-Customer-Id": "victim", "X-Quantity": "0"}
    visitor["Authorization"] = "Bearer of-the-visitor"
    replies = [gateway.send("GET", "/api/x", None, visitor) for _ in range(6)]

    assert [200] * 5 + [429] == [reply.status for reply in replies]
    assert str(replies[0].body).startswith("served as ")
    assert '"calls/100 years";r=0;t=' in replies[-1].headers["ratelimit"]
    assert "LIMIT_EXCEEDED" == replies[-1].headers["x-quotad-reason"]
    assert "retry-after" in replies[-1].headers
    counters = guarded[0].grpc.counters
    assert ([5], {}) == (list(counters(customer).values()), counters("victim"))
    assert 401 == gateway.get("/api/x").status
