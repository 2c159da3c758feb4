"""GetUsage over both fronts, from the client and on the command line."""

import csv
import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from typer.testing import CliRunner

from quotad.cli.app import app
from quotad.client import Client, QuotaInvalid
from quotad.client.admin import AdminClient, AsyncUsageClient
from quotad.v1 import admin_pb2 as pb
from tests.running import CALL_S, Running, refusal

PLANS = """
version: 1
default_plan: free
features:
  calls: {type: metered, unit: call, usage_history: 13 months}
  credits: {type: metered, decimals: 2}
  mails: {type: metered, unit: mail, ledger: all, usage_history: 13 months}
  tokens: {type: metered, decimals: 2, ledger: true, usage_history: 13 months}
plans:
  free:
    entitlements:
      calls: {limit: 10, per: year}
      credits: {limit: 10}
      mails: {limit: 40, per: month}
      tokens: {limit: 40, per: month}
"""

YEAR = datetime.now(UTC).year


@pytest.fixture(scope="module")
def quotad(served: Running) -> Running:
    served.publish_and_wait(PLANS)
    return served


@pytest.fixture
def admin(quotad: Running) -> Iterator[AdminClient]:
    with AdminClient(quotad.server.address) as client:
        yield client


def use(quotad: Running, customer: str) -> None:
    quotad.consume(customer, "calls", quantity=7)
    quotad.consume(customer, "credits", quantity=125)


def test_usage_is_answered_with_its_period(quotad: Running, customer: str) -> None:
    use(quotad, customer)

    answer = quotad.admin.GetUsage(pb.GetUsageRequest(customer_id=customer), timeout=CALL_S)

    calls, credits = answer.usage
    assert (customer, "calls", "year", 7, "call") == (
        calls.customer_id,
        calls.feature_id,
        calls.per,
        calls.used,
        calls.unit,
    )
    assert datetime(YEAR, 1, 1, tzinfo=UTC) == calls.start.ToDatetime(tzinfo=UTC)
    assert datetime(YEAR + 1, 1, 1, tzinfo=UTC) == calls.end.ToDatetime(tzinfo=UTC)
    assert (125, 2, "") == (credits.used, credits.decimals, credits.per)
    assert not credits.HasField("start")
    assert not credits.HasField("end")


def test_the_client_goes_through_all_pages(
    quotad: Running, admin: AdminClient, customer: str
) -> None:
    names = [f"{customer}-{number}" for number in range(3)]
    for name in names:
        admin.provision(name, "free")
        use(quotad, name)

    found = list(admin.usage(feature_id="calls", month=f"{YEAR}-01"))

    mine = [each for each in found if each.customer_id.startswith(customer)]
    assert names == sorted(each.customer_id for each in mine)
    assert {7} == {each.used for each in mine}
    assert {datetime(YEAR, 1, 1, tzinfo=UTC)} == {each.start for each in mine}


async def test_usage_is_read_in_pages_by_threads_and_by_tasks(
    quotad: Running, admin: AdminClient, customer: str
) -> None:
    names = sorted(f"{customer}-{number}" for number in range(3))
    for name in names:
        admin.provision(name, "free")
        use(quotad, name)
    address = quotad.server.address
    asked: dict[str, Any] = {"feature_id": "calls", "month": f"{YEAR}-01", "size": 1}

    async with AsyncUsageClient(address) as client:
        assert f"AsyncUsageClient({address!r})" == repr(client)
        pages, token = [], ""
        while True:
            page = await client.usage_page(**asked, token=token)
            assert page == admin.usage_page(**asked, token=token)
            pages.append(page)
            if not (token := page.next_token):
                break
        every = [each async for each in client.usage(feature_id="calls", month=f"{YEAR}-01")]
        one = [each async for each in client.usage(names[0], feature_id="calls")]
        with pytest.raises(QuotaInvalid, match="month: 'May'"):
            await client.usage_page(month="May")
        assert admin.insights("calls", 3) == await client.insights("calls", 3)

    assert 3 <= len(pages)
    assert {1} >= {len({each.customer_id for each in page.usage}) for page in pages} - {0}
    assert every == [each for page in pages for each in page.usage]
    assert set(names) <= {each.customer_id for each in every}
    assert [(names[0], 7)] == [(each.customer_id, each.used) for each in one]
    with pytest.raises(RuntimeError, match="the client is closed"):
        await client.usage_page()


def test_what_is_no_month_is_refused(quotad: Running) -> None:
    refused = refusal(lambda: quotad.admin.GetUsage(pb.GetUsageRequest(month="May")))

    assert "month: 'May' is not a month such as 2026-10" == refused.message


def test_what_was_denied_is_shown_and_exported_beside_what_was_used(
    quotad: Running, admin: AdminClient, customer: str
) -> None:
    admin.provision(customer, "free")
    use(quotad, customer)
    with Client(quotad.server.address) as client:
        assert not client.consume(customer, "calls", 1_000_000).allowed
    server = ["--server", quotad.server.address]

    (calls,) = admin.usage(customer, feature_id="calls")
    shown = CliRunner().invoke(app, ["usage", customer, *server])
    export = CliRunner().invoke(app, ["usage", "export", *server])
    (insights,) = admin.insights("calls", 100)

    assert (7, 1_000_000) == (calls.used, calls.denied)
    lines = [line.split() for line in shown.stdout.splitlines()]
    assert ["feature", "used", "denied", "unit", "from", "until"] == lines[0]
    assert ["calls", "7", "1,000,000", "call", "per", "year"] == lines[1][:6]
    (line,) = [each for each in export.stdout.splitlines() if each.startswith(f"{customer},,calls")]
    assert line.endswith(",7,call,1000000")
    (one,) = [each for each in insights.above if each.customer_id == customer]
    assert (7, 1_000_000) == (one.used, one.denied)
    assert (one.used + one.denied) * 100 // one.limit == one.demand_percent


def test_the_command_line_shows_one_customer(quotad: Running, customer: str) -> None:
    use(quotad, customer)
    server = ["--server", quotad.server.address]

    shown = CliRunner().invoke(app, ["usage", customer, *server])
    spelled_out = CliRunner().invoke(app, ["usage", "show", customer, *server])
    options_first = CliRunner().invoke(app, ["usage", *server, "--json", customer])
    nothing = CliRunner().invoke(app, ["usage", customer, "--month", "2020-01", *server])

    lines = [line.split() for line in shown.stdout.splitlines()]
    assert ["calls", "7", "call", "per", "year"] == lines[1][:5]
    assert ["credits", "1.25"] == lines[2]
    assert shown.stdout == spelled_out.stdout
    assert [7, 125] == [each["used"] for each in json.loads(options_first.stdout)["usage"]]
    assert f"{customer} has used nothing in 2020-01\n" == nothing.stdout


def test_the_command_line_exports_all_customers_as_csv(
    quotad: Running, admin: AdminClient, customer: str
) -> None:
    named = f'{customer} "Co", Ltd'
    admin.provision(named, "free")
    use(quotad, named)
    server = ["--server", quotad.server.address]

    month = CliRunner().invoke(app, ["usage", "export", "--month", f"{YEAR}-01", *server])
    now = CliRunner().invoke(app, ["usage", "export", *server])
    refused = CliRunner().invoke(app, ["usage", "export", "--month", "May", *server])

    cell = f'"{customer} ""Co"", Ltd"'
    calls = f"{cell},,calls,year,{YEAR}-01-01T00:00:00Z,{YEAR + 1}-01-01T00:00:00Z,7,call,0"
    header = "customer_id,resource_id,feature_id,per,start,end,used,unit,denied"
    assert header == month.stdout.splitlines()[0]
    assert [calls] == [line for line in month.stdout.splitlines() if line.startswith(cell)]
    assert [calls, f"{cell},,credits,,,,1.25,,0.00"] == [
        line for line in now.stdout.splitlines() if line.startswith(cell)
    ]
    assert 2 == refused.exit_code


def work(client: Client, customer: str, rng: random.Random) -> None:
    """Something that changes usage, or is denied."""
    feature, quantity = rng.choice(("mails", "tokens")), rng.randint(1, 9)
    key = f"{customer}-{rng.randint(0, 5)}-{quantity}"
    match rng.randint(0, 6):
        case 0 | 1:
            client.consume(customer, feature, quantity, idempotency_key=f"{key}-{feature}")
        case 2:
            client.consume_all(customer, {"mails": quantity, "tokens": 1, "calls": 1})
        case 3:
            earlier = datetime.now(UTC) - timedelta(days=rng.randint(0, 40))
            client.record(customer, feature, quantity, occurred_at=earlier)
        case 4:
            client.refund(customer, feature, quantity)
        case 5:
            client.set_usage(customer, feature, quantity)
        case _:
            held = client.reserve(customer, feature, quantity)
            if held.allowed and rng.random() < 0.7:
                client.commit(customer, held.reservation_id, rng.randint(0, quantity))
            elif held.allowed:
                client.release(customer, held.reservation_id)


def test_the_ledger_of_a_month_has_the_same_numbers_as_the_counters(
    quotad: Running, admin: AdminClient, customer: str
) -> None:
    now = datetime.now(UTC)
    months = [f"{now:%Y-%m}", f"{now.replace(day=1) - timedelta(days=1):%Y-%m}"]
    names = [f"{customer}-{number}" for number in range(4)]
    rng = random.Random(7)
    for name in names:
        admin.provision(name, "free")
    with Client(quotad.server.address) as client:
        for _ in range(120):
            work(client, rng.choice(names), rng)
    server = ["--server", quotad.server.address]

    for month in months:
        asked = ["usage", "export", "--month", month, *server]
        counted = csv.DictReader(CliRunner().invoke(app, asked).stdout.splitlines())
        text = CliRunner().invoke(app, [*asked, "--ledger"]).stdout.splitlines()
        lines = CliRunner().invoke(app, [*asked, "--ledger", "--json"]).stdout.splitlines()

        by_counter = {
            (each["customer_id"], each["feature_id"]): each["used"]
            for each in counted
            if each["per"] == "month" and each["customer_id"] in names and float(each["used"])
        }
        of_ledger = [each for each in csv.DictReader(text) if each["customer_id"] in names]
        by_ledger = {
            (each["customer_id"], each["feature_id"]): each["used"]
            for each in of_ledger
            if float(each["used"])
        }
        assert by_counter
        assert by_counter == by_ledger
        assert {month} == {each["month"] for each in of_ledger}
        units = {"mails": ("mail", 0), "tokens": ("", 2)}
        parsed = [json.loads(line) for line in lines]
        for one, row in zip(
            [each for each in parsed if each["customer_id"] in names], of_ledger, strict=True
        ):
            assert units[one["feature_id"]] == (one["unit"], one["decimals"])
            assert float(row["used"]) * 10 ** one["decimals"] == one["used"]
            assert row["first"] == one["first"]


def test_what_is_no_month_of_the_ledger_is_refused(quotad: Running) -> None:
    asked = ["usage", "export", "--ledger", "--server", quotad.server.address]

    for month in ("May", "2026-13", "0000-01", "9999-12"):
        refused = CliRunner().invoke(app, [*asked, "--month", month])
        assert 2 == refused.exit_code, month
        assert "month: " in refused.stderr
