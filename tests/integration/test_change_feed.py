"""Every write is told to those who listen, on whichever server, and what is counted as well."""

import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import pytest

from quotad.client import Client
from quotad.client.admin import AdminClient, CatalogFile
from quotad.service.guard import ADMIN_RIGHTS
from quotad.tokens.roles import Right
from quotad.v1 import quota_pb2 as pb
from tests.http.events import EventStream, Told
from tests.http.serving import HttpRunning, http_running
from tests.raw import raw
from tests.running import CALL_S

CATALOG = """
version: 1
default_plan: free
features:
  calls: {type: metered}
  seats: {type: metered, kind: gauge, ledger: true}
  jobs: {type: metered, kind: concurrency}
plans:
  free: {entitlements: {calls: {limit: 1000}, seats: {limit: 10}, jobs: {limit: 5}}}
  pro: {extends: free, entitlements: {calls: {limit: 2000}}}
"""

NEVER = datetime(2999, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def served(store_url: str) -> Iterator[HttpRunning]:
    with http_running(store_url, f"t-{uuid.uuid4().hex[:12]}") as made:
        made.publish_and_wait(CATALOG)
        yield made


@pytest.fixture(scope="module")
def admin(served: HttpRunning) -> Iterator[AdminClient]:
    with AdminClient(served.grpc.server.address, timeout=20) as made:
        yield made


@pytest.fixture
def customer() -> str:
    return f"c-{uuid.uuid4().hex[:12]}"


def files(limit: int) -> list[CatalogFile]:
    return [CatalogFile("plans.yaml", CATALOG.replace("limit: 1000", f"limit: {limit}"))]


Write = Callable[[AdminClient, str], object]

WRITES: dict[str, Write] = {
    "ProvisionCustomer": lambda admin, who: admin.provision(who, "pro"),
    "UpdateCustomer": lambda admin, who: admin.update_customer(who, name="Acme"),
    "ChangeSubscription": lambda admin, who: admin.change_subscription(who, plan_id="free"),
    "CancelSubscription": lambda admin, who: admin.cancel_subscription(who),
    "SetOverride": lambda admin, who: admin.set_override(who, "seats", {"limit": 7}),
    "RemoveOverride": lambda admin, who: admin.remove_override(who, "seats"),
    "GrantPromotion": lambda admin, who: admin.grant_promotion(
        who, "seats", {"limit": 50}, end=NEVER
    ),
    "RevokePromotion": lambda admin, who: admin.revoke_promotion(who, "seats"),
    "ImportCustomers": lambda admin, who: admin.transfer.import_rows(
        [b'{"customer_id": "%s", "plan": "pro", "name": "Imported"}' % who.encode()]
    ),
    "ArchiveCustomer": lambda admin, who: admin.archive(who),
    "RollbackCustomer": lambda admin, who: admin.rollback_customer(who, admin.customer(who).epoch),
    "EraseCustomer": lambda admin, who: admin.erase(who),
    "PublishCatalog": lambda admin, _: admin.publish(files(1001)),
    "PublishCatalogParts": lambda admin, _: admin.publish(
        [CatalogFile("plans.yaml", files(1002)[0].content + f"# {'x' * 5_000_000}")]
    ),
    "RollbackCatalog": lambda admin, _: admin.rollback(1),
}
"""By name of the call, in an order in which each has something to write."""

_NO_CUSTOMER = {"CreateToken", "RotateToken", "RevokeToken"}
_NO_CUSTOMER |= {"RebuildUsage"}  # which changes usage alone, see below
_NO_CUSTOMER |= {"AddWebhook", "RotateWebhook", "RemoveWebhook", "TestWebhook", "ReplayWebhook"}
"""Calls that change neither a customer nor the catalog."""


def test_every_write_is_told_to_a_listener_on_another_server(
    served: HttpRunning, admin: AdminClient, customer: str
) -> None:
    writing = {name for name, right in ADMIN_RIGHTS.items() if right is not Right.READ}
    missing = "a call that writes must append an event in its script, and stand in WRITES"
    assert (
        writing - _NO_CUSTOMER - {"ListTokens", "ListWebhooks", "ListWebhookAttempts"}
        == WRITES.keys()
    ), missing

    told: dict[str, str] = {}
    version = 1
    with EventStream(served.address, customer_id=customer) as events:
        assert "REFETCH" == events.next().type
        for name, act in WRITES.items():
            act(admin, customer)
            event = events.next()
            while event.data.get("catalog_version", version + 1) <= version:
                event = events.next()  # told again when all shards of a cluster had it
            version = event.data.get("catalog_version", version)
            told[name] = event.type
            if event.type != "CATALOG_CHANGED":
                assert (customer, True) == (event.data["customer_id"], event.data["epoch"] > 0)
            assert event.data["actor"], name

    catalog = dict.fromkeys(
        ("PublishCatalog", "PublishCatalogParts", "RollbackCatalog"), "CATALOG_CHANGED"
    )
    expected = dict.fromkeys(WRITES, "CUSTOMER_CHANGED") | {"EraseCustomer": "CUSTOMER_ERASED"}
    assert expected | catalog == told


COUNTS: dict[str, Callable[[Client, str], object]] = {
    "consume": lambda client, who: client.consume(who, "calls"),
    "consume_many": lambda client, who: client.consume_all(who, {"calls": 1, "seats": 1}),
    "record": lambda client, who: client.record(who, "calls", 3),
    "refund": lambda client, who: client.refund(who, "calls", 1),
    "set_usage": lambda client, who: client.set_usage(who, "calls", 9),
    "reserve": lambda client, who: client.reserve(who, "calls", 2, reservation_id="r"),
    "commit": lambda client, who: client.commit(who, "r", 1),
    "reserve again": lambda client, who: client.reserve(who, "calls", 2, reservation_id="r2"),
    "release": lambda client, who: client.release(who, "r2"),
    "acquire a slot": lambda client, who: client.acquire_slot(who, "jobs", slot_id="s"),
    "release a slot": lambda client, who: client.release_slot(who, "s"),
}


def test_whatever_counts_or_gives_back_is_told_to_who_watches_usage(
    served: HttpRunning, customer: str
) -> None:
    with (
        Client(served.grpc.server.address, timeout=20) as client,
        EventStream(served.address, customer_id=customer, usage="true") as events,
    ):
        settled = [events.next().type for _ in range(2)]  # by then every server knows
        assert ["REFETCH", "USAGE_CHANGED"] == settled
        for name, act in COUNTS.items():
            act(client, customer)
            event = events.next()
            assert ("USAGE_CHANGED", customer) == (event.type, event.data["customer_id"]), name
        client.check(customer, "calls")  # takes nothing
        client.consume(customer, "seats")
        assert "seats" == events.next().data["feature_id"]


def test_usage_that_is_brought_back_to_the_ledger_is_told_to_who_watches_it(
    served: HttpRunning, admin: AdminClient, customer: str
) -> None:
    served.grpc.consume(customer, "seats")
    with EventStream(served.address, customer_id=customer, usage="true") as events:
        settled = [events.next().type for _ in range(2)]  # by then every server knows
        assert ["REFETCH", "USAGE_CHANGED"] == settled
        store = raw(served.grpc.store)
        store.delete(*store.keys(f"{served.grpc.config.prefix}:*:u:{customer}:*"))

        admin.rebuild_usage(customer, apply=True, reason="lost", actor="ops")

        event = events.next()
        assert ("USAGE_CHANGED", "seats") == (event.type, event.data["feature_id"])


def test_leases_are_told_to_who_watches_usage(served: HttpRunning, customer: str) -> None:
    ids: dict[str, Any] = {"customer_id": customer, "lease_id": "l"}
    calls: list[tuple[str, Any]] = [
        ("AcquireLease", pb.AcquireLeaseRequest(**ids, feature_id="calls", quantity=10)),
        ("RenewLease", pb.RenewLeaseRequest(**ids, sequence=1, spent=2, quantity=10)),
        ("ReleaseLease", pb.ReleaseLeaseRequest(**ids, spent=3)),
    ]
    request = pb.WatchEntitlementsRequest(customer_id=customer, usage=True)
    stream = served.grpc.quota.WatchEntitlements(request, timeout=CALL_S)
    assert pb.CHANGE_KIND_REFETCH == next(stream).kind
    assert pb.CHANGE_KIND_USAGE_CHANGED == next(stream).kind  # by then every server knows
    for name, message in calls:
        getattr(served.grpc.quota, name)(message, timeout=CALL_S)
        assert pb.CHANGE_KIND_USAGE_CHANGED == next(stream).kind, name
    stream.cancel()


def test_a_listener_is_told_of_no_other_customer_nor_of_usage_that_it_did_not_ask_for(
    served: HttpRunning, admin: AdminClient, customer: str
) -> None:
    other = f"{customer}-2"
    with (
        EventStream(served.address, customer_id=customer) as events,
        EventStream(served.address, usage="true") as all_events,
    ):
        events.next()
        refetches = (each for each in iter(all_events.next, None) if each.type == "REFETCH")
        assert 2 == len(list(islice(refetches, 2)))
        admin.provision(other, "pro")
        served.grpc.consume(customer, "calls")
        # Usage of earlier tests may come late.
        mine = (
            (each.type, its)
            for each in iter(all_events.next, None)
            if (its := each.data.get("customer_id")) in (customer, other)
        )
        seen = set(islice(mine, 2))
        admin.provision(customer, "pro")

        assert {("CUSTOMER_CHANGED", other), ("USAGE_CHANGED", customer)} == seen
        told = events.next()
        assert ("CUSTOMER_CHANGED", customer) == (told.type, told.data["customer_id"])


def of_a_customer(following: Callable[[], Told]) -> Any:
    """The next event that is of a customer; one of the catalog may have come shortly before."""
    while "customer_id" not in (event := following()).data:
        pass
    return event.data


def test_a_stream_goes_on_from_a_position_on_another_server(
    served: HttpRunning, admin: AdminClient, customer: str
) -> None:
    with EventStream(served.address, customer_id=customer) as events:
        position = events.next().position
    epochs = [admin.provision(customer, plan).epoch for plan in ("pro", "free", "pro")]

    headers = {"Last-Event-ID": position}  # which comes before the position of the address
    with EventStream(served.address, headers, customer_id=customer, position="0") as events:
        assert epochs == [of_a_customer(events.next)["epoch"] for _ in epochs]
    request = pb.WatchEntitlementsRequest(customer_id=customer, position=position)
    stream = served.grpc.quota.WatchEntitlements(request, timeout=CALL_S)
    assert epochs == list(islice((each.epoch for each in stream if each.customer_id), len(epochs)))
    stream.cancel()


def test_what_lies_too_far_back_is_to_be_read_again(served: HttpRunning, customer: str) -> None:
    with EventStream(served.address, customer_id=customer, position="1") as events:
        assert "REFETCH" == events.next().type
    with EventStream(served.address, customer_id=customer) as events:
        position = events.next().position
    with EventStream(served.address, customer_id=customer, position=position) as events:
        assert events.any().type in ("", "CATALOG_CHANGED")  # which may have come shortly before
    with EventStream(
        served.address, customer_id=customer, usage="true", position=position
    ) as events:  # nothing of usage is kept
        while events.next().type != "REFETCH":
            pass
