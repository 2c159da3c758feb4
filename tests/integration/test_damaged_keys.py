"""Keys that hold something else than quotad wrote fail who needs them, by name, and nobody else."""

from collections.abc import Callable
from typing import Any

import grpc
import pytest

from quotad.v1 import admin_pb2
from quotad.v1 import quota_pb2 as pb
from tests.integration.conftest import Pair
from tests.raw import raw
from tests.running import CALL_S, refusal

CATALOG = """
version: 1
default_plan: free
features:
  calls: {type: metered}
  daily: {type: metered}
plans:
  free:
    entitlements:
      calls: {limit: 1000}
      daily: {limit: 1000, per: day, anchor: first_use}
  pro:
    entitlements:
      calls: {limit: 2000}
"""


@pytest.fixture(scope="module")
def servers(pair: Pair) -> Pair:
    pair.publish(CATALOG)
    return pair


def usage_key(servers: Pair, customer: str, feature: str) -> Any:
    """The only counter of a feature."""
    servers.first.consume(customer, feature)
    (name,) = raw(servers.store).keys(f"{servers.keys.customer(customer).usage}:{feature}:*")
    return name


@pytest.mark.parametrize("feature", ["calls", "daily"])
@pytest.mark.parametrize("of_another_type", [False, True], ids=["no usage", "of another type"])
def test_a_damaged_counter_fails_its_calls_and_no_others(
    servers: Pair, customer: str, feature: str, of_another_type: bool
) -> None:
    name, client = usage_key(servers, customer, feature), raw(servers.store)
    client.delete(name)
    client.rpush(name, "x") if of_another_type else client.set(name, "no usage")
    broken = pb.CheckAndConsumeRequest(customer_id=customer, feature_id=feature)
    other = pb.CheckAndConsumeRequest(customer_id=f"{customer}-2", feature_id=feature)

    answer = servers.first.batch(other, broken, other, broken)

    assert [1, 2] == [answer.results[i].response.used for i in (0, 2)]
    expected = f"a counter of {feature!r} is damaged in the store"
    for i in (1, 3):
        error = answer.results[i].error
        assert (grpc.StatusCode.INTERNAL.value[0], "DAMAGED", expected) == (
            error.code,
            error.reason,
            error.message,
        )
    failed = refusal(lambda: servers.second.consume(customer, feature))
    assert ("INTERNAL", "DAMAGED", expected) == (failed.code.name, failed.reason, failed.message)
    client.delete(name)
    assert 1 == servers.second.consume(customer, feature).used


@pytest.mark.parametrize(
    "harm",
    [
        lambda client, keys: client.set(keys.epoch, "x"),
        lambda client, keys: client.delete(keys.epoch),
        lambda client, keys: (client.delete(keys.epoch), client.rpush(keys.epoch, "x")),
    ],
    ids=["damaged", "lost", "of another type"],
)
def test_a_customer_without_its_epoch_is_decided_on_its_record(
    servers: Pair, customer: str, harm: Callable[[Any, Any], Any]
) -> None:
    servers.first.provision(customer, "pro")
    assert 2000 == servers.second.consume(customer, "calls").limit
    harm(raw(servers.store), servers.keys.customer(customer))

    for server in (servers.first, servers.second):
        assert 2000 == server.consume(customer, "calls").limit
    before = servers.first.provision(customer, "free").epoch
    for server in (servers.first, servers.second):
        assert 1000 == server.consume(customer, "calls").limit
    assert before < servers.second.provision(customer, "pro").epoch


def test_a_damaged_record_fails_its_customer_by_name(servers: Pair, customer: str) -> None:
    raw(servers.store).set(servers.keys.customer(customer).record, b"\xff")
    one = admin_pb2.GetCustomerRequest(customer_id=customer)

    for call in (
        lambda: servers.first.consume(customer, "calls"),
        lambda: servers.second.admin.GetCustomer(one, timeout=CALL_S),
        lambda: servers.second.provision(customer, "pro"),
    ):
        failed = refusal(call)
        assert f"INTERNAL DAMAGED: the record of {customer!r} is damaged in the store" == repr(
            failed
        )


def test_no_call_gets_to_see_what_the_store_has_answered(servers: Pair) -> None:
    name, client = servers.keys.shard_customers[0], raw(servers.store)
    client.zadd(name, {"any": 0})
    client.rename(name, f"{name}:kept")
    client.set(name, "of another type")
    request = admin_pb2.ListCustomersRequest()
    try:
        failed = refusal(lambda: servers.first.admin.ListCustomers(request, timeout=CALL_S))
    finally:
        client.rename(f"{name}:kept", name)
        client.zrem(name, "any")

    assert "the store answered with an error; the server's log has the details" == failed.message
