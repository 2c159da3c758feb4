"""G4: once a write of a customer or a catalog has returned, every server decides with it.

Written through one server, decided on the other, whose caches are warm, while it is under load.
"""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from google.protobuf.struct_pb2 import Value

from quotad.errors import StoreUnavailable
from quotad.store import Catalogs
from quotad.v1 import admin_pb2
from quotad.v1 import quota_pb2 as pb
from tests.integration.conftest import Pair
from tests.raw import raw
from tests.running import CALL_S, Caller, refusal, running

CHANGES = 200


def plans(calls: int = 10, export: bool = True) -> str:
    return f"""
version: 1
features:
  calls:  {{type: metered}}
  export: {{type: boolean}}
  region: {{type: config}}
plans:
  small:
    entitlements:
      calls:  {{limit: {calls}}}
      region: "{calls}"
  large:
    entitlements:
      calls:  {{limit: 1000000}}
      export: {str(export).lower()}
"""


@pytest.fixture(scope="module")
def servers(pair: Pair) -> Pair:
    pair.publish(plans())
    return pair


@contextmanager
def load(server: Caller, *customers: str) -> Iterator[None]:
    """Keep a server deciding about these customers; no call may fail."""
    stop = threading.Event()

    def decide(customer: str) -> int:
        calls = 0
        while not stop.is_set():
            server.consume(customer, "calls", quantity=0)
            server.consume(customer, "export")
            calls += 2
        return calls

    with ThreadPoolExecutor(len(customers)) as pool:
        running = [pool.submit(decide, customer) for customer in customers]
        try:
            yield
        finally:
            stop.set()
        assert all(done.result() > 0 for done in running)


def reason(server: Caller, customer: str, feature: str) -> str:
    answer = server.consume(customer, feature, mode=pb.MODE_CHECK_ONLY)
    return str(pb.Reason.Name(answer.reason)).removeprefix("REASON_")


def test_a_change_of_plan_is_in_force_everywhere_when_it_returns(
    servers: Pair, customer: str
) -> None:
    with load(servers.second, customer, customer, "somebody else"):
        for change in range(CHANGES):
            plan = ("small", "large")[change % 2]
            servers.first.provision(customer, plan)

            answer = servers.second.consume(customer, "calls", quantity=0)
            export = reason(servers.second, customer, "export")

            assert {"small": 10, "large": 1_000_000}[plan] == answer.limit
            assert {"small": "NOT_ENTITLED", "large": "FEATURE_ENABLED"}[plan] == export


def test_overrides_promotions_and_changes_are_in_force_everywhere_when_they_return(
    servers: Pair, customer: str
) -> None:
    admin = servers.first.admin
    named: dict[str, Any] = {"customer_id": customer, "feature_id": "calls"}
    override, promotion = Value(), Value()
    override.struct_value.update({"limit": 3})
    promotion.struct_value.update({"limit": 20})
    servers.first.provision(customer, "small")
    steps: list[tuple[Any, Any, int]] = [
        (admin.GrantPromotion, admin_pb2.GrantPromotionRequest(entitlement=promotion, **named), 20),
        (admin.SetOverride, admin_pb2.SetOverrideRequest(entitlement=override, **named), 3),
        (admin.RemoveOverride, admin_pb2.RemoveOverrideRequest(**named), 20),
        (admin.RevokePromotion, admin_pb2.RevokePromotionRequest(**named), 10),
        (
            admin.ChangeSubscription,
            admin_pb2.ChangeSubscriptionRequest(customer_id=customer, plan_id="large"),
            1_000_000,
        ),
        (
            admin.ChangeSubscription,
            admin_pb2.ChangeSubscriptionRequest(customer_id=customer, plan_id="small"),
            10,
        ),
    ]
    with load(servers.second, customer, customer):
        for _ in range(CHANGES // 10):
            for write, request, limit in steps:
                write(request, timeout=CALL_S)
                assert limit == servers.second.consume(customer, "calls", quantity=0).limit


def test_an_archived_customer_is_denied_everywhere_when_it_returns(
    servers: Pair, customer: str
) -> None:
    with load(servers.second, customer, customer):
        for _ in range(CHANGES // 2):
            servers.first.provision(customer, "large")
            assert "FEATURE_ENABLED" == reason(servers.second, customer, "export")
            assert "WITHIN_LIMIT" == reason(servers.second, customer, "calls")
            servers.first.archive(customer)
            assert "CUSTOMER_ARCHIVED" == reason(servers.second, customer, "calls")
            assert "CUSTOMER_ARCHIVED" == reason(servers.second, customer, "export")
            assert "CUSTOMER_ARCHIVED" == reason(servers.second, customer, "no-such")


def test_a_denied_customer_is_served_everywhere_when_its_provision_returns(
    servers: Pair, customer: str
) -> None:
    names = [f"{customer}-{i}" for i in range(100)]
    for name in names:
        assert "CUSTOMER_NOT_FOUND" == reason(servers.second, name, "export")
    for name in names:
        servers.first.provision(name, "large")
        assert "FEATURE_ENABLED" == reason(servers.second, name, "export")


def assert_in_force(server: Caller, customer: str, version: int, calls: int, export: bool) -> None:
    metered = server.consume(f"{customer}-s", "calls", quantity=0)
    config = server.consume(f"{customer}-s", "region")
    boolean = reason(server, f"{customer}-l", "export")
    batch = server.batch(
        pb.CheckAndConsumeRequest(customer_id=f"{customer}-s", feature_id="calls", quantity=0)
    )

    assert (version, calls) == (metered.catalog_version, metered.limit)
    assert (version, str(calls)) == (config.catalog_version, config.value)
    assert ("FEATURE_ENABLED" if export else "NOT_ENTITLED") == boolean
    assert (version, calls) == (
        batch.results[0].response.catalog_version,
        batch.results[0].response.limit,
    )


def publish_often(servers: Pair, customer: str, times: int) -> None:
    servers.first.provision(f"{customer}-s", "small")
    servers.first.provision(f"{customer}-l", "large")
    with load(servers.second, f"{customer}-s", f"{customer}-l"):
        for change in range(times):
            calls, export = 20 + change, change % 2 == 0
            published = servers.first.publish(plans(calls, export))
            version = published.version.version
            assert_in_force(servers.second, customer, version, calls, export)
            assert_in_force(servers.first, customer, version, calls, export)


def test_a_published_catalog_is_in_force_everywhere_when_it_returns(
    servers: Pair, customer: str
) -> None:
    publish_often(servers, customer, CHANGES // 2)


def test_a_published_catalog_is_in_force_also_when_notices_are_lost(
    servers: Pair, customer: str
) -> None:
    stop = threading.Event()

    def cut() -> None:
        while not stop.wait(0.005):
            raw(servers.store).client_kill_filter(_type="pubsub")

    thread = threading.Thread(target=cut)
    thread.start()
    try:
        publish_often(servers, customer, CHANGES // 10)
    finally:
        stop.set()
        thread.join()


def test_a_rollback_is_in_force_everywhere_when_it_returns(servers: Pair, customer: str) -> None:
    servers.first.provision(f"{customer}-s", "small")
    servers.first.provision(f"{customer}-l", "large")
    old = servers.first.publish(plans(15)).version.version
    request = admin_pb2.RollbackCatalogRequest(version=old)
    for _ in range(10):
        servers.first.publish(plans(16))
        assert 16 == servers.second.consume(f"{customer}-s", "calls", quantity=0).limit
        back = servers.first.admin.RollbackCatalog(request, timeout=CALL_S)
        assert_in_force(servers.second, customer, back.version.version, 15, True)


def test_a_plan_can_be_provisioned_as_soon_as_its_catalog_is_published(
    servers: Pair, customer: str
) -> None:
    for number in range(30):
        extra = f"  new-{number}:\n    entitlements:\n      calls: {{limit: {number}}}\n"
        servers.first.publish(plans() + extra)
        servers.second.provision(customer, f"new-{number}")
        assert number == servers.first.consume(customer, "calls", quantity=0).limit
    servers.publish(plans())


def test_a_plan_that_left_the_catalog_grants_nothing_any_more(servers: Pair, customer: str) -> None:
    extra = "  gone:\n    entitlements:\n      export: true\n"
    servers.publish(plans() + extra)
    servers.first.provision(customer, "gone")
    assert "FEATURE_ENABLED" == reason(servers.second, customer, "export")

    servers.first.publish(plans())

    assert "NO_ACTIVE_SUBSCRIPTION" == reason(servers.second, customer, "export")
    failed = refusal(lambda: servers.second.provision(customer, "gone"))
    assert failed.message.startswith("plan_id: unknown plan 'gone'")


@pytest.fixture
def deaf(monkeypatch: pytest.MonkeyPatch) -> None:
    """Servers of this process hear nothing of what others publish."""

    def notices(self: Catalogs, poll_s: float = 1.0) -> Iterator[bool]:
        raise StoreUnavailable("no notices in this test")
        yield

    monkeypatch.setattr(Catalogs, "notices", notices)


@pytest.mark.usefixtures("deaf")
def test_a_server_that_hears_no_notices_at_all_never_decides_on_an_old_catalog(
    store_url: str, prefix: str
) -> None:
    with running(store_url, prefix) as writer:
        writer.publish(plans())
        with running(store_url, prefix, "grpcio") as reader:
            writer.provision("c-s", "small")
            writer.provision("c-l", "large")
            for change in range(20):
                published = writer.publish(plans(30 + change, change % 2 == 0))
                version = published.version.version
                assert_in_force(reader, "c", version, 30 + change, change % 2 == 0)


@pytest.mark.usefixtures("deaf")
def test_a_server_that_hears_no_notices_at_all_knows_what_can_be_asked_for(
    store_url: str, prefix: str
) -> None:
    with running(store_url, prefix) as writer:
        writer.publish(plans())
        with running(store_url, prefix, "grpcio") as reader:
            reader.wait_ready()
            writer.publish(plans().replace("features:\n", "features:\n  new: {type: metered}\n"))
            request = admin_pb2.GetInsightsRequest(feature_id="new")

            answer = reader.admin.GetInsights(request, timeout=CALL_S)

            assert ["new"] == [each.feature_id for each in answer.features]
