"""Clients that are given several servers: spread over them, and away from one that stops."""

import json
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from quotad.client import AsyncClient, Client
from quotad.client.admin import AdminClient
from quotad.fronts.kinds import choose
from tests.running import CALL_S, Running, eventually, running
from tests.service.either import Either

CATALOG = """
version: 1
default_plan: free
features:
  calls: {type: metered}
plans:
  free:
    entitlements:
      calls: {limit: 1000000}
"""

ROUND_ROBIN = [
    ("grpc.service_config", json.dumps({"loadBalancingConfig": [{"round_robin": {}}]})),
    ("grpc.use_local_subchannel_pool", 1),
]


@pytest.fixture
def servers(store_url: str) -> Iterator[tuple[Running, Running]]:
    """Two servers on one store, one with the native front and one with the fastest there is."""
    prefix = f"t-{uuid.uuid4().hex[:12]}"
    with (
        running(store_url, prefix) as first,
        running(store_url, prefix, choose("auto")) as second,
    ):
        first.publish_and_wait(CATALOG)
        second.wait_ready()
        yield first, second


def both(servers: tuple[Running, Running]) -> str:
    return "ipv4:" + ",".join(each.server.address for each in servers)


def decisions(server: Running) -> int:
    with AdminClient(server.server.address, timeout=CALL_S) as admin:
        return sum(admin.status().decisions.values())


@pytest.mark.parametrize("kind", [Client, AsyncClient])
async def test_calls_are_spread_over_the_servers_and_survive_that_one_of_them_stops(
    servers: tuple[Running, Running], kind: Any
) -> None:
    client = Either(kind, both(servers)).new(timeout=CALL_S, channel_options=ROUND_ROBIN)

    async def spread() -> tuple[int, int]:
        await client("consume", "acme", "calls")
        return decisions(servers[0]), decisions(servers[1])

    # The first calls go to the server that was connected first.
    while not all(await spread()):
        pass
    servers[0].stop()
    after = [await client("consume", "acme", "calls") for _ in range(10)]
    await client.close()

    assert all(decision.allowed for decision in after)


def test_an_admin_client_takes_several_addresses_too(servers: tuple[Running, Running]) -> None:
    with AdminClient(both(servers), timeout=CALL_S) as admin:
        assert eventually(lambda: admin.status().ready, bool)


def test_an_authority_of_the_callers_own_is_kept(servers: tuple[Running, Running]) -> None:
    own = [("grpc.default_authority", "quotad.internal")]
    with Client(both(servers), timeout=CALL_S, channel_options=own) as client:
        assert client.consume("acme", "calls").allowed
