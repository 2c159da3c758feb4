"""Every client on a server of an older version: what that has works, the rest is an error."""

import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from tests.clients.kinds import KINDS, connected
from tests.clients.node import Node, needs_client
from tests.integration.processes import ServerProcess, serve
from tests.releases import files_of
from tests.running import eventually

RELEASE = "39ddefde02a5fe6b4c7ab11f7dc13f8dd63a815c"
"""The last state before slots; it has no SetUsage and no change feed either."""

CATALOG = """
version: 1
default_plan: free
features:
  calls: {type: metered}
plans:
  free: {entitlements: {calls: {limit: 1000, per: year}}}
"""


@pytest.fixture(scope="module")
def older(store_url: str) -> Iterator[ServerProcess]:
    prefix = f"t-{uuid.uuid4().hex[:12]}"
    with serve(store_url, prefix, "native", files_of(RELEASE)) as server:
        server.wait_for_store()
        server.publish(CATALOG)
        server.wait_ready()
        yield server


@pytest.mark.parametrize("kind", KINDS)
def test_what_an_older_server_has_works_and_what_it_has_not_is_an_error(
    request: pytest.FixtureRequest, older: ServerProcess, kind: str
) -> None:
    node: Node | None = request.getfixturevalue("node") if kind.startswith("node") else None
    whose = {"customer_id": f"c-{uuid.uuid4().hex[:12]}"}
    calls: dict[str, Any] = {**whose, "feature_id": "calls"}
    slot = {**whose, "slot_id": "s-1"}
    with connected(kind, older._address, node) as call:
        for method, given in [
            ("consume", {**calls, "quantity": 8}),
            ("check", {**calls, "explain": True}),
            ("record", {**calls, "quantity": 2}),
            ("consume_all", {**whose, "items": {"calls": 3}}),
            ("refund", {**calls, "quantity": 3}),
            ("reserve", {**calls, "quantity": 5, "reservation_id": "r-1"}),
            ("commit", {**whose, "reservation_id": "r-1", "quantity": 2}),
            ("acquire_lease", {**calls, "quantity": 5, "lease_id": "l-1"}),
            ("release_lease", {**whose, "lease_id": "l-1", "spent": 1}),
        ]:
            answer = call(method, given)
            assert "error" not in (answer if isinstance(answer, dict) else {}), answer
        [many] = call("consume_many", [calls])
        read = [call("entitlement", calls), call("entitlements", whose)["entitlements"][0]]

        assert [14] * 3 == [each["used"] for each in (many, *read)]
        for method, given in [
            ("set_usage", {**calls, "used": 1}),
            ("acquire_slot", calls),
            ("heartbeat", {**slot, "ttl": 30}),
            ("release_slot", slot),
            ("list_slots", calls),
        ]:
            error = call(method, given)["error"]
            assert ("QuotaServerError", "UNIMPLEMENTED") == (error["name"], error["code"]), method


@needs_client
def test_entitlements_in_memory_are_asked_for_where_there_is_no_change_feed(
    node: Node, older: ServerProcess
) -> None:
    cache = node.client(older._address, "cache", cache={})
    eventually(lambda: cache("errors"), ["QuotaServerError"].__eq__)

    customer = uuid.uuid4().hex
    used = []
    for _ in range(2):
        used.append(cache("read", customer, "calls")["value"]["used"])
        older.consume(customer, "calls")
    assert [0, 1] == used
    cache("close")
