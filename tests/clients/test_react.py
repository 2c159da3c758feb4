"""The components for React in a browser, with both versions of React, on a server with tokens."""

import uuid
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from typing import Any

import pytest
from playwright.sync_api import Browser, Request, Route

from quotad.client import Client
from quotad.config import Config
from quotad.server.tokens import token_operations
from quotad.tokens.record import customer_key
from quotad.tokens.roles import TokenRole
from tests.browsing import browsing, serving_pages
from tests.clients.components import QuietFiles, Secured, Shown
from tests.clients.node import EXAMPLES, PAGES, listening, needs_examples
from tests.dashboard.shots import shoot
from tests.processes import address_of_dev, http_of_dev, starting

pytestmark = needs_examples


@pytest.fixture(scope="module")
def secured(store_url: str) -> Iterator[Secured]:
    config = Config(
        redis_url=store_url,
        prefix=f"t-{uuid.uuid4().hex[:12]}",
        listen="127.0.0.1:0",
        http="127.0.0.1:0",
        cors_origins=("*",),
        store_timeout_ms=5000,
        shards=8,
    )
    with token_operations(config) as operations, closing(Secured(config, operations)) as made:
        yield made


@pytest.fixture(scope="module")
def origin() -> Iterator[str]:
    with serving_pages(partial(QuietFiles, directory=str(PAGES))) as url:
        yield url


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with browsing() as made:
        yield made


@pytest.fixture(scope="module", params=["18", "19"])
def shown(request: pytest.FixtureRequest, browser: Browser, origin: str) -> Iterator[Shown]:
    context = browser.new_context()
    context.set_default_timeout(60_000)
    made = Shown(context.new_page(), f"{origin}/react-{request.param}/")
    assert made.page.evaluate("version").startswith(request.param)
    yield made
    context.close()


@pytest.fixture
def customer() -> str:
    return f"c-{uuid.uuid4().hex[:8]}"


PROBES = {
    "csv": ["useBooleanEntitlement", {"featureId": "csv"}],
    "exports": ["useMeteredEntitlement", {"featureId": "exports"}],
    "three": [
        "useMeteredEntitlement",
        {"featureId": "exports", "options": {"requestedUsage": 3}},
    ],
    "answers": ["useEntitlement", {"featureId": "answers", "options": {"requestedUsage": 4}}],
    "wrong kind": ["useBooleanEntitlement", {"featureId": "rows"}],
}


def test_hooks_and_components_follow_what_happens_elsewhere_until_they_are_unmounted(
    shown: Shown, secured: Secured, customer: str
) -> None:
    del shown.said[:]
    plans: list[dict[str, Any]] = [
        {"planId": id, "name": id, "description": "", "prices": [], "features": [], "metadata": {}}
        for id in ("free", "pro")
    ]
    shown.show(
        secured.provider(customer),
        probes=PROBES,
        gate={"featureId": "csv"},
        meter="exports",
        plans=plans,
    )

    before = shown.last("exports", "!it.isLoading")
    assert (True, 3, 0, False, None) == tuple(
        before[name]
        for name in ("hasAccess", "usageLimit", "currentUsage", "isFallback", "accessDeniedReason")
    )
    assert shown.ever("exports", "it.isLoading && !it.hasAccess && it.isFallback")
    denied = shown.last("csv", "!it.isLoading")
    assert "NoFeatureEntitlementInSubscription" == denied["accessDeniedReason"]
    mismatch = shown.last("wrong kind", "!it.isLoading")
    assert (False, "FeatureTypeMismatch") == (mismatch["hasAccess"], mismatch["accessDeniedReason"])
    assert shown.last("three", "!it.isLoading")["hasAccess"]
    assert shown.last("answers", "!it.isLoading")["hasAccess"]
    shown.text("denied NoFeatureEntitlementInSubscription")
    shown.text("0 of 3 used")
    assert "free" == shown.page.locator("[aria-current] h3").inner_text()

    secured.client.consume(customer, "exports")
    secured.client.consume(customer, "answers")

    assert shown.last("exports", "it.currentUsage === 1")["hasAccess"]
    three = shown.last("three", "!it.hasAccess")
    assert "RequestedUsageExceedingLimit" == three["accessDeniedReason"]
    assert "InsufficientCredits" == shown.last("answers", "!it.hasAccess")["accessDeniedReason"]
    assert 1 == shown.page.get_by_role("meter", name="Exports").evaluate("it => it.value")

    with secured.administering() as admin:
        admin.provision(customer, "pro")

    shown.page.locator("[aria-current] h3", has_text="pro").wait_for()
    assert shown.last("csv", "it.hasAccess")["feature"]["displayName"] == "CSV files"
    shown.text("open")
    shown.text("1 of 50 used")
    shown.page.get_by_role("button", name="Choose free").click()
    assert "free" == shown.page.evaluate("chosen")

    with shown.page.expect_event("requestfailed", lambda request: "/v1/events" in request.url):
        shown.hide()
    assert [] == shown.said


def test_a_key_that_is_not_the_customers_shows_nothing(
    shown: Shown, secured: Secured, customer: str
) -> None:
    yesterday = secured.token(TokenRole.CLIENT).signing_key.encode()
    wrong = {
        "another customer's": {**secured.provider("other"), "customerId": customer},
        "of yesterday's secret": secured.provider(
            customer, customerKey=customer_key(yesterday, customer)
        ),
        "no token": {"address": secured.url, "customerId": customer},
        "an unknown token": secured.provider(customer, token=secured.page.token[:-1] + "-"),
    }
    secured.client.consume(customer, "exports")

    for why, provider in wrong.items():
        shown.show(provider, probes={why: ["useEntitlement", {"featureId": "exports"}]})
        refused = shown.last(why, "it.error")
        code = "UNAUTHENTICATED" if why.endswith("token") else "PERMISSION_DENIED"
        assert (why, code, False, True) == (
            why,
            refused["error"]["code"],
            refused["hasAccess"],
            refused["isFallback"],
        )
        assert not shown.ever(why, "it.currentUsage > 0")
        shown.hide()


def test_the_next_customer_sees_nothing_of_the_one_before(
    shown: Shown, secured: Secured, customer: str
) -> None:
    with secured.administering() as admin:
        admin.provision(customer, "pro")
    shown.show(secured.provider(customer), probes=PROBES)
    shown.last("csv", "it.hasAccess")
    shown.page.evaluate("seen = {}")

    shown.show(secured.provider(customer + "-2"), probes=PROBES)

    assert 3 == shown.last("exports", "!it.isLoading")["usageLimit"]
    assert not shown.ever("csv", "it.hasAccess")
    shown.show({"address": secured.url}, probes=PROBES)  # signed out
    shown.last("exports", "it.isLoading")
    shown.hide()


def test_without_a_server_there_is_the_fallback_and_an_error_that_names_it(
    shown: Shown, secured: Secured, customer: str
) -> None:
    fallback = {"hasAccess": True, "usageLimit": 7}
    probes = {
        "own": [
            "useMeteredEntitlement",
            {"featureId": "exports", "options": {"fallback": fallback}},
        ],
        "shared": ["useBooleanEntitlement", {"featureId": "csv"}],
        "none": ["useBooleanEntitlement", {"featureId": "sso"}],
    }
    provider = secured.provider(customer, fallbacks={"csv": {"hasAccess": True}})
    shown.page.route("**/v1/**", lambda route: route.abort())

    shown.show(provider, probes=probes)

    own = shown.last("own", "it.error")
    assert (True, 7, 0, True) == tuple(
        own[name] for name in ("hasAccess", "usageLimit", "currentUsage", "isFallback")
    )
    assert own["error"]["code"] == "UNAVAILABLE"
    assert own["error"]["message"].startswith(secured.url)
    assert shown.last("shared", "it.error")["hasAccess"]
    assert not shown.last("none", "it.error")["hasAccess"]

    shown.page.unroute_all()  # it is back: found without being asked to
    back = shown.last("own", "!it.error")
    assert (3, False) == (back["usageLimit"], back["isFallback"])

    shown.page.route("**/entitlements", lambda route: route.abort())
    secured.client.consume(customer, "exports")
    stale = shown.last("own", "it.error")
    assert (3, 0, True) == (stale["usageLimit"], stale["currentUsage"], stale["isFallback"])
    shown.hide()


def problem(status: int, reason: str) -> Any:
    def answer(route: Route) -> None:
        route.fulfill(
            status=status,
            content_type="application/problem+json",
            headers={"access-control-allow-origin": "*"},
            json={"status": status, "reason": reason, "detail": "nothing is here"},
        )

    return answer


def test_a_server_of_an_earlier_version_is_read_without_its_feed_or_is_an_error(
    shown: Shown, secured: Secured, customer: str
) -> None:
    shown.page.route("**/v1/events*", problem(404, "NO_SUCH_PATH"))
    shown.show(secured.provider(customer), probes=PROBES)
    assert not shown.last("exports", "!it.isLoading")["error"]
    shown.hide()

    shown.page.route("**/v1/**", problem(404, "NO_SUCH_PATH"))
    shown.show(secured.provider(customer), probes=PROBES)
    older = shown.last("exports", "it.error")["error"]
    assert ("UNIMPLEMENTED", True) == (older["code"], "of a version without" in older["message"])
    shown.hide()

    shown.show(secured.provider(customer, address=shown.page.url), probes=PROBES)
    other = shown.last("exports", "it.error")["error"]
    assert ("UNIMPLEMENTED", True) == (other["code"], "is not quotad" in other["message"])
    shown.hide()


def test_mistakes_of_the_page_are_sentences(shown: Shown, secured: Secured, customer: str) -> None:
    shown.show(None)
    shown.text("there is no <QuotadProvider> above this component")
    shown.hide()

    secret = secured.provider(customer, customerKey="")
    shown.show(secret)
    shown.text("customerKey: missing; a token for pages has the role client")
    shown.hide()


def test_a_page_that_a_server_has_made_is_taken_over_as_it_is(
    shown: Shown, secured: Secured, customer: str
) -> None:
    del shown.said[:]
    limit = {"limit": 9, "used": 8, "decimals": 0, "resetsAt": "2000-11-30T12:00:00Z"}
    exports = {"featureId": "exports", "featureType": "METERED", "allowed": True}
    read = [{**exports, "limits": [limit]}]
    initial = {"customerId": customer, "resourceId": "", "entitlements": read}
    provider = secured.provider(customer)
    for words, known in {"reading": None, "8 of 9 used": initial}.items():
        tree = {"provider": provider | {"initial": known}, "gate": {"featureId": "csv"}}

        made = shown.page.evaluate("wanted => hydrate(wanted)", {**tree, "meter": "exports"})

        assert words in made
        assert ("wait" in made) is (known is None)
        shown.text("0 of 3 used")
        shown.hide()
    assert [] == shown.said


def test_a_page_that_is_not_looked_at_keeps_no_connection_and_reads_again_when_it_is(
    shown: Shown, secured: Secured, customer: str
) -> None:
    look = """hidden => {
      Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
      document.dispatchEvent(new Event("visibilitychange"));
    }"""
    with shown.page.expect_response(lambda response: "/v1/events" in response.url):
        shown.show(secured.provider(customer), probes=PROBES)
    shown.last("exports", "!it.isLoading")

    with shown.page.expect_event("requestfailed", lambda request: "/v1/events" in request.url):
        shown.page.evaluate(look, True)
    secured.client.consume(customer, "exports")
    shown.page.evaluate(look, False)

    shown.last("exports", "it.currentUsage === 1")
    shown.hide()


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Client]]:
    """The application of the examples on a `quotad dev`: its URL, and a client beside it."""
    with starting(tmp_path_factory.mktemp("app")) as start:
        ports = ("--listen", "127.0.0.1:0", "--http", "127.0.0.1:0", "--dashboard", "127.0.0.1:0")
        dev = start("dev", *ports, "--cors-origins", "*")
        server, http = address_of_dev(dev), http_of_dev(dev)
        variables = {"PORT": "0", "QUOTAD_SERVER": server, "QUOTAD_HTTP": f"http://{http}"}
        with (
            listening(EXAMPLES / "express" / "server.js", **variables) as words,
            Client(server, timeout=20) as client,
        ):
            yield words[-1], client


def test_the_page_of_the_examples_shows_what_its_backend_and_others_do(
    browser: Browser, app: tuple[str, Client]
) -> None:
    url, client = app
    context = browser.new_context()
    context.set_default_timeout(60_000)
    page = context.new_page()
    said: list[str] = []
    asked: list[Request] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("request", lambda request: asked.append(request))
    page.goto(url)

    export = page.get_by_role("button", name="Export", exact=True)
    page.get_by_text("0 of 50 used").wait_for()
    shoot(page, "example-pro")
    page.get_by_text("CSV files are part of the plan Team.").wait_for()
    export.click()
    page.get_by_text("1 of 50 used").wait_for()  # by the feed: nothing was reloaded
    assert "Exported." == page.get_by_role("status").inner_text()

    client.consume("customer-123", "exports", 44)
    page.get_by_text("45 of 50 used").wait_for()
    shoot(page, "example-near")
    client.consume("customer-123", "exports", 5)
    page.get_by_text("50 of 50 used").wait_for()
    assert "full" == page.locator(".quotad-meter").first.get_attribute("data-state")
    assert export.is_disabled()

    plans = page.locator(".quotad-plan")
    for text in ("$49 per month", "API calls: 600 per minute, 100,000 per month"):
        plans.nth(1).get_by_text(text).wait_for()
    plans.nth(2).get_by_text("$15 per seat per month").wait_for()
    current = page.locator("[aria-current]")
    assert current.inner_text().startswith("Pro")
    page.get_by_role("button", name="Choose Team").click()
    page.get_by_role("button", name="Export as CSV").wait_for()
    assert current.inner_text().startswith("Team")
    shoot(page, "example-team")

    assert 1 == len([each for each in asked if each.is_navigation_request()])
    assert [] == said
    context.close()
