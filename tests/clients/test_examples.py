"""The examples in examples/ do what the pages of the documentation promise."""

import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from quotad.client.admin import AdminClient, CatalogFile
from quotad.server.example import write_example_customers
from tests.clients.node import EXAMPLES, listening, needs_examples
from tests.docs.pages import all_blocks
from tests.http.serving import HttpCaller, Reply, http_running
from tests.processes import DEADLINE_S, ROOT, environment
from tests.running import Running, eventually, running

GUARDED = Path(__file__).parent / "guarded.mjs"

CATALOG = """
version: 1
default_plan: free
features:
  exports: {type: metered}
  sso:     {type: metered}
plans:
  free: {entitlements: {exports: {limit: 3, per: week}}}
"""


def test_parts_of_examples_on_a_page_are_those_of_the_files() -> None:
    names = ("express/*.js", "next-route/**/*.ts", "react/src/*.tsx")
    files = [path.read_text() for name in names for path in (ROOT / "examples").glob(name)]

    found = all_blocks("js", "tsx")

    assert found
    assert [] == [b.place for b in found if not any(b.text in text for text in files)]


def post(caller: HttpCaller, path: str, customer: str) -> Reply:
    return caller.send("POST", path, b"", {"X-Customer": customer})


@needs_examples
def test_a_guarded_route_of_express_or_next_is_open_as_long_as_there_is_room(
    store_url: str, prefix: str
) -> None:
    with running(store_url, prefix) as made:
        made.publish_and_wait(CATALOG)
        variables = {"QUOTAD_SERVER": made.server.address, "CUSTOMER": "of-the-session"}
        with listening(GUARDED, **variables) as ports:
            for kind, port in zip(("express", "next"), ports, strict=True):
                with closing(HttpCaller(f"127.0.0.1:{port}")) as caller:
                    check_guard(made, caller, kind)
            with closing(HttpCaller(f"127.0.0.1:{ports[1]}")) as caller:
                assert {"exported": True} == post(caller, "/route", "another").body
            assert [1] == list(made.counters("of-the-session").values())
            made.stop()
            for port in ports:
                with closing(HttpCaller(f"127.0.0.1:{port}")) as caller:
                    gone = post(caller, "/exports", "acme")
                    assert (503, "1") == (gone.status, gone.headers["retry-after"])


def check_guard(made: Running, caller: HttpCaller, customer: str) -> None:
    """Three are let through, and what fails is given back."""
    assert [200, 200] == [post(caller, "/exports", customer).status for _ in range(2)]
    assert 500 == post(caller, "/fails", customer).status
    eventually(lambda: list(made.counters(customer).values()), [2].__eq__)

    assert {"exported": True} == post(caller, "/exports", customer).body
    denied = post(caller, "/exports", customer)
    assert (429, "LIMIT_EXCEEDED") == (denied.status, denied.body["error"])
    assert 0 < int(denied.headers["retry-after"]) <= 7 * 86_400
    assert [3] == list(made.counters(customer).values())

    never = post(caller, "/sso", customer)
    assert (403, "NOT_ENTITLED") == (never.status, never.body["error"])
    assert "retry-after" not in never.headers


ARTICLE = """\
1. A service checks, works and reports
exports: true 0 of 50
used: 1
csv-export: false NoFeatureEntitlementInSubscription
2. ACME buys 50 seats and has them at once
ACME ACTIVE
50 seats: true
51 seats: false
Seats true 50
3. Marketing switches a feature on for every plan, and sees who outgrows theirs
csv-export: true
customer-500 is at 500 %
"""


@pytest.mark.parametrize(
    "program",
    [
        pytest.param(["node", "article.js"], marks=needs_examples, id="node"),
        pytest.param([sys.executable, "article.py"], id="python"),
    ],
)
def test_the_calls_of_the_article_give_the_same_from_node_and_python(
    store_url: str, prefix: str, program: list[str]
) -> None:
    with http_running(store_url, prefix) as made:
        files = sorted((EXAMPLES / "catalog").iterdir())
        with AdminClient(made.grpc.server.address, timeout=20) as admin:
            admin.publish([CatalogFile(each.name, each.read_text()) for each in files])
        made.grpc.wait_ready()
        made.wait_ready()
        write_example_customers(made.grpc.store, made.grpc.keys)
        done = subprocess.run(
            program,
            cwd=EXAMPLES / "article",
            env=environment(
                QUOTAD_SERVER=made.grpc.server.address, QUOTAD_HTTP=f"http://{made.address}"
            ),
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            check=False,
        )

    assert (0, "") == (done.returncode, done.stderr)
    assert ARTICLE == done.stdout.replace("True", "true").replace("False", "false")
