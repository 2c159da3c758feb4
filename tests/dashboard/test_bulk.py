"""One change of many customers: seen beforehand, made once, and told customer by customer."""

import re
import uuid
from collections.abc import Iterator
from html import unescape
from urllib.parse import urlencode

import pytest

from quotad.customers.profile import Profile
from quotad.customers.subscriptions import Change
from quotad.dashboard import bulk
from quotad.tokens.roles import TokenRole
from tests.dashboard.conftest import CATALOG
from tests.dashboard.on_old_revisions import moved, record
from tests.dashboard.serving import DashboardRunning, Shown, Visit, dashboard_running
from tests.running import eventually


@pytest.fixture(scope="module")
def served(store_url: str) -> Iterator[DashboardRunning]:
    with dashboard_running(store_url, f"t-{uuid.uuid4().hex[:12]}") as made:
        made.grpc.publish_and_wait(CATALOG)
        eventually(lambda: made.server.ready, bool)
        yield made


def fields_of(page: Shown) -> list[tuple[str, str]]:
    """The fields of the form that makes the change, as a browser sends them."""
    form = re.search(r'<form [^>]*method="post" action="/bulk".*?</form>', page.html, re.DOTALL)
    assert form is not None, page.text
    found = re.findall(r'<input [^>]*?name="([^"]*)" value="([^"]*)"', form[0])
    return [(name, unescape(value)) for name, value in found]


def send(visit: Visit, fields: list[tuple[str, str]]) -> Shown:
    origin = f"http://{visit.address}"
    return visit.send("POST", "/bulk", urlencode(fields).encode(), origin=origin)


def test_customers_are_moved_to_the_latest_revision_step_by_step(
    served: DashboardRunning, team: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "STEP_S", 0.0)  # one customer each
    with served.visit() as visit:
        preview = visit.get(f"/bulk?do=latest&plan=pro&q={team}")
        assert "4 customers would be changed" in preview.text
        assert "1 left as it is is archived" in preview.text
        assert re.search(r"Pro: revision \d+ → \d+", preview.text)
        assert [False] * 4 == moved(served, team)
        served.parts.customers.update(team + "globex", Profile("Globex GmbH"))
        fields = [each for each in fields_of(preview) if not each[1].endswith("initech")]
        page = send(visit, [*fields, ("comment", "as agreed")])
        steps = [page.text]
        while "Go on" in page.text:
            page = send(visit, fields_of(page))
            steps.append(page.text)

        assert "1 of 3 customers" in steps[0]
        assert "Done: 2 customers changed, 1 not" in steps[-1]
        assert f"{team}globex : it was changed since it was looked at" in steps[-1]
        assert "as agreed" in visit.get(f"/customers/{team}acme").text
        assert "<script>alert" not in page.html
        again = visit.get(f"/bulk?do=latest&plan=pro&q={team}").text
    assert [True, False, False, True] == moved(served, team)
    assert "2 customers would be changed" in again


def test_one_customer_is_moved_on_its_page_with_all_it_has(
    served: DashboardRunning, team: str
) -> None:
    customers = served.parts.customers
    customers.change_subscription(team + "acme", Change(addons={"more-calls": 2}, unit_quantity=3))
    with served.visit() as visit:
        page = f"/customers/{team}acme"
        shown = visit.get(page)
        assert re.search(r"3 units, 2 . More calls, on revision \d+ of \d+", shown.text)
        assert 303 == visit.submit(page, f"{page}/latest", {}).status
        after = visit.get(page).text
    assert "on revision" not in after
    assert "2 \u00d7 More calls" in after
    assert "Add-on More calls : 2 \u00d7 +500, 1,000 together on top" in after
    assert [True, False, False, False] == moved(served, team)


def test_a_promotion_for_many_says_whom_it_is_not_for(served: DashboardRunning, team: str) -> None:
    with served.visit() as visit:
        form = visit.get(f"/bulk?do=promote&plan=pro&q={team}")
        assert "would be changed" not in form.text
        what = "&feature_id=calls&kind=limit&amount=5000&per=month&until=2099-01-01&comment=sale"
        preview = visit.get(f"/bulk?do=promote&plan=pro&q={team}" + what)
        assert "5 customers would be changed" in preview.text
        assert "Each gets API calls : 5,000 per month, until before 1 Jan 2099. Why: sale" in (
            preview.text
        )
        assert 5 == len(re.findall("1,00. / month \u2192 5,000 / month", preview.text))
        less = what.replace("amount=5000", "amount=7")
        less_of_pro = visit.get(f"/bulk?do=promote&plan=pro&q={team}" + less)
        kept = re.findall("keeps 1,00. / month, which is no less", less_of_pro.text)
        assert 5 == len(kept)
        done = send(visit, fields_of(preview))
        shown = visit.get(f"/customers/{team}acme").text
        wrong = visit.get(f"/bulk?do=promote&q={team}&feature_id=calls&kind=limit&amount=many")
        nothing = visit.get(
            f"/bulk?do=promote&q={team}&feature_id=calls&kind=limit&amount=5&per=parsec"
        )

    assert "Done: 5 customers changed" in done.text
    assert "promoted API calls to 5,000 per month until 1 Jan 2099 sale" in shown
    assert [] == list(record(served, team + "small").promotions)
    assert "Not yet. Look at the field marked below." in wrong.text
    assert "'many' is not a whole number such as 50,000." in wrong.text
    assert "Nobody to change" in nothing.text


def test_those_near_a_limit_are_promoted(served: DashboardRunning, team: str) -> None:
    served.grpc.consume(team + "acme", "calls", quantity=990)
    served.see()
    what = "&feature_id=calls&kind=limit&amount=5000&per=month"
    with served.visit() as visit:
        path = f"/bulk?do=promote&view=near&q={team}{what}"
        preview = eventually(lambda: visit.get(path), lambda page: "would be" in page.text)
        assert "1 customer would be changed" in preview.text
        assert f"near a limit whose id begins with {team}" in preview.text


def test_only_who_may_manage_all_customers_changes_many(
    served: DashboardRunning, team: str
) -> None:
    served.token(TokenRole.ADMIN, "root")
    with served.signed_in(TokenRole.READ) as reader:
        assert "Promote" not in reader.get("/customers").text
        assert 403 == reader.get("/bulk?do=latest").status
        assert 403 == reader.submit("/", "/bulk", {"do": "latest"}).status
    with served.signed_in(TokenRole.MANAGE, customers=("team-*",)) as narrow:
        assert 403 == narrow.get("/bulk?do=latest").status
    with served.signed_in(TokenRole.MANAGE) as seller:
        assert 400 == seller.submit("/customers", "/bulk", {"do": "delete"}).status
        assert (
            "Send it again?" in seller.post("/bulk", {"do": "latest", "who": f"1:{team}acme"}).text
        )
    assert [False] * 4 == moved(served, team)
