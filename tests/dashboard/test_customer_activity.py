"""All that became of a customer in one list: decisions, corrections and changes."""

import uuid
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page

from quotad.client import Client
from quotad.customers.subscriptions import Provision
from tests.dashboard.conftest import CATALOG
from tests.dashboard.serving import DashboardRunning, dashboard_running
from tests.dashboard.shots import shoot

LEDGERED = CATALOG.replace("name: API calls}", "name: API calls, ledger: all}")


@pytest.fixture(scope="module")
def served(store_url: str) -> Iterator[DashboardRunning]:
    with dashboard_running(store_url, f"t-{uuid.uuid4().hex[:12]}") as made:
        made.grpc.publish_and_wait(LEDGERED)
        yield made


@pytest.fixture
def active(served: DashboardRunning, customer: str) -> str:
    """A customer of which some of everything is known."""
    served.parts.customers.provision(customer, Provision("free"))
    with Client(served.grpc.server.address) as client:
        client.consume(customer, "calls", 7)
        client.consume(customer, "calls", 4)
        client.set_usage(customer, "calls", 2, reason="counted twice", actor="ann")
    served.parts.customers.provision(customer, Provision("pro"))
    return customer


def test_decisions_corrections_and_changes_are_one_list_by_time(
    served: DashboardRunning, active: str
) -> None:
    with served.visit() as visit:
        text = visit.get(f"/customers/{active}/activity").text
        page = visit.get(f"/customers/{active}")

    told = (
        "change changed the plan from Free to Pro",
        "correction corrected usage of API calls by 5 less counted twice",
        "denied API calls: asked for 4 the limit is reached 7 of 10",
        "allowed API calls: took 7 within the limit 7 of 10",
        "change created this customer, put it on Free",
    )
    places = [text.find(each) for each in told]
    assert -1 not in places, text
    assert sorted(places) == places
    assert "corrected by" not in text  # which is what the correction has counted
    assert f'href="/customers/{active}/activity"' in page.html


def test_the_list_is_filtered_by_kind_and_feature(served: DashboardRunning, active: str) -> None:
    kinds = ("allowed API", "denied API", "correction corrected", "change changed")
    shown = {
        "show=decisions": {"allowed API", "denied API"},
        "show=denied": {"denied API"},
        "show=corrections": {"correction corrected"},
        "show=changes": {"change changed"},
        "feature=calls": {"allowed API", "denied API", "correction corrected"},
        "feature=seats": set(),
    }
    with served.visit() as visit:
        for query, wanted in shown.items():
            text = visit.get(f"/customers/{active}/activity?{query}").text
            assert wanted == {each for each in kinds if each in text}, query
        for query in ("show=all", "before=x", "at=x"):
            assert 400 == visit.get(f"/customers/{active}/activity?{query}").status, query


def test_it_goes_on_page_by_page_without_missing_or_repeating_a_line(
    served: DashboardRunning, customer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("quotad.dashboard.customer_activity.SHOWN", 4)
    with Client(served.grpc.server.address) as client:
        for quantity in range(1, 4):
            client.consume(customer, "calls", quantity)
        served.parts.customers.provision(customer, Provision("pro"))
        for quantity in range(4, 10):
            client.consume(customer, "calls", quantity)

    pages, path = [], f"/customers/{customer}/activity"
    with served.visit() as visit:
        while path:
            page = visit.get(path)
            pages.append(page.text)
            path = next(
                (
                    link.partition('"')[0].replace("&amp;", "&")
                    for link in page.html.split('href="')
                    if ">Earlier" in link.partition("</a>")[0]
                ),
                "",
            )

    whole = "\n".join(pages)
    assert len(pages) >= 3
    assert [9, 8, 7, 6, 5, 4, 3, 2, 1] == [
        int(each.split()[0]) for each in whole.split("took ")[1:]
    ]
    assert 1 == whole.count("put it on Pro")
    assert whole.index("took 4") < whole.index("put it on Pro") < whole.index("took 3")


def test_the_page_is_looked_at(page: Page, active: str) -> None:
    page.goto(f"/customers/{active}/activity")
    page.get_by_role("combobox", name="Show").select_option("Denied only")
    page.get_by_text("asked for 4").wait_for()
    assert "show=denied" in page.url
    page.goto(f"/customers/{active}/activity")
    shoot(page, "customer-activity")
