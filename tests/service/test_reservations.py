"""Reserve, Commit, Release, Extend over every front, with both clients and the command line."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration
from typer.testing import CliRunner

from quotad.cli.app import app
from quotad.client import AsyncClient, Client, Item, QuotaInvalid, QuotaServerError
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
  free: {entitlements: {tokens: {limit: 500, per: year}, calls: {limit: 2, per: year}}}
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


async def test_several_features_are_held_and_settled_together(
    client: Either, customer: str
) -> None:
    items = {"calls": 1, "tokens": 400}
    held = await client("reserve_all", customer, items, reservation_id="mine")
    again = await client("reserve_all", customer, items, reservation_id="mine")
    denied = await client("reserve_all", customer, {"calls": 1, "tokens": 101})
    used = await client("commit_all", customer, "mine", {"tokens": 350})

    assert (True, ("calls", "tokens"), [1, 400]) == (
        held.allowed,
        held.decision.features,
        [item.granted for item in held.decision.items],
    )
    assert (True, held.expires_at) == (again.decision.replayed, again.expires_at)
    assert (False, 1, None) == (denied.allowed, denied.decision.stopped_by, denied.expires_at)
    assert [(0, 1), (-50, 350)] == [(item.granted, item.used) for item in used.items]
    assert (True, None, ("calls", "tokens")) == (used.allowed, used.stopped_by, used.features)


async def test_several_features_are_released_together(client: Either, customer: str) -> None:
    items = [Item("calls", 1), Item("tokens", 400)]
    for hold_id, method in (("a", "release"), ("b", "release_all")):
        held = await client("reserve_all", customer, items, reservation_id=hold_id)
        back = await client(method, customer, hold_id)
        assert (True, True) == (held.allowed, back.allowed)

    assert [-1, -400] == [item.granted for item in back.items]


async def test_one_feature_in_items_is_a_reservation_of_one(client: Either, customer: str) -> None:
    held = await client("reserve_all", customer, {"tokens": 400}, reservation_id="mine")
    same = await client("reserve", customer, "tokens", 400, reservation_id="mine")
    used = await client("commit_all", customer, "mine", {"tokens": 350})

    assert (True, [400], True) == (
        held.allowed,
        [item.granted for item in held.decision.items],
        same.decision.replayed,
    )
    assert [-50] == [item.granted for item in used.items]


async def test_a_commit_of_several_features_names_what_is_wrong(
    client: Either, customer: str
) -> None:
    await client("reserve_all", customer, {"calls": 1, "tokens": 400}, reservation_id="mine")

    for wrong, match in (
        (("commit", customer, "mine", 7), "quantity: the reservation holds several features"),
        (
            ("commit_all", customer, "mine", {"tokens": 1, "images": 1}),
            r"items\[1\].feature_id: the reservation holds no 'images'",
        ),
        (("reserve_all", customer, {}), "items: 0 of them; must be 1 to 16"),
    ):
        method, *words = wrong
        with pytest.raises(QuotaInvalid, match=match):
            await client(method, *words)
    assert (await client("commit", customer, "mine")).allowed


async def test_what_was_not_reserved_is_not_found(client: Either, customer: str) -> None:
    for method in ("commit", "release", "extend"):
        with pytest.raises(QuotaServerError, match="reservation_id: 'nope' is not known") as wrong:
            await client(method, customer, "nope")
        assert "NOT_FOUND" == wrong.value.code
    with pytest.raises(QuotaInvalid, match="ttl: must be from 1 second to 24 hours"):
        await client("reserve", customer, "tokens", ttl=0.5)
    for seconds in (float("nan"), 1e300):
        with pytest.raises(QuotaInvalid, match=r"ttl: \S+ is not a number of seconds"):
            await client("reserve", customer, "tokens", ttl=seconds)
        with pytest.raises(QuotaInvalid, match=r"ttl: \S+ is not a number of seconds"):
            await client("extend", customer, "nope", seconds)


def several(*items: pb.ConsumeItem, **fields: Any) -> pb.ReserveRequest:
    return pb.ReserveRequest(customer_id="a", reservation_id="r", items=items, **fields)


def used(*items: pb.CommitItem, **fields: Any) -> pb.CommitRequest:
    return pb.CommitRequest(customer_id="a", reservation_id="r", items=items, **fields)


TOKENS = pb.ConsumeItem(feature_id="tokens")

BAD: list[tuple[str, Any, str]] = [
    ("Reserve", several(TOKENS, feature_id="tokens"), "feature_id"),
    ("Reserve", several(TOKENS, quantity=1), "quantity"),
    ("Reserve", several(TOKENS, resource_id="w"), "resource_id"),
    ("Reserve", several(TOKENS, TOKENS), "items[1].feature_id"),
    ("Reserve", several(*(pb.ConsumeItem(feature_id=f"f{n}") for n in range(17))), "items"),
    ("Reserve", several(pb.ConsumeItem(feature_id="x", quantity=0)), "items[0].quantity"),
    ("Reserve", several(TOKENS, pb.ConsumeItem()), "items[1].feature_id"),
    (
        "Reserve",
        several(pb.ConsumeItem(feature_id="x", requested_values=["y"])),
        "items[0].requested_values",
    ),
    ("Commit", used(pb.CommitItem(feature_id="tokens"), quantity=1), "quantity"),
    ("Commit", used(pb.CommitItem(feature_id="tokens", quantity=-1)), "items[0].quantity"),
    ("Commit", used(pb.CommitItem(quantity=1)), "items[0].feature_id"),
    ("Commit", used(*[pb.CommitItem(feature_id="tokens")] * 2), "items[1].feature_id"),
    ("Commit", used(*(pb.CommitItem(feature_id=f"f{n}") for n in range(17))), "items"),
    ("Commit", used(pb.CommitItem(feature_id="x", resource_id="\n")), "items[0].resource_id"),
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


def test_a_mistyped_feature_is_denied_with_the_one_that_is_meant(
    served: Running, customer: str
) -> None:
    served.publish_and_wait(CATALOG)
    for words in (
        ("consume", customer, "tokns"),
        ("check", customer, "Tokens"),
        ("explain", customer, "tokns"),
        ("consume-all", customer, "tokens", "tokns=2"),
        ("reserve", customer, "tokns"),
        ("record", customer, "tokns"),
        ("refund", customer, "tokns", "1"),
    ):
        result = CliRunner().invoke(app, [*words, "--server", served.server.address])
        assert 1 == result.exit_code
        assert "(FEATURE_NOT_FOUND); did you mean 'tokens'?" in " ".join(result.stdout.split())
    far = CliRunner().invoke(app, ["consume", customer, "zzz", "--server", served.server.address])
    assert "did you mean" not in far.stdout


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


def test_the_command_line_holds_and_settles_several_features(
    served: Running, customer: str
) -> None:
    from quotad.cli.app import app

    served.publish_and_wait(CATALOG)

    def run(*words: str) -> tuple[int, str]:
        environment = {"QUOTAD_SERVER": served.server.address, "COLUMNS": "200"}
        result = CliRunner().invoke(app, list(words), env=environment)
        return result.exit_code, " ".join(result.output.split())

    code, printed = run("reserve", customer, "calls", "tokens", "400", "--id", "job")
    assert (0, True) == (code, "reservation job" in printed)
    assert "calls 1 1 1 WITHIN_LIMIT tokens 400 400 100 WITHIN_LIMIT" in printed
    assert 1 == run("reserve", customer, "calls=1", "tokens=101")[0]
    code, printed = run("commit", customer, "job", "tokens=350")
    assert (0, True) == (code, "tokens -50 350 150 WITHIN_LIMIT" in printed)
    assert 0 == run("reserve", customer, "calls", "1", "tokens", "100", "--id", "more")[0]
    code, printed = run("release", customer, "more", "--json")
    assert (0, True) == (code, '"features": [ "calls", "tokens" ]' in printed)
