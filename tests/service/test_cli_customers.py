"""`quotad customers`: what it sends, how a customer looks, and what it refuses by itself."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from quotad.v1 import admin_pb2 as pb
from tests.service.command_line import Run, words
from tests.service.fake_admin import STARTED_AT
from tests.service.fake_quotad import FakeServer

END = "2030-06-01T00:00:00Z"
ENDS = datetime(2030, 6, 1, tzinfo=UTC)
START = datetime(2026, 1, 31, 9, tzinfo=UTC)


@pytest.fixture
def acme(quotad: Run) -> str:
    """A customer on plan pro."""
    assert 0 == quotad("customers", "set", "acme", "--plan", "pro").exit_code
    return "acme"


def test_set_sends_everything_that_a_subscription_can_have(quotad: Run, server: FakeServer) -> None:
    options: dict[str, str] = {
        "--start": "2026-01-31T09:00:00Z",
        "--end": END,
        "--anchor": "2026-05-01T12:30:00Z",
        "--trial-end": "2030-06-01T02:00:00+02:00",
        "--convert-to": "enterprise",
        "--subscription": "s-1",
        "--resource": "ws-1",
    }
    given = [word for option in options.items() for word in option]

    done = quotad(
        *("customers", "set", "acme", "--plan", "pro", "--addon", "seats"),
        *("--addon", "more-calls=20", *given),
    )

    assert 0 == done.exit_code
    assert [
        pb.ProvisionCustomerRequest(
            customer_id="acme",
            plan_id="pro",
            start=START,
            end=ENDS,
            anchor=STARTED_AT,
            trial=pb.Trial(end=ENDS, then=pb.Trial.THEN_CONVERT, plan_id="enterprise"),
            subscription_id="s-1",
            resource_id="ws-1",
            addons={"seats": 1, "more-calls": 20},
        )
    ] == server.admin.requests


def test_trial_can_end_the_subscription(quotad: Run, server: FakeServer) -> None:
    trial = ("--trial-end", END, "--then", "end")
    quotad("customers", "set", "acme", "--plan", "pro", *trial)

    assert pb.Trial(end=ENDS, then=pb.Trial.THEN_END) == server.admin.requests[0].trial


@pytest.mark.usefixtures("acme")
def test_change_sends_what_changes(quotad: Run, server: FakeServer) -> None:
    quotad("customers", "change", "acme", "--plan", "team", "--when", "period-end")
    quotad("customers", "change", "acme", "--no-addons", "--resource", "ws-1")
    quotad("customers", "change", "acme", "--latest", "--addon", "a=2", "--subscription", "s-1")

    now = pb.WHEN_NOW
    assert [
        pb.ChangeSubscriptionRequest(customer_id="acme", plan_id="team", when=pb.WHEN_PERIOD_END),
        pb.ChangeSubscriptionRequest(
            customer_id="acme", addons=pb.AddOns(), when=now, resource_id="ws-1"
        ),
        pb.ChangeSubscriptionRequest(
            customer_id="acme",
            addons=pb.AddOns(quantities={"a": 2}),
            latest_revision=True,
            when=now,
            subscription_id="s-1",
        ),
    ] == server.admin.requests[1:]


@pytest.mark.usefixtures("acme", "utc")
def test_cancel_at_the_end_of_the_period_shows_when(quotad: Run, server: FakeServer) -> None:
    shown = quotad("customers", "cancel", "acme", "--when", "period-end")

    assert pb.WHEN_PERIOD_END == server.admin.requests[-1].when
    assert words(shown)[2].startswith("until 2030-01-01 00:00 UTC (in ")


@pytest.mark.parametrize(
    ("typed", "sent"),
    [
        ("true", True),
        ("false", False),
        ("unlimited", "unlimited"),
        ("email", "email"),
        ("10", 10),
        ("-2.50", "-2.50"),
        ("-3", -3),
        ("null", None),
        ("{}", {}),
        ("[email, phone]", ["email", "phone"]),
        ("{limit: 5_000, per: month}", {"limit": 5000, "per": "month"}),
        ('{"limit": 5000, "per": "month"}', {"limit": 5000, "per": "month"}),
    ],
)
@pytest.mark.usefixtures("acme")
def test_value_is_in_the_grammar_of_a_catalog(quotad: Run, typed: str, sent: object) -> None:
    shown = quotad("customers", "override", "acme", "f", typed, "--json")
    promoted = quotad("customers", "promote", "acme", "f", typed, "--json")

    assert [sent] == [each["entitlement"] for each in json.loads(shown.stdout)["overrides"]]
    assert [sent] == [each["entitlement"] for each in json.loads(promoted.stdout)["promotions"]]


@pytest.mark.usefixtures("acme", "utc")
def test_overrides_and_promotions_come_and_go(quotad: Run, server: FakeServer) -> None:
    quotad("customers", "override", "acme", "api-calls", "{limit: 5000, per: month}")
    quotad("customers", "override", "acme", "sso", "false", "--resource", "ws-1")
    quotad("customers", "promote", "acme", "support", "phone", "--end", END)

    lines = words(quotad("customers", "get", "acme"))
    assert [
        "",
        "overrides resource grants",
        "api-calls {limit: 5000, per: month}",
        "sso ws-1 nothing: taken away",
        "",
        "promotions grants ends",
    ] == lines[5:11]
    assert lines[11].startswith("support phone 2030-06-01 00:00 UTC (in ")

    quotad("customers", "remove-override", "acme", "sso", "--resource", "ws-1")
    quotad("customers", "remove-override", "acme", "api-calls")
    shown = quotad("customers", "revoke", "acme", "support")

    assert 5 == len(words(shown))
    assert not server.admin.customers["acme"].overrides
    assert not server.admin.customers["acme"].promotions


@pytest.mark.usefixtures("utc")
def test_customer_shows_its_phases_in_order_and_each_subscription_apart(
    quotad: Run, server: FakeServer
) -> None:
    trial = ("--start", "2026-01-31T09:00:00Z", "--trial-end", END, "--convert-to", "team")
    quotad("customers", "set", "acme", "--plan", "pro", "--addon", "seats=3", *trial)
    quotad("customers", "set", "acme", "--plan", "free", "--resource", "ws-1", "--end", END)
    quotad(
        *("customers", "set", "acme", "--plan", "base", "--subscription", "s-1"),
        *("--anchor", "2026-01-01T00:00:00Z"),
    )
    server.admin.customers["acme"].subscriptions[0].revision = 4

    lines = [line.partition(" (in ")[0] for line in words(quotad("customers", "get", "acme"))]

    assert [
        "plan pro (revision 4) on trial since 2026-01-31 09:00 UTC",
        "add-ons: seats x 3",
        "then team from 2030-06-01 00:00 UTC",
        "add-ons: seats x 3",
    ] == [line.partition(" (29")[0].partition(" (3")[0] for line in lines[1:5]]
    assert "subscription s-1" in lines
    after = lines.index("subscription s-1")
    assert lines[after + 1].startswith("plan base since 2026-05-01 12:30 UTC")
    assert lines[after + 2].startswith("billing periods as from 2026-01-01 00:00 UTC")
    assert "resource ws-1" in lines
    assert "until 2030-06-01 00:00 UTC" == lines[lines.index("resource ws-1") + 2]

    server.admin.customers["acme"].subscriptions[0].ClearField("anchor")

    assert "billing periods of the calendar" in words(quotad("customers", "get", "acme"))


def test_customer_with_a_subscription_of_a_resource_only_has_no_plan_of_its_own(
    quotad: Run,
) -> None:
    quotad("customers", "set", "acme", "--plan", "pro", "--resource", "ws-1")

    lines = words(quotad("customers", "get", "acme"))

    assert not any(line.startswith("plan") for line in lines[: lines.index("resource ws-1")])


@pytest.mark.usefixtures("utc")
def test_list_shows_the_plans_in_force(quotad: Run) -> None:
    quotad("customers", "set", "a", "--plan", "pro", "--trial-end", END, "--convert-to", "team")
    quotad("customers", "set", "a", "--plan", "free", "--resource", "ws-1")
    quotad("customers", "set", "b", "--plan", "pro")
    quotad("customers", "cancel", "b")

    a, b = words(quotad("customers", "list"))[1:]

    assert a.startswith("a active pro (trial), free (ws-1) 2026-05-01 12:30 UTC")
    assert b.startswith("b active pro (ended) 2026-05-01 12:30 UTC")


def test_list_shows_only_some_of_many_plans(quotad: Run) -> None:
    for number in range(5):
        quotad("customers", "set", "a", "--plan", "pro", "--resource", f"w{number}")

    assert "pro (w0), pro (w1), pro (w2) and 2 more " in words(quotad("customers", "list"))[1]


@pytest.mark.parametrize(
    ("args", "line"),
    [
        ("set acme --plan p --then end", "--then: follows a trial; say --trial-end too"),
        ("set acme --plan p --convert-to x", "--convert-to: follows a trial; say --trial-end too"),
        (
            f"set acme --plan p --trial-end {END} --then end --convert-to x",
            "--convert-to: a trial with --then end converts to nothing",
        ),
        (
            "set acme --plan p --end soon",
            "--end: not a time: 'soon' (like 2026-01-31T09:00:00Z)",
        ),
        ("set acme --plan p --addon x=", "--addon: must be NAME or NAME=N, not 'x='"),
        ("set acme --plan p --addon x=-1", "--addon: must be NAME or NAME=N, not 'x=-1'"),
        ("set acme --plan p --addon =1", "--addon: must be NAME or NAME=N, not '=1'"),
        ("set acme --plan p --addon x --addon x", "--addon: 'x' is given twice; say x=N"),
        ("change acme", "say what changes: --plan, --addon, --no-addons, --units or --latest"),
        ("change acme --no-addons --addon x", "--no-addons: contradicts --addon"),
        ("promote acme f true --end soon", "--end: not a time: 'soon' (like 2026-01-31T09:00:00Z)"),
        ("override acme f {limit", None),
        ("override acme f a:\n-b", None),
    ],
)
def test_what_cannot_be_meant_is_refused_in_one_line_before_anything_is_sent(
    quotad: Run, server: FakeServer, args: str, line: str | None
) -> None:
    result = quotad("customers", *args.split(" "))
    as_json = quotad("customers", *args.split(" "), "--json")

    assert [2, 2] == [result.exit_code, as_json.exit_code]
    assert 1 == result.stderr.count("\n")
    assert line is None or f"quotad: {line}\n" == result.stderr
    assert line is None or line == json.loads(as_json.stderr)["error"]["message"]
    assert [] == server.admin.requests


def test_twice_the_same_key_in_a_value_is_refused(quotad: Run) -> None:
    result = quotad("customers", "override", "acme", "f", "{limit: 1, limit: 2}")

    assert "quotad: VALUE: limit: is defined twice, on line 1 and 1\n" == result.stderr


@pytest.mark.usefixtures("acme", "utc")
def test_json_of_a_customer_has_the_names_of_the_api(quotad: Run) -> None:
    quotad("customers", "promote", "acme", "f", "{limit: 1}", "--end", END)
    shown: dict[str, Any] = json.loads(quotad("customers", "get", "acme", "--json").stdout)

    assert set(shown) == set(pb.Customer.DESCRIPTOR.fields_by_name)
    assert set(shown["subscriptions"][0]) == set(pb.Subscription.DESCRIPTOR.fields_by_name)
    assert [
        {
            "feature_id": "f",
            "resource_id": "",
            "entitlement": {"limit": 1},
            "end": END,
            "start": None,
        }
    ] == shown["promotions"]


def test_a_phase_that_is_over_is_not_shown_as_the_one_in_force(
    quotad: Run, server: FakeServer, acme: str
) -> None:
    phases = server.admin.customers[acme].subscriptions
    now, old = phases[0], pb.Subscription(plan_id="trial", status=pb.SUBSCRIPTION_STATUS_ENDED)
    old.start.FromDatetime(datetime(2020, 1, 1, tzinfo=UTC))
    old.anchor.CopyFrom(old.start)
    old.end.CopyFrom(now.start)
    now = pb.Subscription.FromString(now.SerializeToString())
    del phases[:]
    phases.extend([old, now])

    shown, listed = quotad("customers", "get", acme), quotad("customers", "list")

    assert words(shown)[1].startswith("was trial since 2020-01-01 00:00 UTC")
    assert words(shown)[2].startswith("plan pro since 2026-")
    assert " pro 2026-" in words(listed)[1]


@pytest.mark.parametrize(
    "command",
    [
        ("set", "acme", "--plan", "pro"),
        ("set", "acme", "--name", "Acme"),
        ("change", "acme", "--latest"),
        ("override", "acme", "calls", "5"),
        ("remove-override", "acme", "calls"),
        ("promote", "acme", "calls", "5"),
        ("revoke", "acme", "calls"),
        ("cancel", "acme"),
        ("archive", "acme"),
    ],
)
def test_every_write_of_a_customer_takes_a_comment(
    quotad: Run, server: FakeServer, acme: str, command: tuple[str, ...]
) -> None:
    quotad("customers", *command, "--comment", "as agreed")

    assert "as agreed" == server.admin.requests[-1].comment
