"""The TypeScript client: changes as they come, and entitlements in memory that they keep fresh."""

import uuid
from collections.abc import Iterator

import pytest

from tests.clients.node import Node, needs_client
from tests.proxy import Proxy
from tests.running import FRONTS, Running, eventually, running
from tests.service.fake_quotad import FakeServer

pytestmark = needs_client

CATALOG = """
version: 1
default_plan: free
features:
  calls: {type: metered}
  sso:   {type: boolean}
plans:
  free: {entitlements: {calls: {limit: 10}}}
  pro:  {entitlements: {calls: {limit: 99}, sso: true}}
"""


@pytest.fixture(scope="module", params=FRONTS)
def served(request: pytest.FixtureRequest, store_url: str) -> Iterator[Running]:
    with running(store_url, f"t-{uuid.uuid4().hex[:12]}", request.param) as made:
        made.publish_and_wait(CATALOG)
        yield made


def test_changes_come_also_after_a_connection_was_lost(served: Running, node: Node) -> None:
    customer = uuid.uuid4().hex
    with Proxy(served.server.address) as door:
        watched = {"customerId": customer, "usage": True}
        watch = node.client(door.address, "watch", watch=watched)

        def kinds() -> list[str]:
            return [each["kind"] for each in watch("seen")]

        eventually(kinds, ["REFETCH"].__eq__)
        served.provision(customer, "pro")
        eventually(kinds, ["REFETCH", "CUSTOMER_CHANGED"].__eq__)
        first = watch("seen")[-1]
        with door.refusing():
            served.archive(customer)
            served.provision(f"not-{customer}", "pro")
        eventually(lambda: watch("lost"), (1).__le__)
        # What came shortly before it was lost may come twice, and what came meanwhile as a REFETCH.
        news = eventually(
            lambda: watch("seen")[-1],
            lambda last: last["kind"] == "REFETCH" or last["epoch"] > first["epoch"],
        )
        assert first["position"] < news["position"]
        assert {customer, ""} >= {each["customerId"] for each in watch("seen")}
        watch("close")
        eventually(lambda: watch("seen")[-1], "ended".__eq__)


def test_entitlements_in_memory_are_as_fresh_as_the_last_change(
    served: Running, node: Node
) -> None:
    customer = uuid.uuid4().hex
    with Proxy(served.server.address) as door:
        cache = node.client(door.address, "cache", cache={})
        eventually(lambda: cache("connected"), True.__eq__)

        def limit() -> int | None:
            found: int | None = cache("read", customer, "calls")["value"]["limit"]
            return found

        assert (10, False) == (limit(), cache("read", customer, "sso")["value"]["allowed"])
        with door.holding():  # nothing that is asked now would arrive
            assert [10, 10] == [limit(), limit()]
            assert "NOT_ENTITLED" == cache("read", customer, "sso")["value"]["reason"]
            assert "free" == cache("readAll", customer)["value"]["planId"]

        served.provision(customer, "pro")
        eventually(limit, (99).__eq__)
        eventually(lambda: cache("read", customer, "sso")["value"]["allowed"], True.__eq__)

        def used() -> int:
            found: int = cache("read", customer, "calls")["value"]["used"]
            return found

        served.consume(customer, "calls", quantity=3)
        eventually(used, (3).__eq__)

        with door.refusing():
            eventually(lambda: cache("connected"), False.__eq__)
            assert {"stale": True} | cache("read", customer, "calls") == cache(
                "read", customer, "calls"
            )
        eventually(lambda: cache("connected"), True.__eq__)
        assert not cache("read", customer, "calls")["stale"]
        cache("close")


def test_without_the_change_feed_every_read_asks_the_server(node: Node, server: FakeServer) -> None:
    cache = node.client(server.address, "cache", cache={})
    eventually(lambda: cache("errors"), ["QuotaServerError"].__eq__)

    assert [0, 0] == [cache("read", "acme", "seats")["value"]["used"] for _ in range(2)]
    server.quota.used["acme", "seats"] = 2
    assert 2 == cache("read", "acme", "seats")["value"]["used"]
    cache("close")


def test_a_cache_of_the_familiar_client_knows_what_it_has_changed_itself(
    served: Running, node: Node
) -> None:
    client = node.client(served.server.address, "entitlements", cache=True)
    asked = {"customerId": uuid.uuid4().hex, "featureId": "calls"}

    for used in (0, 4, 8):
        assert used == client("getMeteredEntitlement", asked)["currentUsage"]
        client("reportUsage", {**asked, "value": 4})
    client("close")
