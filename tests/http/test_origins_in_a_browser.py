"""Pages of other origins in a real browser, which asks first and keeps answers from them."""

import uuid
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.browsing import browsing, serving_pages
from tests.http.conftest import CATALOG
from tests.http.serving import HttpRunning, http_running

LOOK = """async ([server, customer]) => {
  const headers = {"content-type": "application/json", "x-api-key": "any"};
  const call = async (path, body, more) => {
    try {
      const reply = await fetch(server + path, {
        method: "POST", headers: {...headers, ...more}, body: JSON.stringify(body)});
      return [reply.status, await reply.json(), reply.headers.get("RateLimit")];
    } catch (error) { return [0, String(error)]; }
  };
  const wanted = {customer_id: customer, feature_id: "calls"};
  const query = `{ entitlements(query: {customerId: "${customer}"}) { isGranted } }`;
  const event = await new Promise((told) => {
    const stream = new EventSource(server + `/v1/events?customer_id=${customer}`);
    stream.onopen = () => { stream.close(); told("open"); };
    stream.onerror = () => { stream.close(); told("refused"); };
  });
  // Without headers of its own no browser asks first.
  const plain = await fetch(server + "/v1/consume", {method: "POST", mode: "no-cors",
    body: JSON.stringify(wanted)}).then(r => r.type, () => "failed");
  return {
    event, plain,
    taken: await call("/v1/consume", wanted, {"idempotency-key": "once"}),
    again: await call("/v1/consume", wanted, {"idempotency-key": "once"}),
    refused: await call("/v1/consume", {}, {}),
    graphql: await call("/graphql", {query}, {}),
    edge: await fetch(server + `/v1/c/${customer}/entitlements.json`, {headers})
      .then(r => r.status, () => 0),
  };
}"""


class _Blank(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>A page</title><link rel=icon href=data:,>")

    def log_message(self, *_: Any) -> None:
        """Nothing is."""


@pytest.fixture(scope="module")
def origin() -> Iterator[str]:
    """A server of pages on another port than quotad's, which is another origin."""
    with serving_pages(_Blank) as url:
        yield url


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with browsing() as made:
        yield made


@pytest.fixture(scope="module")
def served(store_url: str, origin: str) -> Iterator[HttpRunning]:
    prefix = f"t-{uuid.uuid4().hex[:12]}"
    with http_running(store_url, prefix, cors_origins=(origin,)) as made:
        made.publish_and_wait(CATALOG)
        yield made


def seen(browser: Browser, page: str, served: HttpRunning, customer: str) -> Any:
    """What a page of an origin sees of every kind of call."""
    context = browser.new_context()
    tab = context.new_page()
    tab.goto(page)
    found = tab.evaluate(LOOK, [f"http://{served.address}", customer])
    context.close()
    return found


def used(served: HttpRunning, customer: str) -> int:
    wanted = {"customer_id": customer, "feature_id": "calls"}
    return int(served.post("/v1/check", wanted).body["used"])


def test_a_page_of_an_allowed_origin_calls_everything_and_reads_the_answers(
    browser: Browser, served: HttpRunning, origin: str, customer: str
) -> None:
    found = seen(browser, origin, served, customer)

    assert ("open", 200, 200, 400, 200, 200) == (
        found["event"],
        *(found[name][0] for name in ("taken", "again", "refused", "graphql")),
        found["edge"],
    )
    assert found["again"][1]["replayed"]
    assert found["taken"][2].startswith('"calls/100 years";r=')
    assert "customer_id: missing" in found["refused"][1]["detail"]
    assert found["graphql"][1]["data"]["entitlements"]
    assert 2 == used(served, customer)


def test_a_page_of_another_origin_reads_nothing_and_writes_nothing(
    browser: Browser, served: HttpRunning, origin: str, customer: str
) -> None:
    foreign = origin.replace("127.0.0.1", "localhost")

    found = seen(browser, foreign, served, customer)

    assert "refused" == found["event"]
    assert [0, 0, 0, 0, 0] == [
        *(found[name][0] for name in ("taken", "again", "refused", "graphql")),
        found["edge"],
    ]
    assert 0 == used(served, customer)
