"""The page of a customer: what it shows is what was decided, and what it does is done."""

import re
import uuid
from html import unescape
from urllib.parse import quote

import pytest

from quotad.customers.overrides import NewEntitlement
from quotad.customers.profile import Profile
from quotad.customers.subscriptions import Provision
from quotad.tokens.roles import TokenRole
from tests.dashboard.conftest import CATALOG
from tests.dashboard.serving import DashboardRunning, Visit, dashboard_running
from tests.running import eventually


def provision(served: DashboardRunning, customer: str, plan: str = "pro") -> None:
    wanted = Provision(plan, profile=Profile("ACME Inc.", "a@acme.example"))
    served.parts.customers.provision(customer, wanted)


def send(visit: Visit, customer: str, path: str, **fields: str) -> str:
    """Send a form of the page; returns what the page shows afterwards."""
    page = f"/customers/{quote(customer)}"
    reply = visit.submit(page, f"{page}/{path}", fields)
    return visit.get(page).text if reply.status == 303 else reply.text


def test_it_shows_what_is_used_of_each_limit_and_why(
    served: DashboardRunning, customer: str
) -> None:
    provision(served, customer)
    served.grpc.consume(customer, "calls", quantity=930)
    with served.visit() as visit:
        page = visit.get(f"/customers/{customer}?why=calls")

    assert "ACME Inc." in page.text
    assert "API calls 930 1,000 / month" in page.text
    assert 'aria-label="93 % of 1,000 used"' in page.html
    assert (
        "Why API calls? allowed One call now would be let through: within the limit." in page.text
    )
    assert "within the limit. Plan Pro : 1,000 per month in force" in page.text
    assert "Base plan Free : 10 per month replaced by plan Pro" in page.text


def test_a_check_takes_nothing_and_shows_the_whole_answer(
    served: DashboardRunning, customer: str
) -> None:
    provision(served, customer)
    with served.visit() as visit:
        path = f"/customers/{customer}/try?feature_id=tokens&quantity="
        granted, denied = visit.get(path + "50").text, visit.get(path + "51", hx_request="true")
        wrong = visit.get(path + "many")

    assert "Allowed : 50 of AI tokens, within the limit. Nothing was taken." in granted
    assert "Denied : 51 of AI tokens, the limit is reached." in denied.text
    assert "Missing 1 of 50 per day" in denied.text
    assert "<html" not in denied.html
    assert (400, True) == (wrong.status, "not a whole number" in wrong.text)
    assert 0 == served.grpc.consume(customer, "tokens", quantity=0).used


@pytest.mark.parametrize(
    ("fields", "shows"),
    [
        ({"feature_id": "calls", "kind": "limit", "amount": "5000", "per": "month"}, "5,000"),
        ({"feature_id": "seats", "kind": "unlimited"}, "Seats 0 unlimited"),
        ({"feature_id": "upload", "kind": "value", "value": "99"}, "Upload size granted 99"),
        ({"feature_id": "export", "kind": "off"}, "CSV export denied an override revokes it"),
        # Without scripts the first choice stands although it is not for such a feature.
        ({"feature_id": "export", "kind": "limit"}, "CSV export : granted"),
        ({"feature_id": "upload", "kind": "limit", "value": "7"}, "Upload size granted 7"),
    ],
    ids=lambda each: each["kind"] if isinstance(each, dict) else "",
)
def test_an_override_is_set_and_removed(
    served: DashboardRunning, customer: str, fields: dict[str, str], shows: str
) -> None:
    provision(served, customer)
    with served.visit() as visit:
        assert shows in send(visit, customer, "override", **fields)
        gone = send(visit, customer, "override/remove", feature_id=fields["feature_id"])

    assert shows not in gone.partition(" Activity ")[0]


def test_a_promotion_is_for_a_time_and_ends(served: DashboardRunning, customer: str) -> None:
    provision(served, customer, "free")
    with served.visit() as visit:
        fields = {"feature_id": "export", "kind": "on", "until": "2099-12-31"}
        given = send(visit, customer, "promotion", **fields)
        ended = send(visit, customer, "promotion/end", feature_id="export")

    assert "CSV export granted" in given
    assert "Promotion, until 31 Dec 2099" in given
    assert "CSV export granted" not in ended


def test_an_override_and_a_promotion_are_changed_in_a_form_that_has_what_they_are(
    served: DashboardRunning, customer: str
) -> None:
    provision(served, customer, "free")
    given = {"feature_id": "calls", "kind": "limit", "amount": "5,000", "per": "day"}
    with served.visit() as visit:
        page = f"/customers/{customer}"
        send(visit, customer, "override", **given)
        until = {"until": "2099-12-31", "from": "2098-01-01"}
        send(visit, customer, "promotion", **given | {"amount": "70"} | until)
        override = visit.get(f"{page}?override=calls").html
        promotion = visit.get(f"{page}?promote=calls").html
        assert f'href="{page}?promote=calls#promote"' in visit.get("/promotions").html

    assert 'name="amount" value="5000"' in override
    assert '<option value="day" selected>' in override
    for field in ('"amount" value="70"', '"from" value="2098-01-01"', '"until" value="2099-12-31"'):
        assert f"name={field}" in promotion


def test_a_plan_is_changed_now_and_at_the_end_of_the_period(
    served: DashboardRunning, customer: str
) -> None:
    provision(served, customer, "free")
    with served.visit() as visit:
        addon = {"addon": "more-calls", "addon_more-calls": "2"}
        now = send(visit, customer, "plan", plan_id="pro", when="now", units="3", **addon)
        later = send(visit, customer, "plan", plan_id="free", when="period_end")
        someday = send(visit, customer, "plan", plan_id="pro", when="date")

    assert "The subscription was changed." in now
    assert "API calls 0 2,000 / month" in now
    assert "3 units" in now
    assert "The change was scheduled." in later
    assert "scheduled" in later
    assert "Nothing was changed. Start: missing; pick the day" in someday


def test_a_trial_starts_for_a_customer_that_was_only_seen(
    served: DashboardRunning, customer: str
) -> None:
    with served.visit() as visit:
        assert "never provisioned" in visit.get(f"/customers/{customer}").text
        page = send(visit, customer, "plan", plan_id="pro", trial_end="2099-01-31")

    assert "Pro in trial" in page


def test_usage_is_given_back_and_reset_with_a_comment_and_a_name(
    served: DashboardRunning, customer: str
) -> None:
    provision(served, customer)
    served.grpc.consume(customer, "calls", quantity=500)
    with served.visit() as visit:
        back = send(
            visit,
            customer,
            "usage",
            feature_id="calls",
            verb="refund",
            quantity="100",
            reason="bug",
        )
        silent = send(visit, customer, "usage", feature_id="calls", verb="refund", quantity="7")
        reset = send(visit, customer, "usage", feature_id="calls", verb="reset", reason="sorry")

    assert "API calls 400" in back
    assert "local gave back 100 of API calls bug" in back
    assert "local gave back 7 of API calls" in silent
    assert "API calls 0" in reset
    assert "local corrected usage of API calls by 393 less sorry" in reset


def test_what_another_has_changed_meanwhile_is_not_overwritten(
    served: DashboardRunning, customer: str
) -> None:
    provision(served, customer)
    with served.visit() as visit:
        page = f"/customers/{customer}"
        old = visit.get(page)
        epoch = old.html.partition('name="epoch" value="')[2].partition('"')[0]
        served.parts.customers.update(customer, Profile("Renamed"))
        fields = {"form_key": old.form_key, "epoch": epoch, "form": "profile", "name": "Mine"}

        refused = visit.post(f"{page}/profile", fields)

    assert 412 == refused.status
    assert "Nothing was changed. It was changed since it was looked at." in refused.text
    assert 'value="Mine"' in refused.html
    record = served.parts.customers.get(customer).record
    assert record is not None
    assert "Renamed" == record.name


def test_a_subscription_is_cancelled_and_a_customer_archived(
    served: DashboardRunning, customer: str
) -> None:
    provision(served, customer)
    with served.visit() as visit:
        cancelled = send(visit, customer, "cancel", when="period_end")
        at_once = send(visit, customer, "cancel", when="now")
        archived = send(visit, customer, "archive")

    assert "The subscription was cancelled. It ends with its billing period." in cancelled
    assert "Pro active" in cancelled
    assert "Pro active" not in at_once
    assert "everything is denied until it is put on a plan again" in archived


def test_what_a_role_does_not_give_is_not_offered_and_refused(store_url: str) -> None:
    with dashboard_running(store_url, f"t-{uuid.uuid4().hex[:12]}") as made:
        made.grpc.publish_and_wait(CATALOG)
        eventually(lambda: made.server.ready, bool)
        provision(made, "acme")
        made.token(TokenRole.ADMIN, "root")
        with made.signed_in(TokenRole.READ) as reader:
            page = reader.get("/customers/acme")
            assert "Change plan" not in page.text
            assert "roll back" not in page.text + reader.get("/history/customers").text
            for path in ("plan", "override", "usage", "profile", "archive", "rollback/1"):
                assert 403 == reader.submit("/", f"/customers/acme/{path}").status
            assert 403 == reader.submit("/", "/settings/tokens", {"name": "x"}).status
            assert "made and revoked with the role admin" in reader.get("/settings").text
        with made.signed_in(TokenRole.MANAGE, "sales") as seller:
            assert "sales" in send(seller, "acme", "profile", name="New name")
            assert "by sales" in seller.get("/customers/acme").text
        with made.signed_in(TokenRole.READ, customers=("team-*",)) as narrow:
            assert 200 == narrow.get("/customers/team-a").status
            for path in ("/", "/customers", "/customers/acme", "/insights", "/insights.csv"):
                assert 403 == narrow.get(path).status, path


@pytest.mark.parametrize(
    ("path", "fields", "field", "words"),
    [
        ("override", {"kind": "limit", "amount": "1.000"}, "amount", "may mean 1,000 or 1"),
        ("override", {"kind": "limit", "amount": ""}, "amount", "Missing; how much is the limit?"),
        ("promotion", {"kind": "on", "until": "2099-02-31"}, "until", "is not a day"),
        (
            "promotion",
            {"feature_id": "export", "kind": "on", "until": "2020-01-01"},
            "until",
            "The promotion would be over",
        ),
        ("plan", {"plan_id": "pro", "trial_end": "2020-01-01"}, "trial_end", "would be over"),
        ("plan", {"plan_id": "pro", "units": "0"}, "units", "from 1 to"),
        ("plan", {"plan_id": "pro", "units": "three"}, "units", "is not a whole number"),
        (
            "plan",
            {"plan_id": "pro", "addon": "more-calls", "addon_more-calls": "x"},
            "addons",
            "'x'",
        ),
        ("plan", {"plan_id": "pro", "when": "date"}, "start", "Missing; pick the day"),
        ("usage", {"verb": "set", "quantity": "-1"}, "quantity", "is not a whole number"),
        ("profile", {"timezone": "Berlin"}, "timezone", "Europe/Berlin"),
    ],
)
def test_what_is_typed_wrong_is_marked_where_it_is(
    served: DashboardRunning,
    customer: str,
    path: str,
    fields: dict[str, str],
    field: str,
    words: str,
) -> None:
    provision(served, customer)
    form = {"promotion": "promote"}.get(path, path)
    with served.visit() as visit:
        page = f"/customers/{customer}"
        sent = {"feature_id": "calls", "form": form} | fields
        refused = visit.submit(page, f"{page}/{path}", sent)

    assert 400 == refused.status
    note = re.search(rf'<p class="wrong" id="wrong-{field}">(.*?)</p>', refused.html)
    assert note is not None, refused.text
    assert words in unescape(note[1])
    assert "Nothing was changed. Look at the field marked below." in refused.text


@pytest.mark.parametrize(
    ("path", "fields", "words"),
    [
        ("override", {"kind": "on"}, "Is counted; choose a limit, or no limit."),
        (
            "override",
            {"feature_id": "export", "kind": "limit", "amount": "5"},
            "Is on or off; choose the feature itself.",
        ),
        (
            "usage",
            {"feature_id": "seats", "verb": "refund", "quantity": "1"},
            "Feature: 'seats' goes up and down; set what is used instead.",
        ),
    ],
)
def test_a_refusal_is_in_words_of_the_page(
    served: DashboardRunning, customer: str, path: str, fields: dict[str, str], words: str
) -> None:
    provision(served, customer)
    with served.visit() as visit:
        page = f"/customers/{customer}"
        refused = visit.submit(page, f"{page}/{path}", {"feature_id": "calls"} | fields)

    assert 400 == refused.status
    assert f"Nothing was changed. {words}" in refused.text


def test_the_activity_says_in_words_who_did_what_and_why(
    served: DashboardRunning, customer: str
) -> None:
    provision(served, customer, "free")
    with served.visit() as visit:
        limit = {"kind": "limit", "amount": "5000", "per": "month"}
        send(visit, customer, "override", feature_id="calls", comment="a good deal", **limit)
        until = {"until": "2099-12-31", "comment": "Christmas <b>"}
        send(visit, customer, "promotion", feature_id="export", kind="on", **until)
        send(visit, customer, "plan", plan_id="pro", when="now", units="3")
        send(visit, customer, "override/remove", feature_id="calls")
        send(visit, customer, "profile", name="New name", email="")
        send(visit, customer, "plan", plan_id="pro", trial_end="2099-01-31", units="3")
        shown = visit.get(f"/customers/{customer}").text
        long = send(visit, customer, "override", feature_id="calls", comment="x" * 2000, **limit)
    activity = shown.partition(" Activity ")[2]

    for sentence in (
        "local set the override of API calls to 5,000 per month a good deal",
        "local granted CSV export by a promotion until 31 Dec 2099 Christmas <b>",
        "local changed the plan from Free to Pro with 3 units",
        "local removed the override of API calls",
        "local set the name to \u201cNew name\u201d, removed the email",
        "local started a trial of Pro with 3 units until 31 Jan 2099",
        "local created this customer, put it on Free",
    ):
        assert sentence in activity
    assert "Nothing was changed. Comment: is longer than 1024 bytes" in long


def test_every_form_of_a_customer_takes_a_comment_that_the_activity_shows(
    served: DashboardRunning, customer: str
) -> None:
    feature = {"feature_id": "seats", "resource_id": ""}
    given = {"feature_id": "seats", "kind": "unlimited"}
    sent: list[tuple[str, dict[str, str]]] = [
        ("", {"customer_id": customer, "plan_id": "free"}),
        ("profile", {"name": "Umbrella"}),
        ("override", given),
        ("promotion", given),
        ("plan", {"plan_id": "pro", "when": "period_end"}),
        ("override/remove", feature),
        ("promotion/end", feature),
        ("cancel", {"when": "period_end"}),
        ("archive", {}),
    ]
    offered = set[str]()
    with served.visit() as visit:
        page = f"/customers/{customer}"
        for number, (path, fields) in enumerate(sent):
            own = "/customers" if not path else page
            for shown in (visit.get(own), visit.get("/promotions")):
                for form in re.findall(r'<form [^>]*method="post".*?</form>', shown.html, re.S):
                    action = re.search(r'action="(/customers[^"]*)"', form)
                    if action:
                        assert 'name="comment"' in form or 'name="reason"' in form, form
                        offered.add(action[1])
            to = f"{page}/{path}" if path else own
            reply = visit.submit(own, to, fields | {"comment": f"because {number}"})
            assert 303 == reply.status, reply.text
        activity = visit.get(page).text.partition(" Activity ")[2]

    assert [] == [each for each in range(len(sent)) if f"because {each}" not in activity]
    assert {f"{page}/{path}" for path, _ in sent[1:]} <= offered


def test_what_was_said_of_a_click_stays_where_it_is_refused(
    served: DashboardRunning, customer: str
) -> None:
    provision(served, customer)
    with served.visit() as visit:
        page = f"/customers/{customer}"
        fields = {"form": "archive", "epoch": "1", "comment": "gone to Mars"}
        refused = visit.submit(page, f"{page}/archive", fields)

    assert 412 == refused.status
    asked = re.search(r'<details class="act" open>.*?</details>', refused.html, re.S)
    assert asked is not None
    assert 'value="gone to Mars"' in asked[0]


def test_a_change_is_rolled_back_after_a_look_at_what_that_does(
    served: DashboardRunning, customer: str
) -> None:
    provision(served, customer, "free")
    with served.visit() as visit:
        page = f"/customers/{customer}"
        send(visit, customer, "plan", plan_id="pro", when="now", comment="for a week")
        send(visit, customer, "override", feature_id="seats", kind="unlimited")
        ways = re.findall(rf'href="({page}/rollback/\d+)"', visit.get(page).html)
        assert 2 == len(ways), "the change that made the customer has no way back"
        assert ways[0] in visit.get("/history/customers").html
        newest, older = (visit.get(way).text for way in ways)
        assert "What it does removed the override of Seats Comment" in newest
        assert "1 change undone local set the override of Seats to unlimited" in newest
        assert "changed the plan from Pro to Free, removed the override of Seats" in older.replace(
            "Free removed", "Free, removed"
        )
        assert "2 changes undone what came after it, too" in older

        served.parts.customers.by("bob").update(customer, Profile("Renamed"))
        old = {"epoch": ways[0].rpartition("/")[2], "comment": "a <mistake>"}
        late = visit.submit(ways[1], ways[1], old)
        assert 412 == late.status
        assert "Nothing was changed." in late.text
        assert "bob set the name to \u201cRenamed\u201d" in late.text
        assert 'value="a &lt;mistake&gt;"' in late.html
        epoch = re.search(r'name="epoch" value="(\d+)"', late.html)
        assert epoch is not None
        done = visit.submit(ways[1], ways[1], {"epoch": epoch[1], "comment": "a <mistake>"})
        assert (303, f"{page}#activity") == (done.status, done.headers["location"])
        shown = visit.get(page)
        assert "The customer was rolled back." in shown.text
        assert "local rolled back: changed the plan from Pro to Free" in shown.text
        assert "a <mistake> roll back" in shown.text
        assert 404 == visit.get(f"{page}/rollback/12").status
        assert 404 == visit.get(f"{page}/rollback/x").status
    record = served.parts.customers.get(customer).record
    assert record is not None
    assert ("free", "ACME Inc.", ()) == (
        record.subscriptions[0].plan_id,
        record.name,
        record.overrides,
    )


def test_what_the_catalog_has_not_any_more_is_said_in_place_of_rolling_back(
    served: DashboardRunning, customer: str
) -> None:
    served.grpc.publish_and_wait(
        CATALOG.replace("  export: {", "  gone: {type: boolean}\n  export: {")
    )
    served.parts.customers.provision(customer, Provision("free"))
    customers = served.parts.customers
    customers.set_override(customer, NewEntitlement("gone", True))
    epoch = customers.archive(customer).epoch
    served.grpc.publish_and_wait(CATALOG)
    with served.visit() as visit:
        refused = visit.get(f"/customers/{customer}/rollback/{epoch}")

    assert 400 == refused.status
    assert "the catalog has no feature 'gone' any more" in refused.text


def test_the_history_has_the_changes_of_all_customers_page_by_page(
    served: DashboardRunning, customer: str
) -> None:
    provision(served, customer)
    with served.visit() as visit:
        send(visit, customer, "override", feature_id="seats", kind="unlimited", comment="a deal")
        newest = visit.get("/history/customers")
        line = f"ACME Inc. {customer} local set the override of Seats to unlimited a deal"
        assert line in newest.text
        for number in range(60):
            served.parts.customers.provision(f"{customer}-{number}", Provision("free"))
        first = visit.get("/history/customers")
        assert customer + "-59" in first.text
        assert line not in first.text
        following = re.search(r'href="(/history/customers\?before=\d+)"', first.html)
        assert following is not None
        assert line in visit.get(following[1]).text
        assert 400 == visit.get("/history/customers?before=x").status
        assert "Customers" in visit.get("/history").text


def test_what_was_denied_has_its_place(served: DashboardRunning, customer: str) -> None:
    provision(served, customer)
    with served.visit() as visit:
        assert (
            "Denied lately in the periods under way Nothing."
            in visit.get(f"/customers/{customer}").text
        )
        served.grpc.consume(customer, "tokens", quantity=51)
        served.see()
        assert "51 of AI tokens, of the limit per day" in visit.get(f"/customers/{customer}").text
