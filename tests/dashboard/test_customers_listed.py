"""The list of customers: what is found is what a scan of all finds, page by page."""

import re
import uuid
from collections.abc import Iterator
from html import unescape
from urllib.parse import unquote, urlencode

import pytest

from quotad.customers.profile import Profile
from quotad.customers.subscriptions import Provision
from tests.dashboard.conftest import CATALOG
from tests.dashboard.serving import DashboardRunning, Visit, dashboard_running
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
    for customer_id in ARCHIVED:
        customers.archive(customer_id)
    made.grpc.consume(STRANGE, "calls", quantity=9)
    made.grpc.consume("c-00", "calls", quantity=999)
    made.grpc.consume("c-01", "seats", quantity=3)
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
        {"q": "bert", "by": "name", "plan": "pro", "status": "active"},
        {"q": "nobody", "by": "name"},
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
        )

    ids, pages = found(visit, **query)

    assert sorted(filter(wanted, PEOPLE)) == sorted(ids)
    assert pages >= -(-len(ids) // 25)


def test_who_is_near_a_limit_and_who_was_only_seen(visit: Visit) -> None:
    assert {"c-00", "c-01", STRANGE} == set(found(visit, view="near")[0])
    assert ["c-00"] == found(visit, view="near", plan="pro")[0]
    assert [STRANGE] == found(visit, view="seen")[0]


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


def test_a_customer_is_created_once(visit: Visit) -> None:
    fields = {"customer_id": "new/one", "plan_id": "pro", "name": "New", "email": ""}
    made = visit.submit("/customers", "/customers", fields)
    again = visit.submit("/customers", "/customers", fields)

    assert (303, "/customers/new%2Fone") == (made.status, made.headers["location"])
    assert 412 == again.status
    assert "It has changed since" in again.text
