"""AcquireSlot, Heartbeat, ReleaseSlot, ListSlots over every front, with clients and commands."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration
from typer.testing import CliRunner

from quotad.client import AsyncClient, Client, Item, QuotaInvalid, QuotaServerError
from quotad.v1 import quota_pb2 as pb
from tests.running import CALL_S, Running, refusal
from tests.service.either import Either

CATALOG = """
version: 1
default_plan: free
features:
  exports: {type: metered, kind: concurrency, unit: export}
  calls: {type: metered}
plans:
  free: {entitlements: {exports: {limit: 2}, calls: {limit: 10, per: year}}}
"""


@pytest.fixture(params=[Client, AsyncClient], ids=["blocking", "asyncio"])
async def client(request: pytest.FixtureRequest, served: Running) -> AsyncIterator[Either]:
    served.publish_and_wait(CATALOG)
    either = Either(request.param, served.server.address)
    yield either
    await either.close()


async def test_a_slot_is_acquired_extended_listed_and_released(
    client: Either, customer: str
) -> None:
    before = datetime.now(UTC)

    acquired = await client("acquire_slot", customer, "exports", 2, ttl=30.0)
    again = await client("acquire_slot", customer, "exports", 2, slot_id=acquired.slot_id, ttl=30.0)
    full = await client("acquire_slot", customer, "exports")
    later = await client("heartbeat", customer, acquired.slot_id, 3600.0)
    (listed,) = await client("list_slots", customer, "exports")
    released = [await client("release_slot", customer, acquired.slot_id) for _ in range(2)]

    assert (True, 2, 2, 0) == (
        acquired.allowed,
        acquired.slot.granted,
        acquired.slot.used,
        acquired.slot.remaining,
    )
    assert timedelta(seconds=25) < acquired.expires_at - before < timedelta(seconds=60)
    assert (True, acquired.expires_at) == (again.decision.replayed, again.expires_at)
    assert (False, "LIMIT_EXCEEDED", None) == (
        full.allowed,
        full.decision.reason.name,
        full.expires_at,
    )
    assert timedelta(seconds=20) < full.decision.retry_after < timedelta(seconds=40)
    assert later > acquired.expires_at + timedelta(seconds=3000)
    assert (acquired.slot_id, 2, later) == (listed.slot_id, listed.quantity, listed.expires_at)
    assert [True, False] == released
    assert [] == list(await client("list_slots", customer, "exports"))


async def test_what_comes_with_a_slot_is_counted_with_it_or_not_at_all(
    client: Either, customer: str
) -> None:
    first = await client("acquire_slot", customer, "exports", also={"calls": 4})
    denied = await client("acquire_slot", customer, "exports", also=[Item("calls", 7)])
    await client("acquire_slot", customer, "exports")
    full = await client("acquire_slot", customer, "exports", also={"calls": 1})

    assert [1, 4] == [item.used for item in first.decision.items]
    assert (False, 1, [1, 4]) == (
        denied.allowed,
        denied.decision.stopped_by,
        [item.used for item in denied.decision.items],
    )
    assert (False, 0, [2, 4]) == (
        full.allowed,
        full.decision.stopped_by,
        [item.used for item in full.decision.items],
    )


async def test_slots_are_shown_in_entitlements_and_checks(client: Either, customer: str) -> None:
    await client("acquire_slot", customer, "exports")

    entitlement = await client("entitlement", customer, "exports")
    every = await client("entitlements", customer)
    check = await client("check", customer, "exports", 2)

    assert (True, 1, 1, 2) == (
        entitlement.concurrency,
        entitlement.used,
        entitlement.remaining,
        entitlement.limit,
    )
    assert [entitlement] == [one for one in every.entitlements if one.feature_id == "exports"]
    assert (False, 1, 1) == (check.allowed, check.used, check.remaining)
    assert check.retry_after > timedelta(0)


async def test_what_is_no_slot_is_refused_by_what_it_is(client: Either, customer: str) -> None:
    for method in ("heartbeat", "release_slot"):
        with pytest.raises(QuotaServerError, match="slot_id: 'nope' is not known") as wrong:
            await client(method, customer, "nope")
        assert "NOT_FOUND" == wrong.value.code
    await client("acquire_slot", customer, "exports", slot_id="mine")
    with pytest.raises(QuotaInvalid, match="slot_id: 'mine' was used before") as other:
        await client("acquire_slot", customer, "exports", 2, slot_id="mine")
    assert "IDEMPOTENCY_MISMATCH" == other.value.reason
    await client("release_slot", customer, "mine")
    with pytest.raises(QuotaServerError, match="'mine' is not held any more") as ended:
        await client("heartbeat", customer, "mine")
    with pytest.raises(QuotaServerError, match="'mine' is not held any more"):
        await client("acquire_slot", customer, "exports", slot_id="mine")
    assert ("FAILED_PRECONDITION", "NOT_OPEN") == (ended.value.code, ended.value.reason)


SLOT: dict[str, Any] = {"customer_id": "a", "feature_id": "exports", "slot_id": "s"}
BAD: list[tuple[str, Any, str]] = [
    ("AcquireSlot", pb.AcquireSlotRequest(**SLOT | {"customer_id": ""}), "customer_id"),
    ("AcquireSlot", pb.AcquireSlotRequest(**SLOT | {"feature_id": ""}), "feature_id"),
    ("AcquireSlot", pb.AcquireSlotRequest(**SLOT | {"slot_id": ""}), "slot_id"),
    ("AcquireSlot", pb.AcquireSlotRequest(**SLOT, quantity=0), "quantity"),
    ("AcquireSlot", pb.AcquireSlotRequest(**SLOT, resource_id="\n"), "resource_id"),
    ("AcquireSlot", pb.AcquireSlotRequest(**SLOT, ttl=Duration(nanos=999_000_000)), "ttl"),
    ("AcquireSlot", pb.AcquireSlotRequest(**SLOT, ttl=Duration(seconds=86_401)), "ttl"),
    ("AcquireSlot", pb.AcquireSlotRequest(**SLOT, idempotency_ttl=Duration()), "idempotency_ttl"),
    (
        "AcquireSlot",
        pb.AcquireSlotRequest(**SLOT, also=[pb.ConsumeItem(feature_id=f"f{i}") for i in range(16)]),
        "also",
    ),
    (
        "AcquireSlot",
        pb.AcquireSlotRequest(**SLOT, also=[pb.ConsumeItem(feature_id="calls")] * 2),
        "also[1].feature_id",
    ),
    (
        "AcquireSlot",
        pb.AcquireSlotRequest(**SLOT, also=[pb.ConsumeItem(feature_id="exports")]),
        "also[0].feature_id",
    ),
    (
        "AcquireSlot",
        pb.AcquireSlotRequest(**SLOT, also=[pb.ConsumeItem(feature_id="calls", quantity=-1)]),
        "also[0].quantity",
    ),
    ("AcquireSlot", pb.AcquireSlotRequest(**SLOT | {"feature_id": "calls"}), "feature_id"),
    ("Heartbeat", pb.HeartbeatRequest(customer_id="a"), "slot_id"),
    (
        "Heartbeat",
        pb.HeartbeatRequest(**{"customer_id": "a", "slot_id": "s"}, ttl=Duration()),
        "ttl",
    ),
    ("ReleaseSlot", pb.ReleaseSlotRequest(slot_id="s"), "customer_id"),
    ("ListSlots", pb.ListSlotsRequest(customer_id="a"), "feature_id"),
    ("ListSlots", pb.ListSlotsRequest(customer_id="a", feature_id="calls"), "feature_id"),
]


@pytest.mark.parametrize(("method", "request_", "field"), BAD)
def test_a_bad_field_is_refused_by_name(
    served: Running, method: str, request_: Any, field: str
) -> None:
    served.publish_and_wait(CATALOG)
    refused = refusal(lambda: getattr(served.quota, method)(request_, timeout=CALL_S))

    assert ("INVALID_ARGUMENT", "INVALID_REQUEST") == (refused.code.name, refused.reason)
    assert refused.message.startswith(f"{field}: ")


def test_slots_of_an_unknown_feature_are_not_found(served: Running, customer: str) -> None:
    served.publish_and_wait(CATALOG)
    wanted = pb.ListSlotsRequest(customer_id=customer, feature_id="export")

    refused = refusal(lambda: served.quota.ListSlots(wanted, timeout=CALL_S))

    assert ("NOT_FOUND", "feature_id: unknown feature 'export'") == (
        refused.code.name,
        refused.message,
    )


def test_the_command_line_holds_slots(served: Running, customer: str) -> None:
    from quotad.cli.app import app

    served.publish_and_wait(CATALOG)

    def run(*words: str) -> tuple[int, str]:
        environment = {"QUOTAD_SERVER": served.server.address, "COLUMNS": "200"}
        result = CliRunner().invoke(app, ["slot", *words], env=environment)
        return result.exit_code, " ".join(result.output.split())

    code, printed = run("acquire", customer, "exports", "--id", "job", "--ttl", "30")
    assert (0, True) == (code, "slot job" in printed)
    code, printed = run("acquire", customer, "exports", "--id", "two", "--also", "calls=3")
    assert (0, True) == (code, "calls 3 3 7 WITHIN_LIMIT" in printed)
    assert "job 1 20" in run("list", customer, "exports")[1]
    code, printed = run("acquire", customer, "exports")
    assert (1, True) == (code, "retry" in printed)
    assert 1 == run("acquire", customer, "exports", "--also", "calls", "--json")[0]
    assert run("heartbeat", customer, "job")[1].startswith("ends ")
    assert "released" == run("release", customer, "job")[1]
    assert "was not held any more" == run("release", customer, "job")[1]
    assert 2 == run("heartbeat", customer, "job")[0]
    assert '{ "released": true }' == run("release", customer, "two", "--json")[1]
    assert f"{customer} holds no slot of exports" == run("list", customer, "exports")[1]
