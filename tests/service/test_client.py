"""Both clients against a server that fails on demand: the same facts hold for both."""

import asyncio
import socket
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import pytest

from quotad.client import (
    AsyncClient,
    Client,
    Consumption,
    Decision,
    FeatureType,
    QuotaDeadline,
    QuotaError,
    QuotaInvalid,
    QuotaServerError,
    QuotaUnavailable,
    Reason,
)
from quotad.v1 import quota_pb2
from tests.service.either import Either
from tests.service.fake_quotad import UNAVAILABLE, Fail, FakeServer


@contextmanager
def slow_door(address: str) -> Iterator[str]:
    """An address that leads to a server, but only after a third of a second."""
    opened = threading.Event()
    sockets: list[socket.socket] = []

    def pump(source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)

    def serve() -> None:
        with suppress(OSError):
            while True:
                inside, _ = door.accept()
                opened.wait(0.3)
                outside = socket.create_connection((host, int(port)))
                sockets.extend([inside, outside])
                for ends in ((inside, outside), (outside, inside)):
                    threading.Thread(target=pump, args=ends, daemon=True).start()

    host, _, port = address.rpartition(":")
    door = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=serve, daemon=True).start()
    try:
        yield f"127.0.0.1:{door.getsockname()[1]}"
    finally:
        opened.set()
        for each in (door, *sockets):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()


async def test_consume_counts_and_prints_everything(client: Either) -> None:
    decision = await client("consume", "acme", "api-calls", 3)

    assert (
        Decision(
            allowed=True,
            reason=Reason.WITHIN_LIMIT,
            granted=3,
            limit=100,
            unlimited=False,
            soft_limit=False,
            used=3,
            remaining=97,
            overage=0,
            resets_at=datetime(2030, 1, 1, tzinfo=UTC),
            retry_after=None,
            limits=(),
            replayed=False,
            is_fallback=False,
            catalog_version=7,
            value="",
        )
        == decision
    )


async def test_denial_is_a_value(client: Either) -> None:
    decision = await client("consume", "acme", "seats", 4)

    assert not decision.allowed
    assert Reason.LIMIT_EXCEEDED is decision.reason
    assert 0 == decision.granted
    assert decision.resets_at is None
    assert timedelta(seconds=37.5) == decision.retry_after


async def test_check_counts_nothing_and_sends_no_key(client: Either, server: FakeServer) -> None:
    decision = await client("check", "acme", "api-calls", 3)

    assert decision.allowed
    assert 0 == server.quota.used["acme", "api-calls"]
    assert quota_pb2.MODE_CHECK_ONLY == server.quota.requests[0].mode
    assert "" == server.quota.requests[0].idempotency_key


async def test_a_best_effort_is_asked_for(client: Either, server: FakeServer) -> None:
    await client("consume", "acme", "api-calls", 3, best_effort=True)
    await client("consume_many", [Consumption("acme", "api-calls", best_effort=True)])

    single, batch = server.quota.requests
    assert quota_pb2.MODE_BEST_EFFORT == single.mode == batch.requests[0].mode
    assert single.idempotency_key


async def test_record_shows_what_has_happened_and_when(client: Either, server: FakeServer) -> None:
    await client("record", "acme", "api-calls", 3, occurred_at=datetime(2031, 1, 15, 9))
    await client("record", "acme", "api-calls", idempotency_key="mine", resource_id="w")

    first, second = server.quota.requests
    assert (quota_pb2.MODE_ADJUST_ONLY, 3) == (first.mode, first.quantity)
    assert datetime(2031, 1, 15, 9) == first.occurred_at.ToDatetime()
    assert first.idempotency_key
    assert ("mine", "w", False) == (
        second.idempotency_key,
        second.resource_id,
        second.HasField("occurred_at"),
    )


async def test_refund_takes_back_a_quantity_or_what_a_key_took(
    client: Either, server: FakeServer
) -> None:
    await client("consume", "acme", "api-calls", 5)
    back = await client("refund", "acme", "api-calls", 3, occurred_at=datetime(2031, 1, 15, 9))
    await client("refund", "acme", "api-calls", taken_under="job")

    assert (-3, 2) == (back.granted, back.used)
    _, first, second = server.quota.requests
    assert first.idempotency_key
    assert datetime(2031, 1, 15, 9) == first.occurred_at.ToDatetime()
    assert ("job", "", 0) == (second.taken_under, second.idempotency_key, second.quantity)


async def test_retry_repeats_the_same_key_so_that_nothing_counts_twice(
    client: Either, server: FakeServer
) -> None:
    lost = Fail(grpc.StatusCode.UNAVAILABLE, "connection lost", counted=True)
    server.quota.failures.extend([lost, lost])

    decision = await client("consume", "acme", "api-calls", 5)

    keys = [request.idempotency_key for request in server.quota.requests]
    assert 3 == len(keys)
    assert 1 == len(set(keys))
    assert decision.replayed
    assert 5 == server.quota.used["acme", "api-calls"]


async def test_key_made_by_the_client_is_short_lived(client: Either, server: FakeServer) -> None:
    await client("consume", "acme", "api-calls")

    request = server.quota.requests[0]
    assert 32 == len(request.idempotency_key)
    assert 60 == request.idempotency_ttl.seconds


async def test_two_calls_have_two_keys(client: Either, server: FakeServer) -> None:
    await client("consume", "acme", "api-calls")
    await client("consume", "acme", "api-calls")

    first, second = (request.idempotency_key for request in server.quota.requests)
    assert first != second


async def test_callers_own_key_is_remembered_for_the_time_of_the_server(
    client: Either, server: FakeServer
) -> None:
    await client("consume", "acme", "api-calls", idempotency_key="order-17")

    request = server.quota.requests[0]
    assert "order-17" == request.idempotency_key
    assert not request.HasField("idempotency_ttl")


async def test_without_retries_no_key_is_made(client: Either, server: FakeServer) -> None:
    server.quota.failures.append(UNAVAILABLE)
    client.new(retries=0)

    with pytest.raises(QuotaUnavailable):
        await client("consume", "acme", "api-calls")

    assert [""] == [request.idempotency_key for request in server.quota.requests]


async def test_unavailable_after_every_try_is_an_error_with_the_servers_words(
    client: Either, server: FakeServer
) -> None:
    server.quota.failures.extend([UNAVAILABLE] * 3)

    with pytest.raises(QuotaUnavailable, match=r"^the store is away$") as caught:
        await client("consume", "acme", "api-calls")

    assert "UNAVAILABLE" == caught.value.code
    assert "STORE_UNAVAILABLE" == caught.value.reason
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    assert 3 == len(server.quota.requests)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (grpc.StatusCode.INVALID_ARGUMENT, QuotaInvalid),
        (grpc.StatusCode.DEADLINE_EXCEEDED, QuotaDeadline),
        (grpc.StatusCode.INTERNAL, QuotaServerError),
        (grpc.StatusCode.UNKNOWN, QuotaServerError),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, QuotaServerError),
    ],
)
async def test_other_errors_are_not_tried_again(
    client: Either, server: FakeServer, code: grpc.StatusCode, kind: type[QuotaError]
) -> None:
    server.quota.failures.append(Fail(code, "no", "WHY"))

    with pytest.raises(kind) as caught:
        await client("consume", "acme", "api-calls")

    assert (code.name, "WHY", "no") == (
        caught.value.code,
        caught.value.reason,
        caught.value.message,
    )
    assert 1 == len(server.quota.requests)


async def test_no_server_is_unavailable_without_a_reason(client: Either) -> None:
    client.new(address="127.0.0.1:1")

    with pytest.raises(QuotaUnavailable) as caught:
        await client("consume", "acme", "api-calls")

    assert "" == caught.value.reason
    assert "Connection refused" in caught.value.message


async def test_server_that_is_slow_to_greet_is_waited_for(
    client: Either, server: FakeServer
) -> None:
    with slow_door(server.address) as address:
        client.new(address=address, retries=0)

        assert (await client("consume", "acme", "api-calls")).allowed


async def test_silent_server_ends_the_call_by_its_timeout(
    client: Either, server: FakeServer
) -> None:
    server.quota.hold.clear()
    client.new(timeout=0.05)

    with pytest.raises(QuotaDeadline):
        await client("consume", "acme", "api-calls")


async def test_entitlement_is_read_and_retried(client: Either, server: FakeServer) -> None:
    server.quota.failures.append(UNAVAILABLE)

    entitlement = await client("entitlement", "acme", "seats")

    assert FeatureType.METERED is entitlement.feature_type
    assert entitlement.gauge
    assert (3, 0, 3) == (entitlement.limit, entitlement.used, entitlement.remaining)
    assert ["", None] == [entitlement.limits[0].per, entitlement.limits[0].resets_at]


async def test_entitlement_to_an_unknown_feature_reports_it(client: Either) -> None:
    entitlement = await client("entitlement", "acme", "warp-drive")

    assert not entitlement.allowed
    assert Reason.FEATURE_NOT_FOUND is entitlement.reason
    assert entitlement.feature_type is None
    assert entitlement.limit is None


async def test_entitlements_come_in_the_catalogs_order(client: Either) -> None:
    entitlements = await client("entitlements", "acme")

    assert "free" == entitlements.plan_id
    assert entitlements.denied_reason is None
    assert ["api-calls", "bandwidth", "seats", "support"] == [
        each.feature_id for each in entitlements.entitlements
    ]
    assert "community" == entitlements.entitlements[-1].value


async def test_entitlements_of_an_archived_customer_have_the_reason_why_there_are_none(
    client: Either,
) -> None:
    entitlements = await client("entitlements", "gone")

    assert () == entitlements.entitlements
    assert Reason.CUSTOMER_ARCHIVED is entitlements.denied_reason


async def test_consume_many_answers_in_order(client: Either) -> None:
    outcomes = await client(
        "consume_many",
        [
            Consumption("acme", "seats", 2),
            Consumption("acme", "seats", 2),
            Consumption("acme", "seats", -1),
            Consumption("acme", "warp-drive"),
        ],
    )

    assert [2, 0, -1, 0] == [outcome.granted for outcome in outcomes]
    assert [True, False, True, False] == [outcome.allowed for outcome in outcomes]


async def test_consume_many_splits_what_one_batch_cannot_hold(
    client: Either, server: FakeServer
) -> None:
    server.quota.limits["api-calls"] = 2100
    outcomes = await client("consume_many", [Consumption("acme", "api-calls")] * 2345)

    assert [1000, 1000, 345] == [len(batch.requests) for batch in server.quota.requests]
    assert [True] * 2100 + [False] * 245 == [outcome.allowed for outcome in outcomes]


@pytest.mark.parametrize("many", [False, True])
@pytest.mark.parametrize("coalesce", [False, True])
async def test_a_server_that_asks_for_more_time_than_is_left_is_not_asked_again(
    client: Either, server: FakeServer, many: bool, coalesce: bool
) -> None:
    busy = Fail(grpc.StatusCode.UNAVAILABLE, "busy", "BUSY", retry_after="60000")
    client.new(timeout=4.0, coalesce=coalesce)

    if many:
        server.quota.item_failures["acme"] = deque([busy])
        [error] = await client("consume_many", [Consumption("acme", "api-calls")])
    else:
        server.quota.failures.append(busy)
        with pytest.raises(QuotaUnavailable) as caught:
            await client("consume", "acme", "api-calls")
        error = caught.value

    assert timedelta(minutes=1) == error.retry_after
    assert 1 == len(server.quota.requests)


async def test_consume_many_of_nothing_sends_nothing(client: Either, server: FakeServer) -> None:
    assert [] == await client("consume_many", [])
    assert [] == server.quota.requests


async def test_only_the_unavailable_part_of_a_batch_is_sent_again(
    client: Either, server: FakeServer
) -> None:
    server.quota.item_failures["b"] = deque([UNAVAILABLE])

    outcomes = await client("consume_many", [Consumption(each, "seats") for each in "abc"])

    first, second = server.quota.requests
    assert [True] * 3 == [outcome.allowed for outcome in outcomes]
    assert ["b"] == [request.customer_id for request in second.requests]
    assert first.requests[1].idempotency_key == second.requests[0].idempotency_key


async def test_failed_request_of_a_batch_has_its_error_in_its_place(
    client: Either, server: FakeServer
) -> None:
    refused = Fail(grpc.StatusCode.INVALID_ARGUMENT, "customer_id: is empty", "INVALID_REQUEST")
    server.quota.item_failures["b"] = deque([refused])

    a, b, huge, c = await client(
        "consume_many",
        [
            Consumption("a", "seats"),
            Consumption("b", "seats"),
            Consumption("x", "seats", 2**70),
            Consumption("c", "seats"),
        ],
    )

    assert a.allowed
    assert c.allowed
    assert isinstance(b, QuotaInvalid)
    assert "customer_id: is empty" == str(b)
    assert isinstance(huge, QuotaInvalid)


async def test_batch_without_an_answer_leaves_the_others_decided(
    client: Either, server: FakeServer
) -> None:
    client.new(retries=0)
    server.quota.failures.append(UNAVAILABLE)

    outcomes = await client("consume_many", [Consumption("acme", "bandwidth")] * 1500)

    assert 1000 == sum(isinstance(outcome, QuotaUnavailable) for outcome in outcomes[:1000])
    assert all(outcome.allowed for outcome in outcomes[1000:])


async def test_number_beyond_64_bits_is_refused_before_it_is_sent(
    client: Either, server: FakeServer
) -> None:
    with pytest.raises(
        QuotaInvalid, match=r"^quantity: \d+ is out of range; at most 1,000,000,000,000,000$"
    ):
        await client("consume", "acme", "api-calls", 2**70)

    assert [] == server.quota.requests


async def test_text_that_is_not_unicode_is_refused_by_the_name_of_its_field(
    client: Either, server: FakeServer
) -> None:
    with pytest.raises(QuotaInvalid, match=r"^feature_id: is not valid Unicode$"):
        await client("consume", "acme", "\udcff")

    assert [] == server.quota.requests


async def test_closed_client_reports_it(client: Either) -> None:
    await client("consume", "acme", "api-calls")
    await client("close")

    with pytest.raises(RuntimeError, match="the client is closed"):
        await client("consume", "acme", "api-calls")


def test_blocking_client_is_a_context_manager(server: FakeServer) -> None:
    with Client(server.address) as client:
        assert client.consume("acme", "api-calls").allowed

    with pytest.raises(RuntimeError):
        client.check("acme", "api-calls")


async def test_async_client_is_a_context_manager(server: FakeServer) -> None:
    async with AsyncClient(server.address) as client:
        assert (await client.consume("acme", "api-calls")).allowed

    with pytest.raises(RuntimeError):
        await client.check("acme", "api-calls")


@pytest.mark.parametrize(
    ("arguments", "fields", "problem"),
    [
        ((42, "api-calls"), {}, "customer_id: must be a text, not 42"),
        (("acme", ["api-calls"]), {}, r"feature_id: must be a text, not \['api-calls'\]"),
        (("acme", "api-calls", "3"), {}, "quantity: must be a whole number, not '3'"),
        (("acme", "api-calls", 1.5), {}, r"quantity: must be a whole number, not 1\.5"),
        (("acme", "api-calls"), {"resource_id": 7}, "resource_id: must be a text, not 7"),
        (("acme", "api-calls"), {"idempotency_key": 7}, "idempotency_key: must be a text, not 7"),
        (("acme", "api-calls"), {"explain": "no"}, "explain: must be true or false, not 'no'"),
        (
            ("acme", "a"),
            {"requested_values": 7},
            "requested_values: must be a list of texts, not 7",
        ),
        (("acme", "a"), {"requested_values": [7]}, r"requested_values: must be a list of .*\[7\]"),
    ],
)
async def test_argument_of_another_type_is_refused_by_name_before_it_is_sent(
    client: Either, server: FakeServer, arguments: Any, fields: dict[str, Any], problem: str
) -> None:
    with pytest.raises(QuotaInvalid, match=f"^{problem}$"):
        await client("consume", *arguments, **fields)
    if not fields:
        [outcome] = await client("consume_many", [Consumption(*arguments)])
        assert isinstance(outcome, QuotaInvalid)

    assert [] == server.quota.requests


def test_async_client_in_a_second_loop_reports_that_it_belongs_to_the_first(
    server: FakeServer,
) -> None:
    client = AsyncClient(server.address)

    async def ask() -> Decision:
        return await client.consume("acme", "api-calls")

    assert asyncio.run(ask()).allowed
    with pytest.raises(RuntimeError, match="belongs to the event loop of its first call"):
        asyncio.run(ask())
    asyncio.run(client.close())


def test_async_client_can_be_made_outside_of_a_loop(server: FakeServer) -> None:
    client = AsyncClient(server.address)

    async def use() -> Decision:
        async with client:
            return await client.consume("acme", "api-calls")

    assert asyncio.run(use()).allowed


def test_client_dropped_unclosed_warns(server: FakeServer) -> None:
    client = Client(server.address)
    client.consume("acme", "api-calls")

    with pytest.warns(ResourceWarning, match="never closed"):
        del client


def test_client_that_was_never_used_needs_no_close() -> None:
    client = Client()

    del client
