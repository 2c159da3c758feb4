"""The TypeScript client on every front of a real server, and what only it does.

What all clients do is in test_cases.py.
"""

import socket
import time
import uuid
from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import grpc
import pytest

from quotad.config import Config
from quotad.server.tokens import token_operations
from quotad.tokens.roles import TokenRole
from quotad.v1 import quota_pb2
from tests.clients.node import CallFailed, Node, needs_client
from tests.integration.test_tokens import Made
from tests.running import FRONTS, Running, eventually, running
from tests.service.fake_quotad import Fail, FakeServer, fake_server

pytestmark = needs_client

CATALOG = """
version: 1
default_plan: free
features:
  calls:   {type: metered, unit: call, name: Calls}
  support: {type: config, values: [community, email]}
plans:
  free:
    entitlements:
      calls: {limits: [{limit: 10, per: day}, {limit: 100, per: month}]}
      support: email
"""


@pytest.fixture(scope="module", params=FRONTS)
def served(request: pytest.FixtureRequest, store_url: str) -> Iterator[Running]:
    with running(store_url, f"t-{uuid.uuid4().hex[:12]}", request.param) as made:
        made.publish_and_wait(CATALOG)
        yield made


def refused(call: Any, *args: Any) -> tuple[str, str, str, str]:
    with pytest.raises(CallFailed) as caught:
        call(*args)
    error = caught.value
    return error.name, error.code, error.reason, error.message


def test_calls_are_decided_on_every_front(served: Running, node: Node) -> None:
    client = node.client(served.server.address)

    took = client("consume", "acme", "calls", 8)
    denied = client("consume", "acme", "calls", 3)
    looked = client("check", "acme", "calls", 2, {"explain": True})

    assert (True, "WITHIN_LIMIT", 8, 8, 2) == tuple(
        took[name] for name in ("allowed", "reason", "granted", "used", "remaining")
    )
    assert [(10, "day"), (100, "month")] == [
        (each["limit"], each["per"]) for each in took["limits"]
    ]
    tomorrow = datetime.fromisoformat(took["resetsAt"])
    assert 0 < (tomorrow - datetime.now(UTC)).total_seconds() <= 86_400
    assert (False, "LIMIT_EXCEEDED", 8) == (denied["allowed"], denied["reason"], denied["used"])
    assert 0 < denied["retryAfterMs"] <= 86_400_000
    assert (True, 0, "DEFAULT_PLAN") == (
        looked["allowed"],
        looked["granted"],
        looked["explanation"]["sources"][0]["kind"],
    )
    over = client("record", "acme", "calls", 5, {"idempotencyKey": "job-1"})
    again = client("record", "acme", "calls", 5, {"idempotencyKey": "job-1"})
    assert [("OVER_LIMIT", 13, False), ("OVER_LIMIT", 13, True)] == [
        (each["reason"], each["used"], each["replayed"]) for each in (over, again)
    ]


def test_many_are_decided_at_once_on_every_front(served: Running, node: Node) -> None:
    client = node.client(served.server.address)
    asked: list[dict[str, Any]] = [
        {"customerId": f"c{i % 300}", "featureId": "calls"} for i in range(1200)
    ]
    asked[7] = {"customerId": "", "featureId": "calls"}
    asked[8] = {"customerId": "c8", "featureId": "calls", "quantity": 0.5}

    outcomes = client("consumeMany", asked)

    assert 1200 == len(outcomes)
    errors = [each["$error"]["message"] for each in outcomes if "$error" in each]
    assert 2 == len(errors)
    assert errors[0].startswith("customer_id:")
    assert "quantity: must be a whole number, not 0.5" == errors[1]
    assert 4 == client("check", "c9", "calls")["used"]


def test_entitlements_are_read_on_every_front(served: Running, node: Node) -> None:
    client = node.client(served.server.address)

    every = client("entitlements", "new")
    one = client("entitlement", "new", "calls")

    assert ("free", None) == (every["planId"], every["deniedReason"])
    assert ["calls", "support"] == [each["featureId"] for each in every["entitlements"]]
    assert ("CONFIG", True, "email") == tuple(
        every["entitlements"][1][name] for name in ("featureType", "allowed", "value")
    )
    assert ("METERED", "Calls", "call", 10, True) == tuple(
        one[name] for name in ("featureType", "name", "unit", "limit", "allowed")
    )


def test_a_message_arrives_as_it_is_from_every_front(served: Running, node: Node) -> None:
    client = node.client(served.server.address)

    error = refused(client, "commit", "acme", "100 % ü 測")

    assert ("QuotaServerError", "NOT_FOUND", "NOT_FOUND") == error[:3]
    assert error[3].startswith("reservation_id: '100 % ü 測' is not known")


def test_no_server_and_a_silent_one_are_errors_that_name_the_address_or_end_in_time(
    node: Node, server: FakeServer
) -> None:
    nowhere = refused(node.client("127.0.0.1:1"), "consume", "acme", "seats")
    assert ("QuotaUnavailable", "UNAVAILABLE", "") == nowhere[:3]
    assert "127.0.0.1:1: connect ECONNREFUSED 127.0.0.1:1" == nowhere[3]

    server.quota.hold.clear()
    late = refused(node.client(server.address, timeoutMs=50), "consume", "acme", "seats")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        silent_error = refused(node.client(address, timeoutMs=50.5), "check", "acme", "seats")
    for error in (late, silent_error):
        assert ("QuotaDeadline", "DEADLINE_EXCEEDED") == error[:2]


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ([7, "seats"], "customerId: must be a text, not 7"),
        (["acme", "\udcff"], "featureId: is not valid Unicode"),
        (["acme", "seats", 1.5], "quantity: must be a whole number, not 1.5"),
        (["acme", "seats", "2"], 'quantity: must be a whole number, not "2"'),
        (
            ["acme", "seats", {"$bigint": "9223372036854775808"}],
            "quantity: 9223372036854775808 is out of range; at most 1,000,000,000,000,000",
        ),
        (
            ["acme", "seats", 1, {"requestedValues": "email"}],
            'requestedValues: must be a list of texts, not "email"',
        ),
    ],
)
def test_what_no_request_can_hold_is_refused_by_its_field_before_it_is_sent(
    node: Node, server: FakeServer, args: list[Any], message: str
) -> None:
    error = refused(node.client(server.address), "consume", *args)

    assert ("QuotaInvalid", "INVALID_ARGUMENT", "INVALID_REQUEST", message) == error
    assert [] == server.quota.requests


@pytest.mark.parametrize(
    "address",
    ["nope", "127.0.0.1:0", "127.0.0.1:1,", "127.0.0.1:1,nope", "http://127.0.0.1:1", "", "unix:"],
)
def test_an_address_that_names_no_server_is_refused_at_once(node: Node, address: str) -> None:
    error = refused(node.client, address)

    assert "RangeError" == error[0]
    assert error[3].startswith("address: must be HOST:PORT, such as 127.0.0.1:50051")


def test_numbers_are_exact_up_to_2_to_the_53_and_an_error_beyond(
    node: Node, server: FakeServer
) -> None:
    client = node.client(server.address)
    server.quota.more = quota_pb2.CheckAndConsumeResponse(used=2**53 - 1)
    assert 2**53 - 1 == client("consume", "acme", "seats")["used"]

    server.quota.more = quota_pb2.CheckAndConsumeResponse(used=2**53)
    error = refused(client, "consume", "acme", "seats")

    assert ("QuotaServerError", "OUT_OF_RANGE") == error[:2]


def test_calls_that_wait_travel_together_and_each_has_its_own_answer(
    node: Node, server: FakeServer
) -> None:
    client = node.client(server.address, coalesce=True)
    server.quota.hold.clear()
    invalid = Fail(grpc.StatusCode.INVALID_ARGUMENT, "feature_id: no", "INVALID_REQUEST")
    server.quota.item_failures["broken"] = deque([invalid])
    first = client.start("consume", "acme", "api-calls")
    eventually(lambda: server.quota.begun, (1).__le__)
    more = [client.start("consume", f"c-{number % 7}", "api-calls") for number in range(98)]
    own = [client.start("consume", "acme", "api-calls") for _ in range(3)]
    broken = client.start("consume", "broken", "seats")
    wrong = client.start("consume", "acme", "api-calls", 0.5)
    server.quota.hold.set()

    assert [1, 2, 3, 4] == [call.result(20)["used"] for call in (first, *own)]
    assert 14 == max(call.result(20)["used"] for call in more)
    assert ("QuotaInvalid", "feature_id: no") == refused(broken.result, 20)[::3]
    assert "QuotaInvalid" == refused(wrong.result, 20)[0]
    assert len(server.quota.requests) <= 12
    assert {60} == {
        each.idempotency_ttl.seconds
        for message in server.quota.requests
        for each in getattr(message, "requests", [message])
    }


def test_a_coalesced_call_ends_by_its_timeout_sent_or_not(node: Node, server: FakeServer) -> None:
    client = node.client(server.address, coalesce=True, timeoutMs=150)
    server.quota.hold.clear()
    calls = [client.start("consume", "acme", "api-calls") for _ in range(5)]

    assert {"QuotaDeadline"} == {refused(call.result, 20)[0] for call in calls}

    server.quota.hold.set()
    patient = node.client(server.address, coalesce=True)
    assert patient("check", "acme", "api-calls")["used"] <= 5


@pytest.mark.parametrize("coalesce", [False, True])
def test_calls_are_spread_over_servers_and_one_that_is_gone_is_left_out(
    node: Node, server: FakeServer, coalesce: bool
) -> None:
    with fake_server() as other:
        both = f"{server.address},{other.address}"
        client = node.client(both, retries=1, coalesce=coalesce)
        calls = [client("check", "acme", "seats") for _ in range(6)]
        assert [3, 3] == [len(each.quota.requests) for each in (server, other)]
    # One try fails, and the next one asks the other.
    calls += [client("check", "acme", "seats") for _ in range(6)]

    assert 12 == len([call for call in calls if call["allowed"]])
    assert 9 == len(server.quota.requests)
    server.stop()
    failed = refused(client, "check", "acme", "seats")
    assert ("QuotaUnavailable", "UNAVAILABLE", "") == failed[:3]


def test_a_closed_client_refuses_calls(node: Node, server: FakeServer) -> None:
    client = node.client(server.address)
    client("consume", "acme", "seats")
    client("close")

    assert ("Error", "the client is closed") == refused(client, "consume", "acme", "seats")[::3]


def test_a_unix_socket_is_an_address(
    store_url: str, prefix: str, node: Node, tmp_path: Path
) -> None:
    with running(store_url, prefix, listen=f"unix:{tmp_path / 'socket'}") as made:
        made.publish_and_wait(CATALOG)

        assert node.client(f"unix:{tmp_path / 'socket'}")("consume", "acme", "calls")["allowed"]


def test_a_token_is_shown_and_the_refusal_of_an_expired_one_says_so(
    store_url: str, prefix: str, node: Node
) -> None:
    config = Config(redis_url=store_url, prefix=prefix, shards=4)
    with token_operations(config) as operations:
        made = Made(store_url, prefix, operations)
        try:
            ends_ms = int(time.time() * 1000) + 300
            good = made.token(TokenRole.CONSUME)
            expired = made.token(TokenRole.CONSUME, expires_ms=ends_ms)
            address = made.serve("native")
            eventually(lambda: time.time() * 1000, lambda now: now > ends_ms + 100)

            asked = ("check", "acme", "calls")
            assert "reason" in node.client(address, token=good)(*asked)
            refusals = {
                token: refused(node.client(address, token=token), *asked) for token in ("", expired)
            }
        finally:
            made.close()

    assert {"UNAUTHENTICATED"} == {error[1] for error in refusals.values()}
    assert "has expired" in refusals[expired][3]
    assert "RangeError" == refused(lambda: node.client("127.0.0.1:1", token="secret"))[0]
