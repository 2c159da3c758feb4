"""People whom a trusted proxy signs in."""

import uuid
from collections.abc import Iterator

import pytest

from quotad.tokens.roles import TokenRole
from tests.dashboard.conftest import CATALOG
from tests.dashboard.serving import DashboardRunning, dashboard_running
from tests.running import eventually

SETTINGS = {
    "proxy_user_header": "X-Forwarded-User",
    "proxy_groups_header": "X-Forwarded-Groups",
    "person_roles": ("group:pricing=publish", "group:support=manage"),
}


@pytest.fixture(scope="module")
def behind(store_url: str) -> Iterator[DashboardRunning]:
    """A dashboard whose proxies are on this machine; there are no tokens."""
    prefix = f"t-{uuid.uuid4().hex[:12]}"
    with dashboard_running(store_url, prefix, trusted_proxies=("127.0.0.0/8",), **SETTINGS) as made:
        made.grpc.publish_and_wait(CATALOG)
        eventually(lambda: made.server.ready, bool)
        yield made


def test_a_named_person_works_and_stands_in_the_history(behind: DashboardRunning) -> None:
    maria = {"X_Forwarded_User": "maria", "X_Forwarded_Groups": "sales,pricing"}
    with behind.visit() as visit:
        page = visit.get("/plans", **maria)
        assert "maria publish" in page.text
        assert "Sign out" not in page.text
        wanted = {"plan_id": "team", "extends": "pro", "revision": "0", "base": "1"}
        assert visit.post("/plans", wanted, **maria).status == 403  # another page's form
        wanted["form_key"] = page.form_key
        assert visit.post("/plans", wanted, **maria).status == 303
        assert "unpublished change" in visit.get("/plans", **maria).text
        ben = maria | {"X_Forwarded_User": "ben"}
        assert "unpublished change" not in visit.get("/plans", **ben).text
        assert visit.post("/plans", wanted, **ben).status == 403  # maria's key is not ben's


def test_who_has_no_role_or_no_name_is_not_let_in(behind: DashboardRunning) -> None:
    with behind.visit() as visit:
        page = visit.get("/plans", X_Forwarded_User="eve")
        assert (403, True) == (page.status, "here for eve" in page.text)
        assert visit.get("/plans").headers["location"].startswith("/sign-in")
        page = visit.get("/draft", X_Forwarded_User="sam", X_Forwarded_Groups="support")
        assert page.status == 403


def test_from_elsewhere_the_header_is_not_believed(
    behind: DashboardRunning, store_url: str
) -> None:
    prefix = behind.grpc.config.prefix
    elsewhere = {**SETTINGS, "trusted_proxies": ("192.0.2.1",)}
    with dashboard_running(store_url, prefix, **elsewhere) as made, made.visit() as visit:
        page = visit.get("/plans", X_Forwarded_User="maria", X_Forwarded_Groups="pricing")
        assert (303, "/sign-in") == (page.status, page.headers["location"][:8])
        token = made.token(TokenRole.ADMIN, "root")
        assert visit.sign_in(token.token).status == 303
        assert "root admin" in visit.get("/plans", X_Forwarded_User="maria").text
