"""Add-ons, features and promotions: made, changed and ended by the forms of their pages."""

import re
from collections.abc import Iterator
from html import unescape

import pytest

from quotad.customers.overrides import NewEntitlement
from quotad.customers.subscriptions import Provision
from quotad.tokens.roles import TokenRole
from tests.dashboard.conftest import CATALOG
from tests.dashboard.serving import DashboardRunning, Shown, Visit


@pytest.fixture
def visit(served: DashboardRunning) -> Iterator[Visit]:
    """Somebody without a draft, while the catalog of all tests is in force."""
    served.parts.drafts.discard(served.parts.drafts.open("local"))
    served.grpc.publish(CATALOG)
    with served.visit() as visit:
        yield visit


def fields_of(page: Shown, action: str = "") -> dict[str, str]:
    """What a browser sends of the form with an action, and of the page's own without one."""
    where = f' action="{action}"' if action else ""
    forms = re.findall(rf"<form method=\"post\"{where} ?[^>]*>.*?</form>", page.html, re.DOTALL)
    form = next(each for each in forms if 'name="revision"' in each)
    fields: dict[str, str] = {}
    for tag in re.findall(r"<input[^>]*>", form):
        found = dict(re.findall(r'(\w+)="([^"]*)"', tag))
        radio = found.get("type") in ("radio", "checkbox")
        if "name" in found and (not radio or " checked" in tag):
            fields[found["name"]] = unescape(found.get("value", "on"))
    for name, options in re.findall(r'<select name="(\w+)">(.*?)</select>', form, re.DOTALL):
        each = re.findall(r"<option([^>]*)>([^<]*)", options)
        tag, label = next((one for one in each if " selected" in one[0]), each[0])
        value = re.search(r'value="([^"]*)"', tag)
        fields[name] = unescape(label if value is None else value[1])
    for name, text in re.findall(r'<textarea name="(\w+)"[^>]*>(.*?)</textarea>', form, re.DOTALL):
        fields[name] = unescape(text)
    return fields


def send(visit: Visit, page: str, path: str, **fields: str) -> Shown:
    """Send a form of a page; returns what is shown then."""
    own = "" if path == page else path
    reply = visit.post(path, fields_of(visit.get(page), own) | fields)
    return visit.get(reply.headers["location"]) if reply.status == 303 else reply


def text_of(visit: Visit) -> str:
    return visit.get("/draft/files").html


def publish(visit: Visit) -> None:
    sent = {"apply_to": "", **fields_of(visit.get("/draft/review"), "/draft/publish")}
    reply = visit.post("/draft/publish", sent)
    assert 303 == reply.status, reply.text


def test_an_addon_is_made_changed_and_sold_no_more(
    visit: Visit, served: DashboardRunning, customer: str
) -> None:
    assert "More calls more-calls +500 API calls all plans \u2013 any number Change" in (
        visit.get("/addons").text
    )
    new = {"addon_id": "extra-seats", "name": "Extra seats", "feature0": "seats", "number0": "5"}
    page = send(visit, "/addons", "/addons", **new)
    assert "The add-on is in your draft." in page.text
    assert "extra-seats:" in text_of(visit)
    wrong = send(visit, "/addons/extra-seats", "/addons/extra-seats", number0="five", name="Kept")
    assert (400, True) == (wrong.status, 'value="Kept"' in wrong.html)
    assert "'five' is not a whole number such as 50,000." in wrong.text
    fields = {
        "for": "some",
        "plan": "pro",
        "max_quantity": "20",
        "number0": "10",
        "amount0": "9.00",
    }
    saved = send(visit, "/addons/extra-seats", "/addons/extra-seats", **fields)
    assert "Saved in your draft." in saved.text
    send(visit, "/addons/more-calls", "/addons/more-calls/end", how="archive")
    shown = visit.get("/addons").text
    assert "Extra seats draft extra-seats +10 Seats Pro $9.00 / month 20 Change" in shown
    assert "More calls not sold any more draft" in shown
    served.parts.customers.provision(customer, Provision("pro", addons={"more-calls": 1}))
    publish(visit)

    page = visit.get(f"/customers/{customer}")
    assert 'name="addon_extra-seats"' in page.html
    assert 'name="addon_more-calls"' in page.html
    assert "API calls 0 1,500 / month" in page.text
    assert 'name="addon_more-calls"' not in visit.get("/customers/somebody-else").html
    gone = send(visit, "/addons/more-calls", "/addons/more-calls/end", how="remove")
    assert "more-calls is removed in your draft." in gone.text
    assert "more-calls" not in text_of(visit)


def test_an_editor_that_is_overtaken_keeps_what_was_typed(visit: Visit) -> None:
    for page in ("/addons/more-calls", "/features/calls"):
        early = fields_of(visit.get(page)) | {"name": "Typed"}
        send(visit, "/features", "/features", feature_id=f"new{len(page)}", kind="boolean")
        late = visit.post(page, early)
        assert (400, True) == (late.status, 'value="Typed"' in late.html), page
        assert "Not saved. The draft was changed in another window" in late.text
        again = visit.post(page, fields_of(late) | {"name": "Typed"})
        assert 303 == again.status
        assert "Typed" in visit.get(page).text


def test_a_feature_is_made_described_and_ended(visit: Visit) -> None:
    made = send(visit, "/features", "/features", feature_id="chat", kind="boolean", name="Chat")
    assert "The feature is in your draft" in made.text
    page = "/features/chat"
    assert "chat · on or off" in visit.get(page).text
    fields = {"kind": "gauge", "description": "Open chats"}
    assert "chat · goes up and down Open chats" in send(visit, page, page, **fields).text
    assert "usage_history" not in text_of(visit)

    page = "/features/calls"
    saved = send(visit, page, page, usage_history="1 year", unit="request", name="Requests")
    assert "Requests" in saved.text
    text = "calls:  {type: metered, unit: request, name: Requests, usage_history: 1 year}"
    assert text in text_of(visit)
    wrong = visit.post(page, fields_of(visit.get(page)) | {"kind": "boolean"})
    assert (400, True) == (wrong.status, "a feature that is in force keeps its kind" in wrong.text)
    off = send(visit, "/features/export", "/features/export/end", how="off")
    assert "Nobody has it in your draft." in off.text
    assert "export: true" not in text_of(visit)
    on = {"from": "2099-01-01", "until": "2099-02-01"}
    on_again = send(visit, "/features/export", "/features/everyone", **on)
    assert "On from 2099-01-01 until 2099-02-01 in your draft, in 1 plan." in on_again.text
    gone = send(visit, page, f"{page}/end", how="remove")
    assert "calls is removed in your draft." in gone.text
    assert "calls:" not in text_of(visit).replace("more-calls:", "")


def test_who_is_in_a_rollout_stands_on_the_page_of_its_feature(
    visit: Visit, served: DashboardRunning, customer: str
) -> None:
    rolled = "{rollout: {percent: 50}}"
    served.grpc.publish(CATALOG.replace("export: true", f"export: {rolled}"))
    for number in range(12):
        served.parts.customers.provision(f"{customer}-{number}", Provision("pro"))
    page = visit.get(f"/features/export?customer={customer}-3").text

    inside = {
        number
        for number in range(12)
        if served.grpc.consume(f"{customer}-{number}", "export", quantity=0).allowed
    }
    named = {
        int(each) for each in re.findall(rf"{customer}-(\d+)(?=[, ])", page.split("Is it in?")[0])
    }
    assert "50 % of Pro" in page
    assert f"{customer}-3 {'is in' if 3 in inside else 'is not in'}" in page
    assert named - {3} <= inside
    assert 0 < len(inside) < 12


def test_promotions_of_plans_and_of_customers_stand_on_one_page_and_end(
    visit: Visit, served: DashboardRunning, customer: str
) -> None:
    assert "No plan has anything for a time" in visit.get("/promotions").text
    fields = {"feature_id": "export", "from": "2098-01-01", "until": "2099-01-01"}
    shown = send(visit, "/promotions", "/features/everyone", **fields)
    running = "CSV export scheduled draft Free \u2713 1 Jan 2098 1 Jan 2099 change End"
    assert running in shown.text
    ended = send(visit, "/promotions", "/promotions/end")
    assert "It ends for free in your draft." in ended.text
    assert "No plan has anything for a time" in ended.text

    served.parts.customers.provision(customer, Provision("free"))
    assert (
        f"/customers/{customer}#promote"
        == visit.get(f"/promotions/one?customer_id={customer}").headers["location"]
    )
    for feature_id, value in (("calls", {"limit": 77, "per": "month"}), ("export", True)):
        wanted = NewEntitlement(feature_id, value, end_ms=4_070_908_800_000)
        served.parts.customers.grant_promotion(customer, wanted)
    shown = visit.get("/promotions?feature=calls")
    assert f"{customer} API calls 77 per month running 1 Jan 2099 Change" in shown.text
    assert f"{customer} CSV export" not in shown.text
    form = shown.html.partition(f'action="/customers/{customer}/promotion/end"')[2]
    epoch = form.partition('name="epoch" value="')[2].partition('"')[0]
    ending = {"epoch": epoch, "feature_id": "calls", "resource_id": "", "next": "/promotions"}
    assert 303 == visit.submit("/promotions", f"/customers/{customer}/promotion/end", ending).status
    assert customer not in visit.get("/promotions?feature=calls").text
    assert f"{customer} CSV export granted" in visit.get("/promotions").text


def test_who_may_not_publish_sees_sections_and_is_offered_no_edit(
    served: DashboardRunning,
) -> None:
    served.token(TokenRole.ADMIN, "root")
    with served.signed_in(TokenRole.MANAGE) as seller:
        for path in ("/addons", "/features", "/features/export", "/promotions"):
            page = seller.get(path)
            assert 200 == page.status
            assert "draft" not in page.text
        for path in (
            "/addons",
            "/addons/more-calls",
            "/addons/more-calls/end",
            "/features/calls",
            "/promotions/end",
        ):
            assert 403 == seller.submit("/", path).status, path
        assert 403 == seller.get("/addons/more-calls").status
