"""Who wants more, as a page and as CSV; tokens, made and ended in the browser."""

import csv
import io
import re
import uuid
from collections.abc import Iterator

import pytest

from quotad.dashboard import settings
from quotad.tokens.record import WantedToken
from quotad.tokens.roles import TokenRole
from tests.dashboard.conftest import CATALOG
from tests.dashboard.serving import DashboardRunning, dashboard_running, is_read
from tests.running import eventually


@pytest.fixture(scope="module")
def closed(store_url: str) -> Iterator[DashboardRunning]:
    with dashboard_running(store_url, f"t-{uuid.uuid4().hex[:12]}") as made:
        made.grpc.publish_and_wait(CATALOG.replace("unit: call,", "unit: call, ledger: all,"))
        eventually(lambda: made.server.ready, bool)
        made.grpc.consume("globex", "calls", quantity=10)
        made.grpc.consume("globex", "calls", quantity=40)
        made.grpc.consume("=1+1", "calls", quantity=9)
        made.see()
        made.token(TokenRole.ADMIN, "root")
        yield made


def test_who_asks_for_most_comes_first(closed: DashboardRunning) -> None:
    with closed.signed_in(TokenRole.READ) as visit:
        page = visit.get("/insights").text
        one = visit.get("/insights?feature=seats").text
        home = visit.get("/").text

    assert "globex Free API calls 10 of 10 / month 500 % 40 denied just now" in page
    assert page.index("globex") < page.index("=1+1")
    assert "globex" not in one
    assert "Far over a limit 1" in home
    assert "Near a limit 1" in home


def test_home_counts_what_was_allowed_and_denied_of_each_feature(closed: DashboardRunning) -> None:
    with closed.signed_in(TokenRole.READ) as visit:
        # Servers bring what they have counted every few seconds.
        eventually(lambda: "API calls 2 1 33 %" in visit.get("/").text, bool, every_s=0.2)


def test_the_latest_decisions_stand_there_with_reason_and_what_was_used(
    closed: DashboardRunning,
) -> None:
    with closed.signed_in(TokenRole.READ) as visit:
        page = visit.get("/live")
        lines = visit.get("/live/lines").text
        denied = visit.get("/live?show=denied&feature=calls&reason=LIMIT_EXCEEDED").text
        other = visit.get("/live?customer=globex&reason=REVOKED").text
        customer = visit.get("/customers/globex").text

    asked = "globex API calls denied asked for 40 the limit is reached 10 of 10"
    took = "globex API calls allowed took 10 within the limit 10 of 10"
    for text in (page.text, lines):
        assert asked in text
        assert text.index(asked) < text.index(took)
    assert asked in denied
    assert took not in denied
    assert "No decision is like that" in other
    assert "API calls asked for 40: the limit is reached (10 of 10)" in customer
    assert 'hx-get="/live/lines"' in page.html


def test_a_list_of_decisions_that_is_paused_stands_still(closed: DashboardRunning) -> None:
    with closed.signed_in(TokenRole.READ) as visit:
        page = visit.get("/live?feature=calls&paused=1")
        wrong = visit.get("/live?reason=NO_SUCH")

    assert "hx-get" not in page.html.partition('class="live"')[2].partition(">")[0]
    assert 'href="/live?feature=calls">Go on' in page.html
    assert wrong.status == 400


def test_without_a_feature_in_the_ledger_the_page_leads_to_how_one_gets_there(
    served: DashboardRunning,
) -> None:
    with served.visit() as visit:
        text = visit.get("/live").text

    assert "No feature is in the ledger" in text
    assert "ledger: all" in text


def test_no_cell_of_the_csv_is_a_formula(closed: DashboardRunning) -> None:
    with closed.signed_in(TokenRole.READ) as visit:
        reply = visit.get("/insights.csv")

    rows = list(csv.DictReader(io.StringIO(reply.html)))
    assert ["globex", "'=1+1"] == [row["customer_id"] for row in rows]
    assert ("10", "40", "500") == (rows[0]["used"], rows[0]["denied"], rows[0]["demand_percent"])
    assert "attachment" in reply.headers["content-disposition"]


def test_a_token_is_shown_once_rotated_and_revoked(closed: DashboardRunning) -> None:
    with closed.signed_in(TokenRole.ADMIN) as visit:
        made = visit.submit(
            "/settings", "/settings/tokens", {"name": "support", "role": "read", "expires": ""}
        )
        # A change of the theme leads back to a page that can be opened.
        assert '<input type="hidden" name="back" value="/settings">' in made.html
        [secret] = re.findall(r"qd_[a-z0-9]{12}_[\w-]{43}", made.html)
        token_id = secret.split("_")[1]
        assert secret not in visit.get("/settings").html
        assert "support" in visit.get("/settings").text
        eventually(lambda: is_read(closed.server.tokens, token_id), bool)
        with closed.visit() as other:
            assert 303 == other.sign_in(secret).status

        rotated = visit.submit("/settings", f"/settings/tokens/{token_id}/rotate")
        assert len(re.findall(r"qd_[a-z0-9]{12}_[\w-]{43}", rotated.html)) == 1
        revoked = visit.submit("/settings", f"/settings/tokens/{token_id}/revoke")
        assert "The token support was revoked." in visit.get(revoked.headers["location"]).text
    records = {each.record.token_id: each.record for each in closed.tokens.list()}
    assert ("maria", "maria") == (records[token_id].created_by, records[token_id].ended_by)


def test_a_token_that_cannot_be_made_leaves_the_form_as_it_was(closed: DashboardRunning) -> None:
    with closed.signed_in(TokenRole.ADMIN) as visit:
        refused = visit.submit(
            "/settings",
            "/settings/tokens",
            {"name": "late", "role": "manage", "expires": "2001-01-01"},
        )

    assert 400 == refused.status
    assert "Is over; give a later time." in refused.text
    assert 'value="late"' in refused.html


def test_tokens_are_paged_and_found_by_name(
    closed: DashboardRunning, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "TOKENS_SHOWN", 3)
    with closed.signed_in(TokenRole.ADMIN, "root") as visit:
        made = [closed.tokens.create(WantedToken(f"p{n}", TokenRole.READ)) for n in range(7)]
        closed.tokens.revoke(made[6].record.token_id)
        path, seen = "/settings", list[str]()
        while path:
            page = visit.get(path)
            seen += re.findall(r'<small class="mono">(\w+)</small>', page.html)
            links = re.findall(r'href="(/settings\?after=[^"]*)">Next page', page.html)
            path = links[0].replace("&amp;", "&") if links else ""
        live = [each for each in closed.tokens.list() if each.live]
        ended = [each for each in closed.tokens.list() if not each.live]

        assert sorted(seen) == sorted(each.record.token_id for each in (*live, *ended))
        assert set(seen[: len(live)]) == {each.record.token_id for each in live}
        for wanted in ("P3", made[3].record.token_id):
            found = visit.get(f"/settings?q={wanted}").html
            assert [made[3].record.token_id] == re.findall(r'"mono">(\w+)</small>', found)
        assert "No token is called that" in visit.get("/settings?q=nobody").text
        assert 400 == visit.get("/settings?after=x").status
