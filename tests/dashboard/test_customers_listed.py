"""The list of customers: what is found is what a scan of all finds, page by page."""

import re
import uuid
from collections.abc import Iterator
from html import unescape
from urllib.parse import unquote, urlencode

import pytest

from quotad.customers.overrides import NewEntitlement
from quotad.customers.profile import Profile
from quotad.customers.subscriptions import Provision, Trial
from tests.dashboard.conftest import CATALOG
from tests.dashboard.serving import DashboardRunning, Visit, dashboard_running
from tests.deciding import at
from tests.running import eventually

PEOPLE = {
    f"c-{number:02}": (
        ("pro", "free")[number % 2],
        f"{('Anna', 'Bert', 'Cora')[number % 3]} Number{number}",
        f"p{number}@{('a', 'b')[number % 2]}.example",
    )
    for number in range(60)
}
ARCHIVED = {"c-03", "c-10", "c-44"}
TRIALS = {f"c-{number:02}" for number in range(5, 60, 7)} | {"c-44"}
PROMOTED = {f"c-{number:02}" for number in range(0, 60, 2)}
SEATS = {f"c-{number:02}": number % 4 for number in range(20, 60)}
"""What was used of 3 seats, before 4 more were asked for."""
STRANGE = "<script>alert('x')</script>/% é"


@pytest.fixture(scope="module")
def visit(store_url: str) -> Iterator[Visit]:
    with dashboard_running(store_url, f"t-{uuid.uuid4().hex[:12]}") as made:
        made.grpc.publish_and_wait(CATALOG)
        eventually(lambda: made.server.ready, bool)
        _fill(made)
        with made.visit() as opened:
            yield opened


def _fill(made: DashboardRunning) -> None:
    customers = made.parts.customers
    for customer_id, (plan, name, email) in PEOPLE.items():
        customers.provision(customer_id, Provision(plan, profile=Profile(name, email)))
    for customer_id in TRIALS:
        trial = Trial(at("2099-01-31 00:00"))
        customers.provision(customer_id, Provision(PEOPLE[customer_id][0], trial=trial))
    for number, customer_id in enumerate(sorted(PROMOTED)):
        feature = ("export", "calls")[number % 2]
        value = True if feature == "export" else {"limit": 5000, "per": "month"}
        customers.grant_promotion(customer_id, NewEntitlement(feature, value))
    for customer_id in ARCHIVED:
        customers.archive(customer_id)
    made.grpc.consume(STRANGE, "calls", quantity=9)
    made.grpc.consume(STRANGE, "calls", quantity=100)
    made.grpc.consume("c-00", "calls", quantity=999)
    made.grpc.consume("c-01", "seats", quantity=3)
    for customer_id, used in SEATS.items():
        made.grpc.consume(customer_id, "seats", quantity=used)
        made.grpc.consume(customer_id, "seats", quantity=4)
    made.see()


def found(visit: Visit, **query: str) -> tuple[list[str], int]:
    """Ids on all pages of a search, and how many pages there are."""
    path, ids, pages = f"/customers?{urlencode(query)}", list[str](), 0
    while path:
        page = visit.get(path)
        assert 200 == page.status, page.text[-200:]
        ids += [unquote(each) for each in re.findall(r'<a href="/customers/([^"]+)">', page.html)]
        following = re.search(r'href="(/customers\?[^"]*token=[^"]*)"', page.html)
        path, pages = unescape(following[1]) if following else "", pages + 1
    return ids, pages


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"q": "c-1"},
        {"q": "c-59", "by": "id"},
        {"q": "anna", "by": "name"},
        {"q": "number5", "by": "name"},
        {"q": "P7@B.example", "by": "email"},
        {"plan": "pro"},
        {"plan": "free", "status": "active"},
        {"status": "archived"},
        {"status": "active"},
        {"plan": "free", "status": "archived"},
        {"q": "c-4", "status": "archived"},
        {"q": "c-2", "plan": "free"},
        {"q": "n", "by": "name", "plan": "free"},
        {"q": "p10@a.example", "by": "email", "plan": "free"},
        {"q": "bert", "by": "name", "plan": "pro", "status": "active"},
        {"q": "nobody", "by": "name"},
        {"status": "trial"},
        {"status": "trial", "plan": "free"},
        {"status": "trial", "q": "cora", "by": "name"},
    ],
    ids=str,
)
def test_a_search_finds_what_a_scan_of_all_finds(visit: Visit, query: dict[str, str]) -> None:
    text, by = query.get("q", "").lower(), query.get("by", "id")

    def wanted(customer_id: str) -> bool:
        plan, name, email = PEOPLE[customer_id]
        fits = {
            "id": customer_id.startswith(text),
            "name": any(word.startswith(text) for word in name.lower().split()),
            "email": not text or email == text,
        }
        status = query.get("status")
        archived = customer_id in ARCHIVED
        return (
            fits[by]
            and query.get("plan", plan) == plan
            and (not status or archived is (status == "archived"))
            and (status != "trial" or customer_id in TRIALS)
        )

    ids, pages = found(visit, **query)

    assert sorted(filter(wanted, PEOPLE)) == sorted(ids)
    assert pages >= -(-len(ids) // 25)


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"plan": "pro"},
        {"plan": "free", "status": "active"},
        {"status": "archived"},
        {"status": "trial"},
        {"q": "c-4"},
        {"q": "cora", "by": "name"},
        {"q": "p31@b.example", "by": "email"},
    ],
    ids=str,
)
def test_those_near_a_limit_are_what_a_scan_of_all_finds(
    visit: Visit, query: dict[str, str]
) -> None:
    near = {"c-00", "c-01", *SEATS} - ARCHIVED
    scanned = {each for each in found(visit, **query)[0] if each in near}
    if set(query) <= {"q"}:
        scanned |= {each for each in (STRANGE,) if each.startswith(query.get("q", ""))}

    ids, pages = found(visit, view="near", **query)

    assert sorted(scanned) == sorted(ids)
    assert pages >= -(-len(ids) // 25)


def insight_lines(visit: Visit, **query: str) -> list[tuple[str, str, str, str]]:
    """Customer, plan, feature and percent of every line of the insights, page by page."""
    path, lines = f"/insights?{urlencode(query)}", list[tuple[str, str, str, str]]()
    while path:
        page = visit.get(path)
        assert 200 == page.status, page.text[-200:]
        rows = re.findall(r"<tr>\s*<th scope=\"row\">.*?</tr>", page.html, flags=re.DOTALL)
        for row in rows:
            text = [unescape(re.sub("<[^>]+>", "", cell)) for cell in re.findall(r"<t[dh] .*", row)]
            (found,) = re.findall(r'<a href="/customers/([^"]+)">', row)
            customer_id = unquote(found)
            assert PEOPLE[customer_id][1] in text[0] if customer_id in PEOPLE else True
            lines.append((customer_id, text[1], text[2], text[4].partition(" ")[0]))
        following = re.search(r'href="(/insights\?[^"]*token=[^"]*)"', page.html)
        path = unescape(following[1]) if following else ""
    return lines


def test_insights_are_what_a_scan_of_all_counters_finds(
    visit: Visit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("quotad.dashboard.insights.PAGE_SIZE", 7)
    plans = {name: ("Pro", "Free")[int(name[2:]) % 2] for name in SEATS}
    scanned = {
        (name, plans[name], "Seats", f"{(used + 4) * 100 // 3:,}")
        for name, used in SEATS.items()
        if name not in ARCHIVED
    }
    scanned |= {(STRANGE, "Free", "API calls", "1,090"), ("c-00", "Pro", "API calls", "99")}
    scanned |= {("c-01", "Free", "Seats", "100")}

    every = insight_lines(visit)

    assert len(every) == len(scanned)
    assert scanned == set(every)
    percents = [int(line[3].replace(",", "")) for line in every]
    assert sorted(percents, reverse=True) == percents
    for query, wanted in (
        ({"plan": "pro"}, {line for line in scanned if line[1] == "Pro"}),
        ({"feature": "calls"}, {line for line in scanned if line[2] == "API calls"}),
        ({"show": "near"}, {line for line in scanned if len(line[3]) < 3}),
        ({"show": "far"}, {line for line in scanned if int(line[3].replace(",", "")) >= 200}),
    ):
        assert wanted == set(insight_lines(visit, **query))


def test_top_users_are_those_of_a_scan_of_all(visit: Visit) -> None:
    def shown() -> list[tuple[str, str]]:
        page = visit.get("/insights/top?feature=seats")
        assert 200 == page.status, page.text[-200:]
        assert "Anna Number" in page.text or "Counting" in page.text
        return re.findall(
            r"<a href=\"/customers/([^\"]+)\"><bdi>.*?class=\"num\"><span>([\d,]+)", page.html
        )

    scanned = {**SEATS, "c-01": 3}
    wanted = sorted((str(used), name) for name, used in scanned.items() if used)

    found = eventually(shown, bool)

    assert wanted == sorted((used, name) for name, used in found)
    assert sorted((used for _, used in found), reverse=True) == [used for _, used in found]
    assert 404 == visit.get("/insights/top?feature=export").status


@pytest.mark.parametrize("feature", ["", "export", "calls", "seats"])
def test_promotions_are_those_of_a_scan_of_all(
    visit: Visit, feature: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("quotad.dashboard.promotions.PAGE_SIZE", 7)
    scanned = {
        customer_id
        for number, customer_id in enumerate(sorted(PROMOTED))
        if feature in ("", ("export", "calls")[number % 2])
    }
    path, listed = f"/promotions?feature={feature}", list[str]()
    while path:
        page = visit.get(path)
        listed += re.findall(r'<th scope="row"><a href="/customers/([^"]+)">', page.html)
        following = re.search(r'href="(/promotions\?[^"]*token=[^"#]*)', page.html)
        path = unescape(following[1]) if following else ""

    assert sorted(scanned) == sorted(listed)


def test_who_was_only_seen(visit: Visit) -> None:
    assert [STRANGE] == found(visit, view="seen")[0]
    assert [] == found(visit, view="seen", q="c-")[0]


def test_a_strange_id_is_text_on_every_page(visit: Visit) -> None:
    pages = [
        visit.get("/"),
        visit.get("/customers?view=seen"),
        visit.get("/insights"),
        visit.get("/customers/%3Cscript%3Ealert('x')%3C%2Fscript%3E%2F%25%20%C3%A9"),
        visit.get("/customers?" + urlencode({"q": STRANGE})),
        visit.get("/customers?" + urlencode({"q": STRANGE, "by": "email"})),
    ]

    for page in pages:
        assert 200 == page.status, page.text[-200:]
        assert "<script>alert" not in page.html
        assert "&lt;script&gt;alert" in page.html


def test_a_new_customer_is_on_the_default_plan_unless_another_is_chosen(visit: Visit) -> None:
    page = visit.get("/customers").html
    chosen = re.findall(r'<option value="(\w+)" selected>', page[page.index('id="new"') :])

    assert ["free"] == chosen


def test_a_customer_is_created_once(visit: Visit) -> None:
    fields = {"customer_id": "new/one", "plan_id": "pro", "name": "New", "email": ""}
    made = visit.submit("/customers", "/customers", fields)
    again = visit.submit("/customers", "/customers", fields)

    assert (303, "/customers/new%2Fone") == (made.status, made.headers["location"])
    assert 412 == again.status
    assert "Not saved. Look at the field marked below." in again.text
    assert "There is a customer 'new/one' already." in again.text
    for fields, words in (
        ({"customer_id": "x\u200dy", "plan_id": "pro"}, "characters that cannot be printed"),
        ({"customer_id": "", "plan_id": "pro"}, "Missing; give 1 to 256 bytes"),
        ({"customer_id": "x" * 257, "plan_id": "pro"}, "257 bytes long"),
        ({"customer_id": "other", "plan_id": "pro", "email": "nobody"}, "email"),
    ):
        refused = visit.submit("/customers", "/customers", {"comment": "as agreed"} | fields)
        assert 400 == refused.status
        assert words in refused.text
        assert 'value="as agreed"' in refused.html
