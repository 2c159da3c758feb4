"""SetUsage, and refunds with a reason, over every front, with clients and command line."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from typer.testing import CliRunner

from quotad.client import AsyncClient, Client, QuotaInvalid
from quotad.client.admin import AdminClient
from quotad.v1 import quota_pb2 as pb
from tests.running import CALL_S, Running, refusal
from tests.service.either import Either

CATALOG = """
version: 1
default_plan: free
features:
  tokens: {type: metered}
  calls: {type: metered}
plans:
  free:
    entitlements:
      tokens: {limit: 500, per: year}
      calls: {limits: [{limit: 5, per: day}, {limit: 50, per: year}]}
"""


@pytest.fixture(params=[Client, AsyncClient], ids=["blocking", "asyncio"])
async def client(request: pytest.FixtureRequest, served: Running) -> AsyncIterator[Either]:
    served.publish_and_wait(CATALOG)
    either = Either(request.param, served.server.address)
    yield either
    await either.close()


async def test_usage_is_set_and_refunded_with_a_reason(
    client: Either, served: Running, customer: str
) -> None:
    await client("consume", customer, "tokens", 100, idempotency_key="job")
    await client("consume_all", customer, {"tokens": 7, "calls": 1}, idempotency_key="all")
    before = await client("refund", customer, "tokens", 1)  # without a reason it is not kept
    one = await client("refund", customer, "tokens", taken_under="job", reason="bug", actor="ann")
    both = await client("refund_all", customer, "all", reason="outage")
    was = await client(
        "set_usage", customer, "tokens", 40, reason="recounted", actor="bob", idempotency_key="k"
    )
    again = await client(
        "set_usage", customer, "tokens", 40, reason="recounted", actor="bob", idempotency_key="k"
    )
    year = await client("set_usage", customer, "calls", 9, per="year", idempotency_key="y")

    assert (-1, -100, 40, 40) == (before.granted, one.granted, was.granted, was.used)
    assert (40, True) == (again.granted, again.replayed)
    assert (9, 41) == (year.used, year.remaining)
    with AdminClient(served.server.address) as admin:
        kept = admin.corrections(customer)
        assert [] == list(admin.corrections(f"{customer}-other"))
    assert [
        ("set", "calls", 9, "", "", "y"),
        ("set", "tokens", 40, "recounted", "bob", "k"),
        ("refund", "", -6 - 1, "outage", "", "all"),
        ("refund", "tokens", -100, "bug", "ann", "job"),
    ] == [
        (each.verb, each.feature_id, each.change, each.reason, each.actor, each.key)
        for each in kept
    ]
    assert both.allowed


async def test_a_limit_of_several_has_to_be_named(client: Either, customer: str) -> None:
    with pytest.raises(QuotaInvalid, match="per: 'calls' has several limits; name one: day, year"):
        await client("set_usage", customer, "calls", 9)
    with pytest.raises(QuotaInvalid, match="used: 18446744073709551616 is out of range"):
        await client("set_usage", customer, "calls", 2**64)


def setting(**fields: Any) -> pb.SetUsageRequest:
    known: dict[str, Any] = {"customer_id": "a", "feature_id": "tokens", "used": 1}
    return pb.SetUsageRequest(**(known | fields))


@pytest.mark.parametrize(
    ("message", "field"),
    [
        (setting(customer_id=""), "customer_id"),
        (setting(feature_id=""), "feature_id"),
        (setting(used=None), "used"),
        (setting(used=-1), "used"),
        (setting(used=10**15 + 1), "used"),
        (setting(resource_id="\n"), "resource_id"),
        (setting(per="\n"), "per"),
        (setting(idempotency_key="k" * 257), "idempotency_key"),
        (setting(reason="x" * 257), "reason"),
        (setting(actor="\n"), "actor"),
    ],
)
def test_a_bad_field_is_refused_by_name(
    served: Running, message: pb.SetUsageRequest, field: str
) -> None:
    refused = refusal(lambda: served.quota.SetUsage(message, timeout=CALL_S))

    assert ("INVALID_ARGUMENT", "INVALID_REQUEST") == (refused.code.name, refused.reason)
    assert refused.message.startswith(f"{field}: ")


def test_a_reason_that_is_too_long_takes_nothing_back(served: Running, customer: str) -> None:
    served.publish_and_wait(CATALOG)
    served.consume(customer, "tokens", quantity=5)
    message = pb.RefundRequest(
        customer_id=customer, feature_id="tokens", quantity=5, reason="x" * 257
    )

    refused = refusal(lambda: served.quota.Refund(message, timeout=CALL_S))

    assert refused.message.startswith("reason: ")
    assert 5 == served.consume(customer, "tokens", quantity=0).used


def test_the_command_line_sets_usage_and_lists_corrections(served: Running, customer: str) -> None:
    from quotad.cli.app import app

    served.publish_and_wait(CATALOG)

    def run(*words: str) -> tuple[int, str]:
        environment = {"QUOTAD_SERVER": served.server.address, "COLUMNS": "200"}
        result = CliRunner().invoke(app, list(words), env=environment)
        return result.exit_code, " ".join(result.output.split())

    assert f"nothing of {customer} was corrected" == run("usage", "corrections", customer)[1]
    why = ("--reason", "counted twice", "--actor", "ann")
    code, printed = run("usage", "set", customer, "tokens", "30", *why)
    assert (0, True) == (code, "took 30" in printed)
    assert 2 == run("usage", "set", customer, "calls", "30")[0]
    code, printed = run("refund", customer, "tokens", "10", "--reason", "sorry")
    assert (0, True) == (code, "gave back 10" in printed)
    listed = run("usage", "corrections", customer)[1]
    assert "refund tokens -10 local sorry" in listed
    assert "set tokens +30 ann counted twice" in listed
    kept = json.loads(run("usage", "corrections", customer, "--json")[1])["corrections"]
    assert [-10, 30] == [each["change"] for each in kept]
