"""`/authorize` behind a real nginx, configured as docs/http.md shows."""

import re
import shutil
import sys
from collections.abc import Iterator

import pytest

from tests.http.gateways import free_port, started
from tests.http.serving import HttpCaller, HttpRunning
from tests.processes import ROOT

NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
if NGINX is None:
    sys.stderr.write("\n### NO NGINX IS HERE: /authorize IS NOT TESTED BEHIND ONE ###\n")

pytestmark = pytest.mark.skipif(NGINX is None, reason="nginx is not installed (nginx-light)")

WHOLE = """
daemon off;
pid {here}/nginx.pid;
error_log {here}/error.log;
events {{}}
http {{
  access_log off;
  client_body_temp_path {here}/body;
  proxy_temp_path {here}/proxy;
  fastcgi_temp_path {here}/fastcgi;
  uwsgi_temp_path {here}/uwsgi;
  scgi_temp_path {here}/scgi;
{shown}
  server {{ listen 127.0.0.1:{app}; location / {{ return 200 "served\\n"; }} }}
}}
"""


def shown(quotad: str, listen: int, app: int) -> str:
    """The block of the page, with our addresses."""
    page = (ROOT / "docs" / "http.md").read_text()
    block: str = re.findall(r"```nginx\n(.*?)```", page, re.DOTALL)[0]
    text = block.replace("127.0.0.1:8080", quotad).replace("127.0.0.1:9000", f"127.0.0.1:{app}")
    return text.replace("listen 80;", f"listen 127.0.0.1:{listen};")


@pytest.fixture(scope="module")
def gateway(served: HttpRunning, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HttpCaller]:
    here = tmp_path_factory.mktemp("nginx")
    listen, app = free_port(), free_port()
    config = here / "nginx.conf"
    config.write_text(WHOLE.format(here=here, app=app, shown=shown(served.address, listen, app)))
    assert NGINX is not None
    words = [NGINX, "-p", str(here), "-c", str(config), "-e", str(here / "error.log")]
    with started(words, listen, here) as caller:
        yield caller


def test_nginx_passes_on_what_has_room_and_answers_429_to_the_rest(
    gateway: HttpCaller, served: HttpRunning, customer: str
) -> None:
    replies = [gateway.send("GET", "/api/x", None, {"X-Tenant": customer}) for _ in range(6)]

    assert [200] * 5 + [429] == [reply.status for reply in replies]
    assert "served\n" == replies[0].body
    assert '"calls/100 years";r=4;t=' in replies[0].headers["ratelimit"]
    assert '"calls/100 years";r=0;t=' in replies[-1].headers["ratelimit"]
    assert "LIMIT_EXCEEDED" == replies[-1].headers["x-quotad-reason"]
    assert [5] == list(served.grpc.counters(customer).values())


def test_nginx_refuses_who_has_no_customer_and_who_may_never(
    gateway: HttpCaller, served: HttpRunning, customer: str
) -> None:
    served.grpc.provision(customer, "free")
    served.grpc.archive(customer)

    assert 401 == gateway.get("/api/x").status
    assert 403 == gateway.send("GET", "/api/x", None, {"X-Tenant": customer}).status


def test_a_visitor_cannot_name_another_customer(
    gateway: HttpCaller, served: HttpRunning, customer: str
) -> None:
    forged = {"X-Tenant": customer, "X-Customer-Id": "victim", "X-Quantity": "0"}

    assert 200 == gateway.send("GET", "/api/x", None, forged).status
    assert [1] == list(served.grpc.counters(customer).values())
    assert {} == served.grpc.counters("victim")
