"""People who sign in at an identity provider."""

import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, expect

from quotad.errors import ConfigError
from tests.dashboard.conftest import CATALOG
from tests.dashboard.serving import DashboardRunning, Shown, Visit, dashboard_running
from tests.dashboard.shots import shoot
from tests.http.gateways import free_port
from tests.running import eventually

pytest.importorskip("joserfc")  # of the extra `oidc`

from joserfc.jwk import RSAKey

from quotad.dashboard.oidc import OidcProvider, OidcSettings
from tests.dashboard.identity import CLIENT, SECRET, IdentityProvider, identity_provider


@pytest.fixture(scope="module")
def provider() -> Iterator[IdentityProvider]:
    with identity_provider() as made:
        yield made


@pytest.fixture(scope="module")
def desk(store_url: str, provider: IdentityProvider) -> Iterator[DashboardRunning]:
    """A dashboard without tokens, where people sign in at the provider."""
    address = f"127.0.0.1:{free_port()}"
    settings: dict[str, Any] = {
        "dashboard": address,
        "dashboard_url": f"http://{address}/",
        "oidc_issuer": provider.url,
        "oidc_client_id": CLIENT,
        "oidc_client_secret": SECRET,
        "person_roles": ("maria@acme.example=publish", "group:support=read"),
    }
    with dashboard_running(store_url, f"t-{uuid.uuid4().hex[:12]}", **settings) as made:
        made.grpc.publish_and_wait(CATALOG)
        eventually(lambda: made.server.ready, bool)
        yield made


def back(visit: Visit, provider: IdentityProvider) -> Shown:
    """Go to the provider, and where it sends the browser."""
    sent = visit.get("/sign-in/oidc?next=/plans")
    assert 303 == sent.status, sent.text
    with ExitStack() as stack:
        there = Visit(urlsplit(provider.url).netloc)
        stack.callback(there.close)
        location = urlsplit(there.get(sent.headers["location"]).headers["location"])
    return visit.get(f"{location.path}?{location.query}")


def test_a_person_signs_in_in_a_browser_and_a_form_outlives_the_session(
    browser: Browser, desk: DashboardRunning, provider: IdentityProvider
) -> None:
    provider.be()
    context = browser.new_context(base_url=f"http://{desk.address}")
    page = context.new_page()
    page.goto("/plans/free/features/calls")
    shoot(page, "sign-in-oidc")
    page.get_by_role("link", name="Sign in with your organisation").click()
    expect(page.get_by_role("heading", name="API calls of Free")).to_be_visible()
    expect(page.get_by_text("maria@acme.example")).to_be_visible()

    page.get_by_label("Calls", exact=True).first.fill("42")
    context.clear_cookies()
    page.get_by_role("button", name="Save in your draft").click()
    expect(page.get_by_text("Your session has ended")).to_be_visible()
    shoot(page, "sign-in-ended-oidc")
    with context.expect_page() as opened:
        page.get_by_role("link", name="Open a window to sign in").click()
    expect(opened.value.get_by_text("You are signed in")).to_be_visible()
    page.get_by_role("button", name="Send what I typed").click()
    page.get_by_role("button", name="Send it now").click()
    expect(page.get_by_label("Calls", exact=True).first).to_have_value("42")
    context.close()


def test_groups_give_roles_and_a_session_ends_here(
    desk: DashboardRunning, provider: IdentityProvider
) -> None:
    provider.be(email="ben@acme.example", sub="u2", groups=["support", 7])
    with desk.visit() as visit:
        answer = back(visit, provider)
        assert (303, "/plans") == (answer.status, answer.headers["location"])
        page = visit.get("/plans")
        assert "ben@acme.example read" in page.text
        assert 403 == visit.get("/draft").status
        visit.post("/sign-out", {"form_key": page.form_key})
        assert 303 == visit.get("/plans").status


@pytest.mark.parametrize(
    ("claims", "problem"),
    [
        ({"email": "eve@evil.example"}, "no role here for eve@evil.example;"),
        ({"email_verified": False}, "does not state that the email address is verified"),
        ({"email_verified": None}, "does not state that the email address is verified"),
        ({"email": ""}, "gives no 'email'"),
        ({"aud": "another"}, "not valid"),
        ({"aud": [CLIENT, "another"]}, "for another application"),
        ({"azp": "another"}, "for another application"),
        ({"iss": "https://evil.example"}, "not valid"),
        ({"exp": int(time.time()) - 600}, "not valid"),
        ({"nonce": "of another attempt"}, "not valid"),
        ({"sub": None}, "not valid"),
    ],
)
def test_a_token_that_is_not_for_us_lets_nobody_in(
    desk: DashboardRunning, provider: IdentityProvider, claims: dict[str, Any], problem: str
) -> None:
    provider.be(**claims)
    with desk.visit() as visit:
        answer = back(visit, provider)
        assert problem in answer.text
        assert answer.status in (401, 403)
        assert 303 == visit.get("/plans").status


def test_what_the_provider_has_not_signed_or_not_begun_lets_nobody_in(
    desk: DashboardRunning, provider: IdentityProvider
) -> None:
    provider.be()
    provider.signer = RSAKey.generate_key(2048, {"kid": "one"})  # the same name, another key
    with desk.visit() as visit:
        assert "not valid" in back(visit, provider).text
        provider.be()
        visit.get("/sign-in/oidc")
        assert "in another window" in visit.get("/sign-in/oidc/back?code=x&state=y").text
        visit.cookies.clear()
        assert "try again" in visit.get("/sign-in/oidc/back?code=x&state=y").text
        foreign = "/sign-in/oidc/back?error=x&error_description=call+0800+555"
        assert "0800" not in visit.get(foreign).text
        provider.refusal = "<b>not you</b>"
        page = back(visit, provider)
        assert "refused: <b>not you</b>" in page.text
        assert "<b>not" not in page.html
        provider.be()
        provider.speaks_http = False
        assert "does not answer as it should" in back(visit, provider).text
        provider.be()
        assert 303 == visit.get("/plans").status


def test_the_provider_changes_its_keys(desk: DashboardRunning, provider: IdentityProvider) -> None:
    provider.key = RSAKey.generate_key(2048, {"kid": f"two-{uuid.uuid4()}", "use": "sig"})
    provider.be()
    known: Any = desk.server.provider
    known._keys = (time.monotonic() - 60, known._keys[1])  # looked at a minute ago
    with desk.visit() as visit:
        assert 303 == back(visit, provider).status


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"client_id": ""}, "oidc_client_id: is missing"),
        ({"issuer": "http://id.example"}, "oidc_issuer: must be https"),
        ({"issuer": "id.example"}, "oidc_issuer: must be a URL"),
        ({"dashboard_url": ""}, "dashboard_url: must be a URL"),
    ],
)
def test_settings_that_cannot_work_stop_the_start(change: dict[str, str], problem: str) -> None:
    given = {
        "issuer": "https://id.example",
        "client_id": "quotad",
        "client_secret": "",
        "dashboard_url": "https://quota.example",
        "name_claim": "email",
        "groups_claim": "groups",
    }
    with pytest.raises(ConfigError, match=problem):
        OidcProvider(OidcSettings(**(given | change)))
