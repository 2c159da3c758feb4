"""Who may open the dashboard, and what ends that; on a store of its own, as tokens stay."""

import uuid
from collections.abc import Iterator

import pytest

from quotad.tokens.roles import TokenRole
from tests.dashboard.conftest import CATALOG
from tests.dashboard.serving import DashboardRunning, Visit, dashboard_running, is_read
from tests.running import eventually


@pytest.fixture(scope="module")
def closed(store_url: str) -> Iterator[DashboardRunning]:
    """A dashboard that asks for a token."""
    with dashboard_running(store_url, f"t-{uuid.uuid4().hex[:12]}") as made:
        made.grpc.publish_and_wait(CATALOG)
        made.token(TokenRole.ADMIN, "root")
        eventually(lambda: made.server.ready, bool)
        yield made


def test_without_tokens_whoever_comes_is_local_and_the_page_says_so(
    served: DashboardRunning,
) -> None:
    with served.visit() as visit:
        page = visit.get("/")

    assert 200 == page.status
    assert "No tokens yet." in page.text
    assert "as local" in page.text


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8081", "127.0.0.1.evil.example"])
def test_without_tokens_a_name_that_a_foreign_page_may_have_given_us_is_refused(
    served: DashboardRunning, host: str
) -> None:
    with served.visit() as visit:
        assert 403 == visit.get("/", host=host).status


def test_a_page_without_a_session_leads_to_sign_in_and_from_there_back(
    closed: DashboardRunning,
) -> None:
    token = closed.token(TokenRole.READ).token
    with closed.visit() as visit:
        away = visit.get("/?a=1&b=%26")
        assert (303, "/sign-in?next=%2F%3Fa%3D1%26b%3D%2526") == (
            away.status,
            away.headers["location"],
        )
        assert 'value="/?a=1&amp;b=%26"' in visit.get(away.headers["location"]).html

        back = visit.post("/sign-in", {"token": token, "next": "/?a=1"})

        assert (303, "/?a=1") == (back.status, back.headers["location"])
        assert "maria" in visit.get("/").text


@pytest.mark.parametrize("path", ["//evil.example", "https://evil.example", "/\\evil.example"])
def test_signing_in_never_leads_away(closed: DashboardRunning, path: str) -> None:
    token = closed.token(TokenRole.READ).token
    with closed.visit() as visit:
        assert "/" == visit.post("/sign-in", {"token": token, "next": path}).headers["location"]


def test_the_cookie_is_hidden_from_scripts_and_bounded(closed: DashboardRunning) -> None:
    token = closed.token(TokenRole.READ).token
    with closed.visit() as visit:
        plain = visit.post("/sign-in", {"token": token}).headers["set-cookie"]
        secure = visit.post(
            "/sign-in", {"token": token}, origin="https://q.example", host="q.example"
        ).headers["set-cookie"]

    for part in ("HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=43200"):
        assert part in plain
    assert "Secure" not in plain
    assert "Secure" in secure
    assert token not in plain


def test_a_wrong_token_and_one_that_sees_nothing_are_refused_with_why(
    closed: DashboardRunning,
) -> None:
    with closed.visit() as visit:
        wrong = visit.sign_in("qd_abc")
        counts = visit.sign_in(closed.token(TokenRole.CONSUME).token)

    assert (401, 403) == (wrong.status, counts.status)
    assert "The token is not known." in wrong.text
    assert "has the role consume, which sees nothing here" in counts.text


def test_a_revoked_token_ends_its_sessions(closed: DashboardRunning) -> None:
    made = closed.token(TokenRole.READ)
    with closed.visit() as visit:
        visit.sign_in(made.token)
        assert 200 == visit.get("/").status

        closed.tokens.revoke(made.record.token_id)

        eventually(lambda: visit.get("/").status, lambda status: status == 303, 2.0)


def test_signing_out_ends_the_session_for_whoever_has_its_cookie(
    closed: DashboardRunning,
) -> None:
    with closed.signed_in(TokenRole.READ) as visit:
        kept = dict(visit.cookies)
        assert "/sign-in" == visit.submit("/", "/sign-out").headers["location"]
        visit.cookies = kept

        assert 303 == visit.get("/").status


def test_a_session_outlives_the_server(store_url: str) -> None:
    prefix = f"t-{uuid.uuid4().hex[:12]}"
    with dashboard_running(store_url, prefix) as before:
        before.grpc.publish_and_wait(CATALOG)
        token = before.token(TokenRole.ADMIN)
        with before.visit() as visit:
            visit.sign_in(token.token)
            [secret], port = visit.cookies.values(), before.address.rpartition(":")[2]
    with dashboard_running(store_url, prefix, dashboard=f"127.0.0.1:{port}") as after:
        eventually(lambda: after.server.ready, bool)
        eventually(lambda: is_read(after.server.tokens, token.record.token_id), bool)
        with after.visit() as visit:
            visit.cookies = {f"quotad_session_{port}": secret}
            assert "maria" in visit.get("/").text


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "https://evil.example", "sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
    ],
)
def test_a_form_of_another_origin_is_refused(
    closed: DashboardRunning, headers: dict[str, str]
) -> None:
    with closed.signed_in(TokenRole.ADMIN) as visit:
        key = visit.get("/").form_key
        refused = visit.post("/sign-out", {"form_key": key}, **headers)

        assert 403 == refused.status
        assert 200 == visit.get("/").status


def test_a_form_without_the_key_of_its_session_does_nothing_and_is_offered_again(
    closed: DashboardRunning,
) -> None:
    with closed.signed_in(TokenRole.ADMIN) as visit:
        again = visit.post("/sign-out", {"form_key": "0" * 64, "why": "<b>bold</b>"})

        assert 403 == again.status
        assert 'name="why" value="&lt;b&gt;bold&lt;/b&gt;"' in again.html
        assert again.form_key == visit.get("/").form_key != "0" * 64


def test_a_page_cannot_be_framed_and_runs_no_script_but_ours(closed: DashboardRunning) -> None:
    with closed.visit() as visit:
        headers = visit.get("/sign-in").headers

    policy = headers["content-security-policy"]
    assert "default-src 'none'; script-src 'self'; style-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert "no-store" == headers["cache-control"]


def test_a_theme_is_kept(closed: DashboardRunning) -> None:
    with closed.visit() as visit:
        assert "data-theme" not in visit.get("/sign-in").html
        visit.post("/theme", {"theme": "dark", "back": "/sign-in"})
        assert '<html lang="en" data-theme="dark">' in visit.get("/sign-in").html
        visit.post("/theme", {"theme": "", "back": "/sign-in"})
        assert "data-theme" not in visit.get("/sign-in").html


def test_files_of_pages_may_be_kept_and_their_paths_change_with_them(
    closed: DashboardRunning,
) -> None:
    with closed.visit() as visit:
        html = visit.get("/sign-in").html
        path = html.partition('rel="stylesheet" href="')[2].partition('"')[0]
        sheet = visit.get(path)
        other = visit.get("/static/0123/style.css")

    assert "immutable" in sheet.headers["cache-control"]
    assert "no-cache" == other.headers["cache-control"]
    assert "text/css; charset=utf-8" == sheet.headers["content-type"]


def test_no_more_sessions_are_kept_than_a_store_may_have(
    closed: DashboardRunning, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("quotad.store.sessions.SESSIONS_MAX", 3)
    token = closed.token(TokenRole.READ).token
    visits = [Visit(closed.address) for _ in range(5)]
    for visit in visits:
        visit.sign_in(token)

    statuses = [visit.get("/").status for visit in visits]
    for visit in visits:
        visit.close()

    # The oldest go; of two of one millisecond either.
    assert [200, 200, 200, 303, 303] == sorted(statuses)
    assert 200 == statuses[-1]
