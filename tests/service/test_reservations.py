"""Reserve, Commit, Release, Extend over every front, with both clients and the command line."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration
from typer.testing import CliRunner

from quotad.client import AsyncClient, Client, QuotaInvalid, QuotaServerError
from quotad.v1 import quota_pb2 as pb
from tests.running import CALL_S, Running, refusal
from tests.service.either import Either

CATALOG = """
version: 1
default_plan: free
features:
  tokens: {type: metered}
plans:
  free: {entitlements: {tokens: {limit: 500, per: year}}}
"""


@pytest.fixture(params=[Client, AsyncClient], ids=["blocking", "asyncio"])
async def client(request: pytest.FixtureRequest, served: Running) -> AsyncIterator[Either]:
    served.publish_and_wait(CATALOG)
    either = Either(request.param, served.server.address)
    yield either
    await either.close()


async def test_a_reservation_is_committed_by_what_was_used(client: Either, customer: str) -> None:
    before = datetime.now(UTC)

    held = await client("reserve", customer, "tokens", 400, ttl=30.0)
    used = await client("commit", customer, held.reservation_id, 350)

    assert (True, 400) == (held.allowed, held.decision.used)
    assert timedelta(seconds=25) < held.expires_at - before < timedelta(seconds=60)
    assert (-50, 350) == (used.granted, used.used)


async def test_a_reservation_is_released_extended_and_repeated(
    client: Either, customer: str
) -> None:
    held = await client("reserve", customer, "tokens", 400, reservation_id="mine")
    again = await client("reserve", customer, "tokens", 400, reservation_id="mine")
    later = await client("extend", customer, "mine", 3600.0)
    back = await client("release", customer, "mine")

    assert ("mine", "mine", True) == (
        held.reservation_id,
        again.reservation_id,
        again.decision.replayed,
    )
    assert later > held.expires_at + timedelta(seconds=3000)
    assert (-400, 0) == (back.granted, back.used)
    with pytest.raises(QuotaServerError, match="'mine' is not open any more") as closed:
        await client("commit", customer, "mine", 350)
    assert ("FAILED_PRECONDITION", "NOT_OPEN") == (closed.value.code, closed.value.reason)
    with pytest.raises(QuotaServerError, match="'mine' is not open any more"):
        await client("extend", customer, "mine")


async def test_what_is_held_is_told_apart(client: Either, customer: str) -> None:
    await client("consume", customer, "tokens", 100)
    await client("reserve", customer, "tokens", 150)

    told = [
        await client("entitlement", customer, "tokens"),
        (await client("entitlements", customer)).entitlements[0],
        await client("check", customer, "tokens", explain=True),
    ]

    for each in told:
        assert (100, 150, 0, 250) == (each.used, each.reserved, each.leased, each.remaining)
        (limit,) = each.limits
        assert (100, 150, 0, 250) == (limit.used, limit.reserved, limit.leased, limit.remaining)
    assert 250 == (await client("check", customer, "tokens")).used


async def test_a_denied_reservation_is_an_answer(client: Either, customer: str) -> None:
    held = await client("reserve", customer, "tokens", 501)

    assert (False, None, "LIMIT_EXCEEDED") == (
        held.allowed,
        held.expires_at,
        held.decision.reason.name,
    )


async def test_what_was_not_reserved_is_not_found(client: Either, customer: str) -> None:
    for method in ("commit", "release", "extend"):
        with pytest.raises(QuotaServerError, match="reservation_id: 'nope' is not known") as wrong:
            await client(method, customer, "nope")
        assert "NOT_FOUND" == wrong.value.code
    with pytest.raises(QuotaInvalid, match="ttl: must be from 1 second to 24 hours"):
        await client("reserve", customer, "tokens", ttl=0.5)


BAD: list[tuple[str, Any, str]] = [
    ("Reserve", pb.ReserveRequest(customer_id="a", reservation_id="r"), "feature_id"),
    ("Reserve", pb.ReserveRequest(customer_id="a", feature_id="tokens"), "reservation_id"),
    ("Reserve", pb.ReserveRequest(feature_id="tokens", reservation_id="r"), "customer_id"),
    (
        "Reserve",
        pb.ReserveRequest(customer_id="a", feature_id="tokens", reservation_id="r", quantity=0),
        "quantity",
    ),
    (
        "Reserve",
        pb.ReserveRequest(
            customer_id="a", feature_id="tokens", reservation_id="r", resource_id="\n"
        ),
        "resource_id",
    ),
    ("Commit", pb.CommitRequest(customer_id="a", reservation_id="r", quantity=-1), "quantity"),
    ("Commit", pb.CommitRequest(customer_id="a"), "reservation_id"),
    ("Release", pb.ReleaseRequest(reservation_id="r"), "customer_id"),
    (
        "Extend",
        pb.ExtendRequest(customer_id="a", reservation_id="r", ttl=Duration(seconds=86_401)),
        "ttl",
    ),
]


@pytest.mark.parametrize(("method", "request_", "field"), BAD)
def test_a_bad_field_is_refused_by_name(
    served: Running, method: str, request_: Any, field: str
) -> None:
    refused = refusal(lambda: getattr(served.quota, method)(request_, timeout=CALL_S))

    assert ("INVALID_ARGUMENT", "INVALID_REQUEST") == (refused.code.name, refused.reason)
    assert refused.message.startswith(f"{field}: ")


def test_the_command_line_holds_and_settles(served: Running, customer: str) -> None:
    from quotad.cli.app import app

    served.publish_and_wait(CATALOG)

    def run(*words: str) -> tuple[int, str]:
        environment = {"QUOTAD_SERVER": served.server.address, "COLUMNS": "200"}
        result = CliRunner().invoke(app, list(words), env=environment)
        return result.exit_code, " ".join(result.output.split())

    code, printed = run("reserve", customer, "tokens", "400", "--id", "job", "--ttl", "30")
    assert 0 == code
    assert "reservation job" in printed
    assert "took 400" in printed
    assert 1 == run("reserve", customer, "tokens", "400")[0]
    assert run("extend", customer, "job")[1].startswith("ends ")
    assert "reserved remaining" in run("entitlements", customer)[1]
    assert "used 0 reserved 400 remaining 100" in run("explain", customer, "tokens")[1]
    code, printed = run("commit", customer, "job", "350")
    assert (0, True) == (code, "gave back 50" in printed)
    assert 2 == run("release", customer, "job")[0]
    assert (
        '"reservation_id": "other"'
        in run("reserve", customer, "tokens", "--id", "other", "--json")[1]
    )
